//! What a job would make of a savepoint: what it keeps, migrates, drops and starts empty.

use std::path::Path;
use std::process::{Command, Stdio};

use rheos::cluster::checkpoint::manifest::{Checkpoint, Manifest};
use rheos::command::{OperatorStates, StateOfPlan, StatesOfPlan};
use rheos::runtime::BoxError;
use rheos::state::StateHeader;
use rheos::state::evolution::{Fit, fit};
use serde_json::{Value, json};

use super::inspect::{OperatorFound, StateFound, inspect};
use crate::table::table;

/// Asks a job for the states that it declares.
pub(super) fn plan_of(job: &Path, arguments: &[String]) -> Result<StatesOfPlan, BoxError> {
    let mut command = Command::new(job);
    command.args(["plan", "--states", "--json"]).args(arguments);
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("{} can't be run: {error}", job.display()))?;
    if !output.status.success() {
        return Err(format!(
            "`{} plan --states --json` failed: {}",
            job.display(),
            output.status
        )
        .into());
    }
    let plan = serde_json::from_slice(&output.stdout);
    plan.map_err(|error| {
        format!(
            "{} did not answer with a plan of states: {error}",
            job.display()
        )
        .into()
    })
}

/// What becomes of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Becomes {
    Kept,
    Migrated,
    Dropped,
    StartedEmpty,
    Incompatible,
}

impl Becomes {
    fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Migrated => "migrated",
            Self::Dropped => "dropped",
            Self::StartedEmpty => "started empty",
            Self::Incompatible => "INCOMPATIBLE",
        }
    }
}

/// A state of either.
#[derive(Debug)]
pub(super) struct Line {
    operator: String,
    uid: String,
    /// Before and after.
    parallelism: (Option<usize>, Option<u32>),
    state: String,
    pub becomes: Becomes,
    keys: Option<usize>,
    why: String,
}

/// What becomes of all states.
#[derive(Debug)]
pub(super) struct Diff {
    manifest: Manifest,
    job: String,
    pub lines: Vec<Line>,
}

fn header_of(state: &StateFound) -> StateHeader {
    StateHeader {
        name: state.name.clone(),
        kind: state.kind.clone(),
        namespaced: state.namespaced,
        has_ttl: state.has_ttl,
        map_key_schema: state.map_key_schema.clone(),
        value_schema: state.schema.clone(),
    }
}

fn declared_header(state: &StateOfPlan) -> StateHeader {
    StateHeader {
        name: state.name.clone(),
        kind: state.kind.clone(),
        namespaced: state.namespaced,
        has_ttl: state.has_ttl,
        map_key_schema: state.map_key_schema.clone(),
        value_schema: state.value_schema.clone(),
    }
}

/// What becomes of a state of an operator that the job has.
fn of_state(
    found: &StateFound,
    operator: &OperatorFound,
    planned: &OperatorStates,
) -> (Becomes, String) {
    let Some(states) = &planned.states else {
        return (Becomes::Kept, String::new());
    };
    // Timers, and what the engine keeps for itself, go with their operator.
    if matches!(found.kind.as_str(), "timers" | "internal") {
        return (Becomes::Kept, String::new());
    }
    let Some(declared) = states.iter().find(|state| state.name == found.name) else {
        let why = "the operator does not declare it".to_owned();
        return (Becomes::Dropped, why);
    };
    if found.keyed && operator.key_schema != planned.key_schema {
        return (
            Becomes::Incompatible,
            "its keys are of another type".to_owned(),
        );
    }
    match fit(
        &header_of(found),
        &declared_header(declared),
        declared.migrates,
    ) {
        Fit::Kept => (Becomes::Kept, String::new()),
        Fit::Converted(doubts) if doubts.is_empty() => {
            (Becomes::Migrated, "by defaults and Avro's rules".to_owned())
        }
        Fit::Converted(doubts) => (
            Becomes::Migrated,
            format!(
                "by Avro's rules, unless a value says otherwise: {}",
                doubts.join("; ")
            ),
        ),
        Fit::Migrated => (Becomes::Migrated, "by its migrate hook".to_owned()),
        Fit::Incompatible(why) => (Becomes::Incompatible, why),
    }
}

