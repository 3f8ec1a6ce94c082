//! What stays of a job's checkpoints, and what is deleted: older ones, files of stores that none names,
//! what came to nothing, and all of them at the job's end if that is asked for. A manifest goes first, so
//! that what is left is no checkpoint.

use std::collections::BTreeSet;

use super::JobStore;
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::log::{CheckpointRecord, Ending, Record};
use crate::checkpoint::manifest::{Checkpoint, MANIFEST};
use crate::checkpoint::settings::Retention;
use crate::checkpoint::store_files::SHARED;
use crate::submit::JobStatus;

impl JobStore {
    pub(super) fn retire(&mut self) -> Result<(), CheckpointError> {
        let all: Vec<CheckpointRecord> = self.log.checkpoints().cloned().collect();
        let kept = all.len().saturating_sub(self.settings.retained);
        let held = |record: &&CheckpointRecord| {
            let copier = self.copier.as_ref();
            copier.is_some_and(|copier| copier.holds(&record.path))
        };
        let old = all.get(..kept).unwrap_or(&[]).iter();
        let gone: Vec<&CheckpointRecord> = old.filter(|record| !held(record)).collect();
        for record in &gone {
            self.discard_folder(&record.path)?;
        }
        let gone: BTreeSet<&str> = gone.iter().map(|record| record.path.as_str()).collect();
        self.log
            .forget(|record| gone.contains(record.path.as_str()))
    }

    /// Deletes files of stores that no checkpoint names any more.
    pub(super) fn sweep_stores(&mut self) -> Result<(), CheckpointError> {
        if self.storage.list(SHARED)?.is_empty() {
            return Ok(());
        }
        let mut live = BTreeSet::new();
        let records: Vec<CheckpointRecord> = self.log.checkpoints().cloned().collect();
        for record in records {
            let kept = Checkpoint::open(self.storage.clone(), &record.path, None)?;
            live.extend(kept.shared_files().map(|file| file.part.file.clone()));
        }
        let (storage, completed) = (self.storage.clone(), Some(self.highest));
        self.store_files.sweep(&live, completed, storage.as_ref())
    }

    /// Deletes what there is of a checkpoint; the manifest first, so that what is left is none.
    pub(super) fn discard_folder(&self, folder: &str) -> Result<(), CheckpointError> {
        self.storage.delete(&format!("{folder}/{MANIFEST}"))?;
        for name in self.storage.list(folder)? {
            self.storage.delete(&name)?;
        }
        Ok(())
    }

    /// Deletes what there is of a checkpoint of this generation that is not to be. One that may be
    /// complete in spite of what the storage said stays, until it is known or the next generation has
    /// begun.
    ///
    /// # Errors
    /// What the storage says.
    pub fn discard(&self, checkpoint: u64) -> Result<(), CheckpointError> {
        if self.doubtful.contains(&checkpoint) {
            return Ok(());
        }
        self.discard_folder(&self.folder(checkpoint))
    }

    /// Deletes files of former generations that belong to no complete checkpoint.
    pub(super) fn sweep(&self) -> Result<(), CheckpointError> {
        let kept: BTreeSet<&str> = self
            .log
            .checkpoints()
            .map(|record| record.path.as_str())
            .collect();
        for name in self.storage.list("")? {
            let Some((folder, _)) = name.rsplit_once('/') else {
                continue;
            };
            let generation = folder.split('/').next().and_then(|g| g.strip_prefix('g'));
            let generation = generation.and_then(|number| number.parse::<u64>().ok());
            if generation.is_some_and(|g| g < self.generation) && !kept.contains(folder) {
                self.storage.delete(&name)?;
            }
        }
        Ok(())
    }

    /// The job has ended, and deletes what of its checkpoints it is not to keep.
    ///
    /// # Errors
    /// What the storage says; [`CheckpointError::Superseded`] if the job runs elsewhere by now: nothing
    /// is deleted then.
    pub fn let_go(&mut self, status: JobStatus) -> Result<(), CheckpointError> {
        // What has not been copied yet is now.
        self.copier = None;
        let retention = self.settings.retention;
        let goes = match status {
            JobStatus::Finished if self.log.ending() == Some(Ending::Finished) => {
                retention != Retention::OnCancellation
            }
            // What it goes on from is the savepoint; without one it is a checkpoint.
            JobStatus::Finished => {
                retention != Retention::OnCancellation && self.log.stopped_with().is_some()
            }
            JobStatus::Canceled => retention != Retention::OnCancellation,
            JobStatus::Failed => retention == Retention::Never,
            _ => false,
        };
        if !goes {
            return Ok(());
        }
        // The fence: who does not own the job any more deletes nothing.
        self.log.append(Record::Ended {
            generation: self.generation,
            how: match status {
                JobStatus::Finished => self.log.ending().unwrap_or(Ending::Finished),
                _ => Ending::Discarded,
            },
            at: self.clock.wall_millis(),
        })?;
        let records: Vec<CheckpointRecord> = self.log.checkpoints().cloned().collect();
        for record in records {
            self.discard_folder(&record.path)?;
        }
        self.log.forget(|_| true)?;
        for name in self.storage.list("")? {
            let folder = name.split('/').next().unwrap_or("");
            let generation = folder.strip_prefix('g').and_then(|g| g.parse::<u64>().ok());
            if generation.is_some_and(|generation| generation <= self.generation) {
                self.storage.delete(&name)?;
            }
        }
        let none = BTreeSet::new();
        self.store_files.sweep(&none, None, self.storage.as_ref())
    }
}
