//! A place as it is configured: a path, a `file:` URI, or `s3://bucket/prefix`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::error::CheckpointError;
use super::folder::FolderStorage;
use super::s3::S3Settings;
use super::storage::CheckpointStorage;

/// Where checkpoints or savepoints lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder of this machine, or one that is shared.
    Folder(PathBuf),
    /// A bucket of an object store that speaks like S3.
    S3 {
        /// Its name.
        bucket: String,
        /// What keys begin with, without slashes at its ends; may be empty.
        prefix: String,
    },
}

impl Location {
    /// Reads one.
    ///
    /// # Errors
    /// If it is of a kind that is not there, or names no bucket.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let text = text.trim();
        let path = text.strip_prefix("file://");
        let path = path.or_else(|| text.strip_prefix("file:"));
        if let Some(path) = path {
            return Ok(Self::Folder(PathBuf::from(path)));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Self::Folder(PathBuf::from(text)));
        };
        if !matches!(scheme, "s3" | "s3a" | "s3p") {
            return Err(CheckpointError::Setting(format!(
                "checkpoints can't be kept in '{text}': {scheme} is not there; name a folder, or \
                 s3://BUCKET/PREFIX"
            )));
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(CheckpointError::Setting(format!(
                "'{text}' names no bucket: it is s3://BUCKET/PREFIX"
            )));
        }
        Ok(Self::S3 {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
        })
    }

    /// The place of this name in it.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        match self {
            Self::Folder(path) => Self::Folder(path.join(name)),
            Self::S3 { bucket, prefix } => Self::S3 {
                bucket: bucket.clone(),
                prefix: match prefix.as_str() {
                    "" => name.to_owned(),
                    prefix => format!("{prefix}/{name}"),
                },
            },
        }
    }

    /// The same place, whatever folder the process is in.
    #[must_use]
    pub fn absolute(self) -> Self {
        match self {
            Self::Folder(path) => Self::Folder(std::path::absolute(&path).unwrap_or(path)),
            s3 @ Self::S3 { .. } => s3,
        }
    }

    /// The folder, if it is one.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(path) => Some(path),
            Self::S3 { .. } => None,
        }
    }

    /// The files there.
    ///
    /// # Errors
    /// If the settings of the object store can't be used, or the program was built without it.
    pub fn open(&self, s3: &S3Settings) -> Result<Arc<dyn CheckpointStorage>, CheckpointError> {
        self.open_as(s3, None)
    }

    /// The same, where an object store is given up on after so long: for what is soon asked again.
    ///
    /// # Errors
    /// As [`Location::open`].
    pub fn open_within(
        &self,
        s3: &S3Settings,
        limit: Duration,
    ) -> Result<Arc<dyn CheckpointStorage>, CheckpointError> {
        self.open_as(s3, Some(limit))
    }

    fn open_as(
        &self,
        s3: &S3Settings,
        limit: Option<Duration>,
    ) -> Result<Arc<dyn CheckpointStorage>, CheckpointError> {
        match self {
            Self::Folder(path) => Ok(Arc::new(FolderStorage::new(path))),
            #[cfg(feature = "s3")]
            Self::S3 { bucket, prefix } => {
                let storage = super::s3::S3Storage::connect(bucket, prefix, s3, limit)?;
                Ok(Arc::new(storage))
            }
            #[cfg(not(feature = "s3"))]
            Self::S3 { .. } => {
                let _ = (s3, limit);
                Err(CheckpointError::Setting(format!(
                    "{self} can't be used: the program was built without the feature `s3` of rheos"
                )))
            }
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

impl From<&Path> for Location {
    fn from(path: &Path) -> Self {
        Self::Folder(path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_uris() {
        let folder = |path: &str| Location::Folder(path.into());
        let s3 = |bucket: &str, prefix: &str| Location::S3 {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        };
        for (text, expected) in [
            ("a/b", folder("a/b")),
            (" /a ", folder("/a")),
            ("file:///a", folder("/a")),
            ("file:/a", folder("/a")),
            ("s3://bucket", s3("bucket", "")),
            ("s3://bucket/", s3("bucket", "")),
            ("s3a://bucket/a/b/", s3("bucket", "a/b")),
        ] {
            assert_eq!(Location::parse(text).unwrap(), expected, "{text}");
        }
        assert_eq!(s3("b", "").below("job").to_string(), "s3://b/job");
        assert_eq!(s3("b", "p").below("job").to_string(), "s3://b/p/job");
        for wrong in ["s3://", "s3:///a", "hdfs://a/b", "gs://a"] {
            let error = Location::parse(wrong).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }
}
