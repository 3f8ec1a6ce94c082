//! Loads flights into a topic, for the main job to read: Avro in the registry's framing, keyed by plane.
//! With them, if told, messages that no event can be read from and messages without a value.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use high_throughput::arguments::data;
use high_throughput::event::Event;
use high_throughput::services::events_into;
use rheos::prelude::*;
use rheos_connectors::avro::RegistrySettings;
use rheos_connectors::kafka::{KafkaSink, OutRecord, RecordSerializer, RowSerializer, Serialized};
use rheos_connectors::{Csv, DataGeneratorSource, FileSource};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Args)]
struct Arguments {
    /// Brokers of Kafka, HOST:PORT,…
    #[arg(long, value_name = "BROKERS")]
    kafka: String,
    /// The schema registry's URL, with the base path of its interface
    #[arg(long, value_name = "URL")]
    registry: String,
    /// The topic, which must be there
    #[arg(long, value_name = "TOPIC", default_value = "events")]
    topic: String,
    /// A flights file (CSV) instead of the one that comes with the job
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Frames events under this number of a schema instead of the one that the registry gives: until it
    /// has been given out, no event can be read from them
    #[arg(long, value_name = "ID")]
    schema_id: Option<u32>,
    /// Messages that no event can be read from
    #[arg(long, value_name = "N", default_value_t = 0)]
    bad: u64,
    /// Messages without a value
    #[arg(long, value_name = "N", default_value_t = 0)]
    tombstones: u64,
}

/// A value that is no event, in one of four ways.
fn spoilt(number: u64) -> Vec<u8> {
    match number % 4 {
        0 => Vec::new(),
        1 => b"plain text".to_vec(),
        2 => vec![0, 0, 0],
        // A schema that no registry has given out.
        _ => vec![0, 0x7f, 0xff, 0xff, 0xff, 2, b'x'],
    }
}

/// Records whose values name another schema than they were written by.
struct Reframed<S> {
    records: S,
    schema: Option<u32>,
}

impl<T, S: RecordSerializer<T>> RecordSerializer<T> for Reframed<S> {
    type Serializer = Reframed<S::Serializer>;

    fn serializer(&self, context: &WriterContext) -> Result<Self::Serializer, BoxError> {
        Ok(Reframed {
            records: self.records.serializer(context)?,
            schema: self.schema,
        })
    }
}

impl<T, S: RowSerializer<T>> RowSerializer<T> for Reframed<S> {
    fn serialize(&mut self, row: &T, timestamp: Millis) -> Result<Serialized, BoxError> {
        let mut serialized = self.records.serialize(row, timestamp)?;
        // Behind the zero that begins the framing.
        if let (Some(id), Serialized::Record(record)) = (self.schema, &mut serialized)
            && let Some(place) = record.value.as_mut().and_then(|value| value.get_mut(1..5))
        {
            place.copy_from_slice(&id.to_be_bytes());
        }
        Ok(serialized)
    }

    fn is_ready(&self) -> bool {
        self.records.is_ready()
    }
}

fn describe(env: &StreamEnv, arguments: Arguments) -> Result<(), BoxError> {
    env.name("load-flights");
    env.parallelism(1);
    let input = arguments
        .input
        .unwrap_or_else(|| data().join("events.csv.gz"));
    let events: DataStream<Event> = env.from_source(
        FileSource::new(Csv::new(), input),
        WatermarkStrategy::no_watermarks(),
        "flights",
    );
    let records = events_into(&arguments.topic, RegistrySettings::new(arguments.registry));
    let records = Reframed {
        records,
        schema: arguments.schema_id,
    };
    events
        .sink_to(KafkaSink::new(records).bootstrap_servers(arguments.kafka.as_str()))
        .name("events");
    let (bad, topic) = (arguments.bad, arguments.topic);
    if bad + arguments.tombstones == 0 {
        return Ok(());
    }
    let numbers = DataGeneratorSource::new(|number| number, bad + arguments.tombstones);
    let spoils: DataStream<u64> =
        env.from_source(numbers, WatermarkStrategy::no_watermarks(), "spoils");
    let record = move |number: &u64| OutRecord {
        topic: topic.clone(),
        key: Some(format!("spoilt-{number}").into_bytes()),
        value: (*number < bad).then(|| spoilt(*number)),
        timestamp: Some(1),
        ..OutRecord::default()
    };
    spoils
        .sink_to(KafkaSink::new(record).bootstrap_servers(arguments.kafka))
        .name("spoilt");
    Ok(())
}

fn main() -> ExitCode {
    rheos::main_with(describe)
}
