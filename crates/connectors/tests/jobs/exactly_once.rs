//! Jobs that fail, are stopped and are started again, from a generator to files: nothing is lost and
//! nothing doubled.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rheos::cluster::checkpoint::Resume;
use rheos::execute::{StartOptions, start_with};
use rheos::prelude::*;
use rheos_connectors::{DataGeneratorSource, FileSink, JsonLines};

use crate::common::sums::{check_sums, numbers, sum_up};

/// `trouble` sees every row.
fn describe(
    env: &StreamEnv,
    out: &Path,
    count: u64,
    rate: f64,
    trouble: Arc<dyn Fn(u64) -> Result<u64, BoxError> + Send + Sync>,
) {
    env.name("sums");
    let numbers = numbers(env, count, rate).try_map(move |k: u64| trouble(k));
    sum_up(numbers, out);
}

fn configuration(folder: Option<&Path>, more: &[(&str, &str)]) -> Configuration {
    let mut configuration = Configuration::default();
    configuration.set("execution.checkpointing.interval", "20 ms");
    if let Some(folder) = folder {
        configuration.set("execution.checkpointing.dir", folder.to_str().unwrap());
    }
    for (key, value) in more {
        configuration.set(key, value);
    }
    configuration
}

fn run(
    configuration: &Configuration,
    out: &Path,
    count: u64,
    parallelism: u32,
    trouble: Arc<dyn Fn(u64) -> Result<u64, BoxError> + Send + Sync>,
) -> Result<rheos::cluster::embedded::JobReport, ApiError> {
    let env = StreamEnv::new(configuration.clone());
    env.parallelism(parallelism);
    describe(&env, out, count, 40_000.0, trouble);
    rheos::run_job(&env, rheos::RunOptions::default()).map(|finished| finished.report)
}

fn none() -> Arc<dyn Fn(u64) -> Result<u64, BoxError> + Send + Sync> {
    Arc::new(Ok)
}

/// Fails at every row whose number is one of these, once each.
fn failing(at: &'static [u64]) -> Arc<dyn Fn(u64) -> Result<u64, BoxError> + Send + Sync> {
    let failed = AtomicU64::new(0);
    Arc::new(move |k| {
        let next = failed.load(Ordering::SeqCst);
        if at.get(next as usize) == Some(&k) {
            failed.store(next + 1, Ordering::SeqCst);
            return Err(format!("row {k} is one too many").into());
        }
        Ok(k)
    })
}

const QUICKLY: [(&str, &str); 2] = [
    ("restart-strategy.type", "fixed-delay"),
    ("restart-strategy.fixed-delay.delay", "1 ms"),
];

#[test]
fn a_job_that_fails_goes_on_from_its_latest_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut conf = configuration(None, &QUICKLY);
    conf.set("restart-strategy.fixed-delay.attempts", "5");
    let trouble = failing(&[4_000, 11_111, 15_000, 19_999]);
    let report = run(&conf, &out, 20_000, 2, trouble).unwrap();
    assert_eq!(report.restarts, 4);
    check_sums(&out, 20_000);
    let rows: u64 = report
        .metrics
        .tasks
        .iter()
        .flat_map(|task| &task.operators)
        .filter(|operator| operator.is_source)
        .map(|operator| operator.metrics.records_in())
        .sum();
    assert_eq!(rows, 20_000, "counters hold over restarts");
}

#[test]
fn a_job_fails_for_good_when_its_strategy_says_so_and_goes_on_when_it_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let (out, store) = (folder.path().join("out"), folder.path().join("store"));
    let mut conf = configuration(Some(&store), &QUICKLY);
    conf.set("restart-strategy.fixed-delay.attempts", "1");
    let error = run(&conf, &out, 20_000, 2, failing(&[9_000, 9_500])).unwrap_err();
    assert!(
        error.to_string().contains("row 9500 is one too many"),
        "{error}"
    );
    // At another parallelism, too.
    let report = run(&conf, &out, 20_000, 3, none()).unwrap();
    assert_eq!(report.restarts, 0);
    check_sums(&out, 20_000);
    let error = run(&conf, &out, 20_000, 3, none()).unwrap_err();
    assert!(matches!(error, ApiError::Finished { .. }), "{error}");
}

#[test]
fn a_job_that_is_stopped_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (out, store) = (folder.path().join("out"), folder.path().join("store"));
    let conf = configuration(Some(&store), &[]);
    let mut before = 0;
    for (stop, parallelism) in [(true, 2), (true, 3), (true, 1), (false, 2)] {
        let env = StreamEnv::new(conf.clone());
        env.parallelism(parallelism);
        describe(&env, &out, 30_000, 60_000.0, none());
        let program = env.program().unwrap();
        let job = start_with(&program, conf.clone(), StartOptions::default()).unwrap();
        if stop {
            let (control, metrics) = (job.handle.control(), job.handle.metrics().clone());
            while read(&metrics) < before + 4_000 {
                std::thread::yield_now();
            }
            control.stop(false);
        }
        before = read(&job.wait().unwrap().metrics);
    }
    assert_eq!(before, 30_000, "counters hold over all lives");
    check_sums(&out, 30_000);
}

