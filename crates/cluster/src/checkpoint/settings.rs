//! What a configuration says of checkpoints.

use std::path::PathBuf;
use std::time::Duration;

use rheos_core::barrier::Alignment;
use rheos_core::config::Configuration;
use rheos_core::config::options::{
    CHECKPOINTING_ALIGNED_TIMEOUT, CHECKPOINTING_DIR, CHECKPOINTING_INLINE_THRESHOLD,
    CHECKPOINTING_INTERVAL, CHECKPOINTING_MAX_CONCURRENT, CHECKPOINTING_MIN_PAUSE,
    CHECKPOINTING_NUM_RETAINED, CHECKPOINTING_RETENTION, CHECKPOINTING_SAVEPOINT_DIR,
    CHECKPOINTING_STORAGE, CHECKPOINTING_TIMEOUT, CHECKPOINTING_TOLERABLE_FAILURES,
    CHECKPOINTING_UNALIGNED, COPIES_DIR, RECOVERY_IGNORE_UNCLAIMED_STATE, WEB_CHECKPOINTS_HISTORY,
};
use rheos_state::local_folder::roots_of;

use super::copies::CopySettings;
use super::error::CheckpointError;
use super::location::Location;
use super::s3::S3Settings;

/// What becomes of a job's checkpoints at its end. Those of a job that was stopped, to go on later, stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Retention {
    /// They stay.
    #[default]
    OnCancellation,
    /// They stay if the job failed, and go if it finished or was cancelled.
    OnFailure,
    /// They go.
    Never,
}

impl Retention {
    fn of(conf: &Configuration) -> Result<Self, CheckpointError> {
        let setting =
            |error: rheos_core::config::ConfigError| CheckpointError::Setting(error.to_string());
        let text = conf.get(&CHECKPOINTING_RETENTION).map_err(setting)?;
        match text.trim().to_ascii_uppercase().as_str() {
            "RETAIN_ON_CANCELLATION" => Ok(Self::OnCancellation),
            "DELETE_ON_CANCELLATION" => Ok(Self::OnFailure),
            "NO_EXTERNALIZED_CHECKPOINTS" => Ok(Self::Never),
            _ => {
                let expected = "RETAIN_ON_CANCELLATION, DELETE_ON_CANCELLATION or \
                                NO_EXTERNALIZED_CHECKPOINTS";
                Err(setting(
                    conf.bad_value(CHECKPOINTING_RETENTION.key, expected),
                ))
            }
        }
    }
}

/// When checkpoints are taken, and how many are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointSettings {
    /// From a trigger to the next.
    pub interval: Duration,
    /// At least this from the end of one to the trigger of the next.
    pub min_pause: Duration,
    /// After which one that is not complete is given up.
    pub timeout: Duration,
    /// How many may be under way at one time.
    pub max_concurrent: usize,
    /// How long a barrier waits for the rows before it until it overtakes them; for ever without a time.
    pub aligned_timeout: Option<Duration>,
    /// How many may fail in a row before the job does.
    pub tolerable_failures: u32,
    /// How many complete ones are kept.
    pub retained: usize,
    /// What becomes of those at the job's end.
    pub retention: Retention,
    /// Files of stores with fewer bytes are packed.
    pub inline_threshold: u64,
    /// Where; in memory without one.
    pub location: Option<Location>,
    /// How object stores are reached.
    pub s3: S3Settings,
    /// A second place, for copies.
    pub copies: Option<CopySettings>,
    /// Where savepoints go that name no place themselves.
    pub savepoints: Option<String>,
    /// How many of the last ones are told of.
    pub history: usize,
    /// Whether state of operators that the job doesn't have is dropped.
    pub ignore_unclaimed: bool,
    /// Folders of this machine, for files that are restored.
    pub local: Vec<PathBuf>,
}

impl CheckpointSettings {
    /// Those that tests of decisions begin with.
    #[cfg(test)]
    pub(super) fn of_tests(min_pause: Duration) -> Self {
        Self {
            interval: Duration::from_millis(100),
            min_pause,
            timeout: Duration::from_secs(1),
            max_concurrent: 1,
            aligned_timeout: None,
            tolerable_failures: 1,
            retained: 1,
            retention: Default::default(),
            inline_threshold: 64 << 10,
            location: None,
            s3: Default::default(),
            copies: None,
            savepoints: None,
            history: 10,
            ignore_unclaimed: false,
            local: Vec::new(),
        }
    }

