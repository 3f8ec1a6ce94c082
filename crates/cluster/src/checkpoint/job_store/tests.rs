//! Two processes and one job: whoever takes it over goes on from the other's last checkpoint, however
//! their operations of the storage interleave.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rheos_core::clock::ManualClock;

use super::*;
use crate::checkpoint::manifest::FORMAT;
use crate::checkpoint::settings::Retention;
use crate::submit::JobStatus;

fn graph() -> JobGraph {
    JobGraph {
        name: "job".to_owned(),
        operators: Vec::new(),
        edges: Vec::new(),
        vertices: Vec::new(),
    }
}

fn store(storage: Arc<dyn CheckpointStorage>) -> JobStore {
    JobStore::with_storage(
        storage,
        CheckpointSettings::of_tests(Duration::ZERO),
        ManualClock::at(0),
    )
    .unwrap()
}

fn manifest(job: &JobStore, checkpoint: u64) -> Manifest {
    Manifest {
        format: FORMAT,
        job: "job".to_owned(),
        checkpoint,
        generation: job.generation,
        lineage: job.lineage.clone(),
        triggered_at: 0,
        savepoint: false,
        run_millis: 0,
        width: None,
        operators: Vec::new(),
        tasks: Vec::new(),
    }
}

fn run(start: Start) -> Box<Begun> {
    match start {
        Start::Run(begun) => begun,
        Start::Finished => panic!("it has not finished"),
    }
}

type Before = Box<dyn FnMut(u64) + Send>;

/// Before each of its operations, something is done.
struct Interleaved {
    files: Arc<MemoryStorage>,
    operations: AtomicU64,
    before: Mutex<Before>,
}

impl Interleaved {
    fn one(&self) -> &MemoryStorage {
        let number = self.operations.fetch_add(1, Ordering::Relaxed);
        (self.before.lock().unwrap())(number);
        &self.files
    }
}

impl CheckpointStorage for Interleaved {
    fn location(&self) -> String {
        self.files.location()
    }
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), CheckpointError> {
        self.one().put(name, bytes)
    }
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<bool, CheckpointError> {
        self.one().put_if_absent(name, bytes)
    }
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
        self.one().get(name)
    }
    fn list(&self, folder: &str) -> Result<Vec<String>, CheckpointError> {
        self.one().list(folder)
    }
    fn delete(&self, name: &str) -> Result<(), CheckpointError> {
        self.one().delete(name)
    }
}

/// Takes a job over while its former owner completes `pace` checkpoints before each of the heir's
/// operations from `first` on, `times` times; then the owner's last must be what the heir goes on from.
fn take_over(first: u64, times: u64, pace: u64) {
    let case = format!("from operation {first}, {times} times {pace}");
    let files = Arc::new(MemoryStorage::default());
    let mut owner = store(files.clone());
    let begun = run(owner.begin(&Resume::Latest, &graph()).unwrap());
    let completed = Arc::new(Mutex::new((owner, begun.next_checkpoint)));
    let complete = {
        let completed = completed.clone();
        move || {
            let mut completed = completed.lock().unwrap();
            let (owner, next) = &mut *completed;
            let manifest = manifest(owner, *next);
            let done = owner.complete(&manifest);
            *next += u64::from(done.is_ok());
            done
        }
    };
    complete().unwrap();
    let before: Before = {
        let complete = complete.clone();
        Box::new(move |number| {
            if (first..first + times).contains(&number) {
                for _ in 0..pace {
                    // Its being refused is what the end asks about.
                    let _ = complete();
                }
            }
        })
    };
    let interleaved = Arc::new(Interleaved {
        files: files.clone(),
        operations: AtomicU64::new(0),
        before: Mutex::new(before),
    });
    let mut heir = store(interleaved.clone());
    let begun = run(heir.begin(&Resume::Latest, &graph()).unwrap());
    assert!(
        matches!(complete(), Err(CheckpointError::Superseded { .. })),
        "{case}: the former owner completes no more"
    );
    let last = completed.lock().unwrap().1 - 1;
    let restored = begun.restored.map(|restored| restored.checkpoint.0);
    assert_eq!(restored, Some(last), "{case}");
    assert_eq!(begun.next_checkpoint, last + 1, "{case}");
    heir.complete(&manifest(&heir, last + 1)).unwrap();
    let read = JobLog::read(files).unwrap();
    let mut generations = BTreeMap::new();
    for record in read.checkpoints() {
        generations.insert(record.checkpoint, record.generation);
    }
    assert_eq!(generations.keys().next_back(), Some(&(last + 1)), "{case}");
}

