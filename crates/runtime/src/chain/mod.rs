//! A chain: operators fused into one task, rows handed from stage to stage without a queue.

pub mod collector;
pub mod inbox;
pub mod operator;
pub mod outputs;
pub mod side_output;
pub mod stage;
pub mod stateless;
pub mod two_input;
