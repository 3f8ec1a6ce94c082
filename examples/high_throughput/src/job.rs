//! The pipeline: the operators, names and parameters of `HighThroughputStreamProcessor.java`.

use std::sync::Arc;

use rheos::prelude::*;
use rheos_connectors::{
    BadRecords, Csv, DataGeneratorSource, DeadLetter, FileSink, FileSource, JsonLines, dead_letters,
};

use crate::arguments::{Arguments, SourceKind, data};
use crate::event::{DeadLetterLine, EnrichedEvent, EnrichedResult, Event, WindowedResult};
use crate::generator::generated;
use crate::outputs;
#[cfg(feature = "services")]
use crate::services;
use crate::session::SessionAggregation;
use crate::tables::{Airlines, Planes, airlines, planes};
use crate::window::{EventAccumulator, EventCountAggregator, LATENESS, SIZE};

/// The operator whose rows are the messages that were taken.
pub const SOURCE: &str = "kafka-source";
/// The operator that drops invalid events.
pub const FILTER: &str = "event-filter";
/// The operator that counts and sums.
pub const WINDOWS: &str = "windowed-aggregation";
/// The counter of invalid events, at [`FILTER`].
pub const INVALID: &str = "numInvalidEvents";
/// The operator whose rows are the late events.
pub const LATE: &str = "late-data";
const LATE_SINK: &str = "late-data-sink";
/// The operator that looks names up: a row a firing.
pub const LOOK_UP: &str = "async-database-lookup";
/// The counter of windows that have fired, each once, at [`WINDOWS`].
pub const WINDOWS_FIRED: &str = "numWindows";
/// The counter of messages without a value, at [`SOURCE`].
pub const TOMBSTONES: &str = "numTombstones";
/// The counter of results whose sum was held to the range of finite numbers, at [`WINDOWS`].
pub const CLAMPED: &str = "numClampedSums";

/// The name of a category that nothing is known of, or that could not be looked up.
const UNKNOWN: Str = Str::from_static("unknown");

/// Describes the job.
///
/// # Errors
/// If it is asked for what it can't do, or a table can't be read.
pub fn describe(env: &StreamEnv, arguments: &Arguments) -> Result<(), BoxError> {
    arguments.check()?;
    env.name("HighThroughputStreamProcessor");
    env.latency_tracking_interval(Duration::from_secs(1));
    let out = arguments.out.clone();
    env.before_run(move || outputs::clear(&out));
    #[cfg(feature = "services")]
    services::prepare(env, arguments);

    let events = source(env, arguments)?;
    write_dead_letters(&events, arguments);
    let late_data = OutputTag::<EnrichedEvent>::new("late-data");
    let enriched = enrich(&events, Arc::new(planes(&data().join("planes.csv"))?));
    let windowed = aggregate(&enriched, &late_data);
    write_results(&look_up(&windowed, arguments)?, arguments);
    let late = windowed
        .side_output(&late_data)
        .map(|row| row.event)
        .name(LATE)
        .uid(LATE);
    write_late(&late, arguments);
    Ok(())
}

fn write_results(results: &DataStream<EnrichedResult>, arguments: &Arguments) {
    #[cfg(feature = "services")]
    if arguments.services.any() {
        return services::write_results(results, &arguments.services);
    }
    results
        .sink_to(FileSink::new(JsonLines, &arguments.out).prefix("category_windows"))
        .name("window-sink")
        .uid("window-sink");
}

fn write_late(late: &DataStream<Event>, arguments: &Arguments) {
    #[cfg(feature = "services")]
    if let Some(sink) = services::late_sink(&arguments.services) {
        late.sink_to(sink).name(LATE_SINK).uid(LATE_SINK);
        return;
    }
    late.sink_to(FileSink::new(JsonLines, &arguments.out).prefix("late"))
        .name(LATE_SINK)
        .uid(LATE_SINK);
}

/// Watermarks are taken here, a split, before anything is filtered: invalid events move them too.
fn source(env: &StreamEnv, arguments: &Arguments) -> Result<DataStream<Event>, BoxError> {
    let time = WatermarkStrategy::for_bounded_out_of_orderness(Duration::from_secs(10))
        .with_timestamp_assigner(|event: &Event, _| event.event_time)
        .with_idleness(Duration::from_secs(60));
    #[cfg(feature = "services")]
    if arguments.source == SourceKind::Kafka {
        return Ok(read(
            env,
            services::source(env, arguments)?,
            time,
            arguments.rate,
        ));
    }
    if arguments.source == SourceKind::Datagen {
        let generator = match arguments.events {
            Some(events) => DataGeneratorSource::new(generated, events).strided(),
            None => DataGeneratorSource::unbounded(generated),
        };
        return Ok(read(env, generator, time, arguments.rate));
    }
    let flights =
        FileSource::new(Csv::new(), arguments.flights()).bad_records(arguments.bad_record);
    Ok(read(env, flights, time, arguments.rate))
}

