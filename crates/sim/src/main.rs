//! `sim`: runs scenarios from seeds, and makes those that fail smaller.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use rheos_sim::leaders;
use rheos_sim::run::{Outcome, run};
use rheos_sim::scenario::{Scenario, Shrinks, shrink};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Runs whole jobs, or the JobManagers of one, in one thread, with faults, each run from a seed.
#[derive(Parser)]
struct Arguments {
    /// What is run.
    #[arg(long, value_enum, default_value_t = Of::Job)]
    of: Of,
    /// How many seeds.
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Runs this scenario instead, as a failure prints it.
    #[arg(long, value_name = "JSON")]
    scenario: Option<String>,
    /// Does not make failures smaller.
    #[arg(long)]
    no_shrink: bool,
}

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Of {
    /// A job: its tasks and its checkpoints, in one process.
    Job,
    /// JobManagers of which one leads.
    Leaders,
}

/// A kind of run.
trait Kind {
    /// What a run is made of.
    type Scenario: Shrinks + Serialize + DeserializeOwned;
    /// What it came to.
    type Outcome: std::fmt::Debug;
    /// Its name on the command line.
    const OF: &'static str;

    fn of(seed: u64) -> Self::Scenario;
    fn run(scenario: &Self::Scenario) -> Self::Outcome;
    fn violation(outcome: &Self::Outcome) -> Option<&String>;
    /// Adds up what was reached.
    fn add(&mut self, outcome: Self::Outcome);
    /// Tells it.
    fn told(&self) -> String;
}

/// See [`Of::Job`].
#[derive(Default)]
struct Jobs {
    points: BTreeSet<String>,
    outcome: Outcome,
}

impl Kind for Jobs {
    type Scenario = Scenario;
    type Outcome = Outcome;
    const OF: &'static str = "job";

    fn of(seed: u64) -> Scenario {
        Scenario::of(seed)
    }

    fn run(scenario: &Scenario) -> Outcome {
        run(scenario)
    }

    fn violation(outcome: &Outcome) -> Option<&String> {
        outcome.violation.as_ref()
    }

    fn add(&mut self, outcome: Outcome) {
        let sum = &mut self.outcome;
        sum.steps += outcome.steps;
        sum.lives += outcome.lives;
        sum.restored += outcome.restored;
        sum.rescaled += outcome.rescaled;
        sum.zombies += outcome.zombies;
        sum.failures += outcome.failures;
        sum.restarts += outcome.restarts;
        sum.stops += outcome.stops;
        sum.late += outcome.late;
        self.points.extend(outcome.points);
    }

    fn told(&self) -> String {
        let Outcome {
            steps,
            lives,
            restored,
            rescaled,
            zombies,
            failures,
            restarts,
            stops,
            late,
            ..
        } = &self.outcome;
        format!(
            "{steps} steps, {lives} lives, {restored} restored, {rescaled} of them at another \
             parallelism, {failures} failures, {restarts} of them begun again in place, {stops} stops, \
             {zombies} zombies, {late} late events, {} places of crashes",
            self.points.len()
        )
    }
}

/// See [`Of::Leaders`].
#[derive(Default)]
struct Leaders {
    counts: leaders::world::Counts,
}

impl Kind for Leaders {
    type Scenario = leaders::scenario::Scenario;
    type Outcome = leaders::run::Outcome;
    const OF: &'static str = "leaders";

    fn of(seed: u64) -> Self::Scenario {
        Self::Scenario::of(seed)
    }

    fn run(scenario: &Self::Scenario) -> Self::Outcome {
        leaders::run::run(scenario)
    }

    fn violation(outcome: &Self::Outcome) -> Option<&String> {
        outcome.violation.as_ref()
    }

    fn add(&mut self, outcome: Self::Outcome) {
        self.counts.add(&outcome.counts);
    }

    fn told(&self) -> String {
        self.counts.to_string()
    }
}

fn report<K: Kind>(scenario: &K::Scenario, violation: &str) {
    println!("FAILED seed {}: {violation}", scenario.seed());
    if let Ok(json) = serde_json::to_string(scenario) {
        println!("  sim --of {} --scenario '{json}'", K::OF);
    }
}

fn fails<K: Kind>(scenario: &K::Scenario) -> Option<String> {
    K::violation(&K::run(scenario)).cloned()
}

/// Runs the scenario that is written down.
fn one<K: Kind>(text: &str) -> ExitCode {
    let scenario: K::Scenario = match serde_json::from_str(text) {
        Ok(scenario) => scenario,
        Err(error) => {
            eprintln!("--scenario: {error}");
            return ExitCode::from(2);
        }
    };
    let outcome = K::run(&scenario);
    println!("{outcome:#?}");
    match K::violation(&outcome) {
        Some(_) => ExitCode::FAILURE,
        None => ExitCode::SUCCESS,
    }
}

/// Runs seeds until one fails.
fn seeds<K: Kind + Default>(arguments: &Arguments) -> ExitCode {
    let mut sum = K::default();
    for seed in arguments.from..arguments.from.saturating_add(arguments.seeds) {
        let scenario = K::of(seed);
        let outcome = K::run(&scenario);
        if let Some(violation) = K::violation(&outcome) {
            report::<K>(&scenario, violation);
            println!("  {} seeds had passed", seed - arguments.from);
            if !arguments.no_shrink {
                let (least, runs) = shrink(&scenario, &mut |s| fails::<K>(s).is_some());
                println!("made smaller in {runs} runs:");
                report::<K>(&least, &fails::<K>(&least).unwrap_or_default());
            }
            return ExitCode::FAILURE;
        }
        sum.add(outcome);
    }
    println!("{} seeds passed: {}", arguments.seeds, sum.told());
    ExitCode::SUCCESS
}

fn kind<K: Kind + Default>(arguments: &Arguments) -> ExitCode {
    match &arguments.scenario {
        Some(text) => one::<K>(text),
        None => seeds::<K>(arguments),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.of {
        Of::Job => kind::<Jobs>(&arguments),
        Of::Leaders => kind::<Leaders>(&arguments),
    }
}
