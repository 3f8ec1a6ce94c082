//! What came of the latest calls: counts over the last so many calls, or the last so much time.

use std::collections::VecDeque;
use std::time::Duration;

use rheos_core::time::Millis;

/// Which calls a circuit breaker looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Span {
    /// The last so many.
    Calls(u32),
    /// Those of the last so much time, to a tenth of it.
    Time(Duration),
}

/// Calls, by what came of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Calls {
    pub all: u32,
    pub failed: u32,
    pub slow: u32,
}

impl Calls {
    pub fn one(failed: bool, slow: bool) -> Self {
        Self {
            all: 1,
            failed: u32::from(failed),
            slow: u32::from(slow),
        }
    }

    pub fn add(&mut self, other: Calls) {
        self.all += other.all;
        self.failed += other.failed;
        self.slow += other.slow;
    }

    fn remove(&mut self, other: Calls) {
        self.all -= other.all;
        self.failed -= other.failed;
        self.slow -= other.slow;
    }
}

/// Parts that a span of time is counted in.
const PARTS: i64 = 10;

/// A sliding window over calls. Invariant: `sum` is the sum of `parts`.
#[derive(Debug)]
pub(super) struct CallWindow {
    span: Span,
    /// Oldest first, each with its number: of a call, or of a tenth of the span.
    parts: VecDeque<(i64, Calls)>,
    sum: Calls,
}

impl CallWindow {
    pub fn new(span: Span) -> Self {
        Self {
            span,
            parts: VecDeque::new(),
            sum: Calls::default(),
        }
    }

    /// Counts a call that ended now; what the window then holds.
    pub fn record(&mut self, call: Calls, now: Millis) -> Calls {
        self.sum.add(call);
        match self.span {
            Span::Calls(most) => {
                self.parts.push_back((0, call));
                while self.parts.len() > most as usize {
                    self.drop_oldest();
                }
            }
            Span::Time(span) => {
                let part = (i64::try_from(span.as_millis()).unwrap_or(i64::MAX) / PARTS).max(1);
                let number = now.div_euclid(part);
                match self.parts.back_mut() {
                    Some((newest, calls)) if *newest >= number => calls.add(call),
                    _ => self.parts.push_back((number, call)),
                }
                while self
                    .parts
                    .front()
                    .is_some_and(|(oldest, _)| *oldest <= number - PARTS)
                {
                    self.drop_oldest();
                }
            }
        }
        self.sum
    }

    fn drop_oldest(&mut self) {
        if let Some((_, calls)) = self.parts.pop_front() {
            self.sum.remove(calls);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_calls_count() {
        let mut window = CallWindow::new(Span::Calls(3));
        for failed in [true, true, false, false] {
            window.record(Calls::one(failed, false), 0);
        }
        assert_eq!(
            window.sum,
            Calls {
                all: 3,
                failed: 1,
                slow: 0
            }
        );
    }

    #[test]
    fn calls_of_the_last_second_count() {
        let mut window = CallWindow::new(Span::Time(Duration::from_secs(1)));
        for now in [0, 50, 900, 999] {
            window.record(Calls::one(true, true), now);
        }
        assert_eq!(window.sum.all, 4);
        assert_eq!(
            window.record(Calls::one(false, false), 1_050),
            Calls {
                all: 3,
                failed: 2,
                slow: 2
            }
        );
        assert_eq!(window.record(Calls::one(false, false), 9_000).all, 1);
    }
}
