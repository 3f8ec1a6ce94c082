//! What tasks ask about the checkpoints that they write: which are still wanted, and whether what they
//! have given has been written, or only piles up.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// No more is taken while so many bytes have not been written.
const BACKLOG: usize = 64 << 20;

/// Shared by a job's thread, its tasks and the writer.
#[derive(Default)]
pub struct Progress {
    wanted: Mutex<Wanted>,
    backlog: Arc<AtomicUsize>,
}

/// A savepoint under way: its number, and where it goes.
pub type Aim = (u64, String);

/// Is told which checkpoints are under way, and which of them is a savepoint.
pub type TellWanted = Box<dyn Fn(&BTreeSet<u64>, Option<&Aim>) + Send>;

#[derive(Default)]
struct Wanted {
    checkpoints: BTreeSet<u64>,
    told: Option<TellWanted>,
}

impl Progress {
    /// These checkpoints are under way, and no others; that one is a savepoint.
    pub fn set_wanted(&self, checkpoints: impl Iterator<Item = u64>, savepoint: Option<&Aim>) {
        let mut wanted = self
            .wanted
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        wanted.checkpoints = checkpoints.collect();
        if let Some(told) = &wanted.told {
            told(&wanted.checkpoints, savepoint);
        }
    }

    /// Tells tasks of other processes too, from now on.
    pub fn on_wanted(&self, told: TellWanted) {
        self.wanted
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .told = Some(told);
    }

    /// Whether a checkpoint is under way.
    pub fn is_wanted(&self, checkpoint: u64) -> bool {
        self.wanted
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .checkpoints
            .contains(&checkpoint)
    }

    /// Whether there is room for more.
    pub fn takes_pieces(&self) -> bool {
        self.backlog.load(Ordering::Relaxed) < BACKLOG
    }

    /// Counts bytes until they are dropped.
    pub fn piece(&self, bytes: Vec<u8>) -> Piece {
        self.backlog.fetch_add(bytes.len(), Ordering::Relaxed);
        Piece {
            bytes,
            backlog: self.backlog.clone(),
        }
    }
}

/// A piece of a task's state on its way to the writer.
#[derive(Debug)]
pub struct Piece {
    bytes: Vec<u8>,
    backlog: Arc<AtomicUsize>,
}

impl Piece {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.backlog.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_taken_than_is_written() {
        let progress = Progress::default();
        let pieces: Vec<Piece> = (0..64).map(|_| progress.piece(vec![0; 1 << 20])).collect();
        assert!(!progress.takes_pieces());
        drop(pieces);
        assert!(progress.takes_pieces());
        progress.set_wanted([3, 4].into_iter(), None);
        assert!(progress.is_wanted(4) && !progress.is_wanted(2));
    }
}
