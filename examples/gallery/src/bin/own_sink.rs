//! A sink of one's own: rows in batches, as one would write them to a database.
//!
//! Flink: `Sink` and `SinkWriter` (`write`, `flush`). A writer is made on each subtask and lives on
//! its thread. It may keep rows back until a batch is full, as long as it says until when
//! (`flush_deadline`) and writes out what it has when it is told to (`flush`): at its deadline,
//! before a checkpoint, and at the end.

use std::process::ExitCode;

use rheos::prelude::*;
use rheos_connectors::DataGeneratorSource;

struct Batches {
    rows: usize,
    longest: Millis,
}

impl Sink<u64> for Batches {
    fn writer(&self, context: &WriterContext) -> Result<Box<dyn SinkWriter<u64>>, BoxError> {
        Ok(Box::new(BatchWriter {
            rows: self.rows,
            longest: self.longest,
            clock: context.clock.clone(),
            batch: Vec::new(),
            deadline: None,
        }))
    }
}

struct BatchWriter {
    rows: usize,
    longest: Millis,
    clock: rheos::core::clock::SharedClock,
    batch: Vec<u64>,
    deadline: Option<Millis>,
}

impl BatchWriter {
    fn send(&mut self) {
        self.deadline = None;
        if let (Some(first), Some(last)) = (self.batch.first(), self.batch.last()) {
            println!("batch of {}: {first}..={last}", self.batch.len());
        }
        self.batch.clear();
    }
}

impl SinkWriter<u64> for BatchWriter {
    fn write(&mut self, row: u64, _timestamp: Millis) -> Result<(), BoxError> {
        self.batch.push(row);
        if self.batch.len() >= self.rows {
            self.send();
        } else if self.deadline.is_none() {
            self.deadline = Some(self.clock.wall_millis() + self.longest);
        }
        Ok(())
    }

    fn flush_deadline(&self) -> Option<Millis> {
        self.deadline
    }

    fn flush(&mut self, _end: bool) -> Result<(), BoxError> {
        self.send();
        Ok(())
    }
}

fn main() -> ExitCode {
    rheos::main(|env| {
        let numbers = DataGeneratorSource::new(|k| k, 25);
        env.from_source(numbers, WatermarkStrategy::no_watermarks(), "numbers")
            .parallelism(1)
            .sink_to(Batches {
                rows: 10,
                longest: 60_000,
            })
            .name("batches")
            .parallelism(1);
        Ok(())
    })
}
