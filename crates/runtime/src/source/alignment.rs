//! Groups of sources whose watermarks may not drift apart: who runs ahead, pauses.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use rheos_core::time::Millis;

/// The watermarks of the members of one alignment group.
#[derive(Debug, Default)]
pub struct AlignmentGroup {
    reports: Mutex<BTreeMap<(u64, u32), Millis>>,
}

impl AlignmentGroup {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(u64, u32), Millis>> {
        self.reports
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Notes a member's watermark; the group's least.
    pub fn report(&self, operator: u64, subtask: u32, watermark: Millis) -> Millis {
        let mut reports = self.lock();
        reports.insert((operator, subtask), watermark);
        reports.values().copied().min().unwrap_or(watermark)
    }

    /// A member is idle or has ended: it holds nobody back.
    pub fn leave(&self, operator: u64, subtask: u32) {
        self.lock().remove(&(operator, subtask));
    }
}
