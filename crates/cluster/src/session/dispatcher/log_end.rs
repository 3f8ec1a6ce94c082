//! The end of a log's file.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// Bytes that are read.
const READ: u64 = 256 << 10;
/// Lines of a log that says nothing of an error.
const LINES: usize = 10;

/// The end of it, in whole lines.
///
/// # Errors
/// If it can't be read.
pub fn read(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let from = file.metadata()?.len().saturating_sub(READ);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(READ).read_to_end(&mut bytes)?;
    let begin = match from {
        0 => 0,
        // The first line has lost its beginning.
        _ => bytes
            .iter()
            .position(|b| *b == b'\n')
            .map_or(0, |at| at + 1),
    };
    Ok(String::from_utf8_lossy(bytes.get(begin..).unwrap_or_default()).into_owned())
}

/// The error that a process has ended with, as it says it last; else its last lines.
pub fn error(path: &Path) -> Option<String> {
    let text = read(path).ok()?;
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().rposition(|line| line.starts_with("error: "));
    let at = at.unwrap_or(lines.len().saturating_sub(LINES));
    let said = lines.get(at..).unwrap_or_default().join("\n");
    let said = said.strip_prefix("error: ").unwrap_or(&said);
    (!said.is_empty()).then(|| said.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_with_its_causes() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        assert_eq!(error(&log), None);
        std::fs::write(
            &log,
            "INFO a\nerror: old\nINFO b\nerror: no room\n  caused by: x\n",
        )
        .unwrap();
        assert_eq!(error(&log).unwrap(), "no room\n  caused by: x");
        std::fs::write(&log, "thread panicked\nat here\n").unwrap();
        assert_eq!(error(&log).unwrap(), "thread panicked\nat here");
        std::fs::write(&log, "x".repeat(300 << 10) + "\nlast\n").unwrap();
        assert_eq!(read(&log).unwrap(), "last\n");
    }
}
