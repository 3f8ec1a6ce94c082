//! A limit on what a sink takes: a system outside that stands 100 rows a second gets no more.
//!
//! Flink has this for some sinks only, in the connector. Here it can be put around any
//! (`SinkExt::rate_limited`), and holds over all its subtasks together. Rows beyond the limit are
//! not queued up: they show as back-pressure up to the source.

use std::process::ExitCode;

use rheos::prelude::*;
use rheos_connectors::{DataGeneratorSource, PrintSink};

const ROWS_PER_SECOND: f64 = 100.0;

fn main() -> ExitCode {
    rheos::main(|env| {
        let orders = DataGeneratorSource::new(|k| format!("order {k}"), 20);
        env.from_source(orders, WatermarkStrategy::no_watermarks(), "orders")
            .sink_to(PrintSink::new().rate_limited(ROWS_PER_SECOND))
            .name("slow-system")
            .parallelism(1);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rheos::harness::Harness;
    use rheos_connectors::CollectSink;

    #[test]
    fn in_ten_seconds_a_thousand_rows_pass() {
        let harness = Harness::new();
        let sink = CollectSink::new();
        harness
            .env()
            .from_source(
                DataGeneratorSource::unbounded(|k| k),
                WatermarkStrategy::no_watermarks(),
                "orders",
            )
            .sink_to(sink.clone().rate_limited(ROWS_PER_SECOND))
            .parallelism(2);
        let mut job = harness.start().unwrap();
        job.settle().unwrap();
        // What may pass at once at the beginning.
        sink.take();
        for _ in 0..100 {
            job.advance(100).unwrap();
        }
        assert!((980..=1_020).contains(&sink.len()), "{}", sink.len());
    }
}
