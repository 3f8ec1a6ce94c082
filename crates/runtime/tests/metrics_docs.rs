//! `docs/metrics.md` holds the tables that the code holds, and says of every metric that a running
//! Flink showed (`golden/flink_metrics.tsv`) whether it is here.
//!
//! `UPDATE_DOCS=1 cargo test -p rheos-runtime --test metrics_docs` writes them anew.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use rheos_runtime::metrics::metric::{Kind, Metric, prometheus_name, render_markdown};

/// Flink's, though not in that recording: it had latency markers and debloating off, and what boards
/// made for other reporters ask for.
const NOT_RECORDED: [Metric; 2] = [Metric::DebloatedBufferSize, Metric::Latency];

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

struct Recorded {
    name: String,
    kind: String,
    answer: String,
    why: String,
}

fn recorded() -> Vec<Recorded> {
    let text = std::fs::read_to_string(repository().join("golden/flink_metrics.tsv")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [name, kind, _, answer, why] = fields[..] else {
                panic!("five columns are expected: {line}");
            };
            Recorded {
                name: name.to_owned(),
                kind: kind.to_owned(),
                answer: answer.to_owned(),
                why: why.to_owned(),
            }
        })
        .collect()
}

#[test]
fn what_flink_shows_is_here_or_it_is_said_why_not() {
    let mut here: BTreeMap<String, Metric> = BTreeMap::new();
    for metric in Metric::ALL {
        let description = metric.description();
        for scope in description.scopes {
            here.insert(prometheus_name(*scope, description.name), *metric);
        }
    }
    let mut flinks: BTreeSet<String> = BTreeSet::new();
    for recorded in recorded() {
        flinks.insert(recorded.name.clone());
        let metric = here.get(&recorded.name);
        match recorded.answer.as_str() {
            // Made by sources and sinks where they are opened.
            "has" if recorded.why == "connectors" => {}
            "has" => {
                let kind = metric.unwrap_or_else(|| panic!("{} is not here", recorded.name));
                let summary = kind.description().kind == Kind::Histogram;
                assert_eq!(recorded.kind == "summary", summary, "{}", recorded.name);
            }
            "none" | "missing" => {
                assert!(metric.is_none(), "{} is here: say so", recorded.name);
                assert!(!recorded.why.is_empty(), "{}: why?", recorded.name);
            }
            other => panic!("{}: '{other}' is no answer", recorded.name),
        }
    }
    for (name, metric) in here {
        let known = flinks.contains(&name) || NOT_RECORDED.contains(&metric);
        let flinks = metric.description().flinks;
        assert_eq!(known, flinks, "{name}: is it Flink's name or our own?");
    }
}

/// A row for each reason, with the names it holds for.
fn render_absent() -> String {
    let mut absent: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut has = 0;
    for recorded in recorded() {
        if recorded.answer == "has" {
            has += 1;
            continue;
        }
        let short = recorded.name.trim_start_matches("flink_");
        let names = absent.entry((recorded.answer, recorded.why)).or_default();
        names.push(format!("`{short}`"));
    }
    let count = |answer: &str| -> usize {
        let of = absent.iter().filter(|((found, _), _)| found == answer);
        of.map(|(_, names)| names.len()).sum()
    };
    let mut text = format!(
        "Of the {} names that a running Flink 2.3 showed, {has} are here, {} have no meaning here, and \
         {} are not here yet.\n\n| | Why | Names, behind `flink_` |\n|---|---|---|\n",
        has + count("none") + count("missing"),
        count("none"),
        count("missing"),
    );
    for ((answer, why), names) in &absent {
        let answer = if answer == "none" {
            "no meaning"
        } else {
            "not yet"
        };
        writeln!(text, "| {answer} | {why} | {} |", names.join(", ")).unwrap();
    }
    text
}

/// Whether the part of the document between these marks is `fresh`, which it is made if asked for.
fn is_up_to_date(what: &str, fresh: &str) -> bool {
    let begin = format!("<!-- {what}: begin, written by a test -->\n\n");
    let end = format!("\n<!-- {what}: end -->");
    let path = repository().join("docs/metrics.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once(&begin).unwrap();
    let (part, tail) = rest.split_once(&end).unwrap();
    let fresh = fresh.trim_end();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{head}{begin}{fresh}\n{end}{tail}")).unwrap();
        return true;
    }
    part.trim_end() == fresh
}

#[test]
fn the_tables_of_metrics_are_up_to_date() {
    assert!(
        is_up_to_date("metrics", &render_markdown()) && is_up_to_date("absent", &render_absent()),
        "docs/metrics.md is out of date: run \
         `UPDATE_DOCS=1 cargo test -p rheos-runtime --test metrics_docs`"
    );
}
