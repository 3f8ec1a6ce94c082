//! Events that are made: event *k* follows from *k* alone, so a run can be checked by making them
//! again.

use std::fmt::Write as _;

use rheos::core::rng::splitmix64;
use rheos::prelude::*;

use crate::event::Event;

/// When event 0 happens, in milliseconds since the epoch.
const START: i64 = 1_700_000_100_000;
/// Users.
const USERS: u64 = 1_000;
/// Categories.
const CATEGORIES: u64 = 20;

fn text(prefix: char, number: u64) -> Str {
    let mut text = Str::new();
    // Writing to a string can't fail.
    let _ = write!(text, "{prefix}{number}");
    text
}

/// Event *k*: 1,000 users, 20 categories, a millisecond of event time an event, out of order by up to
/// five seconds and one in a thousand by ten minutes; one in two hundred without a user, which makes
/// it invalid, and one in fifty without a value.
pub fn generated(k: u64) -> Event {
    let h = splitmix64(k);
    let delay = if h.is_multiple_of(1000) {
        600_000
    } else {
        (h >> 20) % 5_000
    };
    let event_type = match (h >> 8) % 3 {
        0 => "on_time",
        1 => "delayed",
        _ => "cancelled",
    };
    let user_id = match (h >> 32) % 200 {
        0 => Str::new(),
        _ => text('u', (h >> 34) % USERS),
    };
    let at = i64::try_from(k).unwrap_or(i64::MAX).saturating_add(START);
    Event {
        event_id: text('e', k),
        user_id,
        category: text('c', (h >> 44) % CATEGORIES),
        event_type: Str::from_static(event_type),
        event_time: at - i64::try_from(delay).unwrap_or(0),
        value: (!h.is_multiple_of(50)).then(|| ((h >> 12) % 10_000) as f64 / 100.0),
    }
}
