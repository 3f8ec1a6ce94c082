//! The checkpoints of a job, under Flink's paths and fields. Fields of our own begin with `rheos.`.

use rheos_core::config::options::STATE_BACKEND;
use serde_json::{Value, json};

use super::aggregate::Statistics;
use super::answer::{Answer, Refusal};
use super::route::Asked;
use super::state::{self, State, or_never, vertices};
use crate::checkpoint::CheckpointSettings;
use crate::checkpoint::history::{Entry, Outcome, Remembered, Restored, Series, TaskEntry};
use crate::checkpoint::settings::Retention;
use crate::embedded::JobHandle;

fn remembered(job: &JobHandle) -> Result<Remembered, Refusal> {
    let history = job.history();
    let remembered = history.map(|history| history.remembered());
    remembered.ok_or_else(|| {
        let message = format!("Checkpointing was not enabled for job {}.", job.id());
        Refusal::NotFound(message)
    })
}

fn of_series(series: &Series) -> Value {
    let last = Statistics::of(series.last().collect());
    last.summary(series.min(), series.max(), series.avg())
}

fn of_all(values: impl Iterator<Item = i64>) -> Value {
    let values = Statistics::of(values.collect());
    values.summary(values.min(), values.max(), values.avg())
}

/// The status and when the last part was written, and so on: what checkpoints and their tasks share.
struct Told {
    status: &'static str,
    ended_millis: i64,
}

fn told(entry: &Entry, now: i64) -> Told {
    let (status, ended_millis) = match &entry.outcome {
        Outcome::InProgress => ("IN_PROGRESS", (now - entry.triggered_at).max(0)),
        Outcome::Completed { millis, .. } => ("COMPLETED", *millis),
        Outcome::Failed { millis, .. } => ("FAILED", *millis),
    };
    Told {
        status,
        ended_millis,
    }
}

/// The task that took longest.
fn slowest(job: &JobHandle, entry: &Entry) -> Value {
    let slowest = entry.slowest();
    let found = slowest.and_then(|(index, part)| {
        let (vertex, subtask) = entry.place(index)?;
        let vertex = vertices(job).find(|found| found.index == vertex)?;
        Some(json!({
            "vertex": vertex.id.to_string(),
            "name": vertex.of.name,
            "subtask": subtask,
            "end_to_end_duration": part.millis,
            "start_delay": part.cost.start_delay_micros.div_euclid(1000),
            "alignment": part.cost.alignment_micros.div_euclid(1000),
            "sync": part.cost.sync_micros.div_euclid(1000),
            "async": part.async_millis(),
        }))
    });
    found.unwrap_or(Value::Null)
}

fn of_entry(job: &JobHandle, entry: &Entry, now: i64, tasks: Value) -> Value {
    let Told {
        status,
        ended_millis,
    } = told(entry, now);
    let mut fields = json!({
        "className": status.to_lowercase(),
        "id": entry.checkpoint,
        "status": status,
        "is_savepoint": entry.savepoint,
        "savepointFormat": entry.savepoint.then_some("CANONICAL"),
        "trigger_timestamp": entry.triggered_at,
        "latest_ack_timestamp": or_never(entry.parts.values().map(|part| part.written_at).max()),
        "checkpointed_size": entry.written_bytes(),
        "state_size": entry.state_bytes(),
        "end_to_end_duration": ended_millis,
        "alignment_buffered": 0,
        "processed_data": entry.processed_bytes(),
        "persisted_data": entry.persisted_bytes(),
        "num_subtasks": entry.tasks,
        "num_acknowledged_subtasks": entry.parts.len(),
        "checkpoint_type": match (entry.savepoint, entry.is_unaligned()) {
            (true, _) => "SAVEPOINT",
            (false, true) => "UNALIGNED_CHECKPOINT",
            (false, false) => "CHECKPOINT",
        },
        "tasks": tasks,
        "rheos.slowest_subtask": slowest(job, entry),
    });
    let more = match &entry.outcome {
        Outcome::InProgress => Vec::new(),
        Outcome::Completed {
            place, discarded, ..
        } => vec![
            ("external_path", json!(place)),
            ("discarded", json!(discarded)),
        ],
        Outcome::Failed { at, cause, .. } => vec![
            ("failure_timestamp", json!(at)),
            ("failure_message", json!(cause)),
        ],
    };
    if let Some(fields) = fields.as_object_mut() {
        fields.extend(
            more.into_iter()
                .map(|(name, value)| (name.to_owned(), value)),
        );
    }
    fields
}

