//! The deciders against what Flink recorded, and the judge against outputs that were tampered with.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};

use rheos_golden::judge::judge;
use rheos_golden::run::Outcome;
use rheos_golden::scenario::{Expected, Program, Scenario, parse};
use rheos_golden::suite::{Selection, Suite};
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

fn all() -> Vec<(Scenario, Expected)> {
    let mut scenarios = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "jsonl") {
            for line in fs::read_to_string(path).unwrap().lines() {
                let (scenario, sealed) = parse(line).unwrap();
                if !matches!(scenario.program, Program::Cep) {
                    scenarios.push((scenario, sealed.open().unwrap()));
                }
            }
        }
    }
    assert!(scenarios.len() > 500);
    scenarios
}

fn as_outcome(expected: &Expected) -> Outcome {
    let Expected {
        output,
        late,
        late_left,
        late_right,
        ..
    } = expected.clone();
    Outcome {
        output,
        late,
        late_left,
        late_right,
    }
}

#[test]
fn watermark_and_restart_deciders_give_what_flink_gave() {
    let suite = Suite::read(&folder()).unwrap();
    let kinds = [
        ("watermarkGenerator", 30),
        ("statusWatermarkValve", 10),
        ("combinedWatermarkStatus", 10),
        ("watermarkOutputMultiplexer", 10),
        ("exponentialDelay", 15),
        ("failureRate", 10),
        ("fixedDelay", 10),
    ];
    for (kind, count) in kinds {
        let report = suite.run(&Selection {
            prefix: kind.to_owned(),
            parallelism: vec![1, 3],
            crash_every: None,
            unaligned: false,
            rescale: false,
            rocksdb: false,
        });
        assert_eq!(report.failed(), 0, "{}", report.display(3));
        assert_eq!(report.tallies()[0].passed, count, "{kind}");
    }
}

#[test]
fn joins_of_one_and_of_several_subtasks_give_what_flink_gave() {
    let report = Suite::read(&folder()).unwrap().run(&Selection {
        prefix: "join-".to_owned(),
        parallelism: vec![1, 3],
        crash_every: None,
        unaligned: false,
        rescale: false,
        rocksdb: false,
    });
    assert_eq!(report.failed(), 0, "{}", report.display(3));
    let passed: usize = report.tallies().iter().map(|tally| tally.passed).sum();
    assert_eq!(passed, 60);
}

#[test]
fn cep_is_not_supported_and_said_so() {
    let suite = Suite::read(&folder()).unwrap();
    let report = suite.run(&Selection {
        prefix: "cep".to_owned(),
        parallelism: vec![1],
        crash_every: None,
        unaligned: false,
        rescale: false,
        rocksdb: false,
    });
    assert_eq!(
        (report.failed(), report.tallies()[0].not_supported),
        (0, 48)
    );
}

#[test]
fn the_judge_accepts_flinks_own_output() {
    for (scenario, expected) in all() {
        let verdict = judge(&scenario.program, &as_outcome(&expected), &expected);
        assert_eq!(verdict, Ok(()), "{}", scenario.id);
    }
}

#[test]
fn the_judge_rejects_a_lost_a_doubled_and_an_altered_record() {
    for (scenario, expected) in all() {
        let Some(last) = expected.output.last().cloned() else {
            continue;
        };
        let rejects = |change: &str, alter: &dyn Fn(&mut Vec<Value>)| {
            let mut outcome = as_outcome(&expected);
            alter(&mut outcome.output);
            let verdict = judge(&scenario.program, &outcome, &expected);
            assert!(verdict.is_err(), "{}: {change} record passes", scenario.id);
        };
        rejects("a lost", &|output| {
            output.pop();
        });
        rejects("a doubled", &|output| output.push(last.clone()));
        rejects("an altered", &|output| {
            output.pop();
            output.push(match &last {
                Value::Object(fields) => {
                    let mut fields = fields.clone();
                    let (name, value) = fields.iter().next_back().unwrap();
                    let (name, other) = (name.clone(), json!({ "not": value }));
                    fields.insert(name, other);
                    Value::Object(fields)
                }
                other => json!([other]),
            });
        });
    }
}

