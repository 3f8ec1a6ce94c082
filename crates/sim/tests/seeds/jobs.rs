//! Seeds that must pass; that a run can be had again; that shrinking comes to an end.

use std::collections::BTreeSet;

use rheos_sim::run::run;
use rheos_sim::scenario::{Scenario, Shrinks, shrink};

#[test]
fn two_thousand_seeds_pass() {
    let mut points = BTreeSet::new();
    let (mut restored, mut rescaled, mut zombies) = (0, 0, 0);
    for seed in 0..2_000 {
        let scenario = Scenario::of(seed);
        let outcome = run(&scenario);
        if let Some(violation) = outcome.violation {
            let json = serde_json::to_string(&scenario).unwrap();
            panic!("seed {seed}: {violation}\ncargo run -p rheos-sim -- --scenario '{json}'");
        }
        points.extend(outcome.points);
        restored += outcome.restored;
        rescaled += outcome.rescaled;
        zombies += outcome.zombies;
    }
    // What has not been reached has not been tested.
    assert!(restored > 1_000, "{restored} lives went on");
    assert!(rescaled > 500, "{rescaled} at another parallelism");
    assert!(zombies > 300, "{zombies} dead processes went on");
    for operation in [
        "claiming log",
        "writing manifest.json",
        "committing to passed",
    ] {
        for when in ["before", "after"] {
            let point = format!("{when} {operation}");
            assert!(points.iter().any(|p| p.starts_with(&point)), "{point}");
        }
    }
}

#[test]
fn a_run_can_be_had_again() {
    for seed in 0..100 {
        let scenario = Scenario::of(seed);
        let (one, other) = (run(&scenario), run(&scenario));
        assert_eq!(one.trace, other.trace, "seed {seed}");
        assert_eq!(one.steps, other.steps, "seed {seed}");
        assert_eq!(one.points, other.points, "seed {seed}");
    }
}

#[test]
fn a_failure_is_made_as_small_as_it_can_be() {
    let fails = |scenario: &Scenario| scenario.events >= 7 && scenario.crashes > 0;
    let mut asked = 0;
    let (least, runs) = shrink(&Scenario::of(11), &mut |scenario| {
        asked += 1;
        fails(scenario)
    });
    assert_eq!(asked, runs);
    assert!(fails(&least));
    assert!(least.smaller().iter().all(|smaller| !fails(smaller)));
    assert_eq!(least.parallelism, [1; 4]);
}
