//! Time to live: how the entries of a state age. Flink's rules, in processing time.
//!
//! What is stored is the time of the last update, not of the expiry, so that a changed TTL holds
//! for what is already there. An entry is expired when `last update + ttl <= now`. The unit that
//! ages is the value, the element of a list, the entry of a map.
//!
//! An expired entry is never returned under [`StateVisibility::NeverReturnExpired`]; under
//! [`StateVisibility::ReturnExpiredIfNotCleanedUp`] it is returned by the read that finds it, which
//! also removes it. Reads remove what they find expired. What nobody reads is removed by one of:
//! a snapshot that leaves it out ([`StateTtlConfig::cleanup_full_snapshot`]), and the incremental
//! clean-up, which looks at a few keys on each access ([`StateTtlConfig::cleanup_incrementally`],
//! by default five).

use std::time::Duration;

use rheos_core::time::Millis;

use crate::error::StateError;

/// What renews an entry's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UpdateType {
    /// Nothing ages: as if there were no TTL.
    Disabled,
    /// Creating and writing.
    #[default]
    OnCreateAndWrite,
    /// Creating, writing and reading.
    OnReadAndWrite,
}

/// Whether an expired entry that is still there is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StateVisibility {
    /// It is as if it were gone.
    #[default]
    NeverReturnExpired,
    /// The read that finds it returns it and removes it.
    ReturnExpiredIfNotCleanedUp,
}

/// How a state's entries age and how they are cleaned up.
///
/// ```
/// use std::time::Duration;
/// use rheos_state::{StateTtlConfig, UpdateType};
/// let day = StateTtlConfig::new(Duration::from_secs(86_400))
///     .update_type(UpdateType::OnReadAndWrite)
///     .cleanup_full_snapshot();
/// assert_eq!(day.ttl(), Duration::from_secs(86_400));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateTtlConfig {
    ttl: Duration,
    update_type: UpdateType,
    visibility: StateVisibility,
    full_snapshot: bool,
    incremental: Option<Incremental>,
    background: bool,
}

/// The incremental clean-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Incremental {
    entries: usize,
    every_record: bool,
}

/// What Flink's heap backend does unless told otherwise.
const DEFAULT_INCREMENTAL: Incremental = Incremental {
    entries: 5,
    every_record: false,
};

impl StateTtlConfig {
    /// Entries live for `ttl` (whole milliseconds, at least one) after they were last written, are
    /// never shown expired, and are cleaned up in the background.
    pub fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            update_type: UpdateType::default(),
            visibility: StateVisibility::default(),
            full_snapshot: false,
            incremental: None,
            background: true,
        }
    }

    /// What renews an entry's life; unless said, creating and writing.
    #[must_use]
    pub fn update_type(mut self, update_type: UpdateType) -> Self {
        self.update_type = update_type;
        self
    }

    /// Whether expired entries are shown; unless said, never.
    #[must_use]
    pub fn visibility(mut self, visibility: StateVisibility) -> Self {
        self.visibility = visibility;
        self
    }

    /// Leaves expired entries out of full snapshots.
    #[must_use]
    pub fn cleanup_full_snapshot(mut self) -> Self {
        self.full_snapshot = true;
        self
    }

    /// Looks at the entries of `keys` keys on each access of the state, and, if
    /// `every_record`, for each record that the operator processes.
    #[must_use]
    pub fn cleanup_incrementally(mut self, keys: usize, every_record: bool) -> Self {
        self.incremental = Some(Incremental {
            entries: keys,
            every_record,
        });
        self
    }

    /// No clean-up in the background but what is asked for by name.
    #[must_use]
    pub fn disable_cleanup_in_background(mut self) -> Self {
        self.background = false;
        self
    }

    /// How long entries live.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }
}

/// A [`StateTtlConfig`] made ready for use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ttl {
    pub(crate) millis: Millis,
    pub(crate) on_read: bool,
    pub(crate) return_expired: bool,
    pub(crate) full_snapshot: bool,
    /// Keys to look at on each access; 0 for none.
    pub(crate) on_access: usize,
    /// Keys to look at for each record; 0 for none.
    pub(crate) on_record: usize,
}

impl Ttl {
    /// `None` where nothing ages.
    pub(crate) fn from_config(
        name: &str,
        config: Option<&StateTtlConfig>,
    ) -> Result<Option<Self>, StateError> {
        let Some(config) = config.filter(|c| c.update_type != UpdateType::Disabled) else {
            return Ok(None);
        };
        let millis = Millis::try_from(config.ttl.as_millis()).unwrap_or(Millis::MAX);
        if millis < 1 {
            return Err(StateError::InvalidTtl {
                name: name.to_owned(),
                millis,
            });
        }
        let default = config.background.then_some(DEFAULT_INCREMENTAL);
        let incremental = config.incremental.or(default);
        Ok(Some(Self {
            millis,
            on_read: config.update_type == UpdateType::OnReadAndWrite,
            return_expired: config.visibility == StateVisibility::ReturnExpiredIfNotCleanedUp,
            full_snapshot: config.full_snapshot,
            on_access: incremental.map_or(0, |i| i.entries),
            on_record: incremental
                .filter(|i| i.every_record)
                .map_or(0, |i| i.entries),
        }))
    }

    #[inline]
    pub(crate) fn expired(&self, updated: Millis, now: Millis) -> bool {
        updated.saturating_add(self.millis) <= now
    }
}
