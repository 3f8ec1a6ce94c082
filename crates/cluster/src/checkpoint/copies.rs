//! Copies of complete checkpoints in a second place, in another region say: made in the background, by a
//! thread of their own, and behind the checkpoints by as much as the second place is slow.
//!
//! Invariants: a copy that has a manifest is whole; what is there of one without is none. Nothing that
//! becomes of the second place is felt by the job, but that the checkpoint which is being copied stays
//! in the first one until it has been. Copies stay when the job ends.
//!
//! Life of a copy: its checkpoint is complete → it is the next (a newer one takes its place) → its files,
//! those of stores that are not there yet, its manifest → it is in the list of copies → older ones go. One
//! that fails is tried again, or the next one instead, after a pause that grows.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use rheos_core::spawn::SharedSpawner;
use rheos_runtime::metrics::checkpoints::{CheckpointStats, CopyCounts};
use serde::{Deserialize, Serialize};

use super::error::CheckpointError;
use super::location::Location;
use super::log::CheckpointRecord;
use super::manifest::{Checkpoint, MANIFEST};
use super::s3::S3Settings;
use super::storage::CheckpointStorage;
use super::store_files::{SHARED, StoredFile};

/// The list of the copies of a job.
const COPIES: &str = "copies.json";
/// Between two attempts, at first and at most.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How long the job's end waits for the last copy.
const AT_END: Duration = Duration::from_secs(10);

/// A second place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopySettings {
    /// Where; each job has a folder of its own in it, as in the first one.
    pub location: Location,
    /// How it is reached, if it is in an object store.
    pub s3: S3Settings,
}

/// A checkpoint that has been copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Copied {
    checkpoint: u64,
    /// Its folder, below the job's, as in the first place.
    path: String,
    /// When the checkpoint was complete, in milliseconds since the epoch.
    completed_at: i64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Copies {
    /// The newest last.
    copies: Vec<Copied>,
}

/// The folder of the newest copy below a job's second place; none if that is no such place.
pub(super) fn newest(storage: &dyn CheckpointStorage) -> Result<Option<String>, CheckpointError> {
    let newest = list(storage)?.copies.pop();
    Ok(newest.map(|copied| copied.path))
}

fn list(storage: &dyn CheckpointStorage) -> Result<Copies, CheckpointError> {
    let Some(bytes) = storage.get(COPIES)? else {
        return Ok(Copies::default());
    };
    serde_json::from_slice(&bytes).map_err(|error| CheckpointError::Damaged {
        checkpoint: storage.location(),
        file: COPIES.to_owned(),
        problem: format!("is no list of copies: {error}"),
        older: None,
    })
}

#[derive(Default)]
struct Todo {
    /// The newest complete checkpoint that has not been begun with.
    next: Option<CheckpointRecord>,
    /// The one that is being copied.
    under_way: Option<String>,
    /// How many are complete and newer than the last copy.
    behind: u64,
    /// The job has ended.
    closed: bool,
    /// So has the thread.
    ended: bool,
}

