//! The system outside of these tests: requests lie on a desk until the test answers them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rheos::harness::{Harness, HarnessError, TestInput, TestJob, TestOutput};
use rheos::prelude::*;
use rheos::runtime::metrics::async_io::AsyncIoMetrics;
use tokio::sync::oneshot;

type Answer = Result<Vec<i64>, BoxError>;

/// Requests that wait for an answer, by row; and every row that was ever asked about, in order.
#[derive(Clone, Default)]
pub struct Desk {
    waiting: Arc<Mutex<BTreeMap<i64, oneshot::Sender<Answer>>>>,
    asked: Arc<Mutex<Vec<i64>>>,
}

impl Desk {
    /// The future that the desk's answer completes.
    pub fn ask(&self, row: i64) -> impl Future<Output = Answer> + Send + use<> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().unwrap().insert(row, sender);
        self.asked.lock().unwrap().push(row);
        async move { receiver.await? }
    }

    /// Answers a request; false if nobody waits for it.
    pub fn answer(&self, row: i64, results: &[i64]) -> bool {
        self.send(row, Ok(results.to_vec()))
    }

    /// Refuses a request.
    pub fn refuse(&self, row: i64) -> bool {
        self.send(row, Err("refused".into()))
    }

    fn send(&self, row: i64, answer: Answer) -> bool {
        let sender = self.waiting.lock().unwrap().remove(&row);
        sender.is_some_and(|sender| sender.send(answer).is_ok())
    }

    /// Rows asked about since the last call.
    pub fn take_asked(&self) -> Vec<i64> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

/// A job of one asynchronous operator, "ask", between an input and an output.
pub struct Scene {
    pub io: tokio::runtime::Runtime,
    pub desk: Desk,
    pub input: TestInput<i64>,
    pub output: TestOutput<i64>,
    pub job: TestJob,
}

pub fn io() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

impl Scene {
    pub fn ordered(options: AsyncOptions<i64, i64>) -> Self {
        let desk = Desk::default();
        let asked = desk.clone();
        Self::of(desk, |stream| {
            stream.async_wait_ordered(move |row| asked.ask(row), options)
        })
    }

    pub fn unordered(options: AsyncOptions<i64, i64>) -> Self {
        let desk = Desk::default();
        let asked = desk.clone();
        Self::of(desk, |stream| {
            stream.async_wait_unordered(move |row| asked.ask(row), options)
        })
    }

    pub fn of(desk: Desk, ask: impl FnOnce(&DataStream<i64>) -> DataStream<i64>) -> Self {
        let io = io();
        let harness = Harness::new().with_io(io.handle().clone());
        let (input, stream) = harness.input::<i64>("numbers");
        let output = harness.output(&ask(&stream).name("ask"));
        let job = harness.start().unwrap();
        Self {
            io,
            desk,
            input,
            output,
            job,
        }
    }

    /// Lets the tasks and the futures run until nothing happens any more.
    pub fn try_settle(&mut self) -> Result<(), HarnessError> {
        for _ in 0..8 {
            self.job.settle()?;
            self.io.block_on(async {
                for _ in 0..32 {
                    tokio::task::yield_now().await;
                }
            });
        }
        self.job.settle()
    }

    pub fn settle(&mut self) {
        self.try_settle().unwrap();
    }

    pub fn advance(&mut self, millis: i64) {
        self.job.advance(millis).unwrap();
        self.settle();
    }

    /// What has come out since the last call.
    pub fn rows(&mut self) -> Vec<i64> {
        self.settle();
        self.output.take_rows()
    }

    /// Looks at the counters of the asynchronous operator.
    pub fn check(&self, check: impl FnOnce(&AsyncIoMetrics)) {
        let tasks = self.job.metrics().tasks.iter();
        let mut operators = tasks.flat_map(|task| &task.operators);
        check(
            operators
                .find_map(|operator| operator.metrics.async_io())
                .unwrap(),
        );
    }
}