/// Sources stop one after the other. A checkpoint may fall between two of them: then those that have
/// stopped are gone when the next one is taken, which is what the job goes on from.
#[test]
fn a_checkpoint_between_the_stops_of_two_sources_loses_no_split() {
    let folder = tempfile::tempdir().unwrap();
    let (out, store) = (folder.path().join("out"), folder.path().join("store"));
    let mut conf = configuration(Some(&store), &[]);
    conf.set("execution.checkpointing.interval", "10 ms");
    conf.set("execution.checkpointing.max-concurrent-checkpoints", "4");
    for life in 0..20 {
        let env = StreamEnv::new(conf.clone());
        env.parallelism(8);
        describe(&env, &out, 40_000, 120_000.0, none());
        let program = env.program().unwrap();
        let job = start_with(&program, conf.clone(), StartOptions::default()).unwrap();
        let (control, metrics) = (job.handle.control(), job.handle.metrics().clone());
        if life < 19 {
            while read(&metrics) < life * 2_000 + 500 {
                std::thread::yield_now();
            }
            control.stop(false);
        }
        job.wait().unwrap();
    }
    check_sums(&out, 40_000);
}

fn read(metrics: &rheos::cluster::deploy::JobMetrics) -> u64 {
    let operators = metrics.tasks.iter().flat_map(|task| &task.operators);
    let sources = operators.filter(|operator| operator.is_source);
    sources.map(|source| source.metrics.records_in()).sum()
}

#[test]
fn damage_is_found_and_named_and_an_older_checkpoint_offered() {
    let folder = tempfile::tempdir().unwrap();
    let (out, store) = (folder.path().join("out"), folder.path().join("store"));
    let mut conf = configuration(Some(&store), &[("restart-strategy.type", "none")]);
    conf.set("execution.checkpointing.num-retained", "3");
    run(&conf, &out, 20_000, 1, failing(&[15_000])).unwrap_err();
    let mut manifests = Vec::new();
    for generation in std::fs::read_dir(store.join("sums")).unwrap() {
        let generation = generation.unwrap().path();
        if generation.ends_with("log") {
            continue;
        }
        for checkpoint in std::fs::read_dir(generation).unwrap() {
            let checkpoint = checkpoint.unwrap().path();
            if checkpoint.join("manifest.json").exists() {
                let name = checkpoint.file_name().unwrap().to_str().unwrap().to_owned();
                let number: u64 = name.strip_prefix("chk-").unwrap().parse().unwrap();
                manifests.push((number, checkpoint));
            }
        }
    }
    manifests.sort();
    assert_eq!(manifests.len(), 3, "as many as are to be kept");
    let (newest, place) = manifests.last().unwrap();
    let file = std::fs::read_dir(place)
        .unwrap()
        .map(|file| file.unwrap().path())
        .find(|path| path.to_str().unwrap().contains("task-"))
        .unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let error = run(&conf, &out, 20_000, 1, none()).unwrap_err().to_string();
    let older = manifests[1].0;
    assert!(error.contains("is not what was written"), "{error}");
    assert!(error.contains(&format!("chk-{newest}")), "{error}");
    assert!(error.contains(&format!("checkpoint is {older}")), "{error}");
    bytes.truncate(middle);
    std::fs::write(&file, &bytes).unwrap();
    let error = run(&conf, &out, 20_000, 1, none()).unwrap_err().to_string();
    assert!(error.contains("is truncated"), "{error}");
    std::fs::remove_file(&file).unwrap();
    let error = run(&conf, &out, 20_000, 1, none()).unwrap_err().to_string();
    assert!(error.contains("is missing"), "{error}");
    // What lies between the two is in the output already; the rows behind the older one come again.
    let env = StreamEnv::new(conf.clone());
    env.parallelism(1);
    describe(&env, &out, 20_000, 40_000.0, none());
    let options = StartOptions {
        resume: Resume::Number(older),
        ..StartOptions::default()
    };
    let program = env.program().unwrap();
    start_with(&program, conf, options).unwrap().wait().unwrap();
}

#[test]
fn state_of_an_operator_that_is_gone_is_not_dropped_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let (out, store) = (folder.path().join("out"), folder.path().join("store"));
    let mut conf = configuration(Some(&store), &[("restart-strategy.type", "none")]);
    run(&conf, &out, 20_000, 1, failing(&[15_000])).unwrap_err();
    let other = |conf: &Configuration| {
        let env = StreamEnv::new(conf.clone());
        env.name("sums").parallelism(1);
        let source = DataGeneratorSource::new(|k| k, 10);
        env.from_source(source, WatermarkStrategy::no_watermarks(), "others")
            .sink_to(FileSink::new(JsonLines, folder.path().join("others")));
        rheos::run_job(&env, rheos::RunOptions::default())
    };
    let error = other(&conf).unwrap_err().to_string();
    assert!(
        error.contains("numbers") && error.contains("ignore-unclaimed-state"),
        "{error}"
    );
    conf.set("execution.state-recovery.ignore-unclaimed-state", "true");
    other(&conf).unwrap();
}
