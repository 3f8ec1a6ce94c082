//! Whether a store lets one of several writers create an object, found out by letting them race. A
//! store may answer each question alone rightly and still let several win at one time.

use std::sync::Arc;

use futures_util::future::join_all;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload};

/// Rounds of the race, each for an object of its own.
const ROUNDS: usize = 10;
/// Writers of a round.
const WRITERS: usize = 32;

/// How a store fails to do so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Loose {
    /// It writes over what is there.
    #[error("it let an object be created that was there already")]
    Ignores,
    /// It is right only while nobody else asks.
    #[error("it let {winners} of {WRITERS} writers create the same object at one time")]
    Races {
        /// How many succeeded.
        winners: usize,
    },
}

async fn create(store: &dyn ObjectStore, key: &Path, bytes: String) -> Result<bool, Error> {
    let payload = PutPayload::from(bytes.into_bytes());
    match store.put_opts(key, payload, PutMode::Create.into()).await {
        Ok(_) => Ok(true),
        Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Tries a store, with objects in a folder that is nobody else's.
///
/// # Errors
/// If the store can't be asked.
pub(super) async fn try_store(
    store: &Arc<dyn ObjectStore>,
    folder: &Path,
) -> Result<Option<Loose>, Error> {
    let key_of = |round: usize| folder.clone().join(format!("{round}"));
    let found = run(store, &key_of).await;
    for round in 0..=ROUNDS {
        match store.delete(&key_of(round)).await {
            Ok(()) | Err(Error::NotFound { .. }) => {}
            Err(error) => tracing::warn!("an object of the start-up check stays behind: {error}"),
        }
    }
    found
}

async fn run(
    store: &Arc<dyn ObjectStore>,
    key_of: &impl Fn(usize) -> Path,
) -> Result<Option<Loose>, Error> {
    let alone = key_of(0);
    create(store.as_ref(), &alone, "first".to_owned()).await?;
    if create(store.as_ref(), &alone, "second".to_owned()).await? {
        return Ok(Some(Loose::Ignores));
    }
    for round in 1..=ROUNDS {
        let key = key_of(round);
        let writers = (0..WRITERS).map(|writer| create(store.as_ref(), &key, writer.to_string()));
        let mut winners = 0;
        for won in join_all(writers).await {
            winners += usize::from(won?);
        }
        // None: the winner's answer was lost, and asked again it heard that the object is there.
        if winners > 1 {
            return Ok(Some(Loose::Races { winners }));
        }
    }
    Ok(None)
}
