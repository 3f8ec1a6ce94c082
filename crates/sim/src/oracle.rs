//! What must hold of the tables at the end, against a batch recomputation of the input.

use std::collections::BTreeMap;

use rheos::prelude::Millis;

use crate::job::{BUCKET, Found, GAP, Judged, Passed, Tables, WINDOW};
use crate::source::Event;

/// Counts by key and where they begin.
type Counts = BTreeMap<(u32, Millis), u64>;

fn counts(found: &[Found]) -> Counts {
    let mut counts = Counts::new();
    for found in found {
        *counts.entry((found.key, found.from)).or_default() += found.count;
    }
    counts
}

fn same(what: &str, expected: &Counts, got: &Counts) -> Result<(), String> {
    let keys = expected.keys().chain(got.keys());
    for key in keys {
        let (wanted, had) = (expected.get(key), got.get(key));
        if wanted != had {
            let (key, from) = key;
            let (wanted, had) = (wanted.unwrap_or(&0), had.unwrap_or(&0));
            return Err(format!(
                "{what} of key {key} from {from}: {had} events instead of {wanted}"
            ));
        }
    }
    Ok(())
}

fn batch(events: &[&Event], of: impl Fn(&Event) -> (u32, Millis)) -> Counts {
    let mut counts = Counts::new();
    for event in events {
        *counts.entry(of(event)).or_default() += 1;
    }
    counts
}

fn each_once<'a>(
    events: &[&Event],
    committed: impl Iterator<Item = &'a Event>,
) -> Result<(), String> {
    let mut seen: BTreeMap<&Event, u32> = BTreeMap::new();
    for event in committed {
        *seen.entry(event).or_default() += 1;
    }
    for event in events {
        match seen.remove(event) {
            Some(1) => {}
            Some(times) => return Err(format!("{event:?} was committed {times} times")),
            None => return Err(format!("{event:?} was lost")),
        }
    }
    match seen.pop_first() {
        Some((event, _)) => Err(format!("{event:?} is not of the input")),
        None => Ok(()),
    }
}

/// Of each key the events are numbered without a gap, those of a split in their order.
fn numbered(passed: &[Passed]) -> Result<(), String> {
    let mut by_key: BTreeMap<u32, Vec<&Passed>> = BTreeMap::new();
    for row in passed {
        by_key.entry(row.event.key).or_default().push(row);
    }
    for (key, mut rows) in by_key {
        rows.sort_by_key(|row| row.nth);
        let mut last: BTreeMap<u32, u64> = BTreeMap::new();
        for (nth, row) in (1..).zip(&rows) {
            if row.nth != nth {
                let got = row.nth;
                return Err(format!("the {nth}th event of key {key} counts as {got}th"));
            }
            let before = last.insert(row.event.split, row.event.number);
            if before.is_some_and(|before| before >= row.event.number) {
                let event = &row.event;
                return Err(format!("{event:?} came behind a later one of its split"));
            }
        }
    }
    Ok(())
}

/// The sessions that there are if nothing is late.
fn sessions(events: &[&Event]) -> Counts {
    let mut by_key: BTreeMap<u32, Vec<Millis>> = BTreeMap::new();
    for event in events {
        by_key.entry(event.key).or_default().push(event.at);
    }
    let mut counts = Counts::new();
    for (key, mut times) in by_key {
        times.sort_unstable();
        let (mut from, mut last) = (0, Millis::MIN / 2);
        for at in times {
            if at > last + GAP {
                from = at;
            }
            *counts.entry((key, from)).or_default() += 1;
            last = at;
        }
    }
    counts
}

/// Checks the tables; how many events were late.
///
/// # Errors
/// What does not hold.
pub fn check(events: &[&Event], rules: &[&Event], tables: &Tables) -> Result<u64, String> {
    let passed = tables.passed.rows();
    each_once(events, passed.iter().map(|row| &row.event))?;
    numbered(&passed)?;

    let judged = tables.judged.rows();
    each_once(events, judged.iter().map(|row| &row.event))?;
    for Judged { event, rule } in &judged {
        let begun = rules.iter().rev().find(|rule| rule.at <= event.at);
        let expected = begun.map(|rule| rule.number);
        if *rule != expected {
            return Err(format!(
                "rule {rule:?} held for {event:?}, and not {expected:?}"
            ));
        }
    }

    let of_bucket = |event: &Event| (event.key, event.at.div_euclid(BUCKET) * BUCKET);
    let timers = counts(&tables.timers.rows());
    same("a timer", &batch(events, of_bucket), &timers)?;

    let of_window = |event: &Event| (event.key % 3, event.at.div_euclid(WINDOW) * WINDOW);
    let (windows, late) = (tables.windows.rows(), tables.late.rows());
    let mut fired = counts(&windows);
    if fired.len() != windows.len() {
        return Err("a window was opened anew after it had fired".to_owned());
    }
    for row in &late {
        *fired.entry(of_window(&row.event)).or_default() += 1;
    }
    same("a window", &batch(events, of_window), &fired)?;

    let late_for_session = tables.late_for_session.rows();
    let found = counts(&tables.sessions.rows());
    if late_for_session.is_empty() && late.is_empty() {
        same("a session", &sessions(events), &found)?;
    }
    let in_sessions = found.values().sum::<u64>() + late_for_session.len() as u64;
    if in_sessions != events.len() as u64 {
        return Err(format!(
            "sessions hold {in_sessions} events, with those that came late, of {}",
            events.len()
        ));
    }
    Ok(late.len() as u64)
}
