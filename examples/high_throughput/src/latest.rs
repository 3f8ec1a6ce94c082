//! Of several firings of a window only the newest may reach a sink last.
//!
//! Look-ups come back in any order, so an older firing may overtake a newer one. Each firing of a
//! window counts more events than the one before, so the count is a version: what counts fewer than
//! what has passed is dropped.

use std::collections::BTreeMap;

use rheos::prelude::*;

use crate::event::EnrichedResult;

/// How long after a window's start its firings are remembered, in event time: windows are five
/// minutes, kept one more, and look-ups take seconds.
const REMEMBERED: i64 = 60 * 60 * 1000;

/// The newest firing of each recent window.
#[derive(Default)]
pub struct LatestFiring {
    passed: BTreeMap<(i64, Str), i64>,
    newest: i64,
}

impl LatestFiring {
    /// Whether a firing is newer than what has passed of its window.
    pub fn passes(&mut self, result: &EnrichedResult) -> bool {
        if result.window_start > self.newest {
            self.newest = result.window_start;
            let limit = (self.newest.saturating_sub(REMEMBERED), Str::new());
            self.passed = self.passed.split_off(&limit);
        }
        let newest = self
            .passed
            .entry((result.window_start, result.category.clone()))
            .or_insert(0);
        let newer = result.events > *newest;
        *newest = (*newest).max(result.events);
        newer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_firing_does_not_follow_a_newer_one() {
        let firing = |start, events| EnrichedResult {
            category: "UA".into(),
            window_start: start,
            window_end: start + 300_000,
            events,
            value_sum: 0.0,
            category_name: "unknown".into(),
        };
        let mut latest = LatestFiring::default();
        assert!(latest.passes(&firing(0, 1)));
        assert!(latest.passes(&firing(0, 3)));
        assert!(!latest.passes(&firing(0, 2)));
        assert!(latest.passes(&firing(300_000, 1)));
        assert!(latest.passes(&firing(0, 4)));
    }
}
