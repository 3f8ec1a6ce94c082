//! Records of a connector that are no changes of a table's rows, told by their fields.

use rheos_core::row::RowError;

/// Whether a record with these fields is one that holds no row by its nature: a heartbeat, a word of
/// a transaction's beginning or end, a change of a schema.
pub(super) fn holds_no_row<'a>(fields: impl IntoIterator<Item = &'a str>) -> bool {
    let mut fields: Vec<_> = fields.into_iter().collect();
    fields.sort_unstable();
    let has = |name: &str| fields.binary_search(&name).is_ok();
    match fields.as_slice() {
        ["ts_ms"] => true,
        _ if has("status") && has("id") && has("event_count") && has("data_collections") => true,
        _ => has("source") && has("databaseName") && (has("ddl") || has("tableChanges")),
    }
}

/// A record with these fields is no envelope and none of the others.
#[cold]
pub(super) fn no_envelope<'a>(fields: impl IntoIterator<Item = &'a str>) -> RowError {
    let mut flattened = false;
    let mut names = Vec::new();
    for field in fields {
        flattened |= field == "__op" || field == "__deleted";
        names.push(field);
    }
    let fields = names.join(", ");
    RowError::mismatch(if flattened {
        format!(
            "the record is no envelope of Debezium but a row flattened by ExtractNewRecordState \
             (fields {fields}): read it as a plain row, or leave that transform out"
        )
    } else {
        format!("the record is no envelope of Debezium: it has no `op`, only {fields}")
    })
}