fn read<S: Source<Event>>(
    env: &StreamEnv,
    source: S,
    time: WatermarkStrategy<Event>,
    rate: Option<f64>,
) -> DataStream<Event> {
    let events = match rate {
        Some(rate) => env.from_source_with_rate(source, time, SOURCE, rate),
        None => env.from_source(source, time, SOURCE),
    };
    events.name(SOURCE).uid(SOURCE)
}

/// Drops what is not valid, says of each plane who made it, and keeps a session a user.
///
/// Every subtask has the whole table of planes before its first event: a stream that is broadcast into
/// state could not promise that, and events would go without their plane by chance.
fn enrich(events: &DataStream<Event>, planes: Arc<Planes>) -> DataStream<EnrichedEvent> {
    events
        .filter_with(|context| {
            let invalid = context.metrics.counter(INVALID);
            Ok(move |event: &Event| {
                let valid = event.is_valid();
                if !valid {
                    invalid.inc();
                }
                Ok(valid)
            })
        })
        .name(FILTER)
        .uid(FILTER)
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
        .uid("session-aggregation")
}

fn aggregate(
    enriched: &DataStream<EnrichedEvent>,
    late_data: &OutputTag<EnrichedEvent>,
) -> DataStream<WindowedResult> {
    enriched
        .key_by(|row| row.event.category.clone())
        .window(TumblingEventTimeWindows::of(SIZE))
        .allowed_lateness(LATENESS)
        .side_output_late_data(late_data)
        .aggregate_with(EventCountAggregator, |open| {
            let clamped = open.build_context().metrics.counter(CLAMPED);
            let windows = open.build_context().metrics.counter(WINDOWS_FIRED);
            let newest = open.value_state::<i64>("newest-window")?;
            let result = move |category: &Str,
                               window: &TimeWindow,
                               sums: EventAccumulator,
                               _: &WindowContext<'_>,
                               out: &mut Collector<'_, WindowedResult>| {
                if sums.overflowed {
                    clamped.inc();
                }
                // A window fires again with one event more than before, so with two or more; a window
                // that was opened by a late event fires first with that one.
                let begun = newest.get();
                if sums.events == 1 || begun.is_none_or(|begun| window.start > begun) {
                    windows.inc();
                    newest.update(begun.unwrap_or(window.start).max(window.start));
                }
                out.collect(WindowedResult {
                    category: category.clone(),
                    window_start: window.start,
                    window_end: window.end,
                    events: sums.events,
                    value_sum: sums.value_sum,
                });
                Ok(())
            };
            Ok(result)
        })
        .name(WINDOWS)
        .uid(WINDOWS)
}

/// Looks the names of categories up.
///
/// Answers come in any order, and are passed on so; but those to the firings of one window in theirs,
/// since the last of them is the one that counts in every sink.
fn look_up(
    windowed: &DataStream<WindowedResult>,
    arguments: &Arguments,
) -> Result<DataStream<EnrichedResult>, BoxError> {
    let names = Names::of(arguments)?;
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
        .in_order_of(|result: &WindowedResult| (result.category.clone(), result.window_start))
        .retry(RetryStrategy::fixed_delay(2, Duration::from_millis(100)))
        .circuit_breaker(CircuitBreaker::failure_rate(0.5).open_for(Duration::from_secs(10)))
        .fallback(move |result, _| named(result, UNKNOWN));
    Ok(windowed
        .async_wait_unordered(
            move |result: WindowedResult| {
                let names = names.clone();
                async move {
                    let name = names.of_category(&result.category).await?;
                    Ok([named(result, name.unwrap_or(UNKNOWN))])
                }
            },
            options,
        )
        .name(LOOK_UP)
        .uid(LOOK_UP))
}

/// Where the names of categories are looked up.
#[derive(Clone)]
enum Names {
    Airlines(Arc<Airlines>),
    #[cfg(feature = "services")]
    Postgres(rheos_connectors::PostgresLookup),
}

impl Names {
    fn of(arguments: &Arguments) -> Result<Self, BoxError> {
        #[cfg(feature = "services")]
        if let Some(lookup) = services::lookup(&arguments.services)? {
            return Ok(Self::Postgres(lookup));
        }
        let _ = arguments;
        Ok(Self::Airlines(Arc::new(airlines(
            &data().join("airlines.csv"),
        )?)))
    }

    async fn of_category(&self, category: &Str) -> Result<Option<Str>, BoxError> {
        match self {
            Self::Airlines(airlines) => Ok(airlines.get(category).cloned()),
            #[cfg(feature = "services")]
            Self::Postgres(lookup) => services::name_of(lookup, category).await,
        }
    }
}

fn write_dead_letters(events: &DataStream<Event>, arguments: &Arguments) {
    if arguments.bad_record != BadRecords::DeadLetter {
        return;
    }
    #[cfg(feature = "services")]
    if services::write_dead_letters(events, arguments) {
        return;
    }
    if arguments.source != SourceKind::Flights {
        return;
    }
    let letters: DataStream<DeadLetter> = events.side_output(&dead_letters());
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
        .sink_to(FileSink::new(JsonLines, &arguments.out).prefix("dead_letter"))
        .name("dead-letter-sink")
        .uid("dead-letter-sink");
}
