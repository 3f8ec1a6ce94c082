//! What users say of batches, the same for every sink that has an outbox.

use rheos_core::clock::SharedClock;
use rheos_core::id::Place;

use super::{Backoff, BatchLimits, Retries};
use crate::bad_records::BadRecords;

/// How the rows of a sink are sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivery {
    pub limits: BatchLimits,
    pub retries: Retries,
    pub bad_records: BadRecords,
    /// Rows a second, over all subtasks.
    pub rate: Option<f64>,
}

impl Delivery {
    /// Batches of these limits, retried while the job lives; the first bad row ends the job.
    pub fn new(limits: BatchLimits) -> Self {
        Self {
            limits,
            retries: Retries::default(),
            bad_records: BadRecords::Fail,
            rate: None,
        }
    }

    /// The waits of one subtask, unlike those of others.
    pub fn backoff(&self, place: &Place, clock: &SharedClock) -> Backoff {
        let seed = clock.wall_millis() as u64 ^ (u64::from(place.subtask) << 32);
        Backoff::new(self.retries, seed)
    }
}

/// The methods by which users set the field `delivery` of a sink.
macro_rules! delivery_setters {
    ($limits:literal) => {
        #[doc = concat!("When a batch is sent: ", $limits, " unless told.")]
        #[must_use]
        pub fn batches(mut self, limits: $crate::outbox::BatchLimits) -> Self {
            self.delivery.limits = limits;
            self
        }

        /// How failures that pass are waited out.
        #[must_use]
        pub fn retries(mut self, retries: $crate::outbox::Retries) -> Self {
            self.delivery.retries = retries;
            self
        }

        /// What becomes of rows that the system outside does not take. The first ends the job unless
        /// told.
        #[must_use]
        pub fn bad_records(mut self, bad_records: $crate::bad_records::BadRecords) -> Self {
            self.delivery.bad_records = bad_records;
            self
        }

        /// Rows a second, over all subtasks.
        #[must_use]
        pub fn rate_limit(mut self, rows_per_second: f64) -> Self {
            self.delivery.rate = Some(rows_per_second);
            self
        }
    };
}

pub(crate) use delivery_setters;