fn of_restored(restored: &Restored) -> Value {
    json!({
        "id": restored.checkpoint,
        "restore_timestamp": restored.at,
        "is_savepoint": restored.savepoint,
        "external_path": restored.place,
    })
}

/// `GET /jobs/:jobid/checkpoints`
pub(super) fn overview(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let (job, now) = (state.job(asked)?, state.now());
    let seen = remembered(&job)?;
    let (totals, summary) = (&seen.totals, &seen.summary);
    let entry = |entry: &Entry| of_entry(&job, entry, now, json!({}));
    let last = |kind: &Option<Entry>| kind.as_ref().map(entry);
    let nothing = of_all(std::iter::empty());
    Ok(Answer::Json(json!({
        "counts": {
            "restored": totals.restored,
            "total": totals.completed + totals.failed + totals.in_progress,
            "in_progress": totals.in_progress,
            "completed": totals.completed,
            "failed": totals.failed,
        },
        "summary": {
            "checkpointed_size": of_series(&summary.written_bytes),
            "state_size": of_series(&summary.state_bytes),
            "end_to_end_duration": of_series(&summary.millis),
            "alignment_buffered": nothing,
            "processed_data": of_series(&summary.processed_bytes),
            "persisted_data": of_series(&summary.persisted_bytes),
        },
        "latest": {
            "completed": last(&seen.completed),
            "savepoint": last(&seen.savepoint),
            "failed": last(&seen.failed),
            "restored": seen.restored.as_ref().map(of_restored),
        },
        "history": seen.entries.iter().rev().map(entry).collect::<Vec<_>>(),
    })))
}

/// The checkpoint that the path names.
fn entry(job: &JobHandle, asked: &Asked) -> Result<Entry, Refusal> {
    let text = asked.param("checkpointid");
    let number: u64 = text
        .parse()
        .map_err(|_| Refusal::BadRequest(format!("'{text}' is no number of a checkpoint")))?;
    let seen = remembered(job)?;
    seen.entry(number).cloned().ok_or_else(|| {
        Refusal::NotFound(format!(
            "Could not find checkpoint with id {number}: the last {} are remembered \
             (web.checkpoints.history)",
            seen.entries.len()
        ))
    })
}

fn of_vertex(entry: &Entry, parts: &[(u32, Option<&TaskEntry>)], now: i64) -> Value {
    let written = || parts.iter().filter_map(|(_, part)| *part);
    let sum = |of: fn(&TaskEntry) -> u64| written().map(of).sum::<u64>();
    let all = written().count() == parts.len();
    let Told { status, .. } = told(entry, now);
    json!({
        "id": entry.checkpoint,
        "status": if all { "COMPLETED" } else { status },
        "latest_ack_timestamp": or_never(written().map(|part| part.written_at).max()),
        "checkpointed_size": sum(|part| part.written_bytes),
        "state_size": sum(|part| part.state_bytes),
        "end_to_end_duration": written().map(|part| part.millis).max().unwrap_or(-1),
        "alignment_buffered": 0,
        "processed_data": sum(|part| part.cost.bytes_processed),
        "persisted_data": sum(|part| part.cost.bytes_persisted),
        "num_subtasks": parts.len(),
        "num_acknowledged_subtasks": written().count(),
    })
}

/// `GET /jobs/:jobid/checkpoints/details/:checkpointid`
pub(super) fn details(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let (job, now) = (state.job(asked)?, state.now());
    let entry = entry(&job, asked)?;
    let tasks = vertices(&job).map(|vertex| {
        let parts: Vec<_> = entry.of_vertex(vertex.index).collect();
        (vertex.id.to_string(), of_vertex(&entry, &parts, now))
    });
    let tasks = Value::Object(tasks.collect());
    Ok(Answer::Json(of_entry(&job, &entry, now, tasks)))
}

fn millis(micros: i64) -> i64 {
    micros.div_euclid(1000)
}

