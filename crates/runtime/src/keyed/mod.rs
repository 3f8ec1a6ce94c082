//! Operators over keyed state: the process function, and what windows and joins share with it.

pub mod context;
pub mod function;
pub mod keys;
pub mod open;
pub mod process;
