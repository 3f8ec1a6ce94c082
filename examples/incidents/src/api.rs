//! An HTTP API with a limit: it answers so many questions a second, refuses the rest with status 429,
//! counts refused ones too, as many an API does, and is slower the more are under way.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use rheos::core::clock::SharedClock;
use rheos::prelude::BoxError;

/// How long an answer takes, and how much longer for each question that is under way beside it.
const LATENCY: Duration = Duration::from_millis(10);
const LATENCY_EACH: Duration = Duration::from_micros(200);
/// What the limit is counted over, in microseconds.
const SECOND: i64 = 1_000_000;

/// What the API is like, and what it has done.
pub struct Api {
    clock: SharedClock,
    limit: AtomicU64,
    asked: Mutex<VecDeque<i64>>,
    under_way: AtomicU64,
    answered: AtomicU64,
    refused: AtomicU64,
}

impl Api {
    /// An API that answers so many questions a second.
    pub fn new(clock: SharedClock, limit: u64) -> Arc<Self> {
        Arc::new(Self {
            clock,
            limit: AtomicU64::new(limit),
            asked: Mutex::default(),
            under_way: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        })
    }

    /// From now on so many.
    pub fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Questions that were answered, and that were refused.
    pub fn counts(&self) -> (u64, u64) {
        (
            self.answered.load(Ordering::Relaxed),
            self.refused.load(Ordering::Relaxed),
        )
    }

    /// Whether one more is within the limit; refused ones count.
    fn admits(&self) -> bool {
        let now = self.clock.monotonic_micros();
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        while asked.front().is_some_and(|at| now - at >= SECOND) {
            asked.pop_front();
        }
        asked.push_back(now);
        asked.len() as u64 <= self.limit.load(Ordering::Relaxed)
    }

    async fn answer(self: Arc<Self>) -> Result<Response<Full<Bytes>>, Infallible> {
        let beside = self.under_way.fetch_add(1, Ordering::Relaxed);
        let admitted = self.admits();
        let more = LATENCY_EACH.saturating_mul(u32::try_from(beside).unwrap_or(u32::MAX));
        #[allow(clippy::disallowed_methods, reason = "no job: the API takes its time")]
        tokio::time::sleep(LATENCY.saturating_add(more)).await;
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        let counter = if admitted {
            &self.answered
        } else {
            &self.refused
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let mut response = Response::new(Full::new(Bytes::from_static(b"{\"score\":1}")));
        if !admitted {
            *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        }
        Ok(response)
    }

    /// Serves on a port of its own, until the runtime ends; where.
    ///
    /// # Errors
    /// If there is no port.
    pub async fn serve(self: &Arc<Self>) -> Result<SocketAddr, BoxError> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let api = self.clone();
        let accepting = async move {
            while let Ok((stream, _)) = listener.accept().await {
                let api = api.clone();
                let service = service_fn(move |_request| api.clone().answer());
                let serving = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::runtime::Handle::current().spawn(serving);
            }
        };
        tokio::runtime::Handle::current().spawn(accepting);
        Ok(address)
    }
}
