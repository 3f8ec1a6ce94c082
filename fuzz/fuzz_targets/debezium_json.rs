//! Debezium's envelope in JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rheos_connectors::DebeziumJson;
use rheos_connectors::debezium::{DebeziumEvent, MissingBefore, Truncates, VariableScale};
use rheos_core::Row;
use rheos_core::change::Change;
use rheos_fuzz::read;

#[derive(Row, Clone, Debug)]
struct Order {
    id: Option<i64>,
    rate: Option<VariableScale>,
    status: Option<String>,
    tags: Option<Vec<Option<String>>>,
    bin: Option<Vec<u8>>,
}

fuzz_target!(|bytes: &[u8]| {
    let format = DebeziumJson::new()
        .missing_before(MissingBefore::Upsert)
        .truncates(Truncates::Ignore);
    for change in read::<Change<Order>, _>(&format, bytes, bytes.len()) {
        if let Some(rate) = change.row.rate.filter(|rate| rate.scale.unsigned_abs() < 10_000) {
            rate.to_decimal();
        }
    }
    for event in read::<DebeziumEvent<Order>, _>(&DebeziumJson::new(), bytes, bytes.len()) {
        event.changes().for_each(drop);
    }
});