#[test]
fn whoever_takes_a_job_over_goes_on_from_its_last_checkpoint() {
    for first in 0..16 {
        for pace in 1..4 {
            for times in [1, 2, 1_000] {
                take_over(first, times, pace);
            }
        }
    }
}

/// What sinks had staged is committed with a savepoint that stops the job: going on from the checkpoint
/// before it would do that again.
#[test]
fn a_job_goes_on_from_the_savepoint_that_it_was_to_stop_with() {
    let place = tempfile::tempdir().unwrap();
    let location = Location::from(place.path());
    let files: Arc<dyn CheckpointStorage> = Arc::new(MemoryStorage::default());
    let mut job = store(files.clone());
    let lineage = run(job.begin(&Resume::Latest, &graph()).unwrap()).lineage;
    job.complete(&manifest(&job, 1)).unwrap();
    let target = |stops| SavepointTarget {
        storage: location.open(&Default::default()).unwrap(),
        location: location.to_string(),
        stops,
    };
    // One that stops nothing changes nothing.
    job.complete_savepoint(&manifest(&job, 2), &target(false))
        .unwrap();
    let again = job.begin_again(&graph(), 3).unwrap();
    assert_eq!(again.from, Some(RestoreFrom::Own("g1/chk-1".to_owned())));
    job.complete_savepoint(&manifest(&job, 3), &target(true))
        .unwrap();
    let foreign = Some(RestoreFrom::Foreign(location.clone()));
    let again = job.begin_again(&graph(), 4).unwrap();
    assert_eq!((&again.from, again.generation), (&foreign, 3));
    let restored = |begun: &Begun| begun.restored.as_ref().map(|job| job.checkpoint.0);
    assert_eq!(restored(&again), Some(3));
    // So does another process, in the same history and with numbers of its own,
    let mut heir = store(files.clone());
    let begun = run(heir.begin(&Resume::Latest, &graph()).unwrap());
    assert_eq!((&begun.from, &begun.lineage), (&foreign, &lineage));
    assert_eq!((restored(&begun), begun.next_checkpoint), (Some(3), 4));
    // until there is something newer; and whoever names it has a history of his own.
    heir.complete(&manifest(&heir, 4)).unwrap();
    let mut later = store(files);
    let begun = run(later.begin(&Resume::Latest, &graph()).unwrap());
    assert_eq!(restored(&begun), Some(4));
    let begun = run(later.begin(&Resume::Folder(location), &graph()).unwrap());
    assert_eq!(restored(&begun), Some(3));
    assert_ne!(begun.lineage, lineage);
}

