//! The states that a job's operators declare: as a table, and as the JSON that `rheos savepoint diff`
//! asks a job for.

use rheos_core::clock::SystemClock;
use rheos_core::config::Configuration;
use rheos_runtime::BoxError;
use rheos_runtime::checkpoint::snapshot::Deal;
use rheos_runtime::deploy::declared::{Declared, declared};
use serde::{Deserialize, Serialize};

use super::arguments::Common;
use super::run::environment;
use crate::env::StreamEnv;
use crate::error::ApiError;
use crate::execute::probe_environment;

/// A state that an operator declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateOfPlan {
    /// Its name.
    pub name: String,
    /// Its kind: `value`, `list`, `map`, …; `operator list` or `broadcast` without a key.
    pub kind: String,
    /// Whether it is kept by window too.
    pub namespaced: bool,
    /// Whether its entries age.
    pub has_ttl: bool,
    /// Whether it has a hook for what was written as another type.
    pub migrates: bool,
    /// The schema of the map keys, as Avro's JSON.
    pub map_key_schema: Option<String>,
    /// The schema of the values, as Avro's JSON.
    pub value_schema: String,
}

/// The states of an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorStates {
    /// Its uid.
    pub uid: String,
    /// Its identity: the hash of that, in hexadecimal.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How many subtasks it has.
    pub parallelism: u32,
    /// The schema of its keys, as Avro's JSON, if it is keyed.
    pub key_schema: Option<String>,
    /// What it declares; none of one that was not opened: a source, a sink, one without keys.
    pub states: Option<Vec<StateOfPlan>>,
}

/// The states of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatesOfPlan {
    /// Its name.
    pub job: String,
    /// Its operators, upstream first.
    pub operators: Vec<OperatorStates>,
}

fn states_of(declared: &Declared) -> Vec<StateOfPlan> {
    let keyed = declared
        .snapshot
        .keyed
        .iter()
        .flat_map(|keyed| &keyed.states);
    let keyed = keyed.map(|state| StateOfPlan {
        name: state.name.clone(),
        kind: state.kind.clone(),
        namespaced: state.namespaced,
        has_ttl: state.has_ttl,
        migrates: declared.migrating.contains(&state.name),
        map_key_schema: state.map_key_schema.clone(),
        value_schema: state.value_schema.clone(),
    });
    let lists = declared.snapshot.lists.iter().map(|list| StateOfPlan {
        name: list.name.clone(),
        kind: match list.deal {
            Deal::Same => "broadcast",
            _ => "operator list",
        }
        .to_owned(),
        namespaced: false,
        has_ttl: false,
        migrates: false,
        map_key_schema: None,
        value_schema: list.schema.clone(),
    });
    keyed.chain(lists).collect()
}

fn of(env: &StreamEnv) -> Result<StatesOfPlan, BoxError> {
    let program = env.program()?;
    // Functions may want a runtime when they are opened.
    let io = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let clock = SystemClock::shared();
    let environment = probe_environment(&env.configuration(), clock, Some(io.handle().clone()));
    let opened = declared(&program, &environment, |_| true);
    io.shutdown_background();
    let opened =
        opened.map_err(|error| ApiError::from(rheos_cluster::JobError::Task(Box::new(error))))?;
    let operators = program.graph.operators.iter().enumerate();
    let operators = operators.map(|(index, node)| {
        let opened = opened.get(&index);
        let keyed = opened.and_then(|opened| opened.snapshot.keyed.as_ref());
        OperatorStates {
            uid: node.uid.clone(),
            id: node.id().to_string(),
            name: node.name.clone(),
            parallelism: node.parallelism,
            key_schema: keyed.map(|keyed| keyed.key_schema.clone()),
            states: opened.map(states_of),
        }
    });
    Ok(StatesOfPlan {
        job: program.graph.name.clone(),
        operators: operators.collect(),
    })
}

pub(super) fn print(
    configuration: Configuration,
    common: &Common,
    json: bool,
    describe: impl FnOnce(&StreamEnv) -> Result<(), BoxError>,
) -> Result<(), BoxError> {
    let env = environment(configuration, common);
    describe(&env)?;
    let plan = of(&env)?;
    if json {
        println!("{}", serde_json::to_string_pretty(&plan)?);
        return Ok(());
    }
    for operator in &plan.operators {
        let Some(states) = &operator.states else {
            continue;
        };
        println!(
            "{} (uid {}) ×{}",
            operator.name, operator.uid, operator.parallelism
        );
        for state in states {
            let ttl = if state.has_ttl {
                ", with a time to live"
            } else {
                ""
            };
            let hook = if state.migrates { ", migrates" } else { "" };
            println!(
                "  {} ({}{ttl}{hook}): {}",
                state.name, state.kind, state.value_schema
            );
        }
    }
    Ok(())
}
