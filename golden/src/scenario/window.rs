//! Scenarios of kind `window`.

use serde::Deserialize;

use super::ParseError;
use super::stream::Item;

/// A stream through a window operator.
#[derive(Debug)]
pub struct Window {
    /// The operator.
    pub spec: WindowSpec,
    /// The stream.
    pub input: Vec<Item>,
}

/// A window operator.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WindowSpec {
    /// Which windows an element belongs to.
    pub assigner: Assigner,
    /// Allowed lateness in milliseconds; none for global windows.
    pub lateness: Option<i64>,
    /// When a window fires.
    pub trigger: Trigger,
    /// What is dropped from a window when it fires.
    pub evictor: Option<Evictor>,
    /// What is made of a window's elements.
    pub function: Function,
    /// Whether the final watermark follows the last item.
    pub final_watermark: bool,
    /// Whether windows are per key.
    #[serde(default = "yes")]
    pub keyed: bool,
}

fn yes() -> bool {
    true
}

impl Window {
    /// Refuses combinations that contradict themselves.
    pub(super) fn checked(self) -> Result<Self, ParseError> {
        let all = matches!(
            self.spec.function,
            Function::AllAggregate | Function::AllReduce
        );
        if all == self.spec.keyed {
            return Err(ParseError::new(
                "spec",
                "function and keyed contradict each other",
            ));
        }
        if self.spec.assigner.is_global() == self.spec.lateness.is_some() {
            return Err(ParseError::new(
                "spec",
                "assigner and lateness contradict each other",
            ));
        }
        Ok(self)
    }
}

/// Which windows an element belongs to. Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
pub enum Assigner {
    /// Windows side by side.
    Tumbling {
        /// Length of a window.
        size: i64,
        /// Where windows start, relative to the epoch.
        offset: i64,
    },
    /// Windows of `size` that start every `slide`.
    Sliding {
        /// Length of a window.
        size: i64,
        /// Distance of their starts.
        slide: i64,
        /// Where windows start, relative to the epoch.
        offset: i64,
    },
    /// Windows that end after a gap.
    Session {
        /// The gap.
        gap: i64,
    },
    /// Sessions with a gap of `base + floormod(value, mod) * step`.
    DynamicSession {
        /// The least gap.
        base: i64,
        /// How many different gaps there are.
        #[serde(rename = "mod")]
        modulus: i64,
        /// The distance of two gaps.
        step: i64,
    },
    /// One window a key, which never fires by itself.
    Global {},
    /// One window a key, which fires at the end of the stream.
    GlobalEndOfStream {},
}

impl Assigner {
    /// Whether its windows have no start and no end.
    pub fn is_global(&self) -> bool {
        matches!(self, Self::Global {} | Self::GlobalEndOfStream {})
    }
}

/// When a window fires.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
pub enum Trigger {
    /// What the assigner says.
    Default {},
    /// At the window's end, and for each late element that is allowed.
    EventTime {},
    /// At every n-th element.
    Count {
        /// How many.
        n: i64,
    },
    /// Every interval of event time, and at the window's end.
    ContinuousEventTime {
        /// Milliseconds.
        interval: i64,
    },
    /// When the value is further than the threshold from that of the last firing.
    Delta {
        /// The difference that does not yet fire.
        threshold: i64,
    },
    /// As another one, dropping the contents at each firing.
    Purging {
        /// The other one.
        inner: Box<Trigger>,
    },
}

/// What is dropped from a window when it fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
pub enum Evictor {
    /// All but the last n.
    Count {
        /// How many stay.
        n: i64,
        /// After the function, not before it.
        after: bool,
    },
    /// What is as old as `ms` or older, by the newest element.
    Time {
        /// Milliseconds.
        ms: i64,
        /// After the function, not before it.
        after: bool,
    },
    /// What is as far as the threshold from the last element's value, or further.
    Delta {
        /// The difference that is dropped.
        threshold: i64,
        /// After the function, not before it.
        after: bool,
    },
}

/// What is made of a window's elements, and with it the form of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Function {
    /// Incremental aggregation with a window function.
    Aggregate,
    /// A window function over all elements.
    Process,
    /// Incremental reduction with a window function.
    Reduce,
    /// The same by sum.
    ReduceSum,
    /// Incremental reduction without a window function.
    ReducePlain,
    /// Aggregation over all keys.
    AllAggregate,
    /// Reduction over all keys.
    AllReduce,
}
