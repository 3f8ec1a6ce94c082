//! Files as objects of a bucket, below a prefix.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::{
    BackoffConfig, Error, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload, RetryConfig,
    WriteMultipart,
};
use tokio::runtime::{Builder, Runtime};

use super::client::Connector;
use super::race;
use super::settings::S3Settings;
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::storage::CheckpointStorage;

/// More is sent in parts.
const WHOLE: usize = 16 << 20;
/// A part.
const PART: usize = 8 << 20;
/// Parts on their way at one time.
const PARTS: usize = 4;
/// How long requests are sent again: a server that is back by then is not noticed.
const PATIENCE: Duration = Duration::from_secs(60);
/// And at the start, where a wrong address is more likely.
const PATIENCE_AT_START: Duration = Duration::from_secs(10);

/// See the [module](super).
pub struct S3Storage {
    store: Arc<dyn ObjectStore>,
    /// The same, asked with less patience.
    hasty: Arc<dyn ObjectStore>,
    bucket: String,
    prefix: Path,
    /// How long a request is waited for, if it is not sent again.
    limit: Option<Duration>,
    /// Sends the requests, whatever thread calls. Always there until it is dropped.
    runtime: Option<Runtime>,
}

impl S3Storage {
    /// A bucket, and what keys in it begin with. With a limit each request is sent once, and given up
    /// after that.
    ///
    /// # Errors
    /// If the settings can't be used; the store is not asked yet.
    pub fn connect(
        bucket: &str,
        prefix: &str,
        settings: &S3Settings,
        limit: Option<Duration>,
    ) -> Result<Self, CheckpointError> {
        let build = |patience: Duration| -> Result<Arc<dyn ObjectStore>, CheckpointError> {
            let store = builder(bucket, settings, patience).build();
            let store = store.map_err(|error| {
                CheckpointError::Setting(format!("s3://{bucket} can't be used: {error}"))
            })?;
            Ok(Arc::new(store))
        };
        let mut storage = Self::over(
            build(limit.unwrap_or(PATIENCE))?,
            build(PATIENCE_AT_START)?,
            (bucket, prefix),
        )?;
        storage.limit = limit;
        Ok(storage)
    }

    /// The same over any store.
    pub(super) fn over(
        store: Arc<dyn ObjectStore>,
        hasty: Arc<dyn ObjectStore>,
        (bucket, prefix): (&str, &str),
    ) -> Result<Self, CheckpointError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("rheos-s3")
            .enable_all()
            .build()
            .map_err(|error| CheckpointError::Storage {
                location: format!("s3://{bucket}"),
                what: "starting a thread for",
                name: prefix.to_owned(),
                error,
            })?;
        Ok(Self {
            store,
            hasty,
            bucket: bucket.to_owned(),
            prefix: Path::from(prefix),
            limit: None,
            runtime: Some(runtime),
        })
    }

    /// The key of a file. A name may begin with `..`, where a checkpoint was named by its own folder.
    fn key(&self, name: &str) -> Path {
        let mut parts: Vec<_> = self.prefix.parts().collect();
        for part in name.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                part => parts.push(part.into()),
            }
        }
        parts.into_iter().collect()
    }

    /// Lets the runtime do something, and waits for it: also where the caller is on a runtime itself.
    fn wait<T: Send + 'static>(
        &self,
        what: &'static str,
        key: &Path,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, CheckpointError> {
        self.wait_within(self.limit, what, key, work)
    }

    fn wait_within<T: Send + 'static>(
        &self,
        limit: Option<Duration>,
        what: &'static str,
        key: &Path,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, CheckpointError> {
        let (give, take) = sync_channel(1);
        let Some(runtime) = &self.runtime else {
            return Err(self.failed(what, key, "the process ends".to_owned(), ""));
        };
        runtime.spawn(async move {
            let done = match limit {
                Some(limit) => tokio::time::timeout(limit, work).await.map_err(|_| limit),
                None => Ok(work.await),
            };
            // Who waits is there until it has this.
            let _ = give.send(done);
        });
        match take.recv() {
            Ok(Ok(Ok(done))) => Ok(done),
            Ok(Ok(Err(error))) => Err(self.told(what, key, &error)),
            Ok(Err(limit)) => {
                let problem = format!("no answer within {} ms", limit.as_millis());
                Err(self.failed(what, key, problem, "check that the store can be reached"))
            }
            Err(_) => Err(self.failed(what, key, "the request came to no end".to_owned(), "")),
        }
    }

    fn failed(
        &self,
        what: &'static str,
        key: &Path,
        problem: String,
        remedy: &'static str,
    ) -> CheckpointError {
        CheckpointError::ObjectStore {
            bucket: self.bucket.clone(),
            key: key.to_string(),
            what,
            problem,
            remedy,
        }
    }

    /// An error, with what there is to do about it.
    fn told(&self, what: &'static str, key: &Path, error: &Error) -> CheckpointError {
        let text = error.to_string();
        let remedy = match error {
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                "check s3.access-key and s3.secret-key, and that they may read, write, list and \
                 delete there"
            }
            _ if text.contains("NoSuchBucket") => "make the bucket, or name another",
            _ if text.contains("InvalidAccessKeyId") || text.contains("SignatureDoesNotMatch") => {
                "check s3.access-key and s3.secret-key"
            }
            _ if text.contains("PermanentRedirect") || text.contains("region") => {
                "set s3.endpoint.region to the bucket's region"
            }
            Error::NotImplemented { .. } | Error::NotSupported { .. } => {
                "the store can't do this: use another one, or a folder"
            }
            _ => "check that s3.endpoint is right and the store can be reached",
        };
        self.failed(what, key, one_line(&text), remedy)
    }
}

