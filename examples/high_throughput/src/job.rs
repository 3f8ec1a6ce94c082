//! The pipeline: the operators, names and parameters of `HighThroughputStreamProcessor.java`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use rheos::prelude::*;
use rheos_connectors::{
    BadRecords, Csv, DataGeneratorSource, DeadLetter, FileSink, FileSource, JsonLines, dead_letters,
};

use crate::event::{DeadLetterLine, EnrichedEvent, EnrichedResult, Event, WindowedResult};
use crate::latest::LatestFiring;
use crate::session::SessionAggregation;
use crate::tables::{Airlines, airlines, planes};
use crate::window::{EventCountAggregator, LATENESS, SIZE};

/// Where events come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SourceKind {
    /// The departures of 2013.
    Flights,
    /// A generator.
    Datagen,
}

/// Flags of the job.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// Where events come from.
    #[arg(long, value_enum, default_value = "flights")]
    pub source: SourceKind,
    /// The flights file (CSV, .gz or .zst), instead of the one that comes with the job.
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Events a second at the source.
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,
    /// Events that the generator makes; without it, it goes on.
    #[arg(long, value_name = "N")]
    pub events: Option<u64>,
    /// Where the outputs go.
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
    /// What becomes of a message that no event can be read from: fail, skip or dead-letter.
    #[arg(long, value_name = "MODE", default_value = "fail")]
    pub bad_record: BadRecords,
}

/// The folder of the data that comes with the job.
fn data() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/data"))
}

impl Arguments {
    /// The flights file.
    pub fn flights(&self) -> PathBuf {
        self.input
            .clone()
            .unwrap_or_else(|| data().join("events.csv.gz"))
    }
}

/// What of an earlier run lies in the output folder is not of this one.
fn clear(out: &Path) -> Result<(), BoxError> {
    let Ok(entries) = std::fs::read_dir(out) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let name = name.trim_start_matches('.');
        let ours = ["category_windows-", "late-", "dead_letter-"];
        if ours.iter().any(|prefix| name.starts_with(prefix)) {
            std::fs::remove_file(entry.path())
                .map_err(|error| format!("{}: {error}", entry.path().display()))?;
        }
    }
    Ok(())
}

/// Event *k* of the generator: 1,000 users, 20 categories, a millisecond of event time an event, up to
/// five seconds late and one in a thousand ten minutes.
fn generated(k: u64) -> Event {
    let h = rheos::core::rng::splitmix64(k);
    let delay = if h.is_multiple_of(1000) {
        600_000
    } else {
        (h >> 20) % 5_000
    };
    let event_type = match (h >> 8) % 3 {
        0 => "on_time",
        1 => "delayed",
        _ => "cancelled",
    };
    Event {
        event_id: Str::from(format!("e{k}").as_str()),
        user_id: Str::from(format!("u{}", (h >> 32) % 1_000).as_str()),
        category: Str::from(format!("c{}", (h >> 44) % 20).as_str()),
        event_type: Str::from(event_type),
        event_time: 1_700_000_100_000 + k as i64 - delay as i64,
        value: (!h.is_multiple_of(50)).then(|| ((h >> 12) % 10_000) as f64 / 100.0),
    }
}

fn source(env: &StreamEnv, arguments: &Arguments) -> DataStream<Event> {
    let time = WatermarkStrategy::for_bounded_out_of_orderness(Duration::from_secs(10))
        .with_timestamp_assigner(|event: &Event, _| event.event_time)
        .with_idleness(Duration::from_secs(60));
    let rate = arguments.rate;
    let events = match arguments.source {
        SourceKind::Flights => {
            let flights =
                FileSource::new(Csv::new(), arguments.flights()).bad_records(arguments.bad_record);
            match rate {
                Some(rate) => env.from_source_with_rate(flights, time, "kafka-source", rate),
                None => env.from_source(flights, time, "kafka-source"),
            }
        }
        SourceKind::Datagen => {
            let generator = match arguments.events {
                Some(events) => DataGeneratorSource::new(generated, events),
                None => DataGeneratorSource::unbounded(generated),
            };
            match rate {
                Some(rate) => env.from_source_with_rate(generator, time, "kafka-source", rate),
                None => env.from_source(generator, time, "kafka-source"),
            }
        }
    };
    events.name("kafka-source").uid("kafka-source")
}

