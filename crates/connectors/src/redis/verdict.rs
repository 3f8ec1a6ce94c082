//! What a reply to a command of a batch means.

use super::resp::Reply;
use crate::outbox::refused;

/// What becomes of the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Done,
    /// Another server has its slot from now on.
    Moved(String),
    /// Another server has its key, while the slot is being moved.
    Ask(String),
    /// It passes.
    Again(String),
    /// The row is wrong, or what is there under its key.
    Row(String),
    /// It will not pass: mend what it says.
    Fatal(String),
}

/// First words of errors that pass.
const PASSING: &[&str] = &[
    "BUSY",
    "CLUSTERDOWN",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "NOREPLICAS",
    "NOSCRIPT",
    "OOM",
    "READONLY",
    "TRYAGAIN",
];
const FATAL: &[&str] = &["NOAUTH", "NOPERM", "NOPROTO", "WRONGPASS"];

pub(super) fn verdict(reply: &Reply, from: &str, cluster: bool) -> Verdict {
    let Reply::Error(error) = reply else {
        return Verdict::Done;
    };
    let mut words = error.split(' ');
    let first = words.next().unwrap_or("");
    match first {
        "MOVED" | "ASK" if !cluster => Verdict::Fatal(format!(
            "{error}: the server is one of a cluster, whose address begins with redis-cluster://"
        )),
        "MOVED" => Verdict::Moved(address(words.nth(1), from)),
        "ASK" => Verdict::Ask(address(words.nth(1), from)),
        // What the script says that applies epochs.
        "REFUSED" => Verdict::Fatal(refused(error.get(first.len() + 1..).unwrap_or_default())),
        _ if PASSING.contains(&first) || error.contains("max number of clients") => {
            Verdict::Again(error.clone())
        }
        _ if FATAL.contains(&first) => {
            Verdict::Fatal(format!("{error}; give a user and password that may do it"))
        }
        _ if error.contains("unknown command") || error.contains("without any password") => {
            Verdict::Fatal(error.clone())
        }
        _ => Verdict::Row(error.clone()),
    }
}

/// Where a redirection leads; without a host, to another port of the server that gave it.
fn address(to: Option<&str>, from: &str) -> String {
    let to = to.unwrap_or(from);
    match to.strip_prefix(':') {
        None => to.to_owned(),
        Some(port) => {
            let host = from.rsplit_once(':').map_or(from, |(host, _)| host);
            format!("{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sorted_by_what_is_to_be_done() {
        let of = |error: &str| verdict(&Reply::Error(error.to_owned()), "h:1", true);
        assert_eq!(verdict(&Reply::Nil, "h:1", true), Verdict::Done);
        assert_eq!(of("MOVED 7 h:2"), Verdict::Moved("h:2".into()));
        assert_eq!(of("MOVED 7 :2"), Verdict::Moved("h:2".into()));
        assert_eq!(of("ASK 7 h:2"), Verdict::Ask("h:2".into()));
        for passing in [
            "LOADING Redis is",
            "OOM command",
            "ERR max number of clients reached",
        ] {
            assert_eq!(of(passing), Verdict::Again(passing.into()));
        }
        assert!(matches!(of("NOAUTH x"), Verdict::Fatal(_)));
        assert!(matches!(of("ERR unknown command 'X'"), Verdict::Fatal(_)));
        assert!(matches!(of("WRONGTYPE x"), Verdict::Row(_)));
        let alone = verdict(&Reply::Error("MOVED 7 h:2".into()), "h:1", false);
        assert!(matches!(alone, Verdict::Fatal(_)));
    }
}
