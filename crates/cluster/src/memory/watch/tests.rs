use std::sync::Arc;

use rheos_core::clock::ManualClock;
use rheos_core::id::Place;
use rheos_core::job_graph::JobGraph;
use rheos_runtime::metrics::handle::{OperatorHandle, TaskHandle};
use rheos_runtime::metrics::operator::OperatorMetrics;
use rheos_runtime::metrics::states::StateSize;
use rheos_runtime::metrics::task::TaskTimes;

use super::*;

const MIB: u64 = 1 << 20;

fn job(operators: usize) -> (JobMetrics, Vec<Arc<OperatorMetrics>>) {
    let counted: Vec<Arc<OperatorMetrics>> = (0..operators).map(|_| Arc::default()).collect();
    let task = |(subtask, metrics): (usize, &Arc<OperatorMetrics>)| TaskHandle {
        vertex: 0,
        place: Place {
            operator: "session".into(),
            subtask: u32::try_from(subtask).unwrap(),
            parallelism: 2,
        },
        times: Arc::new(TaskTimes::default()),
        operators: vec![OperatorHandle {
            index: 0,
            id: OperatorId(7),
            name: "session".into(),
            is_source: false,
            is_tail: true,
            metrics: metrics.clone(),
        }],
    };
    let metrics = JobMetrics {
        graph: Arc::new(JobGraph::new("job", Vec::new(), Vec::new(), true)),
        tasks: counted.iter().enumerate().map(task).collect(),
        checkpoints: Default::default(),
        growth: Default::default(),
    };
    (metrics, counted)
}

fn watch(limit: u64) -> MemoryWatch {
    let mut configuration = Configuration::new();
    configuration.set("taskmanager.memory.process.size", format!("{limit} b"));
    configuration.set("taskmanager.memory.managed.size", "0 b");
    configuration.set("taskmanager.memory.network.size", "0 b");
    MemoryWatch::new(&configuration, ManualClock::at(0)).unwrap()
}

fn set(metrics: &OperatorMetrics, bytes: u64) {
    metrics.set_states(vec![StateSize {
        name: "seen".into(),
        keys: 1,
        estimated_bytes: usize::try_from(bytes).unwrap(),
        migrates: false,
    }]);
}

#[test]
fn growth_is_summed_over_subtasks_and_told_with_the_time_that_is_left() {
    let (metrics, counted) = job(2);
    let mut watch = watch(1_000 * MIB);
    for second in 0..30u64 {
        for one in &counted {
            set(one, second * MIB);
        }
        assert!(watch.judge(&metrics, second as f64, 100 * MIB).is_none());
    }
    let growths = metrics.growth.get();
    let [growth] = growths.as_slice() else {
        panic!("one state is expected: {growths:?}");
    };
    assert_eq!(
        (growth.operator.as_str(), growth.state.as_str()),
        ("session", "seen")
    );
    assert_eq!(
        (growth.bytes, growth.per_second),
        (58 * MIB, 2.0 * MIB as f64)
    );
    // 900 MiB may be used, 100 are.
    let left = growth.seconds_to_limit.unwrap();
    assert!((left - 400.0).abs() < 1e-3, "{left}");
    let told = watch.states.values().next().unwrap().told;
    assert_eq!(told, Some(2));
}

#[test]
fn a_state_that_stays_is_not_forecast() {
    let (metrics, counted) = job(1);
    let mut watch = watch(1_000 * MIB);
    for second in 0..30u64 {
        counted.iter().for_each(|one| set(one, 5 * MIB));
        assert!(watch.judge(&metrics, second as f64, 100 * MIB).is_none());
    }
    let growths = metrics.growth.get();
    assert!(
        growths
            .iter()
            .all(|growth| growth.seconds_to_limit.is_none())
    );
    assert_eq!(watch.states.values().next().unwrap().told, None);
}

#[test]
fn at_its_limit_the_job_ends_by_the_names_of_its_states() {
    let (metrics, counted) = job(1);
    let mut watch = watch(100 * MIB);
    counted.iter().for_each(|one| set(one, 60 * MIB));
    assert!(watch.judge(&metrics, 0.0, 80 * MIB).is_none());
    let error = watch.judge(&metrics, 10.0, 96 * MIB).unwrap().to_string();
    for part in [
        "96 MiB",
        "100 MiB",
        "'seen' of 'session' 60 MiB",
        "process.size",
    ] {
        assert!(error.contains(part), "{error}");
    }
}
