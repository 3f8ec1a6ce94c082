//! A configuration: what was set, where, and how it is read.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::error::{ConfigError, ConfigErrors};
use super::option::ConfigOption;
use super::review::Review;
use super::value::ConfigValue;
use super::{known, legacy_file, yaml_file};

/// Parts of a key that mark its value as a secret, as Flink has them.
const SECRET: [&str; 13] = [
    "password",
    "secret",
    "s3.access-key",
    "s3.access.key",
    "fs.azure.account.key",
    "apikey",
    "api-key",
    "auth-params",
    "service-key",
    "token",
    "basic-auth",
    "jaas.config",
    "http-headers",
];

/// A value and where it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) value: String,
    pub(super) origin: Arc<str>,
}

/// Keys and values in the order of the keys. Values are texts until an option reads them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Configuration {
    entries: BTreeMap<String, Entry>,
    notes: Vec<String>,
}

impl Configuration {
    /// Nothing set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a file's text. `file` is its name or path: one that ends in `flink-conf.yaml` is read
    /// as Flink 1.x does (flat `key: value` lines; what is not such a line is skipped and noted in
    /// [`Configuration::notes`]) unless its lines are nested; anything else is YAML, nested or
    /// flat, as Flink 2's `config.yaml`.
    ///
    /// # Errors
    /// [`ConfigError::Syntax`] if the text is not YAML, or not a map.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        let mut conf = Self::new();
        if file.ends_with("flink-conf.yaml") && !legacy_file::is_nested(text) {
            for line in legacy_file::parse(text) {
                match line {
                    legacy_file::Line::Pair { number, key, value } => {
                        conf.insert(key, value, format!("{file}:{number}").into());
                    }
                    legacy_file::Line::Note { number, text } => {
                        conf.notes.push(format!("{file}:{number}: {text}"));
                    }
                }
            }
        } else {
            let origin: Arc<str> = file.into();
            for (key, value) in yaml_file::parse(file, text)? {
                conf.insert(key, value, origin.clone());
            }
        }
        Ok(conf)
    }

    /// Reads the arguments of `-D`, each `key=value`; a bare key means `key=true`.
    ///
    /// # Errors
    /// [`ConfigError::Syntax`] if an argument has no key.
    pub fn from_arguments<S: AsRef<str>>(
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Self, ConfigError> {
        let mut conf = Self::new();
        for argument in arguments {
            let argument = argument.as_ref();
            let (key, value) = argument.split_once('=').unwrap_or((argument, "true"));
            if key.trim().is_empty() {
                return Err(ConfigError::Syntax {
                    file: format!("`-D {argument}`"),
                    detail: "it has no key; write `-D key=value`".into(),
                });
            }
            conf.insert(key.trim().into(), value.trim().into(), "-D".into());
        }
        Ok(conf)
    }

    /// Sets a key from the program. A value set before is replaced, whatever its spelling.
    pub fn set(&mut self, key: &str, value: impl fmt::Display) {
        let mut one = Self::new();
        one.insert(key.into(), value.to_string(), "program".into());
        self.override_with(one);
    }

    /// Puts `later` over this configuration. A key set there replaces all spellings of the same
    /// option set here, so that an old spelling on the command line wins over a new one in a file.
    pub fn override_with(&mut self, later: Self) {
        for key in later.entries.keys() {
            let same = known::find(key).filter(|option| option.spellings().any(|s| s == key));
            for spelling in same.flat_map(known::KnownOption::spellings) {
                self.entries.remove(spelling);
            }
        }
        self.entries.extend(later.entries);
        self.notes.extend(later.notes);
    }

    /// The text set for exactly this key.
    pub fn raw(&self, key: &str) -> Option<&str> {
        self.entries.get(key).map(|entry| entry.value.as_str())
    }

    /// Keys and texts, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries
            .iter()
            .map(|(key, entry)| (key.as_str(), entry.value.as_str()))
    }

    /// What the parser skipped or cut, a line each, ready for a log.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The value of an option, or its default.
    ///
    /// # Errors
    /// [`ConfigError::BadValue`] if the text is not of its type, [`ConfigError::Missing`] if it is
    /// not set and has no default.
    pub fn get<T: ConfigValue>(&self, option: &ConfigOption<T>) -> Result<T, ConfigError> {
        if let Some(value) = self.get_set(option)? {
            return Ok(value);
        }
        let default = option
            .default
            .ok_or(ConfigError::Missing { key: option.key })?;
        T::parse_value(default).ok_or_else(|| ConfigError::BadValue {
            key: option.key.into(),
            value: default.into(),
            origin: "default".into(),
            expected: T::expected(),
        })
    }

    /// The value of an option if it is set, whatever its default.
    ///
    /// # Errors
    /// [`ConfigError::BadValue`] if the text is not of its type.
    pub fn get_set<T: ConfigValue>(
        &self,
        option: &ConfigOption<T>,
    ) -> Result<Option<T>, ConfigError> {
        let set = option
            .spellings()
            .find_map(|key| Some((key, self.entries.get(key)?)));
        let Some((key, entry)) = set else {
            return Ok(None);
        };
        match T::parse_value(entry.value.trim()) {
            Some(value) => Ok(Some(value)),
            None => Err(self.bad_value(key, T::expected())),
        }
    }

    /// An error that says of `key`'s value what it should have been; for ranges that a type does
    /// not know.
    pub fn bad_value(&self, key: &str, expected: impl Into<String>) -> ConfigError {
        let entry = self.entries.get(key);
        ConfigError::BadValue {
            key: key.into(),
            value: entry.map_or("", |entry| shown(key, &entry.value)).into(),
            origin: entry.map_or("not set", |entry| &entry.origin).into(),
            expected: expected.into(),
        }
    }

    /// Answers every key.
    pub fn review(&self) -> Review {
        Review::of(self)
    }

    /// Answers every key, and refuses a configuration with an error in it.
    ///
    /// # Errors
    /// All unknown keys, bad values and contradictions at once.
    pub fn check(&self) -> Result<Review, ConfigErrors> {
        let review = self.review();
        if review.errors.is_empty() {
            Ok(review)
        } else {
            Err(ConfigErrors(review.errors))
        }
    }

    pub(super) fn entries(&self) -> &BTreeMap<String, Entry> {
        &self.entries
    }

    fn insert(&mut self, key: String, value: String, origin: Arc<str>) {
        if let Some(before) = self.entries.get(&key) {
            let (now, then) = (&origin, &before.origin);
            self.notes
                .push(format!("`{key}` is set twice: {now} wins over {then}"));
        }
        self.entries.insert(key, Entry { value, origin });
    }
}

impl fmt::Debug for Configuration {
    /// Secrets are not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(key, value)| (key, shown(key, value))))
            .finish()
    }
}

/// The value, or asterisks if the key names a secret.
pub(super) fn shown<'a>(key: &str, value: &'a str) -> &'a str {
    let key = key.to_ascii_lowercase();
    if SECRET.iter().any(|part| key.contains(part)) {
        "******"
    } else {
        value
    }
}
