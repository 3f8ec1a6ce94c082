//! What a TaskManager says of its part of a checkpoint, on its way to the manifest.

use rheos_core::id::OperatorId;
use rheos_runtime::checkpoint::snapshot::TaskCost;
use serde::{Deserialize, Serialize};

use crate::checkpoint::manifest::Part;
use crate::checkpoint::store_files::StoreManifest;
use crate::checkpoint::writer::{WrittenOperator, WrittenTask};

#[derive(Serialize, Deserialize)]
struct OperatorPart {
    id: u64,
    has_state: bool,
    part: Part,
    keyed: Vec<Part>,
    store: Option<StoreManifest>,
}

#[derive(Serialize, Deserialize)]
struct TaskPart {
    operators: Vec<OperatorPart>,
    start_delay_micros: i64,
    alignment_micros: i64,
    sync_micros: i64,
    bytes_processed: u64,
    bytes_persisted: u64,
    unaligned: bool,
    bytes: u64,
}

/// As JSON. When it was written is told by the clock of who reads it.
pub(super) fn to_json(written: &WrittenTask) -> serde_json::Result<String> {
    let operators = written.operators.iter();
    let operators = operators.map(|operator| OperatorPart {
        id: operator.id.0,
        has_state: operator.has_state,
        part: operator.part.clone(),
        keyed: operator.keyed.clone(),
        store: operator.store.clone(),
    });
    let cost = written.cost;
    serde_json::to_string(&TaskPart {
        operators: operators.collect(),
        start_delay_micros: cost.start_delay_micros,
        alignment_micros: cost.alignment_micros,
        sync_micros: cost.sync_micros,
        bytes_processed: cost.bytes_processed,
        bytes_persisted: cost.bytes_persisted,
        unaligned: cost.unaligned,
        bytes: written.bytes,
    })
}

/// Reads it.
pub(super) fn of_json(text: &str) -> serde_json::Result<WrittenTask> {
    let part: TaskPart = serde_json::from_str(text)?;
    let operators = part.operators.into_iter();
    let operators = operators.map(|operator| WrittenOperator {
        id: OperatorId(operator.id),
        has_state: operator.has_state,
        part: operator.part,
        keyed: operator.keyed,
        store: operator.store,
    });
    Ok(WrittenTask {
        operators: operators.collect(),
        cost: TaskCost {
            start_delay_micros: part.start_delay_micros,
            alignment_micros: part.alignment_micros,
            sync_micros: part.sync_micros,
            bytes_processed: part.bytes_processed,
            bytes_persisted: part.bytes_persisted,
            unaligned: part.unaligned,
        },
        bytes: part.bytes,
        written_micros: 0,
    })
}