#[derive(Default)]
struct Shared {
    todo: Mutex<Todo>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Todo> {
        self.todo
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The next to copy; none when there is none and the job has ended.
    fn next(&self) -> Option<CheckpointRecord> {
        let mut todo = self.lock();
        loop {
            if let Some(next) = todo.next.take() {
                todo.under_way = Some(next.path.clone());
                return Some(next);
            }
            if todo.closed {
                return None;
            }
            todo = self
                .changed
                .wait(todo)
                .unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }

    /// The pause before another attempt, which the job's end cuts short; whether there is to be one.
    fn pause(&self, pause: Duration) -> bool {
        let todo = self.lock();
        let waited = self
            .changed
            .wait_timeout_while(todo, pause, |todo| !todo.closed);
        let (todo, _) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        !todo.closed
    }
}

/// Makes copies, as long as it is there.
pub(super) struct Copier {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    stats: CheckpointStats,
    place: String,
}

impl Copier {
    /// Starts the thread, for checkpoints of the job's folder `from`. The last `retained` copies are kept.
    ///
    /// # Errors
    /// If the system refuses it.
    pub(super) fn start(
        from: Arc<dyn CheckpointStorage>,
        to: CopySettings,
        retained: usize,
        spawner: &SharedSpawner,
        stats: CheckpointStats,
    ) -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let place = to.location.to_string();
        stats.update(|counts| counts.copies = Some(CopyCounts::default()));
        let mut copying = Copying {
            from,
            to,
            open: None,
            retained,
            there: BTreeSet::new(),
        };
        let (todo, told) = (shared.clone(), stats.clone());
        let body = move || {
            run(&mut copying, &todo, &told);
            todo.lock().ended = true;
            todo.changed.notify_all();
        };
        let thread = spawner.spawn("rheos-copies".to_owned(), Box::new(body))?;
        Ok(Self {
            shared,
            thread: Some(thread),
            stats,
            place,
        })
    }

    /// A checkpoint is complete.
    pub(super) fn completed(&self, record: &CheckpointRecord) {
        let mut todo = self.shared.lock();
        todo.behind += 1;
        todo.next = Some(record.clone());
        let behind = todo.behind;
        drop(todo);
        self.shared.changed.notify_all();
        update(&self.stats, |copies| copies.behind = behind);
    }

    /// Whether a checkpoint has to stay where it is, as it is being copied.
    pub(super) fn holds(&self, path: &str) -> bool {
        let todo = self.shared.lock();
        let next = todo.next.as_ref().map(|record| record.path.as_str());
        todo.under_way.as_deref() == Some(path) || next == Some(path)
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        let mut todo = self.shared.lock();
        todo.closed = true;
        self.shared.changed.notify_all();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(todo, AT_END, |todo| !todo.ended);
        let (todo, _) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        let (ended, behind) = (todo.ended, todo.behind);
        drop(todo);
        if behind > 0 {
            let place = &self.place;
            tracing::warn!("the job ends, and its last {behind} checkpoints are not in {place}");
        }
        // One that hangs is left behind.
        if ended
            && let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that copies checkpoints ended by a panic");
        }
    }
}

fn update(stats: &CheckpointStats, change: impl FnOnce(&mut CopyCounts)) {
    stats.update(|counts| change(counts.copies.get_or_insert_default()));
}

fn run(copying: &mut Copying, todo: &Shared, stats: &CheckpointStats) {
    let mut pause = PAUSE.0;
    while let Some(record) = todo.next() {
        let copied = copying.copy(&record);
        let mut left = todo.lock();
        left.under_way = None;
        match copied {
            Ok(()) => {
                left.behind = u64::from(left.next.is_some());
                let behind = left.behind;
                drop(left);
                pause = PAUSE.0;
                update(stats, |copies| {
                    copies.completed += 1;
                    copies.behind = behind;
                    copies.last = Some((record.checkpoint, record.completed_at));
                });
            }
            Err(error) => {
                let newer = left.next.is_some();
                if !newer {
                    left.next = Some(record.clone());
                }
                drop(left);
                update(stats, |copies| copies.failed += 1);
                tracing::warn!(
                    checkpoint = record.checkpoint,
                    "a copy of a checkpoint failed, and is tried again: {error}"
                );
                if !todo.pause(pause) {
                    return;
                }
                pause = PAUSE.1.min(pause * 2);
            }
        }
    }
}

struct Copying {
    from: Arc<dyn CheckpointStorage>,
    to: CopySettings,
    /// The second place, once it has been opened.
    open: Option<Arc<dyn CheckpointStorage>>,
    retained: usize,
    /// Files of stores that are known to be there.
    there: BTreeSet<String>,
}

impl Copying {
    fn place(&mut self) -> Result<Arc<dyn CheckpointStorage>, CheckpointError> {
        if let Some(open) = &self.open {
            return Ok(open.clone());
        }
        let open = self.to.location.open(&self.to.s3)?;
        self.open = Some(open.clone());
        Ok(open)
    }

    fn gone(&self, record: &CheckpointRecord, file: &str) -> CheckpointError {
        CheckpointError::Damaged {
            checkpoint: format!("{}/{}", self.from.location(), record.path),
            file: file.to_owned(),
            problem: "is missing, or not what was written".to_owned(),
            older: None,
        }
    }

