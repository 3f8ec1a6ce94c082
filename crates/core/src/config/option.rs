//! A typed option: what the engine asks a configuration for.

use std::marker::PhantomData;

use super::value::ConfigValue;

/// A key with its type. The default is kept as text and read like any other value, so that it can
/// be shown as it would be written.
#[derive(Debug)]
pub struct ConfigOption<T> {
    /// The key, in Flink 2's spelling.
    pub key: &'static str,
    /// Older spellings, tried in this order after `key`.
    pub old_keys: &'static [&'static str],
    /// The default as text, if there is one.
    pub default: Option<&'static str>,
    /// What it does, in a sentence.
    pub description: &'static str,
    of: PhantomData<fn() -> T>,
}

impl<T: ConfigValue> ConfigOption<T> {
    /// An option without old spellings and without default.
    pub const fn new(key: &'static str, description: &'static str) -> Self {
        Self {
            key,
            old_keys: &[],
            default: None,
            description,
            of: PhantomData,
        }
    }

    /// The same with older spellings.
    pub const fn old_keys(mut self, old_keys: &'static [&'static str]) -> Self {
        self.old_keys = old_keys;
        self
    }

    /// The same with a default.
    pub const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    /// All spellings, the current one first.
    pub fn spellings(&self) -> impl Iterator<Item = &'static str> + use<T> {
        std::iter::once(self.key).chain(self.old_keys.iter().copied())
    }
}
