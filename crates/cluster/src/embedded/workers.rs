//! The threads that tasks run on: which tasks share one, and starting them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use rheos_core::clock::SharedClock;
use rheos_core::id::Place;
use rheos_core::job_graph::JobGraph;
use rheos_core::spawn::SharedSpawner;
use rheos_runtime::task::signal::Signal;
use rheos_runtime::task::worker::{self, TaskBuilder, WorkerListener};

use super::launch::Threading;
use crate::error::JobError;

/// Which thread a task runs on.
type ThreadKey = (usize, String, u32);

/// A task on its way to its thread.
pub(crate) struct WorkerTask {
    /// Its index in the job.
    pub index: usize,
    /// Its vertex.
    pub vertex: usize,
    /// Where it is.
    pub place: Place,
    /// Makes it.
    pub builder: TaskBuilder,
}

/// See the [module](self).
pub(crate) struct Workers<'a> {
    graph: &'a JobGraph,
    threading: Threading,
    signals: BTreeMap<ThreadKey, Arc<Signal>>,
}

impl<'a> Workers<'a> {
    /// For the tasks of a graph.
    pub(crate) fn new(graph: &'a JobGraph, threading: Threading) -> Self {
        Self {
            graph,
            threading,
            signals: BTreeMap::new(),
        }
    }

    fn key_of(&self, vertex: usize, subtask: u32) -> ThreadKey {
        match self.threading {
            Threading::Task => (vertex, String::new(), subtask),
            // Who starts tasks has resolved the last.
            Threading::Slot | Threading::Auto { .. } => {
                let vertex = self.graph.vertices.get(vertex);
                let group = vertex.map(|vertex| vertex.slot_sharing_group.clone());
                (0, group.unwrap_or_default(), subtask)
            }
        }
    }

    /// The signal of the thread that a task will run on.
    pub(crate) fn signal(&mut self, vertex: usize, subtask: u32) -> Arc<Signal> {
        let key = self.key_of(vertex, subtask);
        self.signals.entry(key).or_default().clone()
    }

    /// Starts the threads, whose tasks tell the listener what they do.
    ///
    /// # Errors
    /// If the system refuses one.
    pub(crate) fn start(
        mut self,
        tasks: Vec<WorkerTask>,
        (attempt, clock): (u32, &SharedClock),
        spawner: &SharedSpawner,
        listener: Arc<dyn WorkerListener>,
    ) -> Result<Vec<JoinHandle<()>>, JobError> {
        let mut by_thread: BTreeMap<ThreadKey, Vec<(usize, Place, TaskBuilder)>> = BTreeMap::new();
        for task in tasks {
            let WorkerTask {
                index,
                vertex,
                place,
                builder,
            } = task;
            let key = self.key_of(vertex, place.subtask);
            by_thread
                .entry(key)
                .or_default()
                .push((index, place, builder));
        }
        let mut threads = Vec::new();
        for (key, builders) in by_thread {
            let signal = self.signals.entry(key.clone()).or_default().clone();
            let name = thread_name(&key, &builders);
            let (clock, listener) = (clock.clone(), listener.clone());
            let span = span_of(&self.graph.name, attempt, &builders);
            let body = Box::new(move || {
                let _entered = span.entered();
                worker::run(&signal, &clock, builders, &listener);
            });
            let thread = spawner
                .spawn(name, body)
                .map_err(|error| JobError::System {
                    what: "starting a thread",
                    error,
                })?;
            threads.push(thread);
        }
        Ok(threads)
    }
}

/// What the log lines of a thread carry: its job, and its task where it has one.
fn span_of(job: &str, attempt: u32, builders: &[(usize, Place, TaskBuilder)]) -> tracing::Span {
    match builders {
        [(_, place, _)] => tracing::info_span!(
            "task",
            job,
            operator = %place.operator,
            subtask = place.subtask,
            attempt
        ),
        _ => tracing::info_span!("slot", job, attempt),
    }
}

/// Linux shows 15 bytes: the head of the chain and the subtask.
fn thread_name(key: &ThreadKey, builders: &[(usize, Place, TaskBuilder)]) -> String {
    let (_, group, subtask) = key;
    let head = match builders {
        [(_, place, _)] => place
            .operator
            .split(" -> ")
            .next()
            .unwrap_or("task")
            .to_owned(),
        _ => format!("slot {group}"),
    };
    let short: String = head
        .chars()
        .filter(|c| c.is_ascii() && *c != '\0')
        .take(12)
        .collect();
    format!("{short}/{subtask}")
}
