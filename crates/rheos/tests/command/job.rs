//! The job that the tests of the command start: numbers, of which the odd ones are summed.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use rheos::prelude::*;

#[derive(Args)]
struct Flags {
    /// Numbers to read.
    #[arg(long, default_value_t = 10)]
    rows: u64,
    /// How the fourth number fails: `error` or `panic`.
    #[arg(long)]
    fail: Option<String>,
    /// What a row costs the sink.
    #[arg(long, default_value_t = 0)]
    pause_micros: u64,
}

static SUM: AtomicU64 = AtomicU64::new(0);
static WRITTEN: AtomicU64 = AtomicU64::new(0);

struct Numbers(u64);

/// From, to and step of a split.
struct Reader {
    next: u64,
    end: u64,
}

struct OneSplit(Option<u64>);

impl SplitEnumerator<u64> for OneSplit {
    fn request(&mut self, _subtask: u32) -> Result<Assignment<u64>, BoxError> {
        Ok(self
            .0
            .take()
            .map_or(Assignment::NoMore, |end| Assignment::Splits(vec![end])))
    }
}

impl Source<u64> for Numbers {
    type Split = u64;

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }

    fn enumerator(&self, _parallelism: u32) -> Result<Box<dyn SplitEnumerator<u64>>, BoxError> {
        Ok(Box::new(OneSplit(Some(self.0))))
    }

    fn reader(&self, _: &ReaderContext) -> Result<Box<dyn SourceReader<u64, u64>>, BoxError> {
        Ok(Box::new(Reader { next: 0, end: 0 }))
    }
}

impl SourceReader<u64, u64> for Reader {
    fn add_splits(&mut self, splits: Vec<u64>) {
        self.end = splits.into_iter().max().unwrap_or(0);
    }

    fn poll(
        &mut self,
        out: &mut SourceOutput<u64>,
        budget: usize,
    ) -> Result<ReaderStatus, BoxError> {
        for _ in 0..budget {
            if self.next >= self.end {
                return Ok(ReaderStatus::WantsSplit);
            }
            out.emit_at(0, self.next, 0);
            self.next += 1;
        }
        Ok(ReaderStatus::More)
    }

    fn splits(&self) -> Vec<u64> {
        vec![self.next]
    }
}

#[derive(Clone)]
struct Slow(u64);

impl Sink<u64> for Slow {
    fn writer(&self, _: &WriterContext) -> Result<Box<dyn SinkWriter<u64>>, BoxError> {
        Ok(Box::new(self.clone()))
    }
}

impl SinkWriter<u64> for Slow {
    fn write(&mut self, row: u64, _timestamp: i64) -> Result<(), BoxError> {
        if WRITTEN.fetch_add(1, Ordering::SeqCst) == 0 {
            println!("at work");
        }
        SUM.fetch_add(row, Ordering::SeqCst);
        std::thread::sleep(Duration::from_micros(self.0));
        Ok(())
    }

    fn flush(&mut self, _end: bool) -> Result<(), BoxError> {
        Ok(())
    }
}

fn describe(env: &StreamEnv, flags: &Flags) {
    env.name("numbers").parallelism(2);
    let fail = flags.fail.clone();
    env.from_source(
        Numbers(flags.rows),
        WatermarkStrategy::no_watermarks(),
        "numbers",
    )
    .map_with(move |open| {
        tracing::info!("opened");
        let odd = open.metrics().counter("oddNumbers");
        let fail = fail.clone();
        Ok(move |number: u64| {
            if number == 4 {
                match fail.as_deref() {
                    Some("error") => return Err("number 4 is bad".into()),
                    Some(_) => panic!("number 4 is bad"),
                    None => {}
                }
            }
            if number % 2 == 1 {
                odd.inc();
            }
            Ok(number)
        })
    })
    .name("odd")
    .rebalance()
    .sink_to(Slow(flags.pause_micros))
    .name("sum")
    .parallelism(1);
}

pub fn main() -> ExitCode {
    rheos::main_then(
        |env, flags: Flags| {
            describe(env, &flags);
            Ok(())
        },
        |(), finished| {
            let operators = finished
                .report
                .metrics
                .tasks
                .iter()
                .flat_map(|task| &task.operators);
            let counted = operators.filter(|operator| operator.name == "odd");
            let (odd, passed) = counted.fold((0, 0), |(odd, passed), operator| {
                let metrics = &operator.metrics;
                (
                    odd + metrics.counter("oddNumbers").count(),
                    passed + metrics.records_out(),
                )
            });
            println!("sum {}", SUM.load(Ordering::SeqCst));
            println!("odd numbers {odd}");
            println!("passed on {passed}");
            println!("written {}", WRITTEN.load(Ordering::SeqCst));
            Ok(())
        },
    )
}
