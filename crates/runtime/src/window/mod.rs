//! Windows: rows gathered by key and interval of time, and emitted when the interval is over, or
//! whenever a trigger says so. Which windows a row has, when they fire, what is late and when state
//! is dropped are Flink's rules, element for element.
//!
//! ```text
//!            assigner ──▶ windows of the row ──▶ contents ──trigger fires──▶ evictor ──▶ function
//!  row ──▶      │                                   │                                       │
//!               └─ none takes it: late              └─ dropped at end + allowed lateness    ▼ rows
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`window`] | `TimeWindow`, `GlobalWindow` |
//! | [`assigner`], [`tumbling`], [`sliding`], [`session`], [`global`] | which windows a row has |
//! | [`trigger`], [`triggers`] | when a window fires |
//! | [`evictor`], [`evictors`] | what is left out of it |
//! | [`fold`], [`function`], [`open`] | what is made of it |
//! | [`spec`] | a window operator as a job describes it; chooses between the two below |
//! | [`slices`], `slice_operator` | time windows gathered by pane: one update a row |
//! | `operator`, `contents`, `live` | every other kind |

pub mod assigner;
mod cells;
mod contents;
pub mod evictor;
pub mod evictors;
pub mod fold;
pub mod function;
pub mod global;
mod late;
mod live;
mod millis;
pub mod open;
pub(crate) mod operator;
pub mod session;
mod slice_operator;
pub mod slices;
pub mod sliding;
pub mod spec;
pub mod trigger;
pub mod triggers;
pub mod tumbling;
#[allow(
    clippy::module_inception,
    reason = "one noun a file: the window itself"
)]
pub mod window;
