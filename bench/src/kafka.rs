//! The work of the peer's Kafka jobs: a topic of Avro events, from its first to its last offset, into
//! five-minute counts and sums by user.

use std::time::Duration;

use rheos::core::row::Schema;
use rheos::prelude::*;
use rheos_connectors::avro::{ConfluentAvro, RegistrySettings};
use rheos_connectors::kafka::{KafkaReader, KafkaSource, Offsets};

use crate::jobs::{Outputs, Spec, sink};
use crate::source::{OUT_OF_ORDERNESS, WINDOW};

/// The schema that the peer writes, for runs without a registry.
const SCHEMA: &str = r#"{"type": "record", "name": "Event", "namespace": "peer", "fields": [
  {"name": "event_id", "type": "string"},
  {"name": "user_id", "type": "string"},
  {"name": "category", "type": "string"},
  {"name": "event_type", "type": "string"},
  {"name": "event_time", "type": {"type": "long", "logicalType": "timestamp-millis"}},
  {"name": "value", "type": ["null", "double"], "default": null}
]}"#;

/// Events of the topic as the peer fills it, and what their values come to.
const FILLED: (u64, f64) = (20_000_000, 6_421_598_432.50);

/// The source's name.
pub const SOURCE: &str = "kafka";

/// What to read.
pub struct Topic {
    pub brokers: String,
    pub name: String,
    pub registry: Option<String>,
    pub reader: KafkaReader,
}

#[derive(Row, Clone, Debug)]
pub struct Event {
    event_id: Str,
    pub user_id: Str,
    category: Str,
    event_type: Str,
    event_time: i64,
    value: Option<f64>,
}

/// What a window adds up.
#[derive(Row, Clone, Debug)]
struct Sums {
    count: i64,
    sum: f64,
}

struct SumsOf;

impl AggregateFunction for SumsOf {
    type In = Event;
    type Acc = Sums;
    type Out = Sums;

    fn create_accumulator(&self) -> Sums {
        Sums { count: 0, sum: 0.0 }
    }

    fn add(&self, sums: &mut Sums, event: Event) {
        sums.count += 1;
        sums.sum += event.value.unwrap_or(0.0);
    }

    fn get_result(&self, sums: &Sums) -> Sums {
        sums.clone()
    }

    fn merge(&self, into: &mut Sums, from: Sums) {
        into.count += from.count;
        into.sum += from.sum;
    }
}

/// Reads a topic.
pub fn source(topic: &Topic) -> Result<KafkaSource<ConfluentAvro>, BoxError> {
    let format = match &topic.registry {
        Some(url) => ConfluentAvro::new(RegistrySettings::new(url)),
        None => ConfluentAvro::with_schema(Schema::parse_avro_json(SCHEMA)?),
    };
    Ok(KafkaSource::new(format)
        .reader(topic.reader)
        .bootstrap_servers(&topic.brokers)
        .topics([&topic.name])
        // What the peer is tuned to.
        .property("max.partition.fetch.bytes", "4194304")
        .property("fetch.max.bytes", "33554432")
        .property("receive.buffer.bytes", "1048576"))
}

/// source → key by user → five-minute windows, late events aside.
pub fn count(env: &StreamEnv, spec: &Spec, topic: &Topic) -> Result<Outputs, BoxError> {
    let source = source(topic)?.bounded(Offsets::Latest);
    let bound = Duration::from_millis(OUT_OF_ORDERNESS as u64);
    let strategy = WatermarkStrategy::for_bounded_out_of_orderness(bound)
        .with_timestamp_assigner(|event: &Event, _| event.event_time);
    let late = OutputTag::<Event>::new("late");
    let window = Duration::from_millis(WINDOW as u64);
    let windows = env
        .from_source(source, strategy, SOURCE)
        .name(SOURCE)
        .key_by(|event| event.user_id.clone())
        .window(TumblingEventTimeWindows::of(window))
        .side_output_late_data(&late)
        .aggregate(SumsOf);
    let late = windows.side_output(&late);
    Ok(vec![
        (
            "values",
            sink(&windows, "values", spec, |sums| (sums.sum, None)),
        ),
        (
            "counts",
            sink(&windows, "counts", spec, |sums| (sums.count as f64, None)),
        ),
        (
            "late",
            sink(&late, "late", spec, |event| {
                (event.value.unwrap_or(0.0), None)
            }),
        ),
    ])
}

/// How many events were read; fails if they are not all in a window or late, or if the peer's topic
/// comes to another sum than it must.
pub fn check(outputs: &Outputs) -> Result<u64, BoxError> {
    let (mut events, mut sum) = (0, 0.0);
    for (name, measured) in outputs {
        match *name {
            "counts" => events += measured.checksum() as u64,
            "values" => sum += measured.checksum(),
            _ => {
                events += measured.rows();
                sum += measured.checksum();
            }
        }
    }
    let (filled, due) = FILLED;
    if events == filled && (sum - due).abs() > 0.5 {
        return Err(format!("the values come to {sum:.2}, but {due:.2} is due").into());
    }
    Ok(events)
}
