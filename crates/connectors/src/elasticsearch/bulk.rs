//! What is sent to `_bulk`, and what it answers.

use serde::Deserialize;

/// Actions in the order of their rows, each with its lines and line ends.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub text: Vec<u8>,
    /// Where each action lies in the text.
    pub items: Vec<Item>,
}

/// One action.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub from: usize,
    /// Where something can be added to its first line.
    pub split: usize,
    pub to: usize,
    /// Its row's place in the batch.
    pub row: usize,
    pub deletes: bool,
    /// It has an id.
    pub identified: bool,
    pub versioned: bool,
}

/// What becomes of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is done, or need not be: a newer version is there, what shall go is not there.
    Done,
    /// The server is busy, or a shard is away.
    Again(String),
    /// The document is wrong.
    Rejected(String),
    /// No document would be taken.
    Fatal(String),
}

#[derive(Deserialize)]
struct Answer {
    items: Vec<std::collections::BTreeMap<String, Outcome>>,
}

#[derive(Deserialize)]
struct Outcome {
    status: u16,
    error: Option<serde_json::Value>,
}

/// A reason as the server gives it, in one line.
pub(super) fn reason(error: &serde_json::Value) -> String {
    let text = |value: &serde_json::Value, key: &str| {
        value.get(key).and_then(|v| v.as_str()).map(str::to_owned)
    };
    let error = error.get("error").unwrap_or(error);
    let (kind, why) = (text(error, "type"), text(error, "reason"));
    let cause = error
        .get("caused_by")
        .and_then(|cause| text(cause, "reason"));
    let parts: Vec<String> = [kind, why, cause].into_iter().flatten().collect();
    if parts.is_empty() {
        error.to_string().chars().take(300).collect()
    } else {
        parts.join(": ")
    }
}

/// The fate of an action by its status.
fn fate(item: &Item, outcome: &Outcome) -> Fate {
    let why = || {
        let reason = outcome.error.as_ref().map(reason).unwrap_or_default();
        format!("status {}: {reason}", outcome.status)
    };
    match outcome.status {
        200..=299 => Fate::Done,
        404 if item.deletes => Fate::Done,
        409 if item.versioned => Fate::Done,
        429 | 500 | 502 | 503 | 504 => Fate::Again(why()),
        401 | 403 => Fate::Fatal(format!(
            "{}; the index is blocked or the user may not write to it",
            why()
        )),
        404 => Fate::Fatal(format!(
            "{}; make the index, or let the server make it (action.auto_create_index)",
            why()
        )),
        _ => Fate::Rejected(why()),
    }
}

/// The fates of the actions that were sent, in order.
///
/// # Errors
/// If the answer is none of `_bulk`.
pub(super) fn fates(items: &[Item], answer: &[u8]) -> Result<Vec<Fate>, String> {
    let answer: Answer = serde_json::from_slice(answer)
        .map_err(|error| format!("what it answered is no answer of _bulk: {error}"))?;
    if answer.items.len() != items.len() {
        return Err(format!(
            "{} actions were answered by {} outcomes",
            items.len(),
            answer.items.len()
        ));
    }
    let pairs = items.iter().zip(&answer.items);
    Ok(pairs
        .map(|(item, outcome)| match outcome.values().next() {
            Some(outcome) => fate(item, outcome),
            None => Fate::Again("an outcome without a status".to_owned()),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(deletes: bool, versioned: bool) -> Item {
        Item {
            from: 0,
            split: 0,
            to: 0,
            row: 0,
            deletes,
            identified: true,
            versioned,
        }
    }

    fn one(item: Item, outcome: &str) -> Fate {
        let answer = format!(r#"{{"took":1,"errors":true,"items":[{outcome}]}}"#);
        fates(&[item], answer.as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn an_action_s_fate_is_told_by_its_status() {
        let plain = item(false, false);
        assert_eq!(
            one(plain, r#"{"index":{"_id":"a","status":201}}"#),
            Fate::Done
        );
        let busy = r#"{"index":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"}}}"#;
        assert_eq!(
            one(plain, busy),
            Fate::Again("status 429: es_rejected_execution_exception: full".into())
        );
        for kind in ["document_parsing_exception", "mapper_parsing_exception"] {
            let wrong = format!(
                r#"{{"index":{{"status":400,"error":{{"type":"{kind}","reason":"x","caused_by":{{"reason":"y"}}}}}}}}"#
            );
            assert_eq!(
                one(plain, &wrong),
                Fate::Rejected(format!("status 400: {kind}: x: y"))
            );
        }
        let conflict =
            r#"{"index":{"status":409,"error":{"type":"version_conflict_engine_exception"}}}"#;
        assert_eq!(one(item(false, true), conflict), Fate::Done);
        assert!(matches!(one(plain, conflict), Fate::Rejected(_)));
        let gone = r#"{"delete":{"status":404}}"#;
        assert_eq!(one(item(true, false), gone), Fate::Done);
        let blocked = r#"{"index":{"status":403,"error":{"type":"cluster_block_exception"}}}"#;
        assert!(matches!(one(plain, blocked), Fate::Fatal(_)));
    }

    #[test]
    fn what_is_no_answer_is_told() {
        assert!(fates(&[item(false, false)], b"<html>").is_err());
        assert!(fates(&[item(false, false)], br#"{"items":[]}"#).is_err());
    }
}
