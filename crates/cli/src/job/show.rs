//! Answers of REST as tables for people.

use std::fmt::Write as _;

use serde_json::Value;

use crate::table::{bytes, table};

/// The elements of a list in an answer.
pub(crate) fn all<'a>(answer: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    let list = answer.get(field).and_then(Value::as_array);
    list.into_iter().flatten()
}

/// A text in an answer; empty if it is not there.
pub(crate) fn text<'a>(answer: &'a Value, field: &str) -> &'a str {
    answer.get(field).and_then(Value::as_str).unwrap_or("")
}

fn number(answer: &Value, field: &str) -> i64 {
    answer.get(field).and_then(Value::as_i64).unwrap_or(-1)
}

/// Milliseconds as people read them.
fn time(millis: i64) -> String {
    let (seconds, rest) = (millis / 1000, millis % 1000);
    match millis {
        i64::MIN..0 => "-".to_owned(),
        0..10_000 => format!("{seconds}.{:01} s", rest / 100),
        10_000..600_000 => format!("{seconds} s"),
        600_000..36_000_000 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

fn count(number: i64) -> String {
    match number {
        i64::MIN..0 => "-".to_owned(),
        number => number.to_string(),
    }
}

/// `/jobs/overview`
pub(super) fn jobs(answer: &Value) -> String {
    let rows: Vec<Vec<String>> = all(answer, "jobs")
        .map(|job| {
            let tasks = job.get("tasks").unwrap_or(&Value::Null);
            vec![
                text(job, "jid").to_owned(),
                text(job, "name").to_owned(),
                text(job, "state").to_owned(),
                time(number(job, "duration")),
                format!(
                    "{}/{}",
                    number(tasks, "running").max(0),
                    number(tasks, "total")
                ),
            ]
        })
        .collect();
    match rows.is_empty() {
        true => "no job runs there\n".to_owned(),
        false => table(&["id", "name", "state", ">for", ">running tasks"], &rows),
    }
}

/// `/jobs/:jobid/logs`
pub(super) fn logs(answer: &Value) -> String {
    let rows: Vec<Vec<String>> = all(answer, "logs")
        .map(|log| {
            vec![
                text(log, "name").to_owned(),
                bytes(u64::try_from(number(log, "size")).unwrap_or(0)),
                text(log, "rheos.taskmanager").to_owned(),
            ]
        })
        .collect();
    table(&["name", ">size", "TaskManager"], &rows)
}

fn heading(job: &Value) -> String {
    format!(
        "{} {}: {}, for {}\n",
        text(job, "name"),
        text(job, "jid"),
        text(job, "state"),
        time(number(job, "duration"))
    )
}

/// The part of their time that subtasks spent so, since the job began.
fn share(metrics: &Value, field: &str, vertex: &Value) -> String {
    let (spent, parallelism) = (number(metrics, field), number(vertex, "parallelism").max(1));
    let whole = number(vertex, "duration").saturating_mul(parallelism);
    match whole {
        i64::MIN..=0 => "-".to_owned(),
        whole => format!("{} %", (spent.max(0).saturating_mul(100) / whole).min(100)),
    }
}

/// `/jobs/:jobid`
pub(super) fn job(answer: &Value) -> String {
    let rows: Vec<Vec<String>> = all(answer, "vertices")
        .map(|vertex| {
            let metrics = vertex.get("metrics").unwrap_or(&Value::Null);
            vec![
                text(vertex, "name").to_owned(),
                text(vertex, "status").to_owned(),
                count(number(vertex, "parallelism")),
                count(number(metrics, "read-records")),
                count(number(metrics, "write-records")),
                share(metrics, "accumulated-busy-time", vertex),
                share(metrics, "accumulated-backpressured-time", vertex),
            ]
        })
        .collect();
    let headings = [
        "vertex",
        "state",
        ">parallelism",
        ">in",
        ">out",
        ">busy",
        ">back-pressured",
    ];
    heading(answer) + &table(&headings, &rows)
}

/// A job, with what has changed since it was asked for before.
pub(super) fn moving(now: &Value, before: Option<&Value>) -> String {
    let millis = before.map_or(0, |before| number(now, "now") - number(before, "now"));
    let rows: Vec<Vec<String>> = all(now, "vertices")
        .map(|vertex| {
            let id = text(vertex, "id");
            let last = before
                .and_then(|before| all(before, "vertices").find(|vertex| text(vertex, "id") == id));
            let of = |vertex: &Value, field: &str| {
                let value = vertex.pointer(&format!("/metrics/{field}"));
                // Times are told as numbers of either kind.
                value.and_then(Value::as_f64).unwrap_or(0.0) as i64
            };
            let more = |field: &str| last.map(|last| of(vertex, field) - of(last, field));
            let rate = |field: &str| match more(field) {
                Some(more) if millis > 0 => count((more.max(0) * 1000) / millis),
                _ => "-".to_owned(),
            };
            let whole = millis * number(vertex, "parallelism").max(1);
            let part = |field: &str| match more(field) {
                Some(more) if whole > 0 => format!("{} %", (more.max(0) * 100 / whole).min(100)),
                _ => "-".to_owned(),
            };
            vec![
                text(vertex, "name").to_owned(),
                text(vertex, "status").to_owned(),
                rate("read-records"),
                rate("write-records"),
                part("accumulated-busy-time"),
                part("accumulated-backpressured-time"),
                part("accumulated-idle-time"),
            ]
        })
        .collect();
    let headings = [
        "vertex",
        "state",
        ">in/s",
        ">out/s",
        ">busy",
        ">back-pressured",
        ">idle",
    ];
    heading(now) + &table(&headings, &rows)
}

/// `/jobs/:jobid/rescales/details/:rescaleuuid`
pub(super) fn rescale(answer: &Value) -> String {
    let vertices = answer.get("vertices").and_then(Value::as_object);
    let rows: Vec<Vec<String>> = vertices
        .into_iter()
        .flatten()
        .map(|(id, vertex)| {
            let of = |field: &str| count(number(vertex, field));
            vec![
                id.clone(),
                text(vertex, "jobVertexName").to_owned(),
                of("preRescaleParallelism"),
                of("postRescaleParallelism"),
            ]
        })
        .collect();
    let what = match (
        text(answer, "terminalState"),
        number(answer, "rheos.pauseInMillis"),
    ) {
        ("COMPLETED", pause @ 0..) => format!(
            "rescaled from checkpoint {}; the tasks stood still for {pause} ms\n",
            number(answer, "rheos.checkpoint")
        ),
        ("COMPLETED", _) => "rescaled\n".to_owned(),
        (state, _) => format!("{state}: {}\n", text(answer, "terminatedReason")),
    };
    what + &table(&["vertex", "name", ">before", ">now"], &rows)
}

/// `/jobs/:jobid/checkpoints`
pub(super) fn checkpoints(answer: &Value) -> String {
    let counts = answer.get("counts").unwrap_or(&Value::Null);
    let mut shown = format!(
        "{} completed, {} failed, {} under way, {} restored\n",
        number(counts, "completed"),
        number(counts, "failed"),
        number(counts, "in_progress"),
        number(counts, "restored")
    );
    let rows: Vec<Vec<String>> = all(answer, "history")
        .map(|checkpoint| {
            let size = u64::try_from(number(checkpoint, "state_size")).unwrap_or(0);
            let place = match text(checkpoint, "status") {
                "FAILED" => text(checkpoint, "failure_message"),
                _ => text(checkpoint, "external_path"),
            };
            vec![
                count(number(checkpoint, "id")),
                text(checkpoint, "status").to_owned(),
                text(checkpoint, "checkpoint_type").to_owned(),
                time(number(checkpoint, "end_to_end_duration")),
                bytes(size),
                place.to_owned(),
            ]
        })
        .collect();
    shown += &table(&[">id", "status", "type", ">took", ">size", "where"], &rows);
    shown
}

/// `/jobs/:jobid/exceptions`
pub(super) fn exceptions(answer: &Value) -> String {
    let history = answer.get("exceptionHistory").unwrap_or(&Value::Null);
    let mut shown = String::new();
    for failure in all(history, "entries") {
        // Writing to a string can't fail.
        let _ = write!(shown, "{}", one(failure, ""));
        for other in all(failure, "concurrentExceptions") {
            let _ = write!(shown, "{}", one(other, "  with it: "));
        }
    }
    match shown.is_empty() {
        true => "it has not failed\n".to_owned(),
        false => shown,
    }
}

fn one(failure: &Value, before: &str) -> String {
    let (task, at) = (text(failure, "taskName"), number(failure, "timestamp"));
    let cause = text(failure, "stacktrace").trim_end();
    let task = match task {
        "" => "the job",
        task => task,
    };
    format!("{before}{at} {task}: {cause}\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_as_people_read_them() {
        let shown = [-1, 0, 9_950, 59_000, 3_600_000, 90_000_000].map(time);
        assert_eq!(shown, ["-", "0.0 s", "9.9 s", "59 s", "60 min", "25 h"]);
    }

    #[test]
    fn rates_are_of_what_has_changed() {
        let at = |now: i64, rows: i64, busy: f64| {
            json!({
                "name": "job", "jid": "ab", "state": "RUNNING", "duration": 1000, "now": now,
                "vertices": [{
                    "id": "v", "name": "map", "status": "RUNNING", "parallelism": 2,
                    "metrics": { "read-records": rows, "write-records": rows,
                                 "accumulated-busy-time": busy },
                }],
            })
        };
        let last = |shown: &str| {
            let line = shown.lines().last().unwrap_or_default();
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let first = moving(&at(0, 10, 0.0), None);
        assert_eq!(last(&first), ["map", "RUNNING", "-", "-", "-", "-", "-"]);
        let second = moving(&at(2000, 5010, 1000.0), Some(&at(0, 10, 0.0)));
        let expected = "map RUNNING 2500 2500 25 % 0 % 0 %".split(' ');
        assert_eq!(last(&second), expected.collect::<Vec<_>>());
    }
}
