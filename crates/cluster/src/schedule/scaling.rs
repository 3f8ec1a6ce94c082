//! When slots that come or go change how wide a job is: what the configuration says, and the decisions.
//! Pure; who calls tells the time.
//!
//! A job that waits to start goes as soon as it has all that it wants; with less, once the slots have
//! not changed for a while. A job that runs is made wider by slots that come, on the same terms; it is
//! made narrower only by the loss of its tasks, when it starts again.

use std::time::Duration;

use rheos_core::config::{ConfigError, Configuration, options};
use rheos_runtime::deploy::program::Program;

use super::kept_width::KeptWidth;
use super::requirements::Requirements;

/// What slots change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalingMode {
    /// Nothing: the job runs as wide as it says, or not.
    Fixed,
    /// The job runs as wide as it says, or narrower.
    Adaptive,
    /// The job is as wide as it can be.
    Reactive,
}

/// How a job goes with the slots there are, under Flink's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScalingSettings {
    /// What slots change.
    pub mode: ScalingMode,
    /// How long an attempt runs before slots make it wider.
    pub cooldown: Duration,
    /// How long slots must stay as they are before they make a job wider that wants still more.
    pub settled: Duration,
    /// How long they must before a job starts narrower than it wants.
    pub settled_at_start: Duration,
    /// How long a job waits for what it needs at least.
    pub patience: Duration,
}

impl ScalingSettings {
    /// What a configuration says.
    ///
    /// # Errors
    /// If a value can't be used.
    pub fn of(configuration: &Configuration) -> Result<Self, ConfigError> {
        let scheduler = configuration.get(&options::JOBMANAGER_SCHEDULER)?;
        let mode = configuration.get_set(&options::SCHEDULER_MODE)?;
        let mode = mode.map(|mode| mode.trim().to_ascii_lowercase());
        let adaptive = match scheduler.trim().to_ascii_lowercase().as_str() {
            "default" => false,
            "adaptive" => true,
            _ => {
                let key = options::JOBMANAGER_SCHEDULER.key;
                return Err(configuration.bad_value(key, "Default or Adaptive"));
            }
        };
        let mode = match mode.as_deref() {
            None | Some("") if adaptive => ScalingMode::Adaptive,
            None | Some("") => ScalingMode::Fixed,
            Some("reactive") => ScalingMode::Reactive,
            Some(_) => {
                let key = options::SCHEDULER_MODE.key;
                return Err(configuration.bad_value(key, "REACTIVE, or not set"));
            }
        };
        let wait = &options::SUBMISSION_WAIT;
        let mut spellings = wait.spellings();
        let wait_set = spellings.find_map(|key| configuration.raw(key));
        let for_ever = wait_set.is_some_and(|text| text.trim().starts_with('-'));
        let patience = match (mode, wait_set) {
            (ScalingMode::Fixed, _) => configuration.get(&options::SLOT_REQUEST_TIMEOUT)?,
            // As Flink: who takes what there is waits for it.
            (ScalingMode::Reactive, None) => Duration::MAX,
            _ if for_ever => Duration::MAX,
            _ => configuration.get(wait)?,
        };
        let settled_at_start = configuration.get_set(&options::SUBMISSION_STABILIZATION)?;
        Ok(Self {
            mode,
            cooldown: configuration.get(&options::COOLDOWN_AFTER_RESCALING)?,
            settled: configuration.get(&options::EXECUTING_STABILIZATION)?,
            settled_at_start: match (settled_at_start, mode) {
                (Some(set), _) => set,
                (None, ScalingMode::Reactive) => Duration::ZERO,
                (None, _) => configuration.get(&options::SUBMISSION_STABILIZATION)?,
            },
            patience,
        })
    }

    /// How wide a job may be: as somebody had asked for, if its checkpoint says so.
    pub fn requirements(&self, program: &Program, kept: Option<&KeptWidth>) -> Requirements {
        let kept = kept.and_then(|kept| kept.requirements(&program.graph, &program.at_most()));
        kept.unwrap_or_else(|| self.declared(program))
    }

