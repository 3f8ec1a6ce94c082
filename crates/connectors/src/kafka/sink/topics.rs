//! What has to be known of topics before records can be put into batches for them: asked for on the I/O
//! threads, once a topic.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use rheos_runtime::error::BoxError;
use rheos_runtime::task::signal::Signal;

use crate::awaited::Awaited;
use crate::kafka::error::KafkaError;

/// The topics of one subtask, with what is known of each.
pub(super) struct Topics<K> {
    known: BTreeMap<Arc<str>, K>,
    asked: BTreeMap<String, Awaited<Result<K, KafkaError>>>,
    io: tokio::runtime::Handle,
    signal: Arc<Signal>,
}

impl<K: Copy + Send + 'static> Topics<K> {
    pub fn new(io: tokio::runtime::Handle, signal: Arc<Signal>) -> Self {
        Self {
            known: BTreeMap::new(),
            asked: BTreeMap::new(),
            io,
            signal,
        }
    }

    /// A topic, asked for by `question` the first time; none until there is an answer.
    pub fn get<Q>(
        &mut self,
        name: &str,
        question: impl FnOnce(String) -> Q,
    ) -> Result<Option<(Arc<str>, K)>, BoxError>
    where
        Q: Future<Output = Result<K, KafkaError>> + Send + 'static,
    {
        if let Some((topic, known)) = self.known.get_key_value(name) {
            return Ok(Some((topic.clone(), *known)));
        }
        let asked = match self.asked.remove(name) {
            None => {
                let question = question(name.to_owned());
                Err(Awaited::ask(&self.io, self.signal.clone(), question))
            }
            Some(asked) => asked.take()?,
        };
        match asked {
            Ok(known) => {
                let (topic, known): (Arc<str>, K) = (name.into(), known?);
                self.known.insert(topic.clone(), known);
                Ok(Some((topic, known)))
            }
            Err(asked) => {
                self.asked.insert(name.to_owned(), asked);
                Ok(None)
            }
        }
    }

    /// Whether all that was asked has been answered.
    pub fn is_ready(&self) -> bool {
        self.asked.values().all(Awaited::is_there)
    }
}
