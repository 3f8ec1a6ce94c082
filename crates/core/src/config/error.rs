//! What can be wrong with a configuration, sorted by what its author must do.

use std::fmt;

/// One thing that is wrong. Every message names the key or file, where it was set, and the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Mend the file: it is not of the form.
    #[error("{file} cannot be read as a configuration: {detail}")]
    Syntax {
        /// The file's name, as the caller gave it.
        file: String,
        /// What the parser met, with line and column where it knows them.
        detail: String,
    },
    /// Mend the key: it belongs to one of Flink's families, which have no such key.
    #[error("unknown configuration key `{key}` ({origin}): did you mean `{nearest}`?")]
    UnknownKey {
        /// The key as it was written.
        key: String,
        /// File and line, or the command line.
        origin: String,
        /// The known key that is closest by edit distance.
        nearest: &'static str,
    },
    /// Mend the value: it is not of the key's type, or out of its range.
    #[error("`{key}: {value}` ({origin}) is not {expected}")]
    BadValue {
        /// The key as it was written.
        key: String,
        /// The value, or asterisks where the key names a secret.
        value: String,
        /// File and line, or the command line.
        origin: String,
        /// What the key takes, for instance "a duration such as `10 s`".
        expected: String,
    },
    /// Mend what the value names, or take another: it is well-formed, and of no use.
    #[error("`{key}: {value}` can't be used: {reason}")]
    Unusable {
        /// The key.
        key: &'static str,
        /// The value; never a secret's.
        value: String,
        /// What is wrong with it, and what would do.
        reason: String,
    },
    /// Mend one of several values: each is fine alone, together they are not.
    #[error("the configuration contradicts itself: {detail}")]
    Conflict {
        /// The keys with their values, and what would do.
        detail: String,
    },
    /// Set the key: it has no default and is needed.
    #[error("configuration key `{key}` is not set and has no default")]
    Missing {
        /// The key.
        key: &'static str,
    },
}

/// All that is wrong, so that one attempt shows everything that has to be mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
