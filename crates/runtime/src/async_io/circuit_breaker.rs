//! When not to ask at all: a system that fails or is slow is left alone for a while.
//!
//! A pure state machine; time is passed in. Closed: every call is let through, and what comes of the
//! latest ones decides. Open: none is, for `open_for`. Half-open: as many calls as there are permits
//! are let through, and what comes of them decides between closed and open.
//!
//! Invariant: only calls that were let through in the present state count; what comes of one from
//! before a change is ignored.

use std::fmt;
use std::time::Duration;

use rheos_core::time::Millis;

use super::call_window::{CallWindow, Calls, Span};

/// The state of a circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls are let through.
    Closed,
    /// No call is.
    Open,
    /// A few are, as a trial.
    HalfOpen,
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Threshold {
    Consecutive(u32),
    Rate(f64),
}

/// When a circuit breaker opens, and for how long. One is at work in each subtask.
///
/// ```
/// use std::time::Duration;
/// use rheos_runtime::async_io::CircuitBreaker;
///
/// let breaker = CircuitBreaker::failure_rate(0.5)
///     .over_last_calls(50)
///     .minimum_calls(20)
///     .slow_calls(Duration::from_secs(2), 0.8)
///     .open_for(Duration::from_secs(30))
///     .half_open_permits(5);
/// # let _ = breaker;
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CircuitBreaker {
    threshold: Threshold,
    span: Span,
    minimum_calls: u32,
    slow: Option<(Duration, f64)>,
    open_for: Duration,
    permits: u32,
}

impl CircuitBreaker {
    fn new(threshold: Threshold) -> Self {
        Self {
            threshold,
            span: Span::Calls(100),
            minimum_calls: 10,
            slow: None,
            open_for: Duration::from_secs(30),
            permits: 3,
        }
    }

    /// Opens after this many failures in a row.
    pub fn consecutive_failures(failures: u32) -> Self {
        Self::new(Threshold::Consecutive(failures))
    }

    /// Opens when at least this share of the latest calls has failed; above 0, at most 1.
    pub fn failure_rate(share: f64) -> Self {
        Self::new(Threshold::Rate(share))
    }

    /// Shares are over the last so many calls; 100 by default.
    pub fn over_last_calls(mut self, calls: u32) -> Self {
        self.span = Span::Calls(calls);
        self
    }

    /// Shares are over the calls of the last so much time, to a tenth of it.
    pub fn over_last(mut self, span: Duration) -> Self {
        self.span = Span::Time(span);
        self
    }

    /// A share of fewer calls than this says nothing; 10 by default.
    pub fn minimum_calls(mut self, calls: u32) -> Self {
        self.minimum_calls = calls;
        self
    }

    /// Opens also when at least `share` of the latest calls took longer than this.
    pub fn slow_calls(mut self, longer_than: Duration, share: f64) -> Self {
        self.slow = Some((longer_than, share));
        self
    }

    /// How long it stays open before a trial; 30 s by default. A trial that has no outcome after as
    /// long again is made anew.
    pub fn open_for(mut self, duration: Duration) -> Self {
        self.open_for = duration;
        self
    }

    /// Calls of a trial; 3 by default.
    pub fn half_open_permits(mut self, permits: u32) -> Self {
        self.permits = permits;
        self
    }

    /// What is wrong with it, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        let share = |share: f64| share > 0.0 && share <= 1.0;
        if let Threshold::Rate(rate) = self.threshold
            && !share(rate)
        {
            return Some(format!(
                "has a circuit breaker for a failure rate of {rate}; it must lie in (0, 1]"
            ));
        }
        if let Some((_, rate)) = self.slow
            && !share(rate)
        {
            return Some(format!(
                "has a circuit breaker for a share of {rate} slow calls; it must lie in (0, 1]"
            ));
        }
        let counts = [self.permits, self.minimum_calls];
        if counts.contains(&0)
            || self.threshold == Threshold::Consecutive(0)
            || self.span == Span::Calls(0)
            || self.span == Span::Time(Duration::ZERO)
            || self.open_for.is_zero()
        {
            return Some(
                "has a circuit breaker with a zero; its failures, window, minimum of calls, time \
                 open and permits must each be at least 1"
                    .to_owned(),
            );
        }
        if let Span::Calls(calls) = self.span
            && calls < self.minimum_calls
        {
            return Some(format!(
                "has a circuit breaker over the last {calls} calls that needs at least {}; it would \
                 never open",
                self.minimum_calls
            ));
        }
        None
    }

    /// Why calls like these open it, if they do.
    fn verdict(&self, calls: Calls, minimum: u32, consecutive: u32) -> Option<String> {
        if let Threshold::Consecutive(most) = self.threshold
            && consecutive >= most
        {
            return Some(format!("{consecutive} failures in a row"));
        }
        if calls.all < minimum.max(1) {
            return None;
        }
        let share = |part: u32| f64::from(part) / f64::from(calls.all);
        if let Threshold::Rate(rate) = self.threshold
            && share(calls.failed) >= rate
        {
            return Some(format!("{} of {} calls failed", calls.failed, calls.all));
        }
        if let Some((longer, rate)) = self.slow
            && share(calls.slow) >= rate
        {
            let (slow, all) = (calls.slow, calls.all);
            return Some(format!("{slow} of {all} calls took longer than {longer:?}"));
        }
        None
    }

    fn open_millis(&self) -> Millis {
        Millis::try_from(self.open_for.as_millis())
            .unwrap_or(Millis::MAX / 4)
            .max(1)
    }
}