/// Describes the job.
///
/// # Errors
/// If a table can't be read or the output folder not be cleared.
pub fn describe(env: &StreamEnv, arguments: &Arguments) -> Result<(), BoxError> {
    env.name("HighThroughputStreamProcessor");
    let planes = Arc::new(planes(&data().join("planes.csv"))?);
    let airlines = Arc::new(airlines(&data().join("airlines.csv"))?);
    clear(&arguments.out)?;
    let late_data = OutputTag::<EnrichedEvent>::new("late-data");

    let events = source(env, arguments);
    if arguments.source == SourceKind::Flights && arguments.bad_record == BadRecords::DeadLetter {
        write_dead_letters(&events.side_output(&dead_letters()), &arguments.out);
    }
    let enriched = events
        .filter_with(|context| {
            let invalid = context.metrics.counter("numInvalidEvents");
            Ok(move |event: &Event| {
                let valid = event.is_valid();
                if !valid {
                    invalid.inc();
                }
                Ok(valid)
            })
        })
        .name("event-filter")
        .uid("event-filter")
        .map_with(move |_| {
            let planes = planes.clone();
            Ok(move |event: Event| {
                let plane = planes.get(&event.user_id);
                Ok(EnrichedEvent {
                    manufacturer: plane.map(|(manufacturer, _)| manufacturer.clone()),
                    model: plane.map(|(_, model)| model.clone()),
                    event,
                })
            })
        })
        .name("event-enrichment")
        .uid("event-enrichment")
        .key_by(|row| row.event.user_id.clone())
        .process(SessionAggregation::open)
        .name("session-aggregation")
        .uid("session-aggregation");

    let windowed = enriched
        .key_by(|row| row.event.category.clone())
        .window(TumblingEventTimeWindows::of(SIZE))
        .allowed_lateness(LATENESS)
        .side_output_late_data(&late_data)
        .aggregate_with(EventCountAggregator, |open| {
            let overflows = open.build_context().metrics.counter("numSumOverflows");
            Ok(
                move |category: &Str,
                      window: &TimeWindow,
                      sums: crate::window::EventAccumulator,
                      _: &WindowContext<'_>,
                      out: &mut Collector<'_, WindowedResult>| {
                    overflows.inc_by(sums.overflows);
                    out.collect(WindowedResult {
                        category: category.clone(),
                        window_start: window.start,
                        window_end: window.end,
                        events: sums.events,
                        value_sum: sums.value_sum,
                    });
                    Ok(())
                },
            )
        })
        .name("windowed-aggregation")
        .uid("windowed-aggregation");

    let looked_up = look_up(&windowed, airlines);
    looked_up
        .filter_with(|_| {
            let mut latest = LatestFiring::default();
            Ok(move |result: &EnrichedResult| Ok(latest.passes(result)))
        })
        .name("latest-firing")
        .uid("latest-firing")
        .sink_to(FileSink::new(JsonLines, &arguments.out).prefix("category_windows"))
        .name("window-sink")
        .uid("window-sink");
    windowed
        .side_output(&late_data)
        .map(|row| row.event)
        .name("late-data")
        .uid("late-data")
        .sink_to(FileSink::new(JsonLines, &arguments.out).prefix("late"))
        .name("late-data-sink")
        .uid("late-data-sink");
    Ok(())
}

fn look_up(
    windowed: &DataStream<WindowedResult>,
    airlines: Arc<Airlines>,
) -> DataStream<EnrichedResult> {
    let named = |result: WindowedResult, category_name: Str| EnrichedResult {
        category: result.category,
        window_start: result.window_start,
        window_end: result.window_end,
        events: result.events,
        value_sum: result.value_sum,
        category_name,
    };
    let options = AsyncOptions::new()
        .timeout(Duration::from_millis(5_000))
        .capacity(1_000)
        .retry(RetryStrategy::fixed_delay(2, Duration::from_millis(100)))
        .circuit_breaker(CircuitBreaker::failure_rate(0.5).open_for(Duration::from_secs(10)))
        .fallback(move |result: WindowedResult, _| named(result, Str::from_static("unknown")));
    windowed
        .async_wait_unordered(
            move |result: WindowedResult| {
                let airlines = airlines.clone();
                async move {
                    let name = airlines.get(&result.category).cloned();
                    let name = name.unwrap_or_else(|| Str::from_static("unknown"));
                    Ok([named(result, name)])
                }
            },
            options,
        )
        .name("async-database-lookup")
        .uid("async-database-lookup")
}

fn write_dead_letters(letters: &DataStream<DeadLetter>, out: &Path) {
    letters
        .map(|letter| DeadLetterLine {
            topic: letter.source,
            partition: 0,
            offset: letter.offset,
            timestamp: None,
            key_base64: None,
            value_base64: letter.bytes,
            error: format!("line {}: {}", letter.line, letter.error),
        })
        .name("dead-letters")
        .uid("dead-letters")
        .sink_to(FileSink::new(JsonLines, out).prefix("dead_letter"))
        .name("dead-letter-sink")
        .uid("dead-letter-sink");
}
