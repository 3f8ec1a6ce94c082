//! The work of the peer's job `pojo-copy`: a topic of Avro events, keyed by user, encoded again and
//! written to another topic, exactly once where checkpoints are taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rheos::core::row::Writer;
use rheos::prelude::*;
use rheos_connectors::DeliveryGuarantee;
use rheos_connectors::kafka::{KafkaSink, OutRecord};

use crate::jobs::Outputs;
use crate::kafka::{self, Event, Topic};
use crate::measure::Measured;

/// In front of a value, in the framing of a schema registry: the peer's schema is number 1.
const FRAMING: [u8; 5] = [0, 0, 0, 0, 1];
/// What the peer's values have, or a little more.
const VALUE_BYTES: usize = 64;

/// Where it goes.
pub struct Copy {
    pub from: Topic,
    pub to: String,
    /// Goes on when it has come to the end, until it is stopped.
    pub unbounded: bool,
    pub exactly_once: bool,
}

fn encoded(event: &Event) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(VALUE_BYTES);
    bytes.extend_from_slice(&FRAMING);
    let mut out = Writer::from_vec(bytes);
    event.encode(&mut out);
    out.into_vec()
}

/// source → key by user → sink. The rows written, again after a failure too, are its output.
pub fn copy(env: &StreamEnv, copy: &Copy) -> Result<Outputs, BoxError> {
    let source = kafka::source(&copy.from)?;
    let source = match copy.unbounded {
        true => source,
        false => source.bounded(rheos_connectors::kafka::Offsets::Latest),
    };
    let written = Arc::new(Measured::default());
    let (counted, topic) = (Counted::new(&written), copy.to.clone());
    let to_record = move |event: &Event| {
        counted.one();
        OutRecord {
            topic: topic.clone(),
            partition: None,
            key: None,
            value: Some(encoded(event)),
            headers: Vec::new(),
            timestamp: None,
        }
    };
    let delivery = match copy.exactly_once {
        true => DeliveryGuarantee::ExactlyOnce,
        false => DeliveryGuarantee::AtLeastOnce,
    };
    // What the peer is tuned to.
    let sink = KafkaSink::new(to_record)
        .bootstrap_servers(&copy.from.brokers)
        .delivery_guarantee(delivery)
        .property("compression.type", "lz4")
        .property("batch.size", "262144")
        .property("linger.ms", "20");
    env.from_source(source, WatermarkStrategy::no_watermarks(), kafka::SOURCE)
        .name(kafka::SOURCE)
        .key_by(|event: &Event| event.user_id.clone())
        .rows()
        .sink_to(sink)
        .name("copy");
    Ok(vec![("written", written)])
}

/// Counts the rows of one subtask, and tells them when it ends.
struct Counted {
    rows: AtomicU64,
    all: Arc<Measured>,
}

impl Counted {
    fn new(all: &Arc<Measured>) -> Self {
        Self {
            rows: AtomicU64::new(0),
            all: all.clone(),
        }
    }

    fn one(&self) {
        // Only its subtask's thread counts.
        self.rows
            .store(self.rows.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        Self::new(&self.all)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.all.add(self.rows.load(Ordering::Relaxed), 0.0);
    }
}
