//! What librdkafka tells from threads of its own: ends of logs, and what goes wrong.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};
use rdkafka::statistics::Statistics;
use rdkafka::{ClientContext, TopicPartitionList};

use crate::kafka::error::KafkaError;

pub(super) type Partition = (String, i32);

/// What librdkafka tells from its own threads.
#[derive(Default)]
pub(super) struct Told {
    /// Ends of logs, as of its last statistics.
    pub ends: BTreeMap<Partition, i64>,
    /// What ends the job.
    pub failure: Option<KafkaError>,
}

/// See the [module](self).
pub(super) struct Context {
    pub read_committed: bool,
    /// Who is asked, for errors.
    pub brokers: String,
    /// Who asks: user and mechanism.
    pub who: Option<(String, &'static str)>,
    pub told: Mutex<Told>,
}

impl Context {
    pub fn told(&self) -> MutexGuard<'_, Told> {
        self.told
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl ClientContext for Context {
    fn stats(&self, statistics: Statistics) {
        let mut told = self.told();
        for (name, topic) in statistics.topics {
            for (partition, known) in topic.partitions {
                let end = match self.read_committed {
                    true => known.ls_offset,
                    false => known.hi_offset,
                };
                told.ends.insert((name.clone(), partition), end);
            }
        }
    }

    fn error(&self, error: ClientError, reason: &str) {
        let refused = matches!(
            error.rdkafka_error_code(),
            Some(Code::Authentication | Code::SSL)
        );
        if !refused {
            tracing::warn!("librdkafka: {reason}; trying again");
            return;
        }
        let what = match &self.who {
            Some((user, mechanism)) => format!("user '{user}' by {mechanism}: {reason}"),
            None => reason.to_owned(),
        };
        self.told().failure.get_or_insert(KafkaError::Security {
            broker: self.brokers.clone(),
            what,
        });
    }
}

impl ConsumerContext for Context {
    fn commit_callback(
        &self,
        result: rdkafka::error::KafkaResult<()>,
        _offsets: &TopicPartitionList,
    ) {
        if let Err(error) = result {
            tracing::warn!("committing offsets: {error}; the next are tried again");
        }
    }
}
