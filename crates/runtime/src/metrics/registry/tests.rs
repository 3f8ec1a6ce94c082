use rheos_core::clock::{Clock, ManualClock};
use rheos_core::id::{OperatorId, Place, VertexId};

use super::*;
use crate::metrics::handle::JobIdentity;
use crate::metrics::metric::Metric as M;
use crate::metrics::operator::OperatorMetrics;
use crate::metrics::states::StateSize;
use crate::metrics::task::TaskTimes;

fn task(names: &[&str]) -> TaskHandle {
    let count = names.len();
    let operator = |(index, name): (usize, &&str)| OperatorHandle {
        index,
        id: OperatorId::of_uid(name),
        name: (*name).to_owned(),
        is_source: index == 0,
        is_tail: index + 1 == count,
        metrics: Arc::new(OperatorMetrics::default()),
    };
    TaskHandle {
        vertex: 0,
        place: Place {
            operator: names.join(" -> "),
            subtask: 0,
            parallelism: 1,
        },
        times: Arc::new(TaskTimes::default()),
        operators: names.iter().enumerate().map(operator).collect(),
    }
}

fn job(name: &str) -> JobIdentity {
    JobIdentity {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        name: name.to_owned(),
    }
}

fn find<'a>(samples: &'a [Sample], scope: Scope, name: &str, of: &str) -> Option<&'a Sample> {
    samples.iter().find(|sample| {
        let owner = match scope {
            Scope::Operator => sample.label("operator_name"),
            _ => sample.label("task_name"),
        };
        sample.scope == scope && sample.name == name && owner == Some(of)
    })
}

fn number(samples: &[Sample], scope: Scope, metric: Metric, of: &str) -> f64 {
    find(samples, scope, metric.name(), of)
        .and_then(Sample::number)
        .unwrap()
}

#[test]
fn rates_come_from_two_looks_and_the_clock() {
    let clock = ManualClock::at(0);
    let task = task(&["read", "map"]);
    let (read, map) = match task.operators.as_slice() {
        [read, map] => (read.metrics.clone(), map.metrics.clone()),
        _ => unreachable!(),
    };
    let registry = MetricRegistry::default();
    let times = task.times.clone();
    times.enter(TaskActivity::Busy, clock.monotonic_micros());
    let _registered = registry.register(job("job"), 0, vec![task], clock.clone());
    read.set_records_in(3_000);
    map.set_records_out(1_500);
    times.enter(TaskActivity::BackPressured, 500_000);
    clock.advance(2_000);
    let samples = registry.snapshot();
    let of_task = |metric| number(&samples, Scope::Task, metric, "read -> map");
    assert_eq!(of_task(M::NumRecordsIn), 3_000.0);
    assert_eq!(of_task(M::NumRecordsInPerSecond), 1_500.0);
    assert_eq!(of_task(M::NumRecordsOutPerSecond), 750.0);
    assert_eq!(of_task(M::BusyTimeMsPerSecond), 250.0);
    assert_eq!(of_task(M::BackPressuredTimeMsPerSecond), 750.0);
    assert_eq!(of_task(M::IsBackPressured), 1.0);
    assert_eq!(
        number(&samples, Scope::Operator, M::NumRecordsInPerSecond, "read"),
        1_500.0
    );
    // A second reader within the period sees the same rates, and does not cut it short.
    clock.advance(10);
    let again = registry.snapshot();
    assert_eq!(
        number(&again, Scope::Task, M::NumRecordsInPerSecond, "read -> map"),
        1_500.0
    );
}

#[test]
fn series_carry_flink_s_labels_and_go_with_the_job() {
    let clock = ManualClock::at(50_000);
    let task = task(&["read"]);
    let metrics = task.operators.first().unwrap().metrics.clone();
    let registry = MetricRegistry::default();
    let registered = registry.register(job("flights"), 2, vec![task], clock);
    metrics.counter("numInvalidEvents").inc();
    metrics
        .group()
        .group_of("table", "planes")
        .meter("lookups")
        .mark();
    metrics.set_watermark(20_000);
    metrics.set_states(vec![StateSize {
        name: "seen".into(),
        keys: 3,
        estimated_bytes: 96,
        migrates: false,
    }]);
    let samples = registry.snapshot();
    let invalid = find(&samples, Scope::Operator, "numInvalidEvents", "read").unwrap();
    assert_eq!(invalid.value, Value::Integer(1));
    assert_eq!(
        invalid.prometheus_name(),
        "flink_taskmanager_job_task_operator_numInvalidEvents"
    );
    let attempt = format!(
        "0123456789abcdef0123456789abcdef_{}_0_2",
        VertexId(OperatorId::of_uid("read"))
    );
    for (key, value) in [
        ("job_id", "0123456789abcdef0123456789abcdef"),
        ("job_name", "flights"),
        ("task_attempt_id", &attempt),
        ("task_attempt_num", "2"),
        ("subtask_index", "0"),
    ] {
        assert_eq!(invalid.label(key), Some(value));
    }
    let lookups = find(&samples, Scope::Operator, "table.lookups", "read").unwrap();
    assert_eq!(lookups.label("table"), Some("planes"));
    assert_eq!(
        number(&samples, Scope::Operator, M::WatermarkLag, "read"),
        30_000.0
    );
    let keys = find(&samples, Scope::Operator, "stateKeyCount", "read").unwrap();
    assert_eq!(
        (keys.label("state"), keys.number()),
        (Some("seen"), Some(3.0))
    );
    drop(registered);
    assert!(registry.snapshot().is_empty());
}

#[test]
fn what_is_shown_is_in_the_enum_and_labels_are_unique() {
    let task = task(&["read"]);
    let registry = MetricRegistry::default();
    let _registered = registry.register(job("job"), 0, vec![task], ManualClock::at(0));
    for sample in registry.snapshot() {
        let metric = M::ALL
            .iter()
            .find(|metric| metric.name() == sample.name)
            .unwrap();
        assert!(
            metric.description().scopes.contains(&sample.scope),
            "{sample:?}"
        );
        let keys: std::collections::BTreeSet<_> = sample.labels.iter().map(|(k, _)| k).collect();
        assert_eq!(keys.len(), sample.labels.len(), "{sample:?}");
    }
}
