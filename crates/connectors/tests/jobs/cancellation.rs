//! How long a job that is cancelled waits for its tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rheos::execute::start;
use rheos::prelude::*;
use rheos_connectors::{BlackholeSink, DataGeneratorSource};

#[test]
fn a_task_that_hangs_is_given_up_after_the_time_that_is_configured() {
    let mut configuration = Configuration::new();
    configuration.set("task.cancellation.timeout", "1 s");
    let env = StreamEnv::new(configuration);
    env.parallelism(1);
    let hangs = Arc::new(AtomicBool::new(false));
    let told = hangs.clone();
    let numbers = DataGeneratorSource::new(|number| number, 5);
    env.from_source(numbers, WatermarkStrategy::no_watermarks(), "numbers")
        .map(move |number: u64| {
            told.store(true, Ordering::SeqCst);
            // As a thread that never comes back, for as long as the test may take.
            std::thread::sleep(Duration::from_secs(60));
            number
        })
        .name("hangs")
        .sink_to(BlackholeSink);
    let job = start(&env.program().unwrap(), env.configuration()).unwrap();
    while !hangs.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let began = Instant::now();
    job.handle.control().cancel();
    let error = job.wait().unwrap_err().to_string();
    let waited = began.elapsed().as_millis();
    assert!((900..30_000).contains(&waited), "{waited} ms");
    assert!(error.contains("did not end within 1 s"), "{error}");
    assert!(error.contains("the job was cancelled"), "{error}");
}
