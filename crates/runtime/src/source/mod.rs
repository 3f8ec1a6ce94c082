//! Sources: an enumerator hands splits to readers, a reader gives rows, and the source's stage
//! stamps them, makes watermarks per split and paces them.

pub mod alignment;
pub mod coordinator;
pub mod output;
pub mod reader;
pub mod settings;
mod split;
pub mod stage;
