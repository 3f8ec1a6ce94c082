//! How an object store is reached, under Flink's keys.

use std::fmt;

use rheos_core::config::Configuration;
use rheos_core::config::options::{
    COPIES_S3_ACCESS_KEY, COPIES_S3_ENDPOINT, COPIES_S3_PATH_STYLE_ACCESS, COPIES_S3_REGION,
    COPIES_S3_SECRET_KEY, S3_ACCESS_KEY, S3_ENDPOINT, S3_ENDPOINT_REGION, S3_PATH_STYLE_ACCESS,
    S3_SECRET_KEY,
};

use crate::checkpoint::error::CheckpointError;

/// What a configuration says of S3. Where it says nothing, the environment does, as it does to other
/// programs (`AWS_ACCESS_KEY_ID`, `AWS_REGION`, the machine's role …).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct S3Settings {
    /// The server; Amazon's without one.
    pub endpoint: Option<String>,
    /// Who asks.
    pub access_key: Option<String>,
    /// What proves it.
    pub secret_key: Option<String>,
    /// Whether the bucket is in the path, and not in the server's name; unset means that it is where
    /// there is an endpoint.
    pub path_style: Option<bool>,
    /// The region.
    pub region: Option<String>,
}

impl S3Settings {
    /// What a configuration says.
    ///
    /// # Errors
    /// If a value is not of its type, or there is one of the keys without the other.
    pub fn of(conf: &Configuration) -> Result<Self, CheckpointError> {
        let setting =
            |error: rheos_core::config::ConfigError| CheckpointError::Setting(error.to_string());
        Self {
            endpoint: conf.get_set(&S3_ENDPOINT).map_err(setting)?,
            access_key: conf.get_set(&S3_ACCESS_KEY).map_err(setting)?,
            secret_key: conf.get_set(&S3_SECRET_KEY).map_err(setting)?,
            path_style: conf.get_set(&S3_PATH_STYLE_ACCESS).map_err(setting)?,
            region: conf.get_set(&S3_ENDPOINT_REGION).map_err(setting)?,
        }
        .with_both(S3_ACCESS_KEY.key, S3_SECRET_KEY.key)
    }

    /// What a configuration says of the second place of checkpoints; where it says nothing, as the first.
    ///
    /// # Errors
    /// As [`S3Settings::of`].
    pub fn of_copies(conf: &Configuration) -> Result<Self, CheckpointError> {
        let setting =
            |error: rheos_core::config::ConfigError| CheckpointError::Setting(error.to_string());
        let first = Self::of(conf)?;
        let keys = Self {
            access_key: conf.get_set(&COPIES_S3_ACCESS_KEY).map_err(setting)?,
            secret_key: conf.get_set(&COPIES_S3_SECRET_KEY).map_err(setting)?,
            ..Self::default()
        }
        .with_both(COPIES_S3_ACCESS_KEY.key, COPIES_S3_SECRET_KEY.key)?;
        let endpoint = conf.get_set(&COPIES_S3_ENDPOINT).map_err(setting)?;
        let path_style = conf
            .get_set(&COPIES_S3_PATH_STYLE_ACCESS)
            .map_err(setting)?;
        let region = conf.get_set(&COPIES_S3_REGION).map_err(setting)?;
        Ok(Self {
            endpoint: endpoint.or(first.endpoint),
            access_key: keys.access_key.or(first.access_key),
            secret_key: keys.secret_key.or(first.secret_key),
            path_style: path_style.or(first.path_style),
            region: region.or(first.region),
        })
    }

    fn with_both(self, access: &str, secret: &str) -> Result<Self, CheckpointError> {
        if self.access_key.is_some() == self.secret_key.is_some() {
            return Ok(self);
        }
        Err(CheckpointError::Setting(format!(
            "{access} and {secret} go together: one of them is not set"
        )))
    }
}

impl fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |secret: &Option<String>| secret.as_ref().map(|_| "******");
        f.debug_struct("S3Settings")
            .field("endpoint", &self.endpoint)
            .field("access_key", &hidden(&self.access_key))
            .field("secret_key", &hidden(&self.secret_key))
            .field("path_style", &self.path_style)
            .field("region", &self.region)
            .finish()
    }
}
