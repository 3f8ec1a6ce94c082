//! A job's configuration from where a command line says: a file or folder, and keys beside it.

use std::path::Path;

use rheos_core::config::Configuration;

use crate::error::ApiError;

/// What a folder of configuration is looked for in it, Flink 2's first.
const FILES: [&str; 2] = ["config.yaml", "flink-conf.yaml"];

/// Reads a `flink-conf.yaml`, a `config.yaml`, or the folder that holds one, and puts `defined`
/// (`key=value`, as of `-D`) over it.
///
/// # Errors
/// If the file can't be read, or is no configuration. Unknown keys and wrong values are found by
/// [`Configuration::check`].
pub fn read(file: Option<&Path>, defined: &[String]) -> Result<Configuration, ApiError> {
    let refused =
        |error: rheos_core::config::ConfigError| ApiError::Configuration(error.to_string());
    let mut configuration = match file {
        Some(path) => of_file(path)?,
        None => Configuration::new(),
    };
    configuration.override_with(Configuration::from_arguments(defined).map_err(refused)?);
    Ok(configuration)
}

fn of_file(path: &Path) -> Result<Configuration, ApiError> {
    let mut file = path.to_owned();
    if file.is_dir() {
        let within = FILES
            .iter()
            .map(|name| path.join(name))
            .find(|file| file.is_file());
        file = within.ok_or_else(|| {
            ApiError::Configuration(format!(
                "{}: has neither {}; name the file itself",
                path.display(),
                FILES.join(" nor ")
            ))
        })?;
    }
    let text = std::fs::read_to_string(&file)
        .map_err(|error| ApiError::Configuration(format!("{}: {error}", file.display())))?;
    Configuration::parse(&file.to_string_lossy(), &text)
        .map_err(|error| ApiError::Configuration(error.to_string()))
}
