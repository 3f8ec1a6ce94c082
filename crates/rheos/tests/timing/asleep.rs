//! Tasks that can do nothing sleep until they can: the harness refuses one that would not, and here they
//! wait for what tasks wait for, while the clock passes every time at which they would have had to act.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rheos::core::barrier::Alignment;
use rheos::harness::{Harness, TestJob};
use rheos::prelude::*;

/// What a server outside does: nothing, until it is told to.
#[derive(Clone, Default)]
struct Server(Arc<AtomicBool>);

impl Server {
    fn answers(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Has rows on their way until the server answers, and takes no others meanwhile if it is `strict`.
struct Outside {
    server: Server,
    strict: bool,
}

impl Sink<u64> for Outside {
    fn writer(&self, _context: &WriterContext) -> Result<Box<dyn SinkWriter<u64>>, BoxError> {
        Ok(Box::new(OutsideWriter {
            server: self.server.clone(),
            strict: self.strict,
            rows: 0,
        }))
    }
}

struct OutsideWriter {
    server: Server,
    strict: bool,
    rows: usize,
}

impl SinkWriter<u64> for OutsideWriter {
    fn write(&mut self, _row: u64, _timestamp: i64) -> Result<(), BoxError> {
        self.rows += 1;
        Ok(())
    }

    fn is_ready(&self) -> bool {
        !self.strict || !self.has_outstanding()
    }

    fn has_outstanding(&self) -> bool {
        self.rows > 0 && !self.server.answers()
    }

    fn flush(&mut self, _end: bool) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Steps some of the tasks until they wait, at every tenth of a second for a while.
fn wait(harness: &Harness, job: &mut TestJob, tasks: usize) {
    for _ in 0..20 {
        for task in 0..tasks {
            while job.step_task(task).unwrap() {}
        }
        harness.clock().advance(100);
    }
}

/// A source in one task with a sink, with a watermark and a latency marker every now and then.
fn chained(strict: bool) -> (Harness, Server, TestJob) {
    let mut conf = Configuration::default();
    conf.set("metrics.latency.interval", "50 ms");
    let (harness, server) = (Harness::with_configuration(conf), Server::default());
    let (mut input, rows) = harness.input::<u64>("in");
    rows.sink_to(Outside {
        server: server.clone(),
        strict,
    });
    let job = harness.start().unwrap();
    assert_eq!(job.tasks(), 1);
    for row in 0..10 {
        input.push(row, 0);
    }
    (harness, server, job)
}

#[test]
fn behind_a_sink_that_takes_nothing() {
    let (harness, server, mut job) = chained(true);
    wait(&harness, &mut job, 1);
    server.0.store(true, Ordering::Relaxed);
    wait(&harness, &mut job, 1);
}

#[test]
fn at_a_barrier_whose_rows_are_on_their_way() {
    for alignment in [
        Alignment::Aligned,
        Alignment::Unaligned { after_millis: 0 },
        Alignment::Unaligned { after_millis: 300 },
    ] {
        let (harness, server, mut job) = chained(false);
        wait(&harness, &mut job, 1);
        job.begin_checkpoint(alignment).unwrap();
        wait(&harness, &mut job, 1);
        assert!(!job.checkpoint_is_taken(), "{alignment:?}");
        server.0.store(true, Ordering::Relaxed);
        wait(&harness, &mut job, 1);
        assert!(job.checkpoint_is_taken(), "{alignment:?}");
    }
}

#[test]
fn without_credit() {
    let harness = Harness::new().with_credit(64);
    let (mut input, rows) = harness.input::<u64>("in");
    let output = harness.output(&rows.rebalance().map(|row: u64| row).parallelism(2));
    let mut job = harness.start().unwrap();
    for row in 0..1_000 {
        input.push(row, 0);
    }
    // The tasks behind it take nothing out of their channels.
    wait(&harness, &mut job, 1);
    assert!(output.take_rows().is_empty());
    job.settle().unwrap();
    let mut rows = output.take_rows();
    rows.sort_unstable();
    assert_eq!(rows, (0..1_000).collect::<Vec<_>>());
}
