//! A Flink job, ported: `docs/from-a-flink-job.md` goes through it fragment by fragment beside its
//! Java original, and a test compares the two documents with this file.
//!
//! Files stand where the Java job has Kafka, Elasticsearch and PostgreSQL. The job to its full
//! contract is `examples/high_throughput`.
//!
//! ```text
//! cargo run --release -p gallery --bin from_a_flink_job
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use rheos::prelude::*;
use rheos_connectors::{Csv, FileSink, FileSource, JsonLines};

const SESSION_GAP: Duration = Duration::from_mins(30);
const SESSION_TTL: Duration = Duration::from_hours(24);

#[derive(Row, Clone)]
struct Event {
    event_id: Str,
    user_id: Str,
    category: Str,
    event_type: Str,
    event_time: Millis,
    value: Option<f64>,
}

impl Event {
    fn is_valid(&self) -> bool {
        !self.event_id.is_empty() && !self.user_id.is_empty()
    }
}

#[derive(Row, Clone)]
struct EnrichedEvent {
    event: Event,
    aircraft: Option<Str>,
}

impl EnrichedEvent {
    fn of(event: Event, models: &BTreeMap<String, String>) -> Self {
        let aircraft = models.get(event.user_id.as_str()).map(Str::from);
        Self { event, aircraft }
    }
}

#[derive(Row, Clone)]
struct WindowedResult {
    category: Str,
    window_start: Millis,
    window_end: Millis,
    events: u64,
    value_sum: f64,
}

#[derive(Row, Clone)]
struct EnrichedResult {
    category: Str,
    window_start: Millis,
    window_end: Millis,
    events: u64,
    value_sum: f64,
    category_name: String,
}

#[derive(clap::Args)]
struct Arguments {
    /// CSV files of events.
    #[arg(long, default_value = "examples/high_throughput/data/events.csv.gz")]
    events: PathBuf,
    /// Aircraft by `tailnum`, and names of categories.
    #[arg(long, default_value = "examples/high_throughput/data")]
    tables: PathBuf,
    /// Where results go.
    #[arg(long, default_value = "out")]
    out: PathBuf,
}

fn main() -> ExitCode {
    rheos::main_with(|env, arguments: Arguments| {
        env.name("HighThroughputStreamProcessor");

        let source = FileSource::new(Csv::new(), arguments.events);

        let watermark_strategy =
            WatermarkStrategy::for_bounded_out_of_orderness(Duration::from_secs(10))
                .with_timestamp_assigner(|event: &Event, _| event.event_time)
                .with_idleness(Duration::from_mins(1));

        let events = env.from_source(source, watermark_strategy, "kafka-source");

        let planes = arguments.tables.join("planes.csv");
        let enriched_events = events
            .filter(Event::is_valid)
            .name("event-filter")
            .map_with(move |_open| {
                let models = table(&planes, 4)?;
                Ok(move |event| Ok(EnrichedEvent::of(event, &models)))
            })
            .name("event-enrichment")
            .key_by(|enriched| enriched.event.user_id.clone())
            .process(SessionAggregation::open)
            .name("session-aggregation")
            .uid("session-aggregation");

        let late_data_tag = OutputTag::new("late-data");
        let windowed_results = enriched_events
            .key_by(|enriched| enriched.event.category.clone())
            .window(TumblingEventTimeWindows::of(Duration::from_mins(5)))
            .allowed_lateness(Duration::from_mins(1))
            .side_output_late_data(&late_data_tag)
            .aggregate_apply(EventCountAggregator, window_result)
            .name("windowed-aggregation")
            .uid("windowed-aggregation");

        let airlines = arguments.tables.join("airlines.csv");
        let lookup = AsyncOptions::new()
            .timeout(Duration::from_secs(5))
            .capacity(1_000)
            .circuit_breaker(CircuitBreaker::failure_rate(0.5))
            .fallback(|window, _error| enriched_result(window, None));
        let async_enriched_results = windowed_results
            .async_wait_unordered_with(
                move |_open| {
                    let client = DatabaseClient::open(&airlines)?;
                    Ok(move |window| look_up(client.clone(), window))
                },
                lookup,
            )
            .name("async-database-lookup");

        async_enriched_results
            .sink_to(FileSink::new(JsonLines, &arguments.out).prefix("elasticsearch"))
            .name("elasticsearch-sink");

        async_enriched_results
            .sink_to(FileSink::new(JsonLines, &arguments.out).prefix("postgres"))
            .name("postgres-sink");

        let late_data: DataStream<EnrichedEvent> = windowed_results.side_output(&late_data_tag);

        late_data
            .sink_to(FileSink::new(JsonLines, &arguments.out).prefix("late"))
            .name("late-data-sink");

        Ok(())
    })
}

#[derive(Row, Clone, Default)]
struct EventAccumulator {
    count: u64,
    sum: f64,
}

