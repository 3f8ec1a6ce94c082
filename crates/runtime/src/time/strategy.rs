//! What a user says about the time of a source: where timestamps come from, how watermarks are
//! made, when a split is idle, and with whom it keeps pace.
//!
//! A strategy is a recipe: it is part of the job's graph, cheap to clone, and shared by all subtasks.
//! Each split of each of them gets a generator of its own from [`WatermarkStrategy::generator`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rheos_core::time::Millis;

use super::assigner::TimestampAssigner;
use super::generator::{
    BoundedOutOfOrderness, IngestionTime, NoWatermarks, Punctuated, WatermarkGenerator,
};
use super::idleness::WithIdleness;

type Factory<T> = Arc<dyn Fn() -> Box<dyn WatermarkGenerator<T>> + Send + Sync>;

/// A strategy that cannot work: mend the job. Found before the job starts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StrategyError {
    /// The idle time-out is under a millisecond.
    #[error(
        "with_idleness({0:?}): every split would be idle at once; give at least a millisecond, \
         usually several times the interval at which rows come"
    )]
    Idleness(Duration),
    /// The update interval of an alignment group is under a millisecond.
    #[error("with_alignment({group:?}): the update interval is {interval:?}; give at least 1 ms")]
    AlignmentInterval {
        /// The group.
        group: String,
        /// What was given.
        interval: Duration,
    },
    /// The name of an alignment group is empty.
    #[error("with_alignment: the group's name is empty; sources of one name keep pace")]
    AlignmentGroup,
}

/// An alignment group: splits that run ahead of the group's slowest by more than the drift are
/// paused. The source stage acts on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alignment {
    /// Sources with the same group keep pace.
    pub group: String,
    /// How far a split may run ahead of the slowest of the group, in event time.
    pub max_drift: Duration,
    /// How often positions are compared, in processing time.
    pub update_interval: Duration,
}

/// How a source makes event time out of rows.
///
/// ```
/// use std::time::Duration;
/// use rheos_runtime::time::WatermarkStrategy;
///
/// struct Click { at: i64 }
/// let strategy = WatermarkStrategy::for_bounded_out_of_orderness(Duration::from_secs(5))
///     .with_timestamp_assigner(|click: &Click, _recorded| click.at)
///     .with_idleness(Duration::from_secs(30));
/// assert!(strategy.validate().is_ok());
/// ```
pub struct WatermarkStrategy<T> {
    name: &'static str,
    factory: Factory<T>,
    assigner: TimestampAssigner<T>,
    idleness: Option<Duration>,
    alignment: Option<Alignment>,
}