    fn copy(&mut self, record: &CheckpointRecord) -> Result<(), CheckpointError> {
        let (from, to) = (self.from.clone(), self.place()?);
        let path = &record.path;
        let manifest = format!("{path}/{MANIFEST}");
        let checkpoint = Checkpoint::open(from.clone(), path, None)?;
        // What is there of this name is from a job that has begun anew since, or half a copy.
        to.delete(&manifest)?;
        for name in from.list(path)?.iter().filter(|name| **name != manifest) {
            let bytes = from.get(name)?.ok_or_else(|| self.gone(record, name))?;
            to.put(name, &bytes)?;
        }
        let known: BTreeSet<String> = to.list(SHARED)?.into_iter().collect();
        for file in checkpoint.shared_files() {
            self.copy_shared(record, file, &known, to.as_ref())?;
        }
        let bytes = from.get(&manifest)?;
        let bytes = bytes.ok_or_else(|| self.gone(record, MANIFEST))?;
        to.put(&manifest, &bytes)?;
        self.keep(record, to)
    }

    fn copy_shared(
        &mut self,
        record: &CheckpointRecord,
        file: &StoredFile,
        known: &BTreeSet<String>,
        to: &dyn CheckpointStorage,
    ) -> Result<(), CheckpointError> {
        let name = &file.part.file;
        if self.there.contains(name) && known.contains(name) {
            return Ok(());
        }
        // One of this name may be of a job that has begun anew since.
        let is_there =
            known.contains(name) && to.get(name)?.is_some_and(|bytes| file.part.is(&bytes));
        if !is_there {
            let bytes = self.from.get(name)?;
            let bytes = bytes.filter(|bytes| file.part.is(bytes));
            to.put(name, &bytes.ok_or_else(|| self.gone(record, name))?)?;
        }
        self.there.insert(name.clone());
        Ok(())
    }

    /// Adds a copy to the list, and deletes those that are kept no longer.
    fn keep(
        &mut self,
        record: &CheckpointRecord,
        to: Arc<dyn CheckpointStorage>,
    ) -> Result<(), CheckpointError> {
        let mut list = list(to.as_ref())?;
        list.copies.retain(|copied| copied.path != record.path);
        list.copies.push(Copied {
            checkpoint: record.checkpoint,
            path: record.path.clone(),
            completed_at: record.completed_at,
        });
        // Another process may have added newer ones, if it runs the job now.
        list.copies.sort_by_key(|copied| copied.completed_at);
        let over = list.copies.len().saturating_sub(self.retained);
        list.copies.drain(..over);
        let text = serde_json::to_vec_pretty(&list).map_err(|error| {
            CheckpointError::Setting(format!("the list of copies can't be written: {error}"))
        })?;
        to.put(COPIES, &text)?;
        self.sweep(&list.copies, record.generation, &to)
    }

    /// Deletes what belongs to no copy of the list: the manifests first, so that what is left is none. What
    /// a newer generation has written, in another process, is not ours to judge.
    fn sweep(
        &mut self,
        kept: &[Copied],
        generation: u64,
        to: &Arc<dyn CheckpointStorage>,
    ) -> Result<(), CheckpointError> {
        let mut live = BTreeSet::new();
        for copied in kept {
            match Checkpoint::open(to.clone(), &copied.path, None) {
                Ok(kept) => live.extend(kept.shared_files().map(|file| file.part.file.clone())),
                Err(error @ CheckpointError::Damaged { .. }) => {
                    tracing::warn!("nothing is deleted beside a copy that is damaged: {error}");
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        let is_old = |name: &str, end: char| {
            let number = name
                .strip_prefix('g')
                .and_then(|name| name.split(end).next());
            let number = number.and_then(|number| number.parse::<u64>().ok());
            number.is_some_and(|number| number <= generation)
        };
        let mut gone: Vec<String> = to.list("")?;
        gone.retain(|name| match name.split_once('/') {
            Some((SHARED, file)) => is_old(file, '-') && !live.contains(name),
            Some((folder, _)) if is_old(folder, '/') => {
                let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                !kept.iter().any(|copied| copied.path == folder)
            }
            _ => false,
        });
        gone.sort_by_key(|name| !name.ends_with(MANIFEST));
        for name in gone {
            to.delete(&name)?;
            self.there.remove(&name);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