#[test]
fn the_judge_rejects_two_records_of_a_key_and_window_that_change_places() {
    let mut swapped = 0;
    for (scenario, expected) in all() {
        let fields: &[&str] = match &scenario.program {
            Program::Window(_) => &["i", "key", "start", "end", "recordTimestamp"],
            Program::KeyedProcess(_) => &["i", "key"],
            _ => continue,
        };
        let group = |record: &Value| {
            fields
                .iter()
                .map(|f| record.get(f).cloned())
                .collect::<Vec<_>>()
        };
        let output = &expected.output;
        let pairs = (1..output.len()).filter(|at| {
            let (a, b) = (&output[at - 1], &output[*at]);
            a != b && group(a) == group(b)
        });
        for at in pairs.take(3) {
            let mut outcome = as_outcome(&expected);
            outcome.output.swap(at - 1, at);
            assert!(
                judge(&scenario.program, &outcome, &expected).is_err(),
                "{}",
                scenario.id
            );
            swapped += 1;
        }
    }
    assert!(swapped > 100, "{swapped}");
}

#[test]
fn the_judge_rejects_late_elements_in_another_order_or_lost() {
    let mut altered = 0;
    for (scenario, expected) in all() {
        let mut outcome = as_outcome(&expected);
        let lost = [
            &mut outcome.late,
            &mut outcome.late_left,
            &mut outcome.late_right,
        ]
        .map(|late| late.pop().is_some());
        if lost.contains(&true) {
            assert!(
                judge(&scenario.program, &outcome, &expected).is_err(),
                "{}",
                scenario.id
            );
            altered += 1;
        }
        let mut outcome = as_outcome(&expected);
        outcome.late.reverse();
        if outcome.late != expected.late {
            assert!(
                judge(&scenario.program, &outcome, &expected).is_err(),
                "{}",
                scenario.id
            );
            altered += 1;
        }
    }
    assert!(altered > 50, "{altered}");
}

#[test]
fn records_of_different_keys_may_change_places() {
    let (scenario, expected) = all()
        .into_iter()
        .find(|(s, e)| {
            matches!(s.program, Program::Window(_))
                && e.output
                    .windows(2)
                    .any(|w| w[0]["i"] == w[1]["i"] && w[0]["key"] != w[1]["key"])
        })
        .unwrap();
    let mut outcome = as_outcome(&expected);
    let output = &mut outcome.output;
    let at = output
        .windows(2)
        .position(|w| w[0]["i"] == w[1]["i"] && w[0]["key"] != w[1]["key"])
        .unwrap();
    output.swap(at, at + 1);
    assert_eq!(judge(&scenario.program, &outcome, &expected), Ok(()));
}

#[test]
fn a_line_of_an_unknown_form_is_refused_by_name() {
    let line = |kind: &str, spec: &str, input: &str| {
        format!(r#"{{"id":"x","kind":"{kind}","spec":{spec},"input":{input},"output":[]}}"#)
    };
    let error = |line: String| parse(&line).unwrap_err().to_string();
    assert!(error(line("sql", "{}", "[]")).contains(r#"kind "sql""#));
    assert!(
        error(line(
            "fixedDelay",
            r#"{"attempts":1,"delay":1,"x":2}"#,
            "[]"
        ))
        .contains("spec")
    );
    let spec = r#"{"attempts":1,"delay":1}"#;
    assert!(error(line("fixedDelay", spec, r#"[{"sleep":1}]"#)).contains("input"));
    assert!(error(line("cep", "{}", "[]").replace("output", "outputs")).contains("the line"));
    assert!(parse(&line("fixedDelay", spec, r#"[{"advance":1}]"#)).is_ok());
}
