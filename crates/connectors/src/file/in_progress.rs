//! A file that is being written and does not show yet.
//!
//! Life: `.name.inprogress` → written → flushed to the disk, *staged* → renamed to `name`, which is
//! when it appears, whole. If it is dropped before, it is removed; what a killed process leaves behind is
//! hidden, and is written over by whoever writes that name next.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::compression::Compression;
use crate::error::ConnectorError;

/// What is between the rows and the file.
enum Output {
    Plain(File),
    #[cfg(feature = "gzip")]
    Gzip(flate2::write::GzEncoder<File>),
    #[cfg(feature = "zstd")]
    Zstd(zstd::stream::write::Encoder<'static, File>),
}

/// Level of Zstandard: its own default.
#[cfg(feature = "zstd")]
const ZSTD_LEVEL: i32 = 3;

impl Output {
    fn new(file: File, compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            #[cfg(feature = "gzip")]
            Compression::Gzip => Self::Gzip(flate2::write::GzEncoder::new(
                file,
                flate2::Compression::default(),
            )),
            #[cfg(feature = "zstd")]
            Compression::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(file, ZSTD_LEVEL)?),
            _ => Self::Plain(file),
        })
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.write_all(bytes),
            #[cfg(feature = "gzip")]
            Self::Gzip(file) => file.write_all(bytes),
            #[cfg(feature = "zstd")]
            Self::Zstd(file) => file.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<File> {
        match self {
            Self::Plain(file) => Ok(file),
            #[cfg(feature = "gzip")]
            Self::Gzip(file) => file.finish(),
            #[cfg(feature = "zstd")]
            Self::Zstd(file) => file.finish(),
        }
    }
}

/// The file of a writer.
pub(super) struct InProgressFile {
    /// Where it will be.
    target: PathBuf,
    /// Where it is.
    hidden: PathBuf,
    output: Option<Output>,
    written: u64,
}

impl InProgressFile {
    /// Begins a file.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn create(
        folder: &Path,
        name: &str,
        compression: Compression,
    ) -> Result<Self, ConnectorError> {
        let hidden = hidden(folder, name);
        let output = File::create(&hidden)
            .and_then(|file| Output::new(file, compression))
            .map_err(|error| ConnectorError::file("making the file", &hidden, error))?;
        Ok(Self {
            target: folder.join(name),
            hidden,
            output: Some(output),
            written: 0,
        })
    }

    /// Writes.
    ///
    /// # Errors
    /// If the disk is full or the like, with the number of bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ConnectorError> {
        let Some(output) = &mut self.output else {
            return Ok(());
        };
        output.write_all(bytes).map_err(|error| {
            let what = format!(
                "writing {} bytes behind {} to the file",
                bytes.len(),
                self.written
            );
            ConnectorError::file(what, &self.hidden, error)
        })?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Makes it durable, and then visible.
    ///
    /// # Errors
    /// If the system refuses; the file is removed then.
    pub fn finish(self) -> Result<(), ConnectorError> {
        let (hidden, target) = (self.hidden.clone(), self.target.clone());
        self.stage()?;
        show(&hidden, &target).inspect_err(|_| remove(&hidden))?;
        sync_folder(&target);
        Ok(())
    }

    /// Makes it durable, and leaves it hidden: [`commit`] makes it visible.
    ///
    /// # Errors
    /// If the system refuses; the file is removed then.
    pub fn stage(mut self) -> Result<(), ConnectorError> {
        let Some(output) = self.output.take() else {
            return Ok(());
        };
        let written = self.written;
        output
            .finish()
            .and_then(|file| file.sync_all())
            .map_err(|error| {
                let what = format!("flushing {written} bytes to the file");
                let error = ConnectorError::file(what, &self.hidden, error);
                remove(&self.hidden);
                error
            })?;
        Ok(())
    }
}

/// Where a file is until it shows.
pub(super) fn hidden(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!(".{name}.inprogress"))
}

fn show(hidden: &Path, target: &Path) -> Result<(), ConnectorError> {
    fs::rename(hidden, target)
        .map_err(|error| ConnectorError::file("completing the file", target, error))
}

/// The name is durable once its folder is. Some file systems can't, and need not, do this.
fn sync_folder(target: &Path) {
    if let Some(folder) = target.parent()
        && let Ok(folder) = File::open(folder)
    {
        let _ = folder.sync_all();
    }
}

/// Makes staged files visible, those that are not yet.
///
/// # Errors
/// If the system refuses, or a file is neither there hidden nor visible.
pub(super) fn commit(folder: &Path, names: &[String]) -> Result<(), ConnectorError> {
    let mut last = None;
    for name in names {
        let (hidden, target) = (hidden(folder, name), folder.join(name));
        match fs::rename(&hidden, &target) {
            Ok(()) => {}
            // Done before, by who then had no time to say so.
            Err(error) if error.kind() == io::ErrorKind::NotFound && target.exists() => {}
            Err(error) => {
                return Err(ConnectorError::file("completing the file", &hidden, error));
            }
        }
        last = Some(target);
    }
    if let Some(target) = last {
        sync_folder(&target);
    }
    Ok(())
}

/// Removes a hidden file.
pub(super) fn remove(hidden: &Path) {
    if let Err(error) = fs::remove_file(hidden) {
        tracing::warn!(path = %hidden.display(), "an unfinished file stays behind: {error}");
    }
}

impl Drop for InProgressFile {
    fn drop(&mut self) {
        if self.output.is_some() {
            remove(&self.hidden);
        }
    }
}
