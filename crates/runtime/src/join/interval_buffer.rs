//! The rows of one side of an interval join, kept for those of the other side that are still to
//! come.
//!
//! A key's rows lie in a list, in the order of their times, so the partners of a row are one run of
//! it. A row is *dead* once the watermark has reached the last time at which a partner could still
//! come; exactly: once the watermark is advanced to or beyond that time after the row has arrived.
//! Dead rows are never joined, but dropped lazily: a key whose list is not empty has one timer, set
//! for its middle row; when that fires, at least half of the list goes, and a new timer is set. So a
//! row costs a constant amount of work, and at most about as many dead rows as live ones are kept.

use rheos_core::Row;
use rheos_core::time::Millis;
use rheos_state::ListState;

/// A row that waits for partners.
#[derive(Row, Debug, Clone)]
pub(super) struct Waiting<T> {
    pub(super) timestamp: Millis,
    /// Whether it arrived at its very last moment, which the watermark had reached already.
    at_last: bool,
    pub(super) row: T,
}

/// Which times, relative to a row's own, its partners have; both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) from: Millis,
    pub(super) to: Millis,
}

impl Reach {
    /// The reach of the other side's rows.
    pub(super) fn reversed(self) -> Self {
        Self {
            from: self.to.saturating_neg(),
            to: self.from.saturating_neg(),
        }
    }

    /// When the last partner of a row may come.
    fn last(self, timestamp: Millis) -> Millis {
        timestamp.max(timestamp.saturating_add(self.to))
    }
}

/// One side's rows, of the key at hand.
pub(super) struct IntervalBuffer<T> {
    rows: ListState<Waiting<T>>,
    reach: Reach,
}

impl<T: Row> IntervalBuffer<T> {
    pub(super) fn new(rows: ListState<Waiting<T>>, reach: Reach) -> Self {
        Self { rows, reach }
    }

    /// Keeps a row, which is not late. If the list has no timer yet, calls for one.
    pub(super) fn add(
        &self,
        row: T,
        timestamp: Millis,
        watermark: Millis,
        timer: impl FnOnce(Millis),
    ) {
        let last = self.reach.last(timestamp);
        let first = self.rows.modify(|rows| {
            let first = rows.is_empty();
            if rows.len() == rows.capacity() {
                self.drop_dead(rows, watermark, rows.len() / 2);
            }
            let waiting = Waiting {
                timestamp,
                at_last: last == watermark,
                row,
            };
            // Most rows are about the newest: look from the end before searching.
            match rows.last() {
                Some(newest) if newest.timestamp > timestamp => {
                    let at = rows.partition_point(|other| other.timestamp <= timestamp);
                    rows.insert(at, waiting);
                }
                _ => rows.push(waiting),
            }
            first
        });
        if first {
            timer(last);
        }
    }

    /// Shows the rows that are partners of one of the other side with this time and reach, from the
    /// `skip`-th on. `show` says whether to go on; if it doesn't, the answer is how many rows to
    /// skip next time. Nothing may be added or cleaned up until then.
    pub(super) fn partners<E>(
        &self,
        timestamp: Millis,
        reach: Reach,
        skip: usize,
        watermark: Millis,
        mut show: impl FnMut(&Waiting<T>) -> Result<bool, E>,
    ) -> Result<Option<usize>, E> {
        let from = timestamp.saturating_add(reach.from);
        let to = timestamp.saturating_add(reach.to);
        self.rows.with(|rows| {
            let start = rows.partition_point(|waiting| waiting.timestamp < from);
            let run = rows.get(start..).unwrap_or_default();
            for (index, waiting) in run.iter().enumerate().skip(skip) {
                if waiting.timestamp > to {
                    break;
                }
                if !self.is_dead(waiting, watermark) && !show(waiting)? {
                    return Ok(Some(index + 1));
                }
            }
            Ok(None)
        })
    }

    /// Drops what is dead, as a timer asks for; if something is left, calls for the next timer.
    pub(super) fn clean_up(&self, watermark: Millis, timer: impl FnOnce(Millis)) {
        let middle = self.rows.modify(|rows| {
            self.drop_dead(rows, watermark, 0);
            if rows.capacity() > 64 && rows.len() * 4 < rows.capacity() {
                rows.shrink_to(rows.len() * 2);
            }
            rows.get(rows.len() / 2).map(|waiting| waiting.timestamp)
        });
        if let Some(middle) = middle {
            timer(self.reach.last(middle));
        }
    }