/// A change of state, to be logged and counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub from: BreakerState,
    /// The state after.
    pub to: BreakerState,
    /// What led to it.
    pub reason: String,
}

/// Leave for one call; shown again when its outcome is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permit {
    era: u64,
}

enum State {
    Closed {
        window: CallWindow,
        consecutive: u32,
    },
    Open {
        until: Millis,
    },
    HalfOpen {
        since: Millis,
        given: u32,
        outcomes: Calls,
    },
}

/// A circuit breaker at work.
pub struct BreakerMachine {
    settings: CircuitBreaker,
    state: State,
    /// Rises with every change: the calls of another era don't count.
    era: u64,
}

impl BreakerMachine {
    /// A closed one.
    pub fn new(settings: CircuitBreaker) -> Self {
        let window = CallWindow::new(settings.span);
        Self {
            settings,
            state: State::Closed {
                window,
                consecutive: 0,
            },
            era: 0,
        }
    }

    /// Its state.
    pub fn state(&self) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Leave for a call at this time, if it is let through, and the change that time made.
    pub fn acquire(&mut self, now: Millis) -> (Option<Permit>, Option<Transition>) {
        let mut change = None;
        if let State::Open { until } = self.state
            && until <= now
        {
            let reason = format!("{:?} have passed", self.settings.open_for);
            let trial = State::HalfOpen {
                since: now,
                given: 0,
                outcomes: Calls::default(),
            };
            change = Some(self.become_state(trial, reason));
        }
        let open_millis = self.settings.open_millis();
        let permit = match &mut self.state {
            State::Closed { .. } => Some(Permit { era: self.era }),
            State::Open { .. } => None,
            State::HalfOpen {
                since,
                given,
                outcomes,
            } => {
                if *given >= self.settings.permits && now.saturating_sub(*since) >= open_millis {
                    // Calls of the trial got no outcome: others take their place.
                    self.era += 1;
                    (*since, *given, *outcomes) = (now, 0, Calls::default());
                }
                (*given < self.settings.permits).then(|| {
                    *given += 1;
                    Permit { era: self.era }
                })
            }
        };
        (permit, change)
    }

    /// Notes what came of a call that ended at this time and took so many milliseconds; the change
    /// that it made.
    pub fn record(
        &mut self,
        permit: Permit,
        failed: bool,
        took: Millis,
        now: Millis,
    ) -> Option<Transition> {
        if permit.era != self.era {
            return None;
        }
        let slow = self
            .settings
            .slow
            .is_some_and(|(longer, _)| i128::from(took) > longer.as_millis() as i128);
        let call = Calls::one(failed, slow);
        let until = now.saturating_add(self.settings.open_millis());
        match &mut self.state {
            State::Closed {
                window,
                consecutive,
            } => {
                let calls = window.record(call, now);
                *consecutive = if failed {
                    consecutive.saturating_add(1)
                } else {
                    0
                };
                let consecutive = *consecutive;
                let minimum = self.settings.minimum_calls;
                let reason = self.settings.verdict(calls, minimum, consecutive)?;
                Some(self.become_state(State::Open { until }, reason))
            }
            State::Open { .. } => None,
            State::HalfOpen { outcomes, .. } => {
                outcomes.add(call);
                let outcomes = *outcomes;
                if failed && matches!(self.settings.threshold, Threshold::Consecutive(_)) {
                    let reason = "a call of the trial failed".to_owned();
                    return Some(self.become_state(State::Open { until }, reason));
                }
                if outcomes.all < self.settings.permits {
                    return None;
                }
                if let Some(reason) = self.settings.verdict(outcomes, 1, 0) {
                    let reason = format!("the trial: {reason}");
                    return Some(self.become_state(State::Open { until }, reason));
                }
                let reason = format!(
                    "the trial: {} of {} calls succeeded",
                    outcomes.all - outcomes.failed,
                    outcomes.all
                );
                let window = CallWindow::new(self.settings.span);
                Some(self.become_state(
                    State::Closed {
                        window,
                        consecutive: 0,
                    },
                    reason,
                ))
            }
        }
    }

    fn become_state(&mut self, state: State, reason: String) -> Transition {
        let from = self.state();
        self.state = state;
        self.era += 1;
        Transition {
            from,
            to: self.state(),
            reason,
        }
    }
}

#[cfg(test)]
mod tests;
