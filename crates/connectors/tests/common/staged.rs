//! What a job sees of an exactly-once sink, without the job: epochs as its writer stages them, and
//! committers.

#![allow(dead_code, reason = "each test uses a part of this")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rheos::prelude::*;
use rheos_core::barrier::{Alignment, Barrier, SnapshotKind};
use rheos_core::clock::SystemClock;
use rheos_core::id::{CheckpointId, Generation, OperatorId, Place};
use rheos_runtime::metrics::operator::OperatorMetrics;
use rheos_runtime::sink::committer::{Committer, CommitterContext, Fence, StagedEpoch};
use rheos_runtime::sink::writer::{Sink, WriterContext};
use rheos_runtime::task::signal::Signal;

use crate::common::proxy::Proxy;

pub const OPERATOR: OperatorId = OperatorId(7);

pub struct Staged {
    io: tokio::runtime::Runtime,
    pub lineage: String,
    pub metrics: Arc<OperatorMetrics>,
}

impl Staged {
    pub fn new() -> Self {
        Self {
            io: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap(),
            lineage: crate::common::unique("lineage"),
            metrics: Arc::default(),
        }
    }

    fn place() -> Place {
        Place {
            operator: "sink".into(),
            subtask: 0,
            parallelism: 1,
        }
    }

    pub fn committer<T: Row>(&self, sink: &impl Sink<T>) -> Result<Box<dyn Committer>, BoxError> {
        let context = CommitterContext {
            place: Self::place(),
            operator: OPERATOR,
            lineage: self.lineage.clone(),
            clock: SystemClock::shared(),
            configuration: Arc::default(),
            io: Some(self.io.handle().clone()),
            metrics: self.metrics.clone(),
        };
        Ok(sink.committer(&context)?.unwrap())
    }

    /// What a writer stages for these rows.
    pub fn epoch<T: Row>(
        &self,
        sink: &impl Sink<T>,
        number: u64,
        rows: impl IntoIterator<Item = T>,
    ) -> StagedEpoch {
        let context = WriterContext {
            place: Self::place(),
            attempt: 0,
            checkpointed: true,
            clock: SystemClock::shared(),
            configuration: Arc::default(),
            signal: Arc::new(Signal::new()),
            io: Some(self.io.handle().clone()),
            metrics: self.metrics.clone(),
            side_outputs: Default::default(),
        };
        let mut writer = sink.writer(&context).unwrap();
        for row in rows {
            writer.write(row, 0).unwrap();
        }
        // As a task does: no barrier passes a writer that has something to ask first.
        while writer.has_outstanding() {
            match writer.has_news() {
                true => writer.take_news().unwrap(),
                false => std::thread::sleep(std::time::Duration::from_millis(1)),
            }
        }
        let barrier = Barrier {
            checkpoint: CheckpointId(number),
            generation: Generation(1),
            triggered_at: triggered_at(number),
            kind: SnapshotKind::Checkpoint,
            alignment: Alignment::Aligned,
        };
        StagedEpoch {
            fence: Fence {
                lineage: self.lineage.clone(),
                sink: OPERATOR.to_string(),
                writer: 0,
                epoch: number,
            },
            triggered_at: triggered_at(number),
            handle: writer.stage(&barrier).unwrap().unwrap(),
        }
    }
}

/// Triggers rise with the numbers of checkpoints.
fn triggered_at(number: u64) -> i64 {
    1_000 + 10 * number as i64
}

