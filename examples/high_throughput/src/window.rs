//! `windowed-aggregation`: count and sum of a category in five minutes.

use rheos::prelude::*;

use crate::event::EnrichedEvent;

/// Five minutes.
pub const SIZE: Duration = Duration::from_secs(300);
/// One minute.
pub const LATENESS: Duration = Duration::from_secs(60);

/// What a window adds up.
#[derive(Row, Clone, Copy, Debug, PartialEq, Default)]
pub struct EventAccumulator {
    /// Events, those without a value included.
    pub events: i64,
    /// Of the values there are.
    pub value_sum: f64,
    /// Whether the sum left the range of finite numbers, and was held at its end.
    pub overflowed: bool,
}

impl EventAccumulator {
    fn add(&mut self, value: f64) {
        let sum = self.value_sum + value;
        self.overflowed |= !sum.is_finite();
        self.value_sum = sum.clamp(f64::MIN, f64::MAX);
    }
}

/// The aggregate of a window.
pub struct EventCountAggregator;

impl AggregateFunction for EventCountAggregator {
    type In = EnrichedEvent;
    type Acc = EventAccumulator;
    type Out = EventAccumulator;

    fn create_accumulator(&self) -> EventAccumulator {
        EventAccumulator::default()
    }

    fn add(&self, accumulator: &mut EventAccumulator, row: EnrichedEvent) {
        accumulator.events += 1;
        accumulator.add(row.event.value.unwrap_or(0.0));
    }

    fn get_result(&self, accumulator: &EventAccumulator) -> EventAccumulator {
        *accumulator
    }

    fn merge(&self, into: &mut EventAccumulator, from: EventAccumulator) {
        into.events += from.events;
        into.overflowed |= from.overflowed;
        into.add(from.value_sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_that_overflows_is_held_to_the_greatest_finite_number() {
        let mut accumulator = EventAccumulator::default();
        accumulator.add(f64::MAX);
        accumulator.add(f64::MAX);
        assert_eq!(
            (accumulator.value_sum, accumulator.overflowed),
            (f64::MAX, true)
        );
        accumulator.add(f64::MIN);
        accumulator.add(f64::MIN);
        assert_eq!(
            (accumulator.value_sum, accumulator.overflowed),
            (f64::MIN, true)
        );
    }
}