fn of_subtask((index, part): &(u32, Option<&TaskEntry>)) -> Value {
    let Some(part) = part else {
        return json!({ "className": "pending", "index": index, "status": "pending_or_failed" });
    };
    let cost = &part.cost;
    json!({
        "className": "completed",
        "index": index,
        "ack_timestamp": part.written_at,
        "end_to_end_duration": part.millis,
        "checkpointed_size": part.written_bytes,
        "state_size": part.state_bytes,
        "checkpoint": { "sync": millis(cost.sync_micros), "async": part.async_millis() },
        "alignment": {
            "buffered": 0,
            "processed": cost.bytes_processed,
            "persisted": cost.bytes_persisted,
            "duration": millis(cost.alignment_micros),
        },
        "start_delay": millis(cost.start_delay_micros),
        "unaligned_checkpoint": cost.unaligned,
        "aborted": false,
        "status": "completed",
    })
}

/// `GET /jobs/:jobid/checkpoints/details/:checkpointid/subtasks/:vertexid`
pub(super) fn subtasks(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let (job, now) = (state.job(asked)?, state.now());
    let entry = entry(&job, asked)?;
    let vertex = state::vertex(&job, asked)?;
    let parts: Vec<_> = entry.of_vertex(vertex.index).collect();
    let written: Vec<&TaskEntry> = parts.iter().filter_map(|(_, part)| *part).collect();
    let of = |number: fn(&TaskEntry) -> i64| of_all(written.iter().map(|part| number(part)));
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let of_bytes =
        |number: fn(&TaskEntry) -> u64| of_all(written.iter().map(|part| bytes(number(part))));
    let mut fields = of_vertex(&entry, &parts, now);
    let summary = json!({
        "checkpointed_size": of_bytes(|part| part.written_bytes),
        "state_size": of_bytes(|part| part.state_bytes),
        "end_to_end_duration": of(|part| part.millis),
        "checkpoint_duration": {
            "sync": of(|part| millis(part.cost.sync_micros)),
            "async": of(TaskEntry::async_millis),
        },
        "alignment": {
            "buffered": of(|_| 0),
            "processed": of_bytes(|part| part.cost.bytes_processed),
            "persisted": of_bytes(|part| part.cost.bytes_persisted),
            "duration": of(|part| millis(part.cost.alignment_micros)),
        },
        "start_delay": of(|part| millis(part.cost.start_delay_micros)),
    });
    if let Some(fields) = fields.as_object_mut() {
        fields.insert("summary".to_owned(), summary);
        let subtasks = parts.iter().map(of_subtask).collect();
        fields.insert("subtasks".to_owned(), Value::Array(subtasks));
    }
    Ok(Answer::Json(fields))
}

/// `GET /jobs/:jobid/checkpoints/config`
pub(super) fn config(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let job = state.job(asked)?;
    let _takes = remembered(&job)?;
    let settings = CheckpointSettings::from_configuration(&state.configuration);
    let Ok(Some(settings)) = settings else {
        let message = format!("Checkpointing was not enabled for job {}.", job.id());
        return Err(Refusal::NotFound(message));
    };
    let backend = state.configuration.get(&STATE_BACKEND);
    let backend = backend.unwrap_or_default();
    let whole = |duration: std::time::Duration| duration.as_millis() as u64;
    Ok(Answer::Json(json!({
        "mode": "exactly_once",
        "interval": whole(settings.interval),
        "timeout": whole(settings.timeout),
        "min_pause": whole(settings.min_pause),
        "max_concurrent": settings.max_concurrent,
        "externalization": {
            "enabled": settings.retention != Retention::Never,
            "delete_on_cancellation": settings.retention != Retention::OnCancellation,
        },
        "state_backend": match backend.trim() {
            "rocksdb" => "EmbeddedRocksDBStateBackend",
            _ => "HashMapStateBackend",
        },
        "checkpoint_storage": match settings.location {
            Some(_) => "FileSystemCheckpointStorage",
            None => "JobManagerCheckpointStorage",
        },
        "unaligned_checkpoints": settings.aligned_timeout.is_some(),
        "tolerable_failed_checkpoints": settings.tolerable_failures,
        "aligned_checkpoint_timeout": settings.aligned_timeout.map_or(0, whole),
        "checkpoints_after_tasks_finish": true,
        // There is no changelog of state.
        "state_changelog_enabled": false,
        "changelog_periodic_materialization_interval": 0,
        "changelog_storage": "memory",
    })))
}
