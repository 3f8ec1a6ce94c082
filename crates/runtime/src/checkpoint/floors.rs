//! How far event time had come in each key group, where the subtasks that a restored one inherits
//! from did not agree.
//!
//! The restored operator begins with the least of their watermarks, so that no timer is lost; rows
//! of a key group that was ahead are judged by its own, so that no window that was purged is opened
//! anew, and none that fired fires again. Once the watermark has passed all floors they are dropped.

use std::ops::Range;

use rheos_core::key_group::key_group_of;
use rheos_core::time::Millis;

use crate::chain::operator::OperatorContext;

/// Watermarks by key group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Floors {
    by_groups: Vec<(Range<u32>, Millis)>,
    greatest: Millis,
}

impl Floors {
    /// Floors of ranges of key groups; none where all are the same.
    pub fn new(by_groups: Vec<(Range<u32>, Millis)>) -> Option<Self> {
        let greatest = by_groups.iter().map(|(_, floor)| *floor).max()?;
        let differ = by_groups.iter().any(|(_, floor)| *floor != greatest);
        differ.then_some(Self {
            by_groups,
            greatest,
        })
    }

    /// The greatest: a watermark from here on makes them superfluous.
    pub fn greatest(&self) -> Millis {
        self.greatest
    }

    /// The floor of the key group of a hash.
    pub fn of(&self, hash: u64) -> Option<Millis> {
        let group = u32::from(key_group_of(hash));
        self.by_groups
            .iter()
            .find(|(groups, _)| groups.contains(&group))
            .map(|(_, floor)| *floor)
    }

    /// The context of a row of a key group that is ahead of the operator; none if it is not.
    pub fn context(&self, hash: u64, context: &OperatorContext) -> Option<OperatorContext> {
        let floor = self.of(hash).filter(|floor| *floor > context.watermark)?;
        Some(OperatorContext {
            watermark: floor,
            ..context.clone()
        })
    }
}
