//! Expired records go when files are compacted.
//!
//! A record of a state with a time to live begins with the time of its newest entry: once that is
//! expired, all are. The time is the tasks', not the machine's, so that a run under a clock that is
//! moved by hand drops what it should.

use std::ffi::{CStr, CString};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rheos_core::time::Millis;
use rocksdb::compaction_filter::{CompactionFilter, Decision};
use rocksdb::compaction_filter_factory::{CompactionFilterContext, CompactionFilterFactory};

use crate::store::record;

/// Makes a filter for each compaction.
pub(super) struct TtlFilterFactory {
    pub(super) ttl: Millis,
    pub(super) now: Arc<AtomicI64>,
    pub(super) name: CString,
}

/// Drops what is expired now.
pub(super) struct TtlFilter {
    /// A record that was last updated then or before is expired.
    expired_at: Millis,
    name: CString,
}

impl CompactionFilterFactory for TtlFilterFactory {
    type Filter = TtlFilter;

    fn create(&mut self, _context: CompactionFilterContext) -> TtlFilter {
        let now = self.now.load(Ordering::Relaxed);
        TtlFilter {
            expired_at: now.saturating_sub(self.ttl),
            name: self.name.clone(),
        }
    }

    fn name(&self) -> &CStr {
        &self.name
    }
}

impl CompactionFilter for TtlFilter {
    fn filter(&mut self, _level: u32, _key: &[u8], value: &[u8]) -> Decision {
        match record::updated(value) {
            Some(updated) if updated <= self.expired_at => Decision::Remove,
            _ => Decision::Keep,
        }
    }

    fn name(&self) -> &CStr {
        &self.name
    }
}
