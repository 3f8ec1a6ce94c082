//! What the incidents share: rows that arrive at a pace of their own, an API that can be overloaded,
//! figures over time, and their plot.

pub mod api;
pub mod arrivals;
pub mod figures;
pub mod plot;
pub mod rate_limited;
pub mod running;
pub mod unbounded_state;
