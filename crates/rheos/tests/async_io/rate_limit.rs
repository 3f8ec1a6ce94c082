//! Limits on the rate of a sink.

use std::sync::{Arc, Mutex};

use rheos::harness::Harness;
use rheos::prelude::*;

#[derive(Clone, Default)]
struct Rows(Arc<Mutex<Vec<i64>>>);

impl Sink<i64> for Rows {
    fn writer(&self, _context: &WriterContext) -> Result<Box<dyn SinkWriter<i64>>, BoxError> {
        Ok(Box::new(self.clone()))
    }
}

impl SinkWriter<i64> for Rows {
    fn write(&mut self, row: i64, _timestamp: Millis) -> Result<(), BoxError> {
        self.0.lock().unwrap().push(row);
        Ok(())
    }

    fn flush(&mut self, _end: bool) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn a_sink_takes_as_many_rows_a_second_as_it_may() {
    let harness = Harness::new();
    let (mut input, stream) = harness.input::<i64>("numbers");
    let rows = Rows::default();
    stream.sink_to(rows.clone().rate_limited(100.0));
    let mut job = harness.start().unwrap();
    for row in 0..1_000 {
        input.push(row, row);
    }
    input.end();
    job.settle().unwrap();
    for _ in 0..200 {
        job.advance(10).unwrap();
    }
    let after_two_seconds = rows.0.lock().unwrap().len();
    assert!(
        (198..=202).contains(&after_two_seconds),
        "{after_two_seconds}"
    );
    for _ in 0..900 {
        job.advance(10).unwrap();
    }
    assert!(job.is_finished());
    assert_eq!(*rows.0.lock().unwrap(), (0..1_000).collect::<Vec<_>>());
}

#[test]
fn the_lower_of_two_limits_counts() {
    let sink = Rows::default()
        .rate_limited(100.0)
        .rate_limited(20.0)
        .rate_limited(50.0);
    assert_eq!(sink.rate_limit(), Some(20.0));
}

#[test]
fn a_limit_that_makes_no_sense_is_named_before_the_job_starts() {
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let harness = Harness::new();
        let (_input, stream) = harness.input::<i64>("numbers");
        stream.sink_to(Rows::default().rate_limited(rate));
        let error = harness.start().err().unwrap().to_string();
        assert!(error.contains("operator 'Sink' has a limit of"), "{error}");
    }
}