struct EventCountAggregator;

impl AggregateFunction for EventCountAggregator {
    type In = EnrichedEvent;
    type Acc = EventAccumulator;
    type Out = EventAccumulator;

    fn create_accumulator(&self) -> EventAccumulator {
        EventAccumulator::default()
    }

    fn add(&self, accumulator: &mut EventAccumulator, enriched: EnrichedEvent) {
        accumulator.count += 1;
        accumulator.sum += enriched.event.value.unwrap_or(0.0);
    }

    fn get_result(&self, accumulator: &EventAccumulator) -> EventAccumulator {
        accumulator.clone()
    }

    fn merge(&self, into: &mut EventAccumulator, from: EventAccumulator) {
        into.count += from.count;
        into.sum += from.sum;
    }
}

/// The function behind the aggregate: it knows the key and the window.
fn window_result(
    category: &Str,
    window: &TimeWindow,
    total: EventAccumulator,
    _context: &WindowContext<'_>,
    out: &mut Collector<'_, WindowedResult>,
) -> Result<(), BoxError> {
    out.collect(WindowedResult {
        category: category.clone(),
        window_start: window.start,
        window_end: window.end,
        events: total.count,
        value_sum: total.sum,
    });
    Ok(())
}

/// Stands for a pool of connections, which is cheap to clone.
#[derive(Clone)]
struct DatabaseClient {
    names: Arc<BTreeMap<String, String>>,
}

impl DatabaseClient {
    fn open(airlines: &Path) -> Result<Self, BoxError> {
        const NAME: usize = 1;
        Ok(Self {
            names: Arc::new(table(airlines, NAME)?),
        })
    }

    async fn category_name(&self, category: &str) -> Result<Option<String>, BoxError> {
        Ok(self.names.get(category).cloned())
    }
}

async fn look_up(
    client: DatabaseClient,
    window: WindowedResult,
) -> Result<Vec<EnrichedResult>, BoxError> {
    let name = client.category_name(&window.category).await?;
    Ok(vec![enriched_result(window, name)])
}

fn enriched_result(window: WindowedResult, name: Option<String>) -> EnrichedResult {
    EnrichedResult {
        category: window.category,
        window_start: window.window_start,
        window_end: window.window_end,
        events: window.events,
        value_sum: window.value_sum,
        category_name: name.unwrap_or_else(|| "unknown".to_owned()),
    }
}

#[derive(Row, Clone, Default)]
struct SessionState {
    events: u64,
    timer: Option<Millis>,
}

struct SessionAggregation {
    session: ValueState<SessionState>,
    event_counts: MapState<Str, u64>,
}

impl SessionAggregation {
    fn open(open: &mut OpenContext<'_, Str>) -> Result<Self, BoxError> {
        let ttl = StateTtlConfig::new(SESSION_TTL)
            .update_type(UpdateType::OnCreateAndWrite)
            .visibility(StateVisibility::NeverReturnExpired);
        let session = ValueStateDescriptor::new("session-state").ttl(ttl.clone());
        let event_counts = MapStateDescriptor::new("event-counts").ttl(ttl);
        Ok(Self {
            session: open.value_state(session)?,
            event_counts: open.map_state(event_counts)?,
        })
    }
}

impl KeyedProcessFunction<Str, EnrichedEvent, EnrichedEvent> for SessionAggregation {
    fn process(
        &mut self,
        enriched: EnrichedEvent,
        context: &KeyedContext<'_, Str>,
        out: &mut Collector<'_, EnrichedEvent>,
    ) -> Result<(), BoxError> {
        let mut session = self.session.get_or_insert_with(SessionState::default);
        session.events += 1;

        let event = &enriched.event;
        self.event_counts
            .upsert(event.event_type.clone(), 0, |count| *count += 1);

        // One timer a key, moved forward, where the Java job has one for each event.
        let due = event.event_time + SESSION_GAP.as_millis() as Millis;
        if session.timer.is_none_or(|timer| timer < due) {
            if let Some(timer) = session.timer.replace(due) {
                context.delete_event_time_timer(timer);
            }
            context.register_event_time_timer(due);
        }

        out.collect(enriched);
        Ok(())
    }

    fn on_timer(
        &mut self,
        _timestamp: Millis,
        _domain: TimeDomain,
        _context: &KeyedContext<'_, Str>,
        _out: &mut Collector<'_, EnrichedEvent>,
    ) -> Result<(), BoxError> {
        self.session.clear();
        self.event_counts.clear();
        Ok(())
    }
}

/// One column of a CSV file by its first.
fn table(path: &Path, column: usize) -> Result<BTreeMap<String, String>, BoxError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let rows = text.lines().skip(1).filter_map(|line| {
        let (key, _) = line.split_once(',')?;
        Some((key.to_owned(), line.split(',').nth(column)?.to_owned()))
    });
    Ok(rows.collect())
}
