//! What files are compressed by.

use std::fs::File;
#[cfg(any(feature = "gzip", feature = "zstd"))]
use std::io::BufReader;
use std::io::{self, Read};
use std::path::Path;

use crate::error::ConnectorError;

/// How files are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compression {
    /// Read: by the name's ending, `.gz` or `.zst`. Written: not at all.
    #[default]
    Auto,
    /// Not at all.
    None,
    /// Gzip, also of several members.
    Gzip,
    /// Zstandard, also of several frames.
    Zstd,
}

impl Compression {
    /// What it comes to for a file of this name.
    pub(super) fn of(self, path: &Path) -> Self {
        let ending = path
            .extension()
            .and_then(|ending| ending.to_str())
            .unwrap_or("");
        match self {
            Self::Auto if ending.eq_ignore_ascii_case("gz") => Self::Gzip,
            Self::Auto if ending.eq_ignore_ascii_case("zst") => Self::Zstd,
            Self::Auto => Self::None,
            given => given,
        }
    }

    /// What names of files written this way end with.
    pub(super) fn ending(self) -> &'static str {
        match self {
            Self::Auto | Self::None => "",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }

    /// Whether the program was built with it.
    pub(super) fn check(self) -> Result<(), ConnectorError> {
        let feature = match self {
            Self::Gzip if cfg!(not(feature = "gzip")) => "gzip",
            Self::Zstd if cfg!(not(feature = "zstd")) => "zstd",
            _ => return Ok(()),
        };
        Err(ConnectorError::Setting(format!(
            "{feature} is not built in; build rheos-connectors with the feature '{feature}'"
        )))
    }

    /// The text of a file.
    pub(super) fn reader(self, file: File) -> io::Result<Box<dyn Read>> {
        Ok(match self {
            #[cfg(feature = "gzip")]
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(buffered(file))),
            #[cfg(feature = "zstd")]
            Self::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(buffered(file))?),
            // What is not built in has been refused by `check`.
            _ => Box::new(file),
        })
    }
}

#[cfg(any(feature = "gzip", feature = "zstd"))]
fn buffered(file: File) -> BufReader<File> {
    BufReader::with_capacity(128 * 1024, file)
}
