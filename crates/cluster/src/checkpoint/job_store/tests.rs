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

fn settings() -> CheckpointSettings {
    CheckpointSettings {
        interval: Duration::from_millis(100),
        min_pause: Duration::ZERO,
        timeout: Duration::from_secs(1),
        max_concurrent: 1,
        aligned_timeout: None,
        tolerable_failures: 1,
        retained: 1,
        location: None,
        s3: Default::default(),
        savepoints: None,
        history: 10,
        ignore_unclaimed: false,
    }
}

fn graph() -> JobGraph {
    JobGraph {
        name: "job".to_owned(),
        operators: Vec::new(),
        edges: Vec::new(),
        vertices: Vec::new(),
    }
}

fn store(storage: Arc<dyn CheckpointStorage>) -> JobStore {
    JobStore::with_storage(storage, settings(), ManualClock::at(0)).unwrap()
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
