//! Scenarios of the kinds `intervalJoin`, `intervalJoinLockstep`, `windowJoin` and `coGroup`.

use serde::Deserialize;

use super::stream::{Item, LockstepItem};
use super::window::Assigner;

/// Two independent streams through an interval join.
#[derive(Debug)]
pub struct IntervalJoin {
    /// The interval.
    pub spec: IntervalSpec,
    /// The left stream.
    pub left: Vec<Item>,
    /// The right stream.
    pub right: Vec<Item>,
}

/// Two streams, in a given order, through an interval join.
#[derive(Debug)]
pub struct IntervalJoinLockstep {
    /// The interval.
    pub spec: IntervalSpec,
    /// Both streams.
    pub input: Vec<LockstepItem>,
}

/// Two independent streams through a window join or a co-group.
#[derive(Debug)]
pub struct WindowJoin {
    /// The windows.
    pub assigner: Assigner,
    /// The left stream.
    pub left: Vec<Item>,
    /// The right stream.
    pub right: Vec<Item>,
}

/// Bounds of `right.ts - left.ts` in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IntervalSpec {
    /// The lower bound.
    pub lower: i64,
    /// The upper bound.
    pub upper: i64,
    /// Whether the lower bound itself is in.
    pub lower_inclusive: bool,
    /// Whether the upper bound itself is in.
    pub upper_inclusive: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AssignerSpec {
    pub(super) assigner: Assigner,
}
