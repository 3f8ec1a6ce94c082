//! The end of the process's log, for those who can't see its stderr.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

/// Bytes that are kept.
const KEPT: usize = 256 << 10;

/// Keeps the end of what is written to it; clones share it. The log's writer writes to it too.
#[derive(Debug, Clone, Default)]
pub struct LogTail {
    bytes: Arc<Mutex<VecDeque<u8>>>,
}

impl LogTail {
    fn lock(&self) -> MutexGuard<'_, VecDeque<u8>> {
        self.bytes
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What is kept, in whole lines.
    pub fn text(&self) -> String {
        let bytes = self.lock();
        let (first, second) = bytes.as_slices();
        let all = [first, second].concat();
        drop(bytes);
        let whole = match all.len() < KEPT {
            true => 0,
            // The first line has lost its beginning.
            false => all.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1),
        };
        String::from_utf8_lossy(all.get(whole..).unwrap_or_default()).into_owned()
    }

    /// Bytes that are kept.
    pub fn size(&self) -> usize {
        self.lock().len()
    }
}

impl io::Write for LogTail {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = self.lock();
        kept.extend(bytes);
        let over = kept.len().saturating_sub(KEPT);
        kept.drain(..over);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_end_is_kept_in_whole_lines() {
        let mut tail = LogTail::default();
        for line in 0..100_000 {
            writeln!(tail, "line {line}").unwrap();
        }
        assert_eq!(tail.size(), KEPT);
        let text = tail.text();
        let mut lines = text.lines();
        let first: u32 = lines.next().unwrap()["line ".len()..].parse().unwrap();
        assert!(first > 0);
        assert_eq!(lines.next(), Some(format!("line {}", first + 1).as_str()));
        assert_eq!(lines.next_back(), Some("line 99999"));
    }
}
