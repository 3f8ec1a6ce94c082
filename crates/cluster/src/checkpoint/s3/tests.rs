//! Against a store in memory, a loose one, and the real server.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fmt;
use std::io::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};

use super::{S3Settings, S3Storage};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::log::{CheckpointRecord, JobLog, Record};
use crate::checkpoint::storage::CheckpointStorage;

/// A store that creates what is there already: always, or only in a race.
#[derive(Debug)]
struct LooseStore {
    inner: InMemory,
    looks_first: bool,
}

impl fmt::Display for LooseStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a loose store")
    }
}

#[async_trait]
impl ObjectStore for LooseStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        if options.mode == PutMode::Create && self.looks_first {
            if self.inner.head(location).await.is_ok() {
                return Err(Error::AlreadyExists {
                    path: location.to_string(),
                    source: "it is there".into(),
                });
            }
            tokio::task::yield_now().await;
        }
        self.inner.put(location, payload).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn over(store: impl ObjectStore, prefix: &str) -> S3Storage {
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    S3Storage::over(store.clone(), store, ("bucket", prefix)).unwrap()
}

/// Where the real server is, or the test is skipped.
fn server() -> Option<(S3Settings, String)> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let Some(endpoint) = variable("RHEOS_S3") else {
        let test = std::thread::current()
            .name()
            .unwrap_or("unnamed")
            .to_owned();
        assert!(
            std::env::var("RHEOS_REQUIRE_SERVICES").as_deref() != Ok("1"),
            "{test} needs RHEOS_S3, and RHEOS_REQUIRE_SERVICES=1 forbids to skip it"
        );
        let line = format!("skipped test {test}: RHEOS_S3 is not set, see `scripts/services`\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return None;
    };
    let settings = S3Settings {
        endpoint: Some(endpoint),
        access_key: variable("RHEOS_S3_ACCESS_KEY"),
        secret_key: variable("RHEOS_S3_SECRET_KEY"),
        path_style: None,
        region: None,
    };
    Some((settings, variable("RHEOS_S3_BUCKET").unwrap()))
}

/// A prefix that no other run uses.
fn unique() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("unit/{:016x}", RandomState::new().hash_one(1))
}

fn check(storage: &dyn CheckpointStorage) {
    assert_eq!(storage.get("a/x").unwrap(), None);
    assert_eq!(storage.list("").unwrap(), [""; 0]);
    storage.put("a/x", b"one").unwrap();
    storage.put("a/x", b"two").unwrap();
    storage.put("a/b/y", b"").unwrap();
    storage.put("ab/z", b"three").unwrap();
    assert_eq!(storage.get("a/x").unwrap().as_deref(), Some(&b"two"[..]));
    assert_eq!(
        storage.get("../up/a/../a/x").unwrap().as_deref(),
        None,
        "another prefix"
    );
    assert_eq!(storage.get("a/b/y").unwrap().as_deref(), Some(&b""[..]));
    assert_eq!(storage.list("").unwrap(), ["a/b/y", "a/x", "ab/z"]);
    assert_eq!(storage.list("a").unwrap(), ["a/b/y", "a/x"]);
    assert!(!storage.put_if_absent("a/x", b"three").unwrap());
    assert!(storage.put_if_absent("a/n", b"new").unwrap());
    assert_eq!(storage.get("a/x").unwrap().as_deref(), Some(&b"two"[..]));
    // In parts.
    let large: Vec<u8> = (0..17u32 << 20).map(|k| (k % 251) as u8).collect();
    storage.put("large", &large).unwrap();
    assert!(storage.get("large").unwrap().unwrap() == large);
    for name in ["a/x", "a/b/y", "ab/z", "a/n", "large", "never"] {
        storage.delete(name).unwrap();
    }
    assert_eq!(storage.list("").unwrap(), [""; 0]);
}

#[test]
fn files_are_written_read_listed_and_deleted() {
    check(&over(InMemory::new(), "jobs/here"));
    check(&over(InMemory::new(), ""));
}