    fn is_dead(&self, waiting: &Waiting<T>, watermark: Millis) -> bool {
        let last = self.reach.last(waiting.timestamp);
        // A row that came at its last moment lives until the watermark moves on.
        last < watermark || (last == watermark && !waiting.at_last)
    }

    /// Drops the dead rows at the front, if there are at least `least`.
    fn drop_dead(&self, rows: &mut Vec<Waiting<T>>, watermark: Millis, least: usize) {
        let dead = rows.partition_point(|waiting| self.reach.last(waiting.timestamp) < watermark);
        // Of the same last moment, those that came at it are behind the others.
        let more = rows.get(dead..).unwrap_or_default();
        let dead = dead
            + more
                .iter()
                .take_while(|waiting| self.is_dead(waiting, watermark))
                .count();
        if dead > 0 && dead >= least {
            rows.drain(..dead);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rheos_state::{KeyedBackend, ListStateDescriptor};
    use std::cell::Cell;

    fn buffer(reach: Reach) -> (KeyedBackend<i32>, IntervalBuffer<i64>) {
        let mut backend = KeyedBackend::new();
        let slot = backend.resolve(7, &1);
        backend.set_current(slot, 7);
        let rows = backend.list(&ListStateDescriptor::new("rows")).unwrap();
        (backend, IntervalBuffer::new(rows, reach))
    }

    fn partners(
        buffer: &IntervalBuffer<i64>,
        at: Millis,
        reach: Reach,
        watermark: Millis,
    ) -> Vec<i64> {
        let mut found = Vec::new();
        let shown: Result<_, ()> = buffer.partners(at, reach, 0, watermark, |waiting| {
            found.push(waiting.row);
            Ok(true)
        });
        assert_eq!(shown, Ok(None));
        found
    }

    #[test]
    fn partners_are_in_order_of_time_then_arrival_whatever_order_rows_come_in() {
        let (_backend, buffer) = buffer(Reach { from: -5, to: 5 });
        for (row, timestamp) in [(1, 10), (2, 30), (3, 20), (4, 10), (5, 20)] {
            buffer.add(row, timestamp, 0, |_| {});
        }
        assert_eq!(
            partners(&buffer, 15, Reach { from: -5, to: 5 }, 0),
            [1, 4, 3, 5]
        );
        assert_eq!(
            partners(&buffer, 25, Reach { from: -4, to: 4 }, 0),
            [0i64; 0]
        );
    }

    #[test]
    fn a_row_that_came_at_its_last_moment_lives_until_the_watermark_moves() {
        let (_backend, buffer) = buffer(Reach { from: 0, to: 0 });
        buffer.add(1, 10, 5, |_| {});
        buffer.add(2, 10, 10, |_| {});
        let same = Reach { from: 0, to: 0 };
        assert_eq!(partners(&buffer, 10, same, 9), [1, 2]);
        assert_eq!(partners(&buffer, 10, same, 10), [2]);
        assert_eq!(partners(&buffer, 10, same, 11), [0i64; 0]);
    }

    #[test]
    fn showing_goes_on_where_it_stopped() {
        let (_backend, buffer) = buffer(Reach { from: -5, to: 5 });
        for row in 0..4 {
            buffer.add(row, 10, 0, |_| {});
        }
        let reach = Reach { from: -5, to: 5 };
        let (mut skip, mut seen) = (Some(0), Vec::new());
        while let Some(from) = skip {
            let shown: Result<_, ()> = buffer.partners(10, reach, from, 0, |waiting| {
                seen.push(waiting.row);
                Ok(false)
            });
            skip = shown.unwrap();
        }
        assert_eq!(seen, [0, 1, 2, 3]);
    }

    #[test]
    fn one_timer_at_a_time_drops_all_there_is() {
        let (_backend, buffer) = buffer(Reach { from: 0, to: 100 });
        let timers = Cell::new(None);
        let set = |at| assert_eq!(timers.replace(Some(at)), None);
        for row in 0..1000 {
            buffer.add(row, row, 0, set);
        }
        assert_eq!(timers.get(), Some(100));
        let mut fired = 0;
        while let Some(at) = timers.take() {
            fired += 1;
            buffer.clean_up(at, set);
        }
        assert!(fired < 20, "{fired}");
        assert_eq!(
            partners(&buffer, 0, Reach { from: 0, to: 2000 }, 0),
            [0i64; 0]
        );
    }
}
