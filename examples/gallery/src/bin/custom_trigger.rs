//! A trigger of one's own: a window fires early, each time its sum has grown by 100.
//!
//! Flink: `class … extends Trigger<Bid, TimeWindow>`, with `TriggerContext.getPartitionedState`. What
//! a trigger remembers of a window is its `State`, kept with the window and dropped with it; the
//! trigger itself keeps nothing.

use std::process::ExitCode;

use rheos::prelude::*;
use rheos_connectors::{CollectionSource, PrintSink};

#[derive(Row, Clone)]
struct Bid {
    item: String,
    second: i64,
    amount: i64,
}

#[derive(Clone)]
struct EveryHundred;

impl Trigger<Bid, TimeWindow> for EveryHundred {
    /// The sum since the last firing.
    type State = i64;

    fn on_element(
        &self,
        bid: &Bid,
        _timestamp: Millis,
        window: &TimeWindow,
        state: &mut Option<i64>,
        context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        // Without this timer the window would not fire at its end.
        context.register_event_time_timer(window.max_timestamp());
        let sum = state.get_or_insert(0);
        *sum += bid.amount;
        if *sum < 100 {
            return Ok(TriggerResult::Continue);
        }
        *sum = 0;
        Ok(TriggerResult::Fire)
    }

    fn on_event_time(
        &self,
        time: Millis,
        window: &TimeWindow,
        _state: &mut Option<i64>,
        _context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        let at_end = time == window.max_timestamp();
        Ok(if at_end {
            TriggerResult::FireAndPurge
        } else {
            TriggerResult::Continue
        })
    }

    fn clear(
        &self,
        window: &TimeWindow,
        _state: Option<&i64>,
        context: &TriggerContext<'_>,
    ) -> Result<(), BoxError> {
        context.delete_event_time_timer(window.max_timestamp());
        Ok(())
    }
}

fn bids() -> Vec<Bid> {
    [
        ("lamp", 1, 40),
        ("chair", 2, 10),
        ("lamp", 5, 70),
        ("lamp", 8, 30),
        ("chair", 61, 120),
    ]
    .map(|(item, second, amount)| Bid {
        item: item.into(),
        second,
        amount,
    })
    .to_vec()
}

fn main() -> ExitCode {
    rheos::main(|env| {
        let time = WatermarkStrategy::for_monotonous_timestamps()
            .with_timestamp_assigner(|bid: &Bid, _| bid.second * 1_000);
        env.from_source(CollectionSource::from(bids()), time, "bids")
            .key_by(|bid| bid.item.clone())
            .window(TumblingEventTimeWindows::of(Duration::from_mins(1)))
            .trigger(EveryHundred)
            .reduce(|sum, bid| sum.amount += bid.amount)
            .name("sums")
            .map(|sum| format!("{} {} since second {}", sum.item, sum.amount, sum.second))
            .sink_to(PrintSink::new())
            .parallelism(1);
        Ok(())
    })
}
