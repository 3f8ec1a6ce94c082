//! The programs of a session's jobs, kept by the SHA-256 of what is in them.
//!
//! Life of one: its pieces arrive in their order in `HASH.part` → it is whole, and its hash is what its
//! name says → it is renamed, and can be run → it is deleted. A file under its own name is always whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};

/// Why an artifact is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The name is none: give the SHA-256.
    #[error("'{0}' is no SHA-256: 64 hexadecimal digits")]
    Name(String),
    /// A piece is missing before this one: send from there.
    #[error("the piece begins at byte {given}, and {there} are there: go on from there")]
    Offset {
        /// Where the piece begins.
        given: u64,
        /// What is there.
        there: u64,
    },
    /// It is not what its name says: send it again.
    #[error("what was sent has the SHA-256 {is}, and not {named}: send it again")]
    Hash {
        /// What it should have.
        named: String,
        /// What it has.
        is: String,
    },
    /// The system refused something: see what it says.
    #[error("{path}: {error}")]
    System {
        /// Of what.
        path: String,
        /// What it said.
        error: io::Error,
    },
}

/// See the [module](self).
#[derive(Debug, Clone)]
pub struct Artifacts {
    folder: PathBuf,
}

/// The SHA-256 of what a reader gives, in hexadecimal.
///
/// # Errors
/// What reading says.
pub fn sha256(mut from: impl Read) -> io::Result<String> {
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = from.read(&mut buffer)?;
        match buffer.get(..read) {
            Some(bytes) if read > 0 => context.update(bytes),
            _ => break,
        }
    }
    let digest = context.finish();
    let digits = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    Ok(digits.collect())
}

fn is_hash(name: &str) -> bool {
    name.len() == 64
        && name
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn of(path: &Path) -> impl Fn(io::Error) -> ArtifactError + '_ {
    |error| ArtifactError::System {
        path: path.display().to_string(),
        error,
    }
}

impl Artifacts {
    /// Those in a folder, which is made.
    ///
    /// # Errors
    /// If it can't be.
    pub fn open(folder: &Path) -> Result<Self, ArtifactError> {
        fs::create_dir_all(folder).map_err(of(folder))?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Where a whole one is; none if it is not there.
    pub fn find(&self, hash: &str) -> Option<PathBuf> {
        let path = self.folder.join(hash);
        (is_hash(hash) && path.is_file()).then_some(path)
    }

    fn part(&self, hash: &str) -> Result<PathBuf, ArtifactError> {
        match is_hash(hash) {
            true => Ok(self.folder.join(format!("{hash}.part"))),
            false => Err(ArtifactError::Name(hash.to_owned())),
        }
    }

    /// How many bytes of one are there, and whether that is all of it.
    ///
    /// # Errors
    /// If the name is none.
    pub fn received(&self, hash: &str) -> Result<(u64, bool), ArtifactError> {
        let part = self.part(hash)?;
        if let Some(path) = self.find(hash) {
            let length = fs::metadata(&path).map_err(of(&path))?.len();
            return Ok((length, true));
        }
        Ok((fs::metadata(part).map_or(0, |part| part.len()), false))
    }

    /// Takes the piece of one that begins at `offset`; how many bytes are there then. What is there
    /// already is not taken again.
    ///
    /// # Errors
    /// If a piece before it is missing, or it can't be written.
    pub fn add(&self, hash: &str, offset: u64, bytes: &[u8]) -> Result<u64, ArtifactError> {
        let path = self.part(hash)?;
        let (there, whole) = self.received(hash)?;
        if whole {
            return Ok(there);
        }
        if offset != there {
            return Err(ArtifactError::Offset {
                given: offset,
                there,
            });
        }
        let mut options = OpenOptions::new();
        let mut file = options
            .append(true)
            .create(true)
            .open(&path)
            .map_err(of(&path))?;
        file.write_all(bytes).map_err(of(&path))?;
        Ok(there + bytes.len() as u64)
    }

    /// All pieces have been taken: it can be run, if it is what its name says; else what there is of it is
    /// gone.
    ///
    /// # Errors
    /// If it is not, or can't be made a program.
    pub fn finish(&self, hash: &str) -> Result<PathBuf, ArtifactError> {
        let part = self.part(hash)?;
        if let Some(path) = self.find(hash) {
            return Ok(path);
        }
        let file = File::open(&part).map_err(of(&part))?;
        let is = sha256(&file).map_err(of(&part))?;
        if is != hash {
            fs::remove_file(&part).map_err(of(&part))?;
            return Err(ArtifactError::Hash {
                named: hash.to_owned(),
                is,
            });
        }
        file.set_permissions(fs::Permissions::from_mode(0o755))
            .and_then(|()| file.sync_all())
            .map_err(of(&part))?;
        drop(file);
        let path = self.folder.join(hash);
        fs::rename(&part, &path).map_err(of(&part))?;
        Ok(path)
    }

    fn name_file(&self, hash: &str) -> PathBuf {
        self.folder.join(format!("{hash}.name"))
    }

    /// What the file of one was called that is there.
    pub fn name(&self, hash: &str) -> String {
        let known = self.find(hash);
        let name = known.and_then(|_| fs::read_to_string(self.name_file(hash)).ok());
        name.unwrap_or_else(|| "program".to_owned())
    }

    /// What the file of one was called.
    ///
    /// # Errors
    /// If that can't be kept.
    pub fn set_name(&self, hash: &str, name: &str) -> Result<(), ArtifactError> {
        let path = self.name_file(hash);
        // For people, and in paths of REST.
        let plain = |c: char| match c.is_ascii_alphanumeric() || matches!(c, '-' | '.') {
            true => c,
            false => '-',
        };
        let name: String = name.chars().take(100).map(plain).collect();
        fs::write(&path, name).map_err(of(&path))
    }

    /// When one came, in milliseconds since the epoch.
    pub fn uploaded(&self, hash: &str) -> i64 {
        let known = self.find(hash).and_then(|path| fs::metadata(path).ok());
        let time = known.and_then(|of| of.modified().ok());
        let since = time.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(0))
    }

