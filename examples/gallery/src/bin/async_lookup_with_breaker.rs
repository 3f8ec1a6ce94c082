//! Asking a service about each row without waiting for one answer at a time, and leaving the service
//! alone while it is ill.
//!
//! Flink: `AsyncDataStream.orderedWait(stream, new RichAsyncFunction…, 1, SECONDS, 100)`; retries as
//! by `orderedWaitWithRetry`. The circuit breaker has no counterpart there: after two failures in a
//! row it opens, rows go to the fallback at once for 30 s, and then a trial decides. Its transitions
//! are logged and counted.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use rheos::prelude::*;
use rheos_connectors::{CollectionSource, PrintSink};

#[derive(Row, Clone)]
struct Parcel {
    id: u64,
    zip: String,
}

/// Stands for the client of a database or an HTTP service: usually a pool, and cheap to clone.
#[derive(Clone)]
struct Gazetteer {
    towns: Arc<BTreeMap<&'static str, &'static str>>,
}

impl Gazetteer {
    fn new() -> Self {
        let towns = [("0150", "Oslo"), ("5003", "Bergen"), ("7010", "Trondheim")];
        Self {
            towns: Arc::new(towns.into()),
        }
    }

    async fn town(&self, zip: &str) -> Result<Option<String>, BoxError> {
        if zip == "9999" {
            return Err("the service is overloaded".into());
        }
        Ok(self.towns.get(zip).map(|town| (*town).to_owned()))
    }
}

fn main() -> ExitCode {
    rheos::main(|env| {
        let zips = ["0150", "5003", "1234", "9999", "9999", "7010"];
        let parcels = (1..).zip(zips).map(|(id, zip)| Parcel {
            id,
            zip: zip.into(),
        });
        let options = AsyncOptions::new()
            .timeout(Duration::from_secs(1))
            // One at a time, so that the example does the same every time; 100 unless told.
            .capacity(1)
            .circuit_breaker(CircuitBreaker::consecutive_failures(2))
            .fallback(|parcel: Parcel, error| {
                let why = match error {
                    AsyncError::Rejected { .. } => "not asked: the breaker is open",
                    AsyncError::TimedOut { .. } => "no answer in time",
                    AsyncError::Failed { .. } => "the service failed",
                };
                format!("{} unknown, {why}", parcel.id)
            });
        env.from_source(
            CollectionSource::from_iter(parcels),
            WatermarkStrategy::no_watermarks(),
            "parcels",
        )
        .async_wait_ordered_with(
            |_open| {
                // Made once on each subtask, in place of Flink's `open()`.
                let gazetteer = Gazetteer::new();
                Ok(move |parcel: Parcel| {
                    let gazetteer = gazetteer.clone();
                    async move {
                        let town = gazetteer.town(&parcel.zip).await?;
                        let town = town.unwrap_or_else(|| "nowhere".to_owned());
                        Ok(vec![format!("{} {town}", parcel.id)])
                    }
                })
            },
            options,
        )
        .name("town")
        .sink_to(PrintSink::new())
        .parallelism(1);
        Ok(())
    })
}