    /// How wide a job may be that nobody has asked to be anything else.
    pub fn declared(&self, program: &Program) -> Requirements {
        match self.mode {
            ScalingMode::Fixed => Requirements::fixed(&program.graph),
            ScalingMode::Adaptive => Requirements::up_to(&program.graph),
            ScalingMode::Reactive => Requirements::widest(&program.graph, &program.at_most()),
        }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

/// How a job fits into the slots there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// The subtasks of each vertex.
    pub parallelism: Vec<u32>,
    /// Whether it wants no more.
    pub whole: bool,
}

/// What to do about a job that waits for slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Start it.
    Go,
    /// Look again.
    Wait,
    /// There will not be enough.
    GiveUp,
}

/// A job that waits for slots, from the moment that it begins to. Times are in monotonic microseconds.
#[derive(Debug)]
pub struct SlotWait {
    until: i64,
    settled: i64,
    seen: Option<(Vec<u32>, i64)>,
}

impl SlotWait {
    /// It begins to wait now.
    pub fn new(settings: &ScalingSettings, now: i64) -> Self {
        Self {
            until: now.saturating_add(micros(settings.patience)),
            settled: micros(settings.settled_at_start),
            seen: None,
        }
    }

    /// It fits so now, or not at all.
    pub fn look(&mut self, now: i64, fit: Option<&Fit>) -> Wait {
        let Some(fit) = fit else {
            self.seen = None;
            return match now >= self.until {
                true => Wait::GiveUp,
                false => Wait::Wait,
            };
        };
        let since = since(&mut self.seen, &fit.parallelism, now);
        match fit.whole || now - since >= self.settled || now >= self.until {
            true => Wait::Go,
            false => Wait::Wait,
        }
    }
}

/// Since when it has been so.
fn since(seen: &mut Option<(Vec<u32>, i64)>, parallelism: &[u32], now: i64) -> i64 {
    match seen {
        Some((known, since)) if known == parallelism => *since,
        _ => {
            *seen = Some((parallelism.to_vec(), now));
            now
        }
    }
}

/// Finds out when a job that runs is to be made wider.
#[derive(Debug)]
pub struct SlotWatch {
    cooldown: i64,
    settled: i64,
    /// When the attempt began, or was last tried to be made wider.
    began: i64,
    seen: Option<(Vec<u32>, i64)>,
}

impl SlotWatch {
    /// Of a job that begins now.
    pub fn new(settings: &ScalingSettings, now: i64) -> Self {
        Self {
            cooldown: micros(settings.cooldown),
            settled: micros(settings.settled),
            began: now,
            seen: None,
        }
    }

    /// An attempt begins, or was to.
    pub fn began(&mut self, now: i64) {
        self.began = now;
        self.seen = None;
    }