    /// What a configuration asks for; none without an interval.
    ///
    /// # Errors
    /// If a value is not of its type or out of its range.
    pub fn from_configuration(conf: &Configuration) -> Result<Option<Self>, CheckpointError> {
        let setting =
            |error: rheos_core::config::ConfigError| CheckpointError::Setting(error.to_string());
        let Some(interval) = conf.get_set(&CHECKPOINTING_INTERVAL).map_err(setting)? else {
            return Ok(None);
        };
        // Flink's bound; 0 would be one barrier behind the other.
        if interval < Duration::from_millis(10) {
            let expected = "at least 10 ms";
            return Err(setting(
                conf.bad_value(CHECKPOINTING_INTERVAL.key, expected),
            ));
        }
        let at_least_one = |option: &rheos_core::config::ConfigOption<u32>| match conf
            .get(option)
            .map_err(
            setting,
        )? {
            0 => Err(setting(conf.bad_value(option.key, "at least 1"))),
            count => Ok(count as usize),
        };
        let folder = conf.get_set(&CHECKPOINTING_DIR).map_err(setting)?;
        let storage = conf.get_set(&CHECKPOINTING_STORAGE).map_err(setting)?;
        let location = match (storage.as_deref().map(str::trim), folder) {
            (None, folder) => folder.map(|folder| Location::parse(&folder)).transpose()?,
            (Some("jobmanager"), _) => None,
            (Some("filesystem"), Some(folder)) => Some(Location::parse(&folder)?),
            (Some("filesystem"), None) => {
                return Err(CheckpointError::Setting(format!(
                    "`{}: filesystem` needs a folder: set {}",
                    CHECKPOINTING_STORAGE.key, CHECKPOINTING_DIR.key
                )));
            }
            (Some(_), _) => {
                let expected = "jobmanager or filesystem";
                return Err(setting(conf.bad_value(CHECKPOINTING_STORAGE.key, expected)));
            }
        };
        let copies = conf.get_set(&COPIES_DIR).map_err(setting)?;
        let copies = match (copies, &location) {
            (None, _) => None,
            (Some(_), None) => {
                return Err(CheckpointError::Setting(format!(
                    "{} is for copies of checkpoints that are in a first place: set {}",
                    COPIES_DIR.key, CHECKPOINTING_DIR.key
                )));
            }
            (Some(copies), Some(first)) => {
                let copies = CopySettings {
                    location: Location::parse(&copies)?,
                    s3: S3Settings::of_copies(conf)?,
                };
                // A bucket may have the same name elsewhere.
                if copies.location == *first && copies.s3 == S3Settings::of(conf)? {
                    return Err(CheckpointError::Setting(format!(
                        "{} is the place of the checkpoints themselves: name another",
                        COPIES_DIR.key
                    )));
                }
                Some(copies)
            }
        };
        let max_concurrent = at_least_one(&CHECKPOINTING_MAX_CONCURRENT)?;
        let unaligned = match conf.get_set(&CHECKPOINTING_UNALIGNED).map_err(setting)? {
            // As in Flink. Who asks for several at a time and says nothing else gets aligned ones.
            Some(true) if max_concurrent > 1 => {
                let expected = format!("1 as {} is true", CHECKPOINTING_UNALIGNED.key);
                return Err(setting(
                    conf.bad_value(CHECKPOINTING_MAX_CONCURRENT.key, &expected),
                ));
            }
            Some(unaligned) => unaligned,
            None => conf.get(&CHECKPOINTING_UNALIGNED).map_err(setting)? && max_concurrent == 1,
        };
        let timeout = conf.get(&CHECKPOINTING_ALIGNED_TIMEOUT).map_err(setting)?;
        Ok(Some(Self {
            interval,
            min_pause: conf.get(&CHECKPOINTING_MIN_PAUSE).map_err(setting)?,
            timeout: conf.get(&CHECKPOINTING_TIMEOUT).map_err(setting)?,
            max_concurrent,
            aligned_timeout: unaligned.then_some(timeout),
            tolerable_failures: conf
                .get(&CHECKPOINTING_TOLERABLE_FAILURES)
                .map_err(setting)?,
            retained: at_least_one(&CHECKPOINTING_NUM_RETAINED)?,
            retention: Retention::of(conf)?,
            inline_threshold: conf
                .get(&CHECKPOINTING_INLINE_THRESHOLD)
                .map_err(setting)?
                .bytes(),
            location,
            s3: S3Settings::of(conf)?,
            copies,
            savepoints: conf
                .get_set(&CHECKPOINTING_SAVEPOINT_DIR)
                .map_err(setting)?,
            history: conf.get(&WEB_CHECKPOINTS_HISTORY).map_err(setting)? as usize,
            ignore_unclaimed: conf
                .get(&RECOVERY_IGNORE_UNCLAIMED_STATE)
                .map_err(setting)?,
            local: roots_of(conf).map_err(setting)?,
        }))
    }

    /// What barriers say of whether they wait for the rows before them.
    pub fn alignment(&self) -> Alignment {
        match self.aligned_timeout {
            None => Alignment::Aligned,
            Some(timeout) => Alignment::Unaligned {
                after_millis: i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX),
            },
        }
    }
}