/// Commits epochs over a way that is cut again and again: at most `most` times, first after `first`
/// microseconds and then at intervals up to `spread` longer, that meet every step.
pub fn commit_while_cut(
    mut committer: Box<dyn Committer>,
    epochs: Vec<StagedEpoch>,
    proxy: &Proxy,
    (most, first, spread): (u64, u64, u64),
) {
    let committing = std::thread::spawn(move || {
        for epoch in epochs {
            committer.commit(&[epoch]).unwrap();
        }
    });
    let mut cuts = 0u64;
    while !committing.is_finished() {
        if cuts < most {
            std::thread::sleep(Duration::from_micros(first + cuts * 1_777 % spread));
            proxy.cut();
            proxy.mend();
            cuts += 1;
        } else {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    committing.join().unwrap();
    assert!(cuts > 5, "{cuts} cuts");
}

/// Commits the same epochs by two committers of one place at once.
pub fn commit_by_two<T: Row>(
    staged: &Staged,
    sink: &impl Sink<T>,
    epochs: impl Fn() -> Vec<StagedEpoch>,
) {
    let both = [0, 1].map(|_| {
        let (mut committer, epochs) = (staged.committer(sink).unwrap(), epochs());
        std::thread::spawn(move || {
            for epoch in epochs {
                committer.commit(&[epoch]).unwrap();
            }
        })
    });
    for one in both {
        one.join().unwrap();
    }
}

/// Runs a job from numbers to a sink, which fails at some rows, and is stopped and started at other
/// parallelisms, until all rows are through; `meanwhile` is done in its first life.
pub fn run_through_trouble<S: Sink<u64>>(
    sink: impl Fn() -> S,
    count: u64,
    meanwhile: impl FnOnce(&dyn Fn() -> u64),
) {
    run_rows_through_trouble(|n| n, sink, count, meanwhile);
}

/// As [`run_through_trouble`], of rows that numbers are made into.
pub fn run_rows_through_trouble<T: Row, S: Sink<T>>(
    row: fn(u64) -> T,
    sink: impl Fn() -> S,
    count: u64,
    meanwhile: impl FnOnce(&dyn Fn() -> u64),
) {
    let folder = tempfile::tempdir().unwrap();
    let mut conf = Configuration::default();
    conf.set("execution.checkpointing.interval", "50 ms");
    conf.set(
        "execution.checkpointing.dir",
        folder.path().to_str().unwrap(),
    );
    conf.set("restart-strategy.type", "fixed-delay");
    conf.set("restart-strategy.fixed-delay.delay", "1 ms");
    conf.set("restart-strategy.fixed-delay.attempts", "100");
    let failed = Arc::new(AtomicU64::new(0));
    let mut meanwhile = Some(meanwhile);
    let lives = [(1, 2), (2, 3), (3, 1), (5, 2)];
    for (fifths, parallelism) in lives {
        let stop = fifths < 5;
        let trouble = failed.clone();
        let env = StreamEnv::new(conf.clone());
        env.name("numbers").parallelism(parallelism);
        let numbers = rheos_connectors::DataGeneratorSource::new(|n| n, count).strided();
        let strategy = WatermarkStrategy::no_watermarks();
        env.from_source_with_rate(numbers, strategy, "source", 4_000.0)
            .try_map(move |n: u64| {
                let next = trouble.load(Ordering::SeqCst);
                if n == count / 6 * (next + 1) {
                    trouble.store(next + 1, Ordering::SeqCst);
                    return Err(format!("row {n} is one too many").into());
                }
                Ok(n)
            })
            .map(row)
            .rebalance()
            .sink_to(sink())
            .uid("sink");
        let job = rheos::execute::start(&env.program().unwrap(), conf.clone()).unwrap();
        let (control, metrics) = (job.handle.control(), job.handle.metrics().clone());
        let read = move || {
            let operators = metrics.tasks.iter().flat_map(|task| &task.operators);
            let sources = operators.filter(|operator| operator.is_source);
            sources.map(|source| source.metrics.records_in()).sum()
        };
        // Who waits for the job starts it again when it fails.
        let ending = std::thread::spawn(move || {
            let ended = job.wait().map(drop);
            ended.map_err(|error| error.to_string())
        });
        if let Some(meanwhile) = meanwhile.take() {
            meanwhile(&read);
        }
        if stop {
            crate::common::wait_until("the job does not go on", || read() >= count / 5 * fifths);
            control.stop(false);
        }
        // A row may come in the way of the stop: the next life goes on from before it, then.
        let ended = ending.join().unwrap();
        assert!(stop || ended.is_ok(), "{ended:?}");
    }
    assert!(failed.load(Ordering::SeqCst) >= 3, "rows made the job fail");
}