/// The answers of stores are documents of many lines.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

fn builder(bucket: &str, settings: &S3Settings, patience: Duration) -> AmazonS3Builder {
    // What the environment says (AWS_…) counts where the settings say nothing.
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_http_connector(Connector)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(3),
                base: 2.0,
            },
            max_retries: 1000,
            retry_timeout: patience,
        });
    let path_style = settings.path_style.unwrap_or(settings.endpoint.is_some());
    builder = builder.with_virtual_hosted_style_request(!path_style);
    if let Some(endpoint) = &settings.endpoint {
        // As Flink takes it: with the protocol, or without for TLS.
        let endpoint = match endpoint.contains("://") {
            true => endpoint.clone(),
            false => format!("https://{endpoint}"),
        };
        builder = builder
            .with_allow_http(endpoint.starts_with("http://"))
            .with_endpoint(endpoint);
    }
    if let Some(region) = &settings.region {
        builder = builder.with_region(region);
    }
    if let (Some(access), Some(secret)) = (&settings.access_key, &settings.secret_key) {
        builder = builder
            .with_access_key_id(access)
            .with_secret_access_key(secret);
    }
    builder
}

impl Drop for S3Storage {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Nothing waits for it; and a runtime must not be waited for on another's thread.
            runtime.shutdown_background();
        }
    }
}

impl CheckpointStorage for S3Storage {
    fn location(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix)
            .trim_end_matches('/')
            .to_owned()
    }

    fn check_exclusive(&self) -> Result<(), CheckpointError> {
        let drawn = RandomState::new().hash_one(std::process::id());
        let folder = self.key(&format!("start-up-check-{drawn:016x}"));
        let (store, place) = (self.hasty.clone(), folder.clone());
        let tried = async move { race::try_store(&store, &place).await };
        match self.wait_within(None, "trying", &folder, tried)? {
            None => Ok(()),
            Some(loose) => Err(CheckpointError::NotExclusive {
                location: self.location(),
                loose: loose.to_string(),
            }),
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), CheckpointError> {
        let key = self.key(name);
        let (store, to) = (self.store.clone(), key.clone());
        let bytes = bytes.to_vec();
        let work = async move {
            if bytes.len() <= WHOLE {
                store.put(&to, PutPayload::from(bytes)).await?;
                return Ok(());
            }
            let upload = store.put_multipart(&to).await?;
            let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
            for part in bytes.chunks(PART) {
                if let Err(error) = upload.wait_for_capacity(PARTS).await {
                    // The parts that are there would be paid for until somebody looks.
                    if let Err(also) = upload.abort().await {
                        tracing::warn!("the parts of an upload to {to} stay behind: {also}");
                    }
                    return Err(error);
                }
                upload.write(part);
            }
            // What fails is aborted by it.
            upload.finish().await?;
            Ok(())
        };
        self.wait("writing", &key, work)
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<bool, CheckpointError> {
        let key = self.key(name);
        let (store, to) = (self.store.clone(), key.clone());
        let payload = PutPayload::from(bytes.to_vec());
        let work = async move {
            match store.put_opts(&to, payload, PutMode::Create.into()).await {
                Ok(_) => Ok(true),
                Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(false),
                Err(error) => Err(error),
            }
        };
        self.wait("creating", &key, work)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
        let key = self.key(name);
        let (store, from) = (self.store.clone(), key.clone());
        let work = async move {
            match store.get(&from).await {
                Ok(found) => Ok(Some(Vec::from(found.bytes().await?))),
                // That the bucket is missing is another matter than that the object is.
                Err(Error::NotFound { source, .. })
                    if !source.to_string().contains("NoSuchBucket") =>
                {
                    Ok(None)
                }
                Err(error) => Err(error),
            }
        };
        self.wait("reading", &key, work)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, CheckpointError> {
        let key = self.key(folder);
        let (store, from) = (self.store.clone(), key.clone());
        let work = async move {
            let found: Vec<_> = store.list(Some(&from)).try_collect().await?;
            Ok(found)
        };
        let prefix = match self.prefix.as_ref() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let found = self.wait("listing", &key, work)?;
        let names = found.iter().map(|object| object.location.as_ref());
        let mut names: Vec<String> = names
            .filter_map(|name| name.strip_prefix(&prefix))
            .map(str::to_owned)
            .collect();
        names.sort();
        Ok(names)
    }

    fn delete(&self, name: &str) -> Result<(), CheckpointError> {
        let key = self.key(name);
        let (store, what) = (self.store.clone(), key.clone());
        let work = async move {
            match store.delete(&what).await {
                Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(error),
            }
        };
        self.wait("deleting", &key, work)
    }
}
