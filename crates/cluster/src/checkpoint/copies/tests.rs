//! A second place that is slow, broken, or used by somebody else meanwhile.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rheos_core::spawn::OsSpawner;

use super::*;
use crate::checkpoint::folder::FolderStorage;
use crate::checkpoint::manifest::{FORMAT, Manifest, OperatorManifest, Part};
use crate::checkpoint::memory::MemoryStorage;
use crate::checkpoint::store_files::StoreManifest;

/// The files of a checkpoint that has these shared ones too, each with its name for its bytes.
fn checkpoint(files: &dyn CheckpointStorage, number: u64, shared: &[&str]) -> CheckpointRecord {
    let path = format!("g1/chk-{number}");
    let shared = shared.iter().map(|name| {
        let name = format!("{SHARED}/{name}");
        files.put(&name, name.as_bytes()).unwrap();
        StoredFile {
            part: Part::of(&name, 0, name.as_bytes()),
            name,
            shared: true,
        }
    });
    let manifest = Manifest {
        format: FORMAT,
        job: "job".to_owned(),
        checkpoint: number,
        generation: 1,
        lineage: "l".to_owned(),
        triggered_at: 0,
        savepoint: false,
        run_millis: 0,
        width: None,
        operators: vec![OperatorManifest {
            id: "1".to_owned(),
            uid: "u".to_owned(),
            name: "n".to_owned(),
            has_state: true,
            enumerator: None,
            subtasks: Vec::new(),
            stores: vec![Some(StoreManifest {
                files: shared.collect(),
            })],
        }],
        tasks: Vec::new(),
    };
    let text = serde_json::to_vec(&manifest).unwrap();
    files
        .put(&format!("{path}/task-0000.0.snap"), b"state")
        .unwrap();
    files.put(&format!("{path}/{MANIFEST}"), &text).unwrap();
    CheckpointRecord {
        checkpoint: number,
        generation: 1,
        path,
        completed_at: 1_000 * number as i64,
    }
}

fn copying(from: &Arc<MemoryStorage>, to: &Arc<MemoryStorage>, retained: usize) -> Copying {
    Copying {
        from: from.clone(),
        to: CopySettings {
            location: Location::Folder("nowhere".into()),
            s3: S3Settings::default(),
        },
        open: Some(to.clone()),
        retained,
        there: BTreeSet::new(),
    }
}

#[test]
fn a_copy_is_whole_and_only_what_is_kept_stays() {
    let (from, to) = (Arc::<MemoryStorage>::default(), Arc::default());
    let mut copying = copying(&from, &to, 2);
    for (number, shared) in [
        (1, &["g1-000000", "g1-000001"][..]),
        (2, &["g1-000001", "g1-000002"]),
        (3, &["g1-000002"]),
    ] {
        let record = checkpoint(from.as_ref(), number, shared);
        copying.copy(&record).unwrap();
        assert_eq!(newest(to.as_ref()).unwrap(), Some(record.path));
    }
    let names = to.list("").unwrap();
    let expected = [
        "copies.json",
        "g1/chk-2/manifest.json",
        "g1/chk-2/task-0000.0.snap",
        "g1/chk-3/manifest.json",
        "g1/chk-3/task-0000.0.snap",
        "shared/g1-000001",
        "shared/g1-000002",
    ];
    assert_eq!(names, expected);
    for name in &names[1..] {
        assert_eq!(to.get(name).unwrap(), from.get(name).unwrap(), "{name}");
    }
}

#[test]
fn what_a_former_job_left_under_the_same_names_is_not_taken_for_a_copy() {
    let (from, to) = (Arc::<MemoryStorage>::default(), Arc::default());
    let record = checkpoint(from.as_ref(), 1, &["g1-000000"]);
    let left: &MemoryStorage = &to;
    left.put("shared/g1-000000", b"of another").unwrap();
    left.put("g1/chk-9/task-0000.0.snap", b"half a copy")
        .unwrap();
    left.put("g7/chk-1/manifest.json", b"of a newer generation")
        .unwrap();
    copying(&from, &to, 1).copy(&record).unwrap();
    let shared = to.get("shared/g1-000000").unwrap();
    assert_eq!(shared.as_deref(), Some(&b"shared/g1-000000"[..]));
    assert_eq!(to.get("g1/chk-9/task-0000.0.snap").unwrap(), None);
    assert!(to.get("g7/chk-1/manifest.json").unwrap().is_some());
}

#[test]
fn a_damaged_file_is_not_copied() {
    let (from, to) = (Arc::<MemoryStorage>::default(), Arc::default());
    let record = checkpoint(from.as_ref(), 1, &["g1-000000"]);
    from.put("shared/g1-000000", b"rotten").unwrap();
    let error = copying(&from, &to, 1).copy(&record).unwrap_err();
    assert!(error.to_string().contains("shared/g1-000000"), "{error}");
    assert_eq!(newest(to.as_ref()).unwrap(), None);
    assert_eq!(to.get("g1/chk-1/manifest.json").unwrap(), None);
}

/// The second place can't be written to at first: it is tried again, the newest comes, and what waits is
/// held in the first place.
#[test]
fn a_second_place_that_comes_back_gets_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("second");
    std::fs::write(&place, "in the way").unwrap();
    let from = Arc::<MemoryStorage>::default();
    let stats = CheckpointStats::default();
    let to = CopySettings {
        location: Location::Folder(place.clone()),
        s3: S3Settings::default(),
    };
    let spawner: SharedSpawner = Arc::new(OsSpawner);
    let copier = Copier::start(from.clone(), to, 1, &spawner, stats.clone()).unwrap();
    let counts = || stats.counts().unwrap().copies.unwrap();
    let wait = |done: &dyn Fn(CopyCounts) -> bool| {
        let shared = Shared::default();
        for _ in 0..2_000 {
            if done(counts()) {
                return;
            }
            shared.pause(Duration::from_millis(5));
        }
        panic!("{:?}", counts());
    };
    let first = checkpoint(from.as_ref(), 1, &[]);
    copier.completed(&first);
    wait(&|copies| copies.failed > 0);
    assert!(copier.holds(&first.path));
    let second = checkpoint(from.as_ref(), 2, &[]);
    copier.completed(&second);
    assert!(copier.holds(&second.path) && !copier.holds(&first.path));
    assert_eq!((counts().behind, counts().completed), (2, 0));
    std::fs::remove_file(&place).unwrap();
    wait(&|copies| copies.completed == 1);
    assert_eq!((counts().behind, counts().last), (0, Some((2, 2_000))));
    assert!(!copier.holds(&second.path));
    // What is complete when the job ends is copied before it has ended.
    copier.completed(&checkpoint(from.as_ref(), 3, &[]));
    drop(copier);
    let there = FolderStorage::new(&place);
    assert_eq!(newest(&there).unwrap().as_deref(), Some("g1/chk-3"));
}
