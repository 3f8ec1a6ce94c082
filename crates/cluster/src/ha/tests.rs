//! Candidates and holders on one storage, which answers some of them while it is told to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rheos_core::clock::{SharedClock, SystemClock};
use rheos_core::spawn::{OsSpawner, SharedSpawner, Spawner as _};

use super::*;
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::memory::MemoryStorage;
use crate::checkpoint::storage::CheckpointStorage;

/// A way to the storage that can be cut.
struct Way(Arc<MemoryStorage>, Arc<AtomicBool>);

impl Way {
    fn pass(&self) -> Result<(), CheckpointError> {
        match self.1.load(Ordering::SeqCst) {
            false => Ok(()),
            true => Err(CheckpointError::Storage {
                location: "here".to_owned(),
                what: "asking",
                name: "it".to_owned(),
                error: std::io::ErrorKind::TimedOut.into(),
            }),
        }
    }
}

impl CheckpointStorage for Way {
    fn location(&self) -> String {
        self.0.location()
    }
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), CheckpointError> {
        self.pass().and_then(|()| self.0.put(name, bytes))
    }
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<bool, CheckpointError> {
        self.pass().and_then(|()| self.0.put_if_absent(name, bytes))
    }
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
        self.pass().and_then(|()| self.0.get(name))
    }
    fn list(&self, folder: &str) -> Result<Vec<String>, CheckpointError> {
        self.pass().and_then(|()| self.0.list(folder))
    }
    fn delete(&self, name: &str) -> Result<(), CheckpointError> {
        self.pass().and_then(|()| self.0.delete(name))
    }
}

const SETTINGS: HaSettings = HaSettings {
    lease: Duration::from_millis(800),
    renew: Duration::from_millis(40),
};

/// A JobManager's end of it.
#[derive(Clone)]
struct Manager {
    candidate: Candidate,
    records: LeaseRecords,
    standing: Standing,
    clock: SharedClock,
    spawner: SharedSpawner,
    cut: Arc<AtomicBool>,
}

impl Manager {
    /// Nobody listens at its address, and nobody ever has.
    fn new(storage: &Arc<MemoryStorage>) -> Self {
        let cut = Arc::new(AtomicBool::new(false));
        Self {
            candidate: Candidate::draw("127.0.0.1:1".to_owned(), None),
            records: LeaseRecords::new(Arc::new(Way(storage.clone(), cut.clone()))),
            standing: Standing::default(),
            clock: SystemClock::shared(),
            spawner: Arc::new(OsSpawner),
            cut,
        }
    }

    fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
    }

    fn stand(&self) -> Campaign {
        let stood = self.candidate.stand(
            &SETTINGS,
            &self.records,
            &self.clock,
            &self.standing,
            &|| false,
        );
        stood.unwrap()
    }

    fn tenure(&self, holding: lease::Holding) -> Tenure {
        let tenure = Tenure::start(
            (self.candidate.clone(), holding, false),
            SETTINGS,
            (self.records.clone(), self.standing.clone()),
            self.clock.clone(),
            &self.spawner,
        );
        tenure.unwrap()
    }

    fn lead(&self) -> Tenure {
        match self.stand() {
            Campaign::Leads(holding, false) => self.tenure(holding),
            other => panic!("{other:?}"),
        }
    }

    /// Stands by on another thread; what comes of it.
    fn stand_elsewhere(&self) -> Receiver<Campaign> {
        let (give, take) = sync_channel(1);
        let own = self.clone();
        let body = Box::new(move || {
            let _ = give.send(own.stand());
        });
        OsSpawner.spawn("standby".to_owned(), body).unwrap();
        wait_until(|| self.standing.leader().is_some());
        take
    }
}

fn wait_until(holds: impl Fn() -> bool) {
    let clock = SystemClock::shared();
    let since = clock.monotonic_micros();
    while !holds() {
        assert!(clock.monotonic_micros() - since < 30_000_000);
        std::thread::yield_now();
    }
}

