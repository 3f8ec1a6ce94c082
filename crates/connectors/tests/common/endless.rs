//! A job that writes until it is told to stop, while something happens to what it writes to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rheos::cluster::deploy::JobMetrics;
use rheos::cluster::embedded::JobControl;
use rheos::prelude::*;
use rheos_connectors::DataGeneratorSource;

use super::wait_until;

pub struct Endless {
    emitted: Arc<AtomicUsize>,
    control: JobControl,
    metrics: JobMetrics,
    ending: JoinHandle<Result<(), String>>,
    _checkpoints: tempfile::TempDir,
}

impl Endless {
    /// Writes the rows `make(0)`, `make(1)` … at so many a second, with a checkpoint ten times a
    /// second.
    pub fn start<T: Row>(
        make: fn(u64) -> T,
        rows_per_second: f64,
        sink: impl Sink<T>,
        name: &str,
    ) -> Self {
        let checkpoints = tempfile::tempdir().unwrap();
        let mut conf = Configuration::default();
        conf.set("execution.checkpointing.interval", "100 ms");
        conf.set(
            "execution.checkpointing.dir",
            checkpoints.path().to_str().unwrap(),
        );
        conf.set("restart-strategy.type", "none");
        let env = StreamEnv::new(conf.clone());
        env.parallelism(1);
        let emitted = Arc::new(AtomicUsize::new(0));
        let count = emitted.clone();
        env.from_source_with_rate(
            DataGeneratorSource::unbounded(make),
            WatermarkStrategy::no_watermarks(),
            "numbers",
            rows_per_second,
        )
        .map(move |row: T| {
            count.fetch_add(1, Ordering::SeqCst);
            row
        })
        .sink_to(sink)
        .name(name);
        let job = rheos::execute::start(&env.program().unwrap(), conf).unwrap();
        let (control, metrics) = (job.handle.control(), job.handle.metrics().clone());
        // Who waits for the job looks after its checkpoints.
        let ending = std::thread::spawn(move || {
            let ended = job.wait().map(drop);
            ended.map_err(|error| error.to_string())
        });
        Self {
            emitted,
            control,
            metrics,
            ending,
            _checkpoints: checkpoints,
        }
    }

    /// Rows that were given to the sink.
    pub fn emitted(&self) -> usize {
        self.emitted.load(Ordering::SeqCst)
    }

    pub fn checkpoints(&self) -> u64 {
        self.metrics
            .checkpoints
            .counts()
            .map_or(0, |counts| counts.completed)
    }

    /// Waits until the job takes no more rows and completes no checkpoint: its sink holds it up
    /// rather than losing rows, or saying that it has written them.
    pub fn wait_until_held_up(&self) {
        wait_until("the job is not held up", || {
            let before = (self.emitted(), self.checkpoints());
            std::thread::sleep(Duration::from_millis(600));
            (self.emitted(), self.checkpoints()) == before
        });
    }

    /// Waits until `written` has risen by some hundreds, and a checkpoint has been completed.
    pub fn wait_until_it_goes_on(&self, what: &str, written: impl Fn() -> usize) {
        let (before, checkpoints) = (written(), self.checkpoints());
        wait_until(what, || {
            written() > before + 300 && self.checkpoints() > checkpoints
        });
    }

    /// Stops it; how many rows it was given, all of which are written then.
    pub fn stop(self) -> usize {
        self.control.stop(true);
        self.ending.join().unwrap().unwrap();
        self.emitted.load(Ordering::SeqCst)
    }

    pub fn cancel(self) {
        self.control.cancel();
        let error = self.ending.join().unwrap().unwrap_err();
        assert!(error.contains("cancelled"), "{error}");
    }

    /// Waits until it fails by itself; why.
    pub fn fails(self) -> String {
        self.ending.join().unwrap().unwrap_err()
    }
}