#[test]
fn a_checkpoint_named_by_its_own_folder_finds_the_files_of_its_job() {
    let storage = over(InMemory::new(), "store/job/g1/chk-2");
    storage.put("../../shared/g1-000000", b"file").unwrap();
    storage.put("manifest.json", b"{}").unwrap();
    let found = storage.get("../../shared/g1-000000").unwrap();
    assert_eq!(found.as_deref(), Some(&b"file"[..]));
    assert_eq!(storage.list("").unwrap(), ["manifest.json"]);
}

#[test]
fn a_store_that_lets_several_win_is_refused() {
    over(InMemory::new(), "p").check_exclusive().unwrap();
    for (looks_first, said) in [
        (false, "it let an object be created that was there already"),
        (true, "of 32 writers create the same object at one time"),
    ] {
        let loose = LooseStore {
            inner: InMemory::new(),
            looks_first,
        };
        let storage = over(loose, "p");
        let error = storage.check_exclusive().unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert!(error.starts_with("s3://bucket/p can't hold"), "{error}");
        assert_eq!(storage.list("").unwrap(), [""; 0], "nothing stays behind");
    }
}

#[test]
fn the_real_server_keeps_files_and_lets_one_win() {
    let Some((settings, bucket)) = server() else {
        return;
    };
    let storage = S3Storage::connect(&bucket, &unique(), &settings, None).unwrap();
    storage.check_exclusive().unwrap();
    check(&storage);
}

#[test]
fn who_was_thought_dead_completes_no_checkpoint_on_the_real_server() {
    let Some((settings, bucket)) = server() else {
        return;
    };
    let storage = S3Storage::connect(&bucket, &unique(), &settings, None).unwrap();
    let storage: Arc<dyn CheckpointStorage> = Arc::new(storage);
    let generation = |generation: u64| Record::Generation {
        generation,
        owner: format!("process {generation}"),
        lineage: "l".to_owned(),
        from: None,
        at: 0,
    };
    let checkpoint = |generation: u64, checkpoint: u64| {
        Record::Checkpoint(CheckpointRecord {
            checkpoint,
            generation,
            path: format!("g{generation}/chk-{checkpoint}"),
            completed_at: 0,
        })
    };
    let mut old = JobLog::read(storage.clone()).unwrap();
    old.append(generation(1)).unwrap();
    let mut new = JobLog::read(storage.clone()).unwrap();
    new.append(generation(2)).unwrap();
    let refused = old.append(checkpoint(1, 1)).unwrap_err();
    assert!(
        matches!(refused, CheckpointError::Superseded { own: 1, newer: 2 }),
        "{refused}"
    );
    new.append(checkpoint(2, 1)).unwrap();
    let read = JobLog::read(storage).unwrap();
    let generations: Vec<u64> = read.checkpoints().map(|record| record.generation).collect();
    assert_eq!(generations, [2]);
}

#[test]
fn errors_of_the_real_server_say_bucket_key_and_remedy_and_no_secret() {
    let Some((settings, bucket)) = server() else {
        return;
    };
    let wrong = S3Settings {
        secret_key: Some("not-the-secret-but-one".to_owned()),
        ..settings.clone()
    };
    let storage = S3Storage::connect(&bucket, "p", &wrong, None).unwrap();
    let error = storage.put("file", b"x").unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("s3://{bucket}/p/file: ")),
        "{error}"
    );
    assert!(error.contains("s3.secret-key"), "{error}");
    assert!(!error.contains("not-the-secret"), "{error}");
    assert!(!format!("{wrong:?}").contains("not-the-secret"));
    let storage = S3Storage::connect("no-such-bucket", "p", &settings, None).unwrap();
    for error in [
        storage.put("file", b"x").unwrap_err(),
        storage.get("file").unwrap_err(),
        storage.list("").unwrap_err(),
    ] {
        let error = error.to_string();
        assert!(error.contains("s3://no-such-bucket/p"), "{error}");
        assert!(error.contains("make the bucket"), "{error}");
    }
}