/// Longer than the lease, by much.
const LONG: Duration = Duration::from_millis(2000);
/// For what must happen.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_holder_that_could_not_write_for_long_finds_that_it_has_lost() {
    let storage = Arc::new(MemoryStorage::default());
    let (first, second) = (Manager::new(&storage), Manager::new(&storage));
    let tenure = first.lead();
    assert!(first.standing.leads());
    let lost = Arc::new(Mutex::new(None));
    let told = lost.clone();
    tenure.on_lost(move |why| *told.lock().unwrap() = Some(why.to_owned()));
    tenure.begun();
    let (_, newest) = first.records.newest().unwrap().unwrap();
    assert!(newest.begun);
    let stood = second.stand_elsewhere();
    assert!(stood.recv_timeout(LONG).is_err(), "it is renewed");
    assert_eq!(
        second.standing.leader().unwrap().holder,
        first.candidate.holder()
    );
    first.cut(true);
    let Ok(Campaign::Leads(holding, true)) = stood.recv_timeout(PATIENCE) else {
        panic!("it leads");
    };
    let of_second = second.tenure(holding);
    assert_eq!(lost.lock().unwrap().clone(), None, "it can't know");
    first.cut(false);
    wait_until(|| lost.lock().unwrap().is_some());
    assert!(!first.standing.leads() && second.standing.leads());
    assert!(tenure.lost().unwrap().contains("has taken the lease"));
    // A last word of it changes nothing.
    tenure.end(LastWord::Over("FINISHED".to_owned()));
    assert_eq!(of_second.lost(), None);
    let (_, newest) = second.records.newest().unwrap().unwrap();
    assert_eq!(
        (newest.holder.as_str(), newest.hold),
        (second.candidate.holder(), Hold::Held)
    );
}

#[test]
fn nobody_takes_over_while_the_storage_is_away_from_all() {
    let storage = Arc::new(MemoryStorage::default());
    let (first, second) = (Manager::new(&storage), Manager::new(&storage));
    let tenure = first.lead();
    let stood = second.stand_elsewhere();
    let all = |cut| [&first, &second].map(|manager| manager.cut(cut));
    for _ in 0..2 {
        all(true);
        assert!(stood.recv_timeout(LONG).is_err());
        all(false);
        assert!(stood.recv_timeout(LONG).is_err(), "the lease begins anew");
    }
    assert_eq!(tenure.lost(), None);
    // Old records have gone behind.
    let kept = storage.list("lease").unwrap();
    assert!((10..25).contains(&kept.len()), "{kept:?}");
    drop(tenure);
    assert!(matches!(
        stood.recv_timeout(PATIENCE),
        Ok(Campaign::Leads(_, false))
    ));
}

#[test]
fn the_end_of_the_job_is_told_to_those_who_stand_by() {
    let storage = Arc::new(MemoryStorage::default());
    let (first, second) = (Manager::new(&storage), Manager::new(&storage));
    let tenure = first.lead();
    let stood = second.stand_elsewhere();
    assert!(stood.recv_timeout(LONG).is_err());
    tenure.end(LastWord::Over("FINISHED".to_owned()));
    match stood.recv_timeout(PATIENCE) {
        Ok(Campaign::Over(how)) => assert!(how.contains("FINISHED"), "{how}"),
        other => panic!("{other:?}"),
    }
    // Who is started now starts the job.
    assert!(matches!(
        Manager::new(&storage).stand(),
        Campaign::Leads(_, false)
    ));
}

/// A storage that lets several create one record.
struct Loose(MemoryStorage);

impl CheckpointStorage for Loose {
    fn location(&self) -> String {
        "there".to_owned()
    }
    fn check_exclusive(&self) -> Result<(), CheckpointError> {
        Err(CheckpointError::NotExclusive {
            location: self.location(),
            loose: "several won".to_owned(),
        })
    }
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), CheckpointError> {
        self.0.put(name, bytes)
    }
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<bool, CheckpointError> {
        self.0.put(name, bytes).map(|()| true)
    }
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
        self.0.get(name)
    }
    fn list(&self, folder: &str) -> Result<Vec<String>, CheckpointError> {
        self.0.list(folder)
    }
    fn delete(&self, name: &str) -> Result<(), CheckpointError> {
        self.0.delete(name)
    }
}

#[test]
fn a_storage_that_lets_several_win_is_refused_at_the_start() {
    let mut manager = Manager::new(&Arc::default());
    manager.records = LeaseRecords::new(Arc::new(Loose(MemoryStorage::default())));
    let stood = manager.candidate.stand(
        &SETTINGS,
        &manager.records,
        &manager.clock,
        &manager.standing,
        &|| false,
    );
    assert!(matches!(stood, Err(CheckpointError::NotExclusive { .. })));
}
