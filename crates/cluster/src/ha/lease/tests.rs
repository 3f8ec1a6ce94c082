//! What standbys and holders do, without a storage and without time.

use super::*;

const LEASE: i64 = 3_000_000;

fn record(holder: &str, hold: Hold) -> LeaseRecord {
    LeaseRecord {
        holder: holder.to_owned(),
        rpc: format!("{holder}:6123"),
        rest: None,
        hold,
        begun: true,
        at: 0,
    }
}

fn held(number: u64, holder: &str) -> Option<(u64, LeaseRecord)> {
    Some((number, record(holder, Hold::Held)))
}

#[test]
fn the_first_to_come_takes_the_first_record() {
    let mut watch = Watch::new(LEASE);
    assert_eq!(watch.saw(None, 0, 1), Move::Take(1, Vacancy::Never));
}

#[test]
fn a_lease_runs_out_from_when_its_last_record_was_first_seen() {
    let mut watch = Watch::new(LEASE);
    assert_eq!(watch.saw(held(7, "a"), 0, 500), Move::Wait);
    // The answer was on its way for long: it may have been renewed behind it.
    assert_eq!(
        watch.saw(held(7, "a"), LEASE + 499, LEASE + 9_000),
        Move::Wait
    );
    assert_eq!(
        watch.saw(held(8, "a"), LEASE + 9_000, LEASE + 9_500),
        Move::Wait
    );
    let late = 2 * LEASE + 9_500;
    assert_eq!(watch.saw(held(8, "a"), late - 1, late), Move::Wait);
    assert_eq!(
        watch.saw(held(8, "a"), late, late + 1),
        Move::Take(9, Vacancy::Expired(record("a", Hold::Held), LEASE))
    );
}

#[test]
fn who_could_not_read_does_not_know_that_nobody_wrote() {
    let mut watch = Watch::new(LEASE);
    watch.saw(held(7, "a"), 0, 0);
    watch.blind();
    assert_eq!(watch.saw(held(7, "a"), 10 * LEASE, 10 * LEASE), Move::Wait);
    assert!(matches!(
        watch.saw(held(7, "a"), 11 * LEASE, 11 * LEASE),
        Move::Take(8, Vacancy::Expired(..))
    ));
}

#[test]
fn a_holder_that_refuses_connections_is_gone_only_if_it_took_them_before() {
    let mut watch = Watch::new(LEASE);
    watch.saw(held(1, "a"), 0, 0);
    for _ in 0..5 {
        assert!(!watch.probed(Probe::Refused), "the way may be blocked");
    }
    assert_eq!(watch.saw(held(1, "a"), 1, 1), Move::Wait);
    watch.probed(Probe::Taken);
    assert!(watch.probed(Probe::Refused));
    assert_eq!(watch.saw(held(1, "a"), 2, 2), Move::Wait);
    assert!(!watch.probed(Probe::Unknown), "not in a row");
    watch.probed(Probe::Refused);
    watch.probed(Probe::Refused);
    assert_eq!(
        watch.saw(held(2, "a"), 3, 3),
        Move::Take(3, Vacancy::Refused(record("a", Hold::Held)))
    );
    // Another was quicker: nothing is known of it yet.
    assert_eq!(watch.saw(held(3, "b"), 4, 4), Move::Wait);
    assert!(!watch.probed(Probe::Refused));
}

#[test]
fn who_has_the_holders_address_takes_its_place() {
    let mut watch = Watch::new(LEASE);
    assert_eq!(watch.saw(held(4, "a"), 0, 0), Move::Wait);
    assert!(watch.probed(Probe::Own));
    assert_eq!(
        watch.saw(held(4, "a"), 1, 1),
        Move::Take(5, Vacancy::Replaced(record("a", Hold::Held)))
    );
    // Another was quicker, at an address of its own.
    assert_eq!(watch.saw(held(5, "b"), 2, 2), Move::Wait);
    assert!(!watch.probed(Probe::Taken));
    assert_eq!(watch.saw(held(5, "b"), 3, 3), Move::Wait);
}

#[test]
fn the_end_of_the_job_is_the_end_of_those_who_stood_by() {
    let over = || {
        let how = "finished".to_owned();
        record("a", Hold::Over { how })
    };
    let mut there = Watch::new(LEASE);
    there.saw(held(1, "a"), 0, 0);
    assert_eq!(there.saw(Some((2, over())), 1, 1), Move::End(over()));
    // Who is started afterwards starts the job again.
    let mut afterwards = Watch::new(LEASE);
    assert_eq!(
        afterwards.saw(Some((2, over())), 1, 1),
        Move::Take(3, Vacancy::Over(over()))
    );
    let released = record("a", Hold::Released);
    assert_eq!(
        there.saw(Some((2, released.clone())), 1, 1),
        Move::Take(3, Vacancy::Released(released))
    );
}

#[test]
fn who_takes_over_goes_on_with_a_job_that_had_begun() {
    let mut of = record("a", Hold::Held);
    for begun in [false, true] {
        of.begun = begun;
        for vacancy in [
            Vacancy::Released(of.clone()),
            Vacancy::Expired(of.clone(), 1),
            Vacancy::Refused(of.clone()),
        ] {
            assert_eq!(vacancy.goes_on(), begun);
        }
        assert!(!Vacancy::Over(of.clone()).goes_on(), "it is begun anew");
    }
    assert!(!Vacancy::Never.goes_on());
}

fn holding() -> Holding {
    Holding::new((LEASE, 1_000_000), "a", 5, 0)
}

#[test]
fn a_holder_renews_in_time_and_meets_only_itself() {
    let mut holding = holding();
    assert_eq!(holding.due_in(400_000), 600_000);
    assert_eq!(holding.written(1_000_000, 1_100_000), Renewed::Kept);
    assert_eq!((holding.number(), holding.due_in(1_500_000)), (6, 500_000));
    // It had no answer, and has been written all the same.
    let own = record("a", Hold::Held);
    assert_eq!(holding.taken(Some(&own), 2_000_000), Renewed::Kept);
    assert_eq!(holding.number(), 7);
    let others = record("b", Hold::Held);
    let Renewed::Lost(why) = holding.taken(Some(&others), 9_000_000) else {
        panic!("it has lost");
    };
    assert!(why.contains("b:6123") && why.contains("7.0 s"), "{why}");
}

#[test]
fn a_holder_that_was_asleep_may_find_the_place_of_its_next_record_free_again() {
    let mut holding = holding();
    assert_eq!(holding.written(60_000_000, 60_000_001), Renewed::Doubtful);
    assert_eq!(holding.greatest(6, 60_000_002), Renewed::Kept);
    assert!(matches!(holding.greatest(70, 60_000_002), Renewed::Lost(_)));
    assert!(matches!(holding.taken(None, 1), Renewed::Lost(_)));
}
