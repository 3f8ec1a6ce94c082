//! `sim`: runs scenarios from seeds, and makes those that fail smaller.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Parser;
use rheos_sim::run::{Outcome, run};
use rheos_sim::scenario::{Scenario, shrink};

/// Runs whole jobs in one thread, with faults, each from a seed.
#[derive(Parser)]
struct Arguments {
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

#[derive(Default)]
struct Sum {
    points: BTreeSet<String>,
    outcome: Outcome,
}

impl Sum {
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
}

fn report(scenario: &Scenario, violation: &str) {
    println!("FAILED seed {}: {violation}", scenario.seed);
    if let Ok(json) = serde_json::to_string(scenario) {
        println!("  sim --scenario '{json}'");
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(text) = &arguments.scenario {
        let scenario: Scenario = match serde_json::from_str(text) {
            Ok(scenario) => scenario,
            Err(error) => {
                eprintln!("--scenario: {error}");
                return ExitCode::from(2);
            }
        };
        let outcome = run(&scenario);
        println!("{outcome:#?}");
        return match outcome.violation {
            Some(_) => ExitCode::FAILURE,
            None => ExitCode::SUCCESS,
        };
    }
    let mut sum = Sum::default();
    for seed in arguments.from..arguments.from.saturating_add(arguments.seeds) {
        let scenario = Scenario::of(seed);
        let outcome = run(&scenario);
        if let Some(violation) = &outcome.violation {
            report(&scenario, violation);
            println!("  {} seeds had passed", seed - arguments.from);
            if !arguments.no_shrink {
                let (least, runs) = shrink(&scenario, &mut |s| run(s).violation.is_some());
                println!("made smaller in {runs} runs:");
                report(&least, &run(&least).violation.unwrap_or_default());
            }
            return ExitCode::FAILURE;
        }
        sum.add(outcome);
    }
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
    } = sum.outcome;
    println!(
        "{} seeds passed: {steps} steps, {lives} lives, {restored} restored, {rescaled} of them at \
         another parallelism, {failures} failures, {restarts} of them begun again in place, {stops} \
         stops, {zombies} zombies, {late} late events, {} places \
         of crashes",
        arguments.seeds,
        sum.points.len()
    );
    ExitCode::SUCCESS
}
