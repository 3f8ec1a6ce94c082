//! Two streams of different types before one function, which share the state of a key.
//!
//! Flink: `rides.keyBy(…).connect(fares.keyBy(…)).process(new KeyedCoProcessFunction…)`. Whichever of
//! ride and fare comes first waits in state for the other; a timer gives up on one that never comes.

use std::process::ExitCode;

use rheos::prelude::*;
use rheos_connectors::{CollectionSource, PrintSink};

const PATIENCE: Millis = 60_000;

#[derive(Row, Clone)]
struct Ride {
    id: u64,
    at: Millis,
    to: String,
}

#[derive(Row, Clone)]
struct Fare {
    ride: u64,
    at: Millis,
    cents: i64,
}

struct Match {
    ride: ValueState<Ride>,
    fare: ValueState<Fare>,
}

impl KeyedCoProcessFunction<u64, Ride, Fare, String> for Match {
    fn process1(
        &mut self,
        ride: Ride,
        context: &KeyedContext<'_, u64>,
        out: &mut Collector<'_, String>,
    ) -> Result<(), BoxError> {
        match self.fare.take() {
            Some(fare) => out.collect(format!("{} to {}: {}", ride.id, ride.to, fare.cents)),
            None => {
                context.register_event_time_timer(ride.at + PATIENCE);
                self.ride.update(ride);
            }
        }
        Ok(())
    }

    fn process2(
        &mut self,
        fare: Fare,
        context: &KeyedContext<'_, u64>,
        out: &mut Collector<'_, String>,
    ) -> Result<(), BoxError> {
        match self.ride.take() {
            Some(ride) => out.collect(format!("{} to {}: {}", ride.id, ride.to, fare.cents)),
            None => {
                context.register_event_time_timer(fare.at + PATIENCE);
                self.fare.update(fare);
            }
        }
        Ok(())
    }

    /// A timer of a pair that has been made finds nothing.
    fn on_timer(
        &mut self,
        _timestamp: Millis,
        _domain: TimeDomain,
        context: &KeyedContext<'_, u64>,
        out: &mut Collector<'_, String>,
    ) -> Result<(), BoxError> {
        if self.ride.take().is_some() {
            out.collect(format!("{}: no fare", context.key()));
        }
        if self.fare.take().is_some() {
            out.collect(format!("{}: no ride", context.key()));
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    rheos::main(|env| {
        let rides = [
            (1, 0, "airport"),
            (2, 10_000, "harbour"),
            (3, 20_000, "station"),
        ]
        .map(|(id, at, to)| Ride {
            id,
            at,
            to: to.into(),
        });
        let fares = [(1, 30_000, 4_200), (3, 5_000, 900), (4, 40_000, 100)]
            .map(|(ride, at, cents)| Fare { ride, at, cents });
        let rides = env.from_source(
            CollectionSource::from(rides.to_vec()),
            WatermarkStrategy::for_monotonous_timestamps()
                .with_timestamp_assigner(|ride: &Ride, _| ride.at),
            "rides",
        );
        let fares = env.from_source(
            CollectionSource::from(fares.to_vec()),
            WatermarkStrategy::for_bounded_out_of_orderness(Duration::from_secs(30))
                .with_timestamp_assigner(|fare: &Fare, _| fare.at),
            "fares",
        );
        rides
            .key_by(|ride| ride.id)
            .connect(&fares.key_by(|fare| fare.ride))
            .process(|open| {
                Ok(Match {
                    ride: open.value_state("ride")?,
                    fare: open.value_state("fare")?,
                })
            })
            .name("match")
            .sink_to(PrintSink::new())
            .parallelism(1);
        Ok(())
    })
}
