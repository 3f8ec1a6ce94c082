//! A TaskManager's side of a control plane: its connection, and the thread that is told of it.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use super::link::Connector;
use super::outbox::Outbox;
use super::service::{Plane, attach};
use super::settings::RemoteSettings;

/// What has come over a connection.
pub enum News<O> {
    /// An order.
    Order(O),
    /// The JobManager is gone: why.
    Lost(String),
}

/// What waits for a thread.
pub struct Inbox<M> {
    queue: Mutex<VecDeque<M>>,
    arrived: Condvar,
}

impl<M> Default for Inbox<M> {
    fn default() -> Self {
        Self {
            queue: Mutex::default(),
            arrived: Condvar::new(),
        }
    }
}

impl<M> Inbox<M> {
    fn lock(&self) -> MutexGuard<'_, VecDeque<M>> {
        self.queue
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Puts one in.
    pub fn put(&self, message: M) {
        self.lock().push_back(message);
        self.arrived.notify_one();
    }

    /// The next one; none if none comes for so long.
    pub fn next(&self, timeout: Duration) -> Option<M> {
        let waited = self
            .arrived
            .wait_timeout_while(self.lock(), timeout, |queue| queue.is_empty());
        let (mut queue, _) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        queue.pop_front()
    }
}

/// Carries messages between a TaskManager's thread and the JobManager at `address`, and gives signs of
/// life; a JobManager that is silent for too long is lost.
pub async fn talk<P: Plane>(
    address: String,
    outbox: Outbox<P::Report>,
    put: impl Fn(News<P::Order>) + Send,
    settings: RemoteSettings,
) {
    let silence = settings.timeout;
    let lost = |reason: String| put(News::Lost(reason));
    let endpoint = match tonic::transport::Endpoint::from_shared(address) {
        Ok(endpoint) => endpoint,
        Err(error) => return lost(error.to_string()),
    };
    let connector = Connector {
        security: settings.security,
    };
    let connecting = endpoint.connect_with_connector(connector);
    let channel = match tokio::time::timeout(silence, connecting).await {
        Ok(Ok(channel)) => channel,
        Ok(Err(error)) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            return lost(cause.unwrap_or_else(|| error.to_string()));
        }
        Err(_) => return lost(format!("no answer within {} s", silence.as_secs_f32())),
    };
    // One that is stopped takes the connection and never answers.
    let attached = tokio::time::timeout(silence, attach::<P>(channel, outbox.clone())).await;
    let mut orders = match attached {
        Ok(Ok(orders)) => orders,
        Ok(Err(status)) => return lost(status.message().to_owned()),
        Err(_) => return lost(format!("no answer within {} s", silence.as_secs_f32())),
    };
    let mut ticks = tokio::time::interval(settings.heartbeat);
    let mut deadline = tokio::time::Instant::now() + silence;
    loop {
        tokio::select! {
            order = orders.message() => match order {
                Ok(Some(order)) => {
                    deadline = tokio::time::Instant::now() + silence;
                    put(News::Order(order));
                }
                Ok(None) => return lost("it has ended".to_owned()),
                Err(status) => return lost(status.message().to_owned()),
            },
            _ = ticks.tick() => outbox.put(P::alive()),
            () = tokio::time::sleep_until(deadline) => {
                return lost(format!("it has not been heard of for {} s", silence.as_secs_f32()));
            }
        }
    }
}