impl<T: 'static> WatermarkStrategy<T> {
    /// Rows are at most `bound` older than the newest one; older ones are late.
    pub fn for_bounded_out_of_orderness(bound: Duration) -> Self {
        Self::named("bounded out-of-orderness", move || {
            BoundedOutOfOrderness::new(bound)
        })
    }

    /// The timestamps of a split never fall.
    pub fn for_monotonous_timestamps() -> Self {
        Self::named("monotonous timestamps", || {
            BoundedOutOfOrderness::new(Duration::ZERO)
        })
    }

    /// No event time: windows and timers of event time fire at the end of the input only.
    pub fn no_watermarks() -> Self {
        Self::named("no watermarks", || NoWatermarks)
    }

    /// Some rows carry a watermark: the function gives it, out of a row and its timestamp.
    pub fn punctuated<F>(of_row: F) -> Self
    where
        F: Fn(&T, Millis) -> Option<Millis> + Send + Sync + 'static,
    {
        let of_row = Arc::new(of_row);
        Self::named("punctuated", move || {
            let of_row = Arc::clone(&of_row);
            Punctuated::new(move |row: &T, timestamp| of_row(row, timestamp))
        })
    }

    /// A generator of the user's own, made anew for each split.
    pub fn for_generator<G, F>(factory: F) -> Self
    where
        G: WatermarkGenerator<T>,
        F: Fn() -> G + Send + Sync + 'static,
    {
        Self::named("generator of the user's", factory)
    }

    /// Rows are stamped with the processing time at which they are read; time goes on by the clock,
    /// so nothing is ever late.
    pub fn ingestion_time() -> Self {
        let mut strategy = Self::named("ingestion time", || IngestionTime);
        strategy.assigner = TimestampAssigner::ingestion();
        strategy
    }

    fn named<G, F>(name: &'static str, factory: F) -> Self
    where
        G: WatermarkGenerator<T>,
        F: Fn() -> G + Send + Sync + 'static,
    {
        Self {
            name,
            factory: Arc::new(move || Box::new(factory())),
            assigner: TimestampAssigner::recorded(),
            idleness: None,
            alignment: None,
        }
    }

    /// Takes timestamps out of the rows: the function sees a row and the timestamp that the source's
    /// system recorded with it (`MIN_TIMESTAMP` if none).
    #[must_use]
    pub fn with_timestamp_assigner<F>(mut self, timestamp: F) -> Self
    where
        F: Fn(&T, Millis) -> Millis + Send + Sync + 'static,
    {
        self.assigner = TimestampAssigner::of_row(timestamp);
        self
    }

    /// A split without rows for longer than `timeout` holds nothing back.
    #[must_use]
    pub fn with_idleness(mut self, timeout: Duration) -> Self {
        self.idleness = Some(timeout);
        self
    }

    /// Splits of all sources of `group` keep within `max_drift` of the slowest, compared every
    /// `update_interval`.
    #[must_use]
    pub fn with_alignment(
        mut self,
        group: impl Into<String>,
        max_drift: Duration,
        update_interval: Duration,
    ) -> Self {
        self.alignment = Some(Alignment {
            group: group.into(),
            max_drift,
            update_interval,
        });
        self
    }

    /// Whether the parts make sense.
    ///
    /// # Errors
    /// The first part that does not, and the way out.
    pub fn validate(&self) -> Result<(), StrategyError> {
        const LEAST: Duration = Duration::from_millis(1);
        if let Some(timeout) = self.idleness.filter(|t| *t < LEAST) {
            return Err(StrategyError::Idleness(timeout));
        }
        let Some(alignment) = &self.alignment else {
            return Ok(());
        };
        if alignment.group.is_empty() {
            return Err(StrategyError::AlignmentGroup);
        }
        if alignment.update_interval < LEAST {
            return Err(StrategyError::AlignmentInterval {
                group: alignment.group.clone(),
                interval: alignment.update_interval,
            });
        }
        Ok(())
    }

    /// A generator for one split.
    pub fn generator(&self) -> Box<dyn WatermarkGenerator<T>> {
        let generator = (self.factory)();
        match self.idleness {
            Some(timeout) => Box::new(WithIdleness::new(generator, timeout)),
            None => generator,
        }
    }

    /// Where timestamps come from.
    pub fn assigner(&self) -> &TimestampAssigner<T> {
        &self.assigner
    }

    /// After how long without rows a split is idle.
    pub fn idleness(&self) -> Option<Duration> {
        self.idleness
    }

    /// The alignment group, if any.
    pub fn alignment(&self) -> Option<&Alignment> {
        self.alignment.as_ref()
    }
}

impl<T> Clone for WatermarkStrategy<T> {
    fn clone(&self) -> Self {
        Self {
            name: self.name,
            factory: Arc::clone(&self.factory),
            assigner: self.assigner.clone(),
            idleness: self.idleness,
            alignment: self.alignment.clone(),
        }
    }
}

impl<T> fmt::Debug for WatermarkStrategy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatermarkStrategy")
            .field("watermarks", &self.name)
            .field("timestamps", &self.assigner)
            .field("idleness", &self.idleness)
            .field("alignment", &self.alignment)
            .finish()
    }
}