    /// Whether a job of this parallelism is to be made wider, which would fit so now.
    pub fn is_due(&mut self, now: i64, current: &[u32], fit: &Fit) -> bool {
        let mut each = fit.parallelism.iter().zip(current);
        if fit.parallelism == current || each.any(|(fit, current)| fit < current) {
            self.seen = None;
            return false;
        }
        let since = since(&mut self.seen, &fit.parallelism, now);
        now - self.began >= self.cooldown && (fit.whole || now - since >= self.settled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(more: &[(&str, &str)]) -> Result<ScalingSettings, ConfigError> {
        let mut configuration = Configuration::default();
        for (key, value) in more {
            configuration.set(key, value);
        }
        ScalingSettings::of(&configuration)
    }

    fn fit(parallelism: u32, whole: bool) -> Fit {
        Fit {
            parallelism: vec![parallelism, 1],
            whole,
        }
    }

    #[test]
    fn the_mode_sets_what_is_waited_for() {
        let seconds = Duration::from_secs;
        let fixed = settings(&[("slot.request.timeout", "7 s")]).unwrap();
        assert_eq!(
            (fixed.mode, fixed.patience),
            (ScalingMode::Fixed, seconds(7))
        );
        let adaptive = settings(&[("jobmanager.scheduler", "adaptive")]).unwrap();
        assert_eq!(adaptive.mode, ScalingMode::Adaptive);
        assert_eq!(adaptive.settled_at_start, seconds(10));
        assert_eq!(adaptive.patience, seconds(300));
        let reactive = settings(&[("scheduler-mode", "REACTIVE")]).unwrap();
        assert_eq!(reactive.mode, ScalingMode::Reactive);
        assert_eq!(reactive.settled_at_start, Duration::ZERO);
        assert_eq!(reactive.patience, Duration::MAX);
        let wait = "jobmanager.adaptive-scheduler.submission.resource-wait-timeout";
        let set = |value| settings(&[("scheduler-mode", "reactive"), (wait, value)]).unwrap();
        assert_eq!(set("9 s").patience, seconds(9));
        assert_eq!(set("-1 ms").patience, Duration::MAX);
        let old = ("jobmanager.adaptive-scheduler.scaling-interval.min", "3 s");
        assert_eq!(settings(&[old]).unwrap().cooldown, seconds(3));
        for (key, value) in [
            ("jobmanager.scheduler", "AdaptiveBatch"),
            ("scheduler-mode", "lazy"),
        ] {
            let error = settings(&[(key, value)]).unwrap_err().to_string();
            assert!(error.contains(key) && error.contains(value), "{error}");
        }
    }

    fn adaptive() -> ScalingSettings {
        ScalingSettings {
            mode: ScalingMode::Adaptive,
            cooldown: Duration::from_micros(50),
            settled: Duration::from_micros(20),
            settled_at_start: Duration::from_micros(10),
            patience: Duration::from_micros(100),
        }
    }

    #[test]
    fn a_job_starts_with_all_or_once_the_slots_have_settled() {
        let mut wait = SlotWait::new(&adaptive(), 1_000);
        assert_eq!(wait.look(1_001, None), Wait::Wait);
        assert_eq!(wait.look(1_002, Some(&fit(4, true))), Wait::Go);
        assert_eq!(wait.look(1_003, Some(&fit(2, false))), Wait::Wait);
        // Another TaskManager has come: it may go on.
        assert_eq!(wait.look(1_012, Some(&fit(3, false))), Wait::Wait);
        assert_eq!(wait.look(1_021, Some(&fit(3, false))), Wait::Wait);
        assert_eq!(wait.look(1_022, Some(&fit(3, false))), Wait::Go);
        // The time is up: with what there is, if that is enough.
        let mut wait = SlotWait::new(&adaptive(), 1_000);
        assert_eq!(wait.look(1_100, Some(&fit(1, false))), Wait::Go);
        assert_eq!(wait.look(1_100, None), Wait::GiveUp);
    }

    #[test]
    fn slots_make_a_job_wider_once_it_has_run_and_they_have_settled() {
        let mut watch = SlotWatch::new(&adaptive(), 0);
        let now = [2, 1];
        assert!(!watch.is_due(10, &now, &fit(4, true)), "it has just begun");
        assert!(watch.is_due(50, &now, &fit(4, true)), "all that it wants");
        assert!(!watch.is_due(60, &now, &fit(3, false)));
        assert!(!watch.is_due(70, &now, &fit(2, false)), "gone again");
        assert!(!watch.is_due(75, &now, &fit(3, false)));
        assert!(!watch.is_due(94, &now, &fit(3, false)));
        assert!(watch.is_due(95, &now, &fit(3, false)));
        watch.began(96);
        assert!(!watch.is_due(130, &now, &fit(3, false)));
        assert!(watch.is_due(150, &now, &fit(3, false)));
        // Fewer slots change nothing while the tasks run.
        assert!(!watch.is_due(900, &now, &fit(1, false)));
    }
}
