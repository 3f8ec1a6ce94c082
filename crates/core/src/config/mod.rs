//! Flink's configuration, as text in and typed values out. No file is read and nothing is logged
//! here: the caller brings the text and prints the [`Review`].
//!
//! Life cycle: [`Configuration::parse`] reads a `flink-conf.yaml` or a `config.yaml`,
//! [`Configuration::override_with`] puts the command line's `-D` settings over it,
//! [`Configuration::check`] answers every key before the job starts, and from then on
//! [`Configuration::get`] gives typed values by the constants of [`options`].
//!
//! Invariants:
//! - A key of Flink's own families is either in the table of [`known`] or an error that names the
//!   nearest known key. No key is dropped in silence.
//! - A key of the 2.x spelling wins over its old spellings within one source; a later source wins
//!   over an earlier one whatever the spelling.
//! - What [`known`] calls honoured has a constant in [`options`] with the same key, old keys and
//!   default.
mod budget;
mod configuration;
mod error;
pub mod known;
mod legacy_file;
mod list;
mod markdown;
mod memory_size;
mod nearest;
mod option;
pub mod options;
mod own_options;
mod review;
mod rocksdb_options;
mod value;
mod yaml_file;

pub use budget::MemoryBudget;
pub use configuration::Configuration;
pub use error::{ConfigError, ConfigErrors};
pub use markdown::render_markdown;
pub use memory_size::MemorySize;
pub use option::ConfigOption;
pub use review::{Explained, Level, NotYet, Review};
pub use value::{ConfigValue, format_duration, parse_choice};

#[cfg(test)]
mod tests;
