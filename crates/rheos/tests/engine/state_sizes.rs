//! Every operator that keeps state by key says how much is in it.

use std::collections::BTreeMap;

use rheos::harness::{Harness, HarnessError};
use rheos::prelude::*;

/// Key, value.
type Event = (u8, i64);

struct Sum(ValueState<i64>);

impl KeyedProcessFunction<u8, Event, i64> for Sum {
    fn process(
        &mut self,
        event: Event,
        _context: &KeyedContext<'_, u8>,
        out: &mut Collector<'_, i64>,
    ) -> Result<(), BoxError> {
        let sum = self.0.get().unwrap_or(0) + event.1;
        self.0.update(sum);
        out.collect(sum);
        Ok(())
    }
}

struct Both(ValueState<i64>);

impl KeyedCoProcessFunction<u8, Event, Event, i64> for Both {
    fn process1(
        &mut self,
        event: Event,
        _context: &KeyedContext<'_, u8>,
        _out: &mut Collector<'_, i64>,
    ) -> Result<(), BoxError> {
        self.0.update(event.1);
        Ok(())
    }

    fn process2(
        &mut self,
        event: Event,
        _context: &KeyedContext<'_, u8>,
        _out: &mut Collector<'_, i64>,
    ) -> Result<(), BoxError> {
        self.0.update(event.1);
        Ok(())
    }
}

#[test]
fn every_operator_with_keyed_state_tells_how_much_is_in_it() -> Result<(), HarnessError> {
    let harness = Harness::new();
    let (mut left, left_rows) = harness.input::<Event>("left");
    let (mut right, right_rows) = harness.input::<Event>("right");
    let keyed = || left_rows.key_by(|event| event.0);
    let minute = || TumblingEventTimeWindows::of(Duration::from_mins(1));
    let _ = harness.output(
        &keyed()
            .process(|open| Ok(Sum(open.value_state("sum")?)))
            .name("sums"),
    );
    let reduced = keyed()
        .window(minute())
        .reduce(|sum, event| sum.1 += event.1)
        .name("windows");
    let _ = harness.output(&reduced);
    let sessions = keyed()
        .window(EventTimeSessionWindows::with_gap(Duration::from_mins(1)))
        .reduce(|sum, event| sum.1 += event.1)
        .name("sessions");
    let _ = harness.output(&sessions);
    let connected = keyed()
        .connect(&right_rows.key_by(|event| event.0))
        .process(|open| Ok(Both(open.value_state("last")?)))
        .name("connected");
    let _ = harness.output(&connected);
    let mut job = harness.start()?;
    for key in 0..7 {
        left.push((key, 1), 1_000);
        right.push((key, 2), 1_000);
    }
    job.settle()?;
    // Sizes are told once a second, by an operator that has something to do.
    job.advance(1_500)?;
    left.push((0, 1), 2_000);
    right.push((0, 1), 2_000);
    job.settle()?;
    let mut sizes = BTreeMap::new();
    for task in &job.metrics().tasks {
        for operator in &task.operators {
            for state in operator.metrics.states() {
                sizes.insert(
                    format!("{}/{}", operator.name, state.name),
                    (state.keys, state.estimated_bytes),
                );
            }
        }
    }
    for state in [
        "sums/sum",
        "windows/window-contents",
        "sessions/window-contents",
        "connected/last",
    ] {
        let (keys, bytes) = sizes.get(state).copied().unwrap_or_default();
        assert_eq!(keys, 7, "{state} of {sizes:?}");
        assert!((7 * 8..100_000).contains(&bytes), "{state}: {bytes} bytes");
    }
    Ok(())
}
