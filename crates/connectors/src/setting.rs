//! Values of options as Flink writes them.

use std::str::FromStr;
use std::time::Duration;

use crate::error::ConnectorError;

fn wrong(key: &str, value: &str, wanted: &str) -> ConnectorError {
    ConnectorError::Setting(format!("{key}: '{value}' is no {wanted}"))
}

/// A number of something.
pub(crate) fn count<N: FromStr>(key: &str, value: &str) -> Result<N, ConnectorError> {
    value
        .trim()
        .parse()
        .map_err(|_| wrong(key, value, "number"))
}

/// A time: `1s`, `500 ms`, or milliseconds.
pub(crate) fn duration(key: &str, value: &str) -> Result<Duration, ConnectorError> {
    let option = rheos_core::config::ConfigOption::<Duration>::new("value", "");
    let mut named = rheos_core::config::Configuration::new();
    named.set("value", value);
    named
        .get(&option)
        .map_err(|_| wrong(key, value, "time, such as 1s or 500ms"))
}

/// A size: `2mb`, or bytes.
#[cfg(feature = "elasticsearch")]
pub(crate) fn size(key: &str, value: &str) -> Result<usize, ConnectorError> {
    let option =
        rheos_core::config::ConfigOption::<rheos_core::config::MemorySize>::new("value", "");
    let mut named = rheos_core::config::Configuration::new();
    named.set("value", value);
    let size = named
        .get(&option)
        .map_err(|_| wrong(key, value, "size, such as 2mb"))?;
    Ok(usize::try_from(size.bytes()).unwrap_or(usize::MAX))
}
