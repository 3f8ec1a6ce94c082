//! Logs of several processes over one storage, which does not always answer.

use super::*;
use crate::checkpoint::memory::MemoryStorage;

fn generation(generation: u64, owner: &str) -> Record {
    Record::Generation {
        generation,
        owner: owner.to_owned(),
        lineage: "l".to_owned(),
        from: None,
        at: 0,
    }
}

fn checkpoint(generation: u64, checkpoint: u64) -> Record {
    Record::Checkpoint(CheckpointRecord {
        checkpoint,
        generation,
        path: format!("g{generation}/chk-{checkpoint}"),
        completed_at: 0,
    })
}

#[test]
fn who_was_thought_dead_completes_no_checkpoint() {
    let storage: Arc<dyn CheckpointStorage> = Arc::new(MemoryStorage::default());
    let mut old = JobLog::read(storage.clone()).unwrap();
    old.append(generation(1, "a")).unwrap();
    old.append(checkpoint(1, 1)).unwrap();
    let mut new = JobLog::read(storage.clone()).unwrap();
    assert_eq!(new.generation(), 1);
    new.append(generation(2, "b")).unwrap();
    new.append(checkpoint(2, 2)).unwrap();
    new.append(checkpoint(2, 3)).unwrap();
    new.forget(|record| record.checkpoint < 3).unwrap();
    let refused = old.append(checkpoint(1, 2)).unwrap_err();
    assert!(matches!(
        refused,
        CheckpointError::Superseded { own: 1, newer: 2 }
    ));
    let read = JobLog::read(storage).unwrap();
    let numbers: Vec<u64> = read.checkpoints().map(|record| record.checkpoint).collect();
    assert_eq!(numbers, [3]);
}

/// Has its effect, and gives no answer, while it is told to.
struct Silent(MemoryStorage, std::sync::atomic::AtomicBool);

impl Silent {
    fn answer<T>(&self, done: T) -> Result<T, CheckpointError> {
        match self.1.load(std::sync::atomic::Ordering::Relaxed) {
            false => Ok(done),
            true => Err(CheckpointError::Storage {
                location: "here".to_owned(),
                what: "asking",
                name: "it".to_owned(),
                error: std::io::ErrorKind::TimedOut.into(),
            }),
        }
    }
}

impl CheckpointStorage for Silent {
    fn location(&self) -> String {
        self.0.location()
    }
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), CheckpointError> {
        self.0.put(name, bytes).and_then(|()| self.answer(()))
    }
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<bool, CheckpointError> {
        let done = self.0.put_if_absent(name, bytes)?;
        self.answer(done)
    }
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
        self.0.get(name).and_then(|bytes| self.answer(bytes))
    }
    fn list(&self, folder: &str) -> Result<Vec<String>, CheckpointError> {
        self.0.list(folder).and_then(|names| self.answer(names))
    }
    fn delete(&self, name: &str) -> Result<(), CheckpointError> {
        // Without an answer it has no effect: those are the hard ones here.
        self.answer(())?;
        self.0.delete(name)
    }
}

#[test]
fn a_record_without_an_answer_is_found_in_its_place() {
    let silent = Arc::new(Silent(MemoryStorage::default(), false.into()));
    let hush = |on: bool| silent.1.store(on, std::sync::atomic::Ordering::Relaxed);
    let mut log = JobLog::read(silent.clone()).unwrap();
    hush(true);
    log.append(generation(1, "a")).unwrap_err();
    hush(false);
    log.append(generation(1, "a")).unwrap();
    hush(true);
    log.append(checkpoint(1, 1)).unwrap_err();
    hush(false);
    log.append(checkpoint(1, 2)).unwrap();
    let numbers = |log: &JobLog| -> Vec<u64> {
        let checkpoints = log.checkpoints();
        checkpoints.map(|record| record.checkpoint).collect()
    };
    assert_eq!(numbers(&log), [1, 2], "the first had been written");
    // A record that can't be deleted stays, and so do those behind it.
    hush(true);
    log.forget(|record| record.checkpoint == 1).unwrap_err();
    hush(false);
    assert_eq!(numbers(&log), [1, 2]);
    log.append(checkpoint(1, 3)).unwrap();
    log.forget(|record| record.checkpoint < 3).unwrap();
    assert_eq!(numbers(&JobLog::read(silent.clone()).unwrap()), [3]);
}

#[test]
fn of_two_that_begin_a_generation_one_does() {
    let storage: Arc<dyn CheckpointStorage> = Arc::new(MemoryStorage::default());
    let mut one = JobLog::read(storage.clone()).unwrap();
    let mut other = JobLog::read(storage).unwrap();
    one.append(generation(1, "a")).unwrap();
    assert!(other.append(generation(1, "b")).is_err());
    other.append(generation(2, "b")).unwrap();
    assert!(one.append(checkpoint(1, 1)).is_err());
}

#[test]
fn whose_record_was_gone_on_from_and_deleted_finds_that_its_place_is_not_the_end() {
    for second in [checkpoint(1, 3), generation(2, "a")] {
        let silent = Arc::new(Silent(MemoryStorage::default(), false.into()));
        let hush = |on: bool| silent.1.store(on, std::sync::atomic::Ordering::Relaxed);
        let mut old = JobLog::read(silent.clone()).unwrap();
        old.append(generation(1, "a")).unwrap();
        old.append(checkpoint(1, 1)).unwrap();
        hush(true);
        old.append(checkpoint(1, 2)).unwrap_err();
        hush(false);
        // It is there, and another goes on from it; the older ones go.
        let mut new = JobLog::read(silent.clone()).unwrap();
        assert_eq!(new.highest(), 2);
        assert!(new.claim(&generation(2, "b")).unwrap());
        new.append(checkpoint(2, 3)).unwrap();
        new.forget(|record| record.checkpoint < 3).unwrap();
        let refused = old.append(second).unwrap_err();
        assert!(
            matches!(refused, CheckpointError::Superseded { newer: 2, .. }),
            "{refused}"
        );
        new.append(checkpoint(2, 4)).unwrap();
        let newest = JobLog::read(silent).unwrap();
        assert_eq!(newest.checkpoints().next_back().unwrap().checkpoint, 4);
    }
}
