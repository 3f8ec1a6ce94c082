//! A file that is being written and does not show yet.
//!
//! Life: `.name.inprogress` → written → flushed to the disk, *staged* → renamed to `name`, which is
//! when it appears, whole. If it is dropped before, it is removed; what a killed process leaves behind is
//! hidden, and is removed when that name appears.
//!
//! Invariant: a hidden file has one writer. A task that was thought dead and goes on writes the name that
//! its successor writes too, and removes what it has written when it is told: so who finds a hidden file
//! there takes `.name.1.inprogress`, and so on, and what is staged says which it is.

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
    /// Its name when it shows,
    name: String,
    /// and which of those that were to have it this is.
    number: u32,
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
        let mut number = 0;
        let (hidden, file) = loop {
            let hidden = hidden(folder, name, number);
            match File::create_new(&hidden) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    // Where somebody has put a device in its place, that is what they want written to.
                    if !fs::symlink_metadata(&hidden).is_ok_and(|found| found.is_file()) {
                        let opened = File::create(&hidden);
                        break (hidden, opened);
                    }
                    number += 1;
                }
                made => break (hidden, made),
            }
        };
        let output = file
            .and_then(|file| Output::new(file, compression))
            .map_err(|error| ConnectorError::file("making the file", &hidden, error))?;
        Ok(Self {
            name: name.to_owned(),
            number,
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
        let (hidden, name, number) = (self.hidden.clone(), self.name.clone(), self.number);
        let target = hidden.with_file_name(&name);
        self.stage()?;
        show(&hidden, &target).inspect_err(|_| remove(&hidden))?;
        remove_others(&target, &name, number);
        sync_folder(&target);
        Ok(())
    }

    /// Makes it durable, and leaves it hidden: [`commit`] makes it visible, when it is given what this
    /// answers.
    ///
    /// # Errors
    /// If the system refuses; the file is removed then.
    pub fn stage(mut self) -> Result<String, ConnectorError> {
        let staged = match self.number {
            0 => self.name.clone(),
            number => hidden_name(&self.name, number),
        };
        let Some(output) = self.output.take() else {
            return Ok(staged);
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
        Ok(staged)
    }
}

fn hidden_name(name: &str, number: u32) -> String {
    match number {
        0 => format!(".{name}.inprogress"),
        _ => format!(".{name}.{number}.inprogress"),
    }
}

/// Where a file is until it shows.
fn hidden(folder: &Path, name: &str, number: u32) -> PathBuf {
    folder.join(hidden_name(name, number))
}

/// The name and number of what [`InProgressFile::stage`] has answered.
fn of_staged(staged: &str) -> (&str, u32) {
    let numbered = || {
        let inner = staged.strip_prefix('.')?.strip_suffix(".inprogress")?;
        let (name, number) = inner.rsplit_once('.')?;
        Some((name, number.parse().ok()?))
    };
    numbered().unwrap_or((staged, 0))
}

/// A name shows: what others have left behind who wrote it before is of no use to anybody.
fn remove_others(target: &Path, name: &str, number: u32) {
    for other in 0..number {
        remove(&target.with_file_name(hidden_name(name, other)));
    }
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
pub(super) fn commit(folder: &Path, staged: &[String]) -> Result<(), ConnectorError> {
    let mut last = None;
    for staged in staged {
        let (name, number) = of_staged(staged);
        let (hidden, target) = (hidden(folder, name, number), folder.join(name));
        match fs::rename(&hidden, &target) {
            Ok(()) => {}
            // Done before, by who then had no time to say so.
            Err(error) if error.kind() == io::ErrorKind::NotFound && target.exists() => {}
            Err(error) => {
                return Err(ConnectorError::file("completing the file", &hidden, error));
            }
        }
        remove_others(&target, name, number);
        last = Some(target);
    }
    if let Some(target) = last {
        sync_folder(&target);
    }
    Ok(())
}

/// Removes a hidden file.
fn remove(hidden: &Path) {
    if let Err(error) = fs::remove_file(hidden)
        // Its successor has shown the name, and cleared up behind it.
        && error.kind() != io::ErrorKind::NotFound
    {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path, text: &str) -> InProgressFile {
        let mut file = InProgressFile::create(folder, "part-4", Compression::None).unwrap();
        file.write(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn one_that_was_thought_dead_takes_nothing_from_its_successor() {
        for zombie_comes in ["before it is staged", "before it shows", "after it shows"] {
            let folder = tempfile::tempdir().unwrap();
            let zombie = written(folder.path(), "old");
            let heir = written(folder.path(), "new");
            let mut zombie = Some(zombie);
            let mut wakes = |at: &str| drop(zombie.take_if(|_| at == zombie_comes));
            wakes("before it is staged");
            let staged = heir.stage().unwrap();
            wakes("before it shows");
            // Twice: a committer may die before it says so.
            commit(folder.path(), std::slice::from_ref(&staged)).unwrap();
            commit(folder.path(), &[staged]).unwrap();
            wakes("after it shows");
            let shown = fs::read_to_string(folder.path().join("part-4")).unwrap();
            assert_eq!(shown, "new", "{zombie_comes}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn what_is_staged_says_which_file_it_is() {
        assert_eq!(of_staged("part-0-0.txt"), ("part-0-0.txt", 0));
        assert_eq!(
            of_staged(".part-0-0.txt.12.inprogress"),
            ("part-0-0.txt", 12)
        );
    }
}
