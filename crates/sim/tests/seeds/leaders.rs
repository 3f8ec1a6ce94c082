//! JobManagers of which one leads: seeds that must pass; that a run can be had again.

use rheos_sim::leaders::run::run;
use rheos_sim::leaders::scenario::Scenario;
use rheos_sim::leaders::world::Counts;

#[test]
fn a_hundred_and_twenty_seeds_pass() {
    let mut counts = Counts::default();
    for seed in 0..120 {
        let scenario = Scenario::of(seed);
        let outcome = run(&scenario);
        if let Some(violation) = outcome.violation {
            let json = serde_json::to_string(&scenario).unwrap();
            panic!(
                "seed {seed}: {violation}\ncargo run --release -p rheos-sim -- --of leaders --scenario \
                 '{json}'"
            );
        }
        counts.add(&outcome.counts);
    }
    // What has not been reached has not been tested.
    assert!(counts.leaders > 500, "{counts}");
    assert!(counts.rivals > 100, "{counts}");
    assert!(counts.late > 50, "{counts}");
    assert!(counts.stops > 500 && counts.deaths > 500, "{counts}");
    assert!(counts.generations > 500, "{counts}");
}

#[test]
fn a_run_can_be_had_again() {
    for seed in 0..20 {
        let scenario = Scenario::of(seed);
        let (one, other) = (run(&scenario), run(&scenario));
        assert_eq!(one.trace, other.trace, "seed {seed}");
        assert_eq!(one.counts.requests, other.counts.requests, "seed {seed}");
    }
}
