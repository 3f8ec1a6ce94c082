//! Operators with two inputs of different rows: connected streams, and streams that meet a
//! broadcast one.
//!
//! Both inputs share one operator, and with it one state, one set of timers and one watermark, the
//! least of both. Rows of the two inputs come in no order between them; what is to be in order must
//! be kept in state until the watermark says so.

pub mod broadcast;
pub mod broadcast_context;
pub mod broadcast_function;
pub mod broadcast_states;
pub mod function;
pub mod keyed;
pub(crate) mod keyed_rows;
pub mod process;
pub mod stateless;