    /// A piece of a whole one.
    ///
    /// # Errors
    /// If it is not there, or can't be read.
    pub fn piece(&self, hash: &str, offset: u64, most: u64) -> Result<Vec<u8>, ArtifactError> {
        let path = self.folder.join(hash);
        if !is_hash(hash) {
            return Err(ArtifactError::Name(hash.to_owned()));
        }
        let mut file = File::open(&path).map_err(of(&path))?;
        file.seek(SeekFrom::Start(offset)).map_err(of(&path))?;
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes).map_err(of(&path))?;
        Ok(bytes)
    }

    /// One is not needed any more; whether it was there.
    ///
    /// # Errors
    /// If it can't be deleted.
    pub fn delete(&self, hash: &str) -> Result<bool, ArtifactError> {
        let Some(path) = self.find(hash) else {
            return Ok(false);
        };
        fs::remove_file(&path).map_err(of(&path))?;
        // One without a name has none to lose.
        let _none = fs::remove_file(self.name_file(hash));
        Ok(true)
    }

    /// The whole ones.
    ///
    /// # Errors
    /// If the folder can't be read.
    pub fn list(&self) -> Result<Vec<String>, ArtifactError> {
        let files = fs::read_dir(&self.folder).map_err(of(&self.folder))?;
        let names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
        let mut whole: Vec<String> = names.filter(|name| is_hash(name)).collect();
        whole.sort();
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn pieces_become_a_program_if_they_are_what_its_name_says() {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = Artifacts::open(&folder.path().join("artifacts")).unwrap();
        assert_eq!(sha256(&b"abc"[..]).unwrap(), HASH);
        assert_eq!(artifacts.received(HASH).unwrap(), (0, false));
        assert_eq!(artifacts.add(HASH, 0, b"a").unwrap(), 1);
        let gap = artifacts.add(HASH, 2, b"c").unwrap_err();
        assert!(matches!(gap, ArtifactError::Offset { given: 2, there: 1 }));
        assert_eq!(artifacts.add(HASH, 1, b"bc").unwrap(), 3);
        assert_eq!(artifacts.find(HASH), None);
        let path = artifacts.finish(HASH).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o755
        );
        assert_eq!(artifacts.finish(HASH).unwrap(), path, "it is there already");
        assert_eq!(artifacts.received(HASH).unwrap(), (3, true));
        assert_eq!(artifacts.piece(HASH, 1, 1).unwrap(), b"b");
        assert_eq!(artifacts.list().unwrap(), [HASH]);
        assert!(artifacts.delete(HASH).unwrap() && !artifacts.delete(HASH).unwrap());
    }

    #[test]
    fn what_is_not_what_its_name_says_is_sent_again() {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = Artifacts::open(folder.path()).unwrap();
        artifacts.add(HASH, 0, b"abd").unwrap();
        let error = artifacts.finish(HASH).unwrap_err().to_string();
        assert!(error.contains(HASH), "{error}");
        assert_eq!(artifacts.received(HASH).unwrap(), (0, false));
        for name in ["", "..", "../../etc/passwd", &HASH.to_uppercase()] {
            assert!(artifacts.add(name, 0, b"x").is_err(), "{name}");
            assert!(artifacts.piece(name, 0, 1).is_err(), "{name}");
            assert_eq!(artifacts.find(name), None);
        }
    }
}