/// Compares.
pub(super) fn diff(checkpoint: &Checkpoint, plan: &StatesOfPlan) -> Result<Diff, BoxError> {
    let found = inspect(checkpoint)?;
    let mut lines = Vec::new();
    for operator in &found.operators {
        let planned = plan.operators.iter().find(|p| p.id == operator.id);
        if planned.is_none() && !operator.has_state {
            continue;
        }
        let mut line = |state: String, keys: Option<usize>, (becomes, why): (Becomes, String)| {
            lines.push(Line {
                operator: operator.name.clone(),
                uid: operator.uid.clone(),
                parallelism: (
                    Some(operator.parallelism),
                    planned.map(|planned| planned.parallelism),
                ),
                state,
                becomes,
                keys,
                why,
            });
        };
        for state in operator.states.iter().filter(|state| {
            // What has nothing in it, and is the engine's own, is of no interest.
            state.entries > 0 || !matches!(state.kind.as_str(), "timers" | "internal")
        }) {
            let becomes = match planned {
                Some(planned) => of_state(state, operator, planned),
                None => (
                    Becomes::Dropped,
                    "the job has no operator with this uid".to_owned(),
                ),
            };
            let keys = state.keyed.then_some(state.keys.len());
            line(state.name.clone(), keys, becomes);
        }
        if operator.store_bytes > 0 {
            let becomes = match planned {
                Some(_) => Becomes::Kept,
                None => Becomes::Dropped,
            };
            line(
                "(files of RocksDB)".to_owned(),
                None,
                (becomes, String::new()),
            );
        }
    }
    for planned in &plan.operators {
        let before = found.operators.iter().find(|o| o.id == planned.id);
        for state in planned.states.iter().flatten() {
            let known = before.is_some_and(|o| o.states.iter().any(|s| s.name == state.name));
            if !known {
                lines.push(Line {
                    operator: planned.name.clone(),
                    uid: planned.uid.clone(),
                    parallelism: (before.map(|o| o.parallelism), Some(planned.parallelism)),
                    state: state.name.clone(),
                    becomes: Becomes::StartedEmpty,
                    keys: None,
                    why: match before {
                        Some(_) => "the state is new".to_owned(),
                        None => "the operator is new".to_owned(),
                    },
                });
            }
        }
    }
    Ok(Diff {
        manifest: found.manifest,
        job: plan.job.clone(),
        lines,
    })
}

impl Diff {
    fn count(&self, of: Becomes) -> usize {
        self.lines.iter().filter(|line| line.becomes == of).count()
    }

    /// Whether the job would not start.
    pub fn is_refused(&self, may_drop: bool) -> bool {
        self.count(Becomes::Incompatible) > 0 || (!may_drop && self.count(Becomes::Dropped) > 0)
    }

    pub fn json(&self) -> Value {
        let lines = self.lines.iter().map(|line| {
            json!({
                "operator": line.operator,
                "uid": line.uid,
                "parallelism_before": line.parallelism.0,
                "parallelism_after": line.parallelism.1,
                "state": line.state,
                "becomes": line.becomes.word().to_lowercase(),
                "keys": line.keys,
                "why": line.why,
            })
        });
        json!({
            "savepoint_of": self.manifest.job,
            "number": self.manifest.checkpoint,
            "job": self.job,
            "states": lines.collect::<Vec<_>>(),
            "refused": self.is_refused(false),
            "refused_if_state_may_be_dropped": self.is_refused(true),
        })
    }

    pub fn text(&self, may_drop: bool) -> String {
        let rows: Vec<Vec<String>> = self
            .lines
            .iter()
            .map(|line| {
                let parallelism = match line.parallelism {
                    (Some(before), Some(after)) if before == after as usize => before.to_string(),
                    (Some(before), Some(after)) => format!("{before} → {after}"),
                    (Some(before), None) => format!("{before} → –"),
                    (None, Some(after)) => format!("– → {after}"),
                    (None, None) => String::new(),
                };
                vec![
                    line.operator.clone(),
                    line.uid.clone(),
                    parallelism,
                    line.state.clone(),
                    line.keys.map(|keys| keys.to_string()).unwrap_or_default(),
                    line.becomes.word().to_owned(),
                    line.why.clone(),
                ]
            })
            .collect();
        let headings = ["operator", "uid", "×", "state", ">keys", "becomes", "why"];
        let mut text = format!(
            "'{}' from number {} of '{}':\n\n{}",
            self.job,
            self.manifest.checkpoint,
            self.manifest.job,
            table(&headings, &rows)
        );
        let counts = [
            (Becomes::Kept, "kept"),
            (Becomes::Migrated, "migrated"),
            (Becomes::Dropped, "dropped"),
            (Becomes::StartedEmpty, "started empty"),
            (Becomes::Incompatible, "incompatible"),
        ];
        let counts: Vec<String> = counts
            .iter()
            .map(|(of, word)| format!("{} {word}", self.count(*of)))
            .collect();
        text.push_str(&format!("\n{}: ", counts.join(", ")));
        text.push_str(if self.count(Becomes::Incompatible) > 0 {
            "the job would be refused before it starts\n"
        } else if self.is_refused(may_drop) {
            "the job would be refused, unless --allow-non-restored-state is given\n"
        } else {
            "the job would start\n"
        });
        text
    }
}