/// A job with a checkpoint kept, one under way and a shared file, which ends so; what is left, but the log.
fn left_after(retention: Retention, status: JobStatus, ending: Option<Ending>) -> Vec<String> {
    let files = Arc::new(MemoryStorage::default());
    let settings = CheckpointSettings {
        retention,
        ..CheckpointSettings::of_tests(Duration::ZERO)
    };
    let open = || JobStore::with_storage(files.clone(), settings.clone(), ManualClock::at(0));
    let mut job = open().unwrap();
    run(job.begin(&Resume::Latest, &graph()).unwrap());
    job.complete(&manifest(&job, 1)).unwrap();
    files.put("g1/chk-2/task-0000.0.snap", b"half").unwrap();
    files.put("shared/g1-000000", b"of a store").unwrap();
    if let Some(ending) = ending {
        job.end(ending).unwrap();
    }
    job.let_go(status).unwrap();
    let left = files.list("").unwrap().into_iter();
    let left: Vec<String> = left.filter(|name| !name.starts_with("log/")).collect();
    // Whatever became of it, it can be started again.
    let begun = open().unwrap().begin(&Resume::Latest, &graph()).unwrap();
    match (ending, begun) {
        (Some(Ending::Finished), Start::Finished) => {}
        (Some(Ending::Finished), _) => panic!("it had finished"),
        (_, begun) => assert_eq!(run(begun).restored.is_some(), !left.is_empty()),
    }
    left
}

#[test]
fn at_its_end_a_job_keeps_what_it_was_told_to() {
    use JobStatus::{Canceled, Failed, Finished, Suspended};
    use Retention::{Never, OnCancellation, OnFailure};
    let (finished, stopped) = (Some(Ending::Finished), Some(Ending::Stopped));
    for (retention, status, ending, stays) in [
        (OnCancellation, Canceled, None, true),
        (OnCancellation, Failed, None, true),
        (OnCancellation, Finished, finished, true),
        (OnFailure, Canceled, None, false),
        (OnFailure, Failed, None, true),
        (OnFailure, Finished, finished, false),
        (Never, Canceled, None, false),
        (Never, Failed, None, false),
        (Never, Finished, finished, false),
        // To go on later, and another process has it now.
        (Never, Finished, stopped, true),
        (Never, Suspended, None, true),
    ] {
        let left = left_after(retention, status, ending);
        assert_eq!(!left.is_empty(), stays, "{retention:?} {status}: {left:?}");
    }
}

#[test]
fn who_no_longer_owns_a_job_deletes_nothing_of_it() {
    let files = Arc::new(MemoryStorage::default());
    let settings = CheckpointSettings {
        retention: Retention::Never,
        ..CheckpointSettings::of_tests(Duration::ZERO)
    };
    let open = || JobStore::with_storage(files.clone(), settings.clone(), ManualClock::at(0));
    let mut old = open().unwrap();
    run(old.begin(&Resume::Latest, &graph()).unwrap());
    old.complete(&manifest(&old, 1)).unwrap();
    let mut new = open().unwrap();
    run(new.begin(&Resume::Latest, &graph()).unwrap());
    let refused = old.let_go(JobStatus::Canceled);
    assert!(matches!(refused, Err(CheckpointError::Superseded { .. })));
    assert!(files.get("g1/chk-1/manifest.json").unwrap().is_some());
}

/// A savepoint that the job once stopped with is not gone on from when what came after was discarded.
#[test]
fn what_was_before_checkpoints_were_discarded_does_not_come_back() {
    let place = tempfile::tempdir().unwrap();
    let location = Location::from(place.path());
    let files: Arc<dyn CheckpointStorage> = Arc::new(MemoryStorage::default());
    let mut job = store(files.clone());
    job.settings.retention = Retention::Never;
    run(job.begin(&Resume::Latest, &graph()).unwrap());
    let target = SavepointTarget {
        storage: location.open(&Default::default()).unwrap(),
        location: location.to_string(),
        stops: true,
    };
    job.complete_savepoint(&manifest(&job, 1), &target).unwrap();
    job.end(Ending::Stopped).unwrap();
    run(job.begin(&Resume::Latest, &graph()).unwrap());
    job.complete(&manifest(&job, 2)).unwrap();
    job.let_go(JobStatus::Canceled).unwrap();
    // The second starts after a first that came to nothing.
    for _ in 0..2 {
        let mut job = store(files.clone());
        let begun = run(job.begin(&Resume::Latest, &graph()).unwrap());
        assert!(begun.restored.is_none());
    }
}
