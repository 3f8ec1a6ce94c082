//! What a process tells of itself: memory, threads, jobs.

use std::collections::BTreeSet;

use rheos_core::config::{Configuration, MemoryBudget};
use rheos_runtime::metrics::metric::Metric;
use rheos_runtime::metrics::sample::{Sample, Value};

use super::ReporterError;
use super::cpu::CpuMeter;
use crate::memory::system;

/// What the process may use, and what it has used.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) budget: Option<MemoryBudget>,
    cpu: CpuMeter,
}

impl Process {
    pub(crate) fn of(configuration: &Configuration) -> Result<Self, ReporterError> {
        let divide = |available| MemoryBudget::divide(configuration, available);
        let budget = system::available().map(divide).transpose();
        let budget = budget.map_err(|error| ReporterError::Configuration(error.to_string()))?;
        Ok(Self {
            budget,
            cpu: CpuMeter::default(),
        })
    }

    /// What is to be told beside the metrics of the jobs.
    pub(crate) fn samples(&self, of_jobs: &[Sample]) -> Vec<Sample> {
        let sum = |metric: Metric| {
            let found = of_jobs.iter().filter(|s| s.name == metric.name());
            found.filter_map(Sample::number).sum::<f64>()
        };
        let of = |sample: &&Sample| sample.name == Metric::Uptime.name();
        let jobs = of_jobs.iter().filter(of);
        let jobs: BTreeSet<&str> = jobs.filter_map(|sample| sample.label("job_name")).collect();
        let state = sum(Metric::StateSize);
        let queued = sum(Metric::InputQueueSize);
        let mut values = vec![
            (Metric::HeapUsed, state + queued),
            (Metric::ManagedMemoryUsed, state),
            (Metric::AllCollections, 0.0),
            (Metric::AllCollectionTime, 0.0),
            (Metric::AllCollectionRate, 0.0),
            (Metric::YoungCollections, 0.0),
            (Metric::YoungCollectionTime, 0.0),
            (Metric::YoungCollectionRate, 0.0),
            (Metric::OldCollections, 0.0),
            (Metric::OldCollectionTime, 0.0),
            (Metric::OldCollectionRate, 0.0),
            (Metric::NetworkMemoryUsed, queued),
            (Metric::NumRunningJobs, jobs.len() as f64),
        ];
        if let Some(budget) = &self.budget {
            let accounted = budget.managed.saturating_add(budget.network);
            values.push((Metric::HeapMax, accounted as f64));
            values.push((Metric::ManagedMemoryTotal, budget.managed as f64));
            let network = budget.network as f64;
            values.push((Metric::NetworkMemoryTotal, network));
            values.push((Metric::NetworkMemoryAvailable, (network - queued).max(0.0)));
            let requested = sum(Metric::DebloatedBufferSize) * 100.0 / network.max(1.0);
            values.push((Metric::NetworkMemoryRequested, requested));
        }
        if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
            if let Some(bytes) = system::kilobytes(&status, "VmRSS:") {
                values.push((Metric::ResidentMemory, bytes as f64));
            }
            let threads = status.lines().find_map(|l| l.strip_prefix("Threads:"));
            if let Some(threads) = threads.and_then(|text| text.trim().parse().ok()) {
                values.push((Metric::ThreadCount, threads));
            }
        }
        if let Some(cpu) = self.cpu.look() {
            values.push((Metric::CpuTime, cpu.nanos));
            values.push((Metric::CpuLoad, cpu.load));
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            values.push((Metric::OpenFiles, open.count() as f64));
        }
        if let Some(most) = max_open_files() {
            values.push((Metric::MaxOpenFiles, most));
        }
        let each = values.into_iter().flat_map(|(metric, value)| {
            let description = metric.description();
            description.scopes.iter().map(move |scope| Sample {
                name: description.name.to_owned(),
                kind: description.kind,
                scope: *scope,
                labels: Vec::new(),
                value: Value::Number(value),
            })
        });
        each.collect()
    }
}

/// The soft limit of open files, where there is one.
fn max_open_files() -> Option<f64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use rheos_runtime::metrics::metric::{Kind, Scope};

    use super::*;

    #[test]
    fn what_is_accounted_for_is_told_of_both_managers() {
        let state = |bytes| Sample {
            name: Metric::StateSize.name().to_owned(),
            kind: Kind::Gauge,
            scope: Scope::Operator,
            labels: Vec::new(),
            value: Value::Integer(bytes),
        };
        let budget = MemoryBudget {
            total: 1_000,
            managed: 400,
            network: 100,
        };
        let process = Process {
            budget: Some(budget),
            cpu: CpuMeter::default(),
        };
        let samples = process.samples(&[state(30), state(12)]);
        let value = |scope: Scope, metric: Metric| {
            let found = samples
                .iter()
                .find(|s| s.scope == scope && s.name == metric.name());
            found.and_then(Sample::number)
        };
        for scope in [Scope::JobManager, Scope::TaskManager] {
            assert_eq!(value(scope, Metric::HeapUsed), Some(42.0));
            assert_eq!(value(scope, Metric::HeapMax), Some(500.0));
            assert_eq!(value(scope, Metric::YoungCollections), Some(0.0));
        }
        assert_eq!(value(Scope::JobManager, Metric::NumRunningJobs), Some(0.0));
        assert_eq!(value(Scope::TaskManager, Metric::NumRunningJobs), None);
    }
}
