//! The thread that drives tasks: steps each in turn, and sleeps when all of them wait.
//!
//! One thread drives one task, or all the tasks of a slot; the tasks can't tell.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rheos_core::clock::SharedClock;

use super::signal::Signal;
use super::task::{Step, Task};
use crate::error::TaskError;

/// How a task ended.
pub type TaskResult = Result<(), TaskError>;

/// Is told how far a task is. Implemented by who deploys tasks; called on the worker's thread.
pub trait WorkerListener: Send + Sync {
    /// The task of this index (in the order of the builders) is being made, and takes back what it
    /// remembered.
    fn task_initializes(&self, index: usize) {
        let _ = index;
    }

    /// It runs from now on.
    fn task_runs(&self, index: usize) {
        let _ = index;
    }

    /// It has ended.
    fn task_ended(&self, index: usize, result: TaskResult);
}

/// Makes a task on the thread that will run it.
pub type TaskBuilder = Box<dyn FnOnce() -> Result<Task, TaskError> + Send>;

thread_local! {
    /// Panics on a worker are the errors of its tasks: they are reported, not printed as well.
    static ON_WORKER: Cell<bool> = const { Cell::new(false) };
    static LAST_PANIC: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
}

/// Makes panics on this process's threads leave message, place and stack where the worker finds
/// them, beside what the hook that was there does.
pub fn install_panic_hook() {
    static INSTALLED: std::sync::Once = std::sync::Once::new();
    INSTALLED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let payload = info.payload();
            let text = payload
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| payload.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "a panic without a message".to_owned());
            let at = info
                .location()
                .map_or_else(String::new, |at| format!(" at {at}"));
            let backtrace = std::backtrace::Backtrace::force_capture().to_string();
            LAST_PANIC.with(|last| *last.borrow_mut() = Some((format!("{text}{at}"), backtrace)));
            if !ON_WORKER.with(Cell::get) {
                before(info);
            }
        }));
    });
}

/// Runs `body`; a panic in it becomes an error with the place that `place` names.
pub fn guard<T>(
    place: impl FnOnce() -> rheos_core::id::Place,
    body: impl FnOnce() -> Result<T, TaskError>,
) -> Result<T, TaskError> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result,
        Err(_) => Err(panicked(place())),
    }
}

fn panicked(place: rheos_core::id::Place) -> TaskError {
    let PanicReport { message, backtrace } = last_panic();
    TaskError::Panic {
        place,
        message,
        backtrace,
    }
}

fn last_panic() -> PanicReport {
    let (message, backtrace) = LAST_PANIC
        .with(|last| last.borrow_mut().take())
        .unwrap_or_else(|| ("a panic without a message".to_owned(), String::new()));
    PanicReport { message, backtrace }
}

/// What a panic left behind.
#[derive(Debug)]
pub(crate) struct PanicReport {
    pub message: String,
    pub backtrace: String,
}

/// Runs a part of a task on a thread that is no worker's, such as one poll of a future; a panic in
/// it is the task's to report.
pub(crate) fn caught<T>(body: impl FnOnce() -> T) -> Result<T, PanicReport> {
    let before = ON_WORKER.with(|on| on.replace(true));
    let result = catch_unwind(AssertUnwindSafe(body)).map_err(|_| last_panic());
    ON_WORKER.with(|on| on.set(before));
    result
}

/// Steps a task; a panic becomes its error.
pub fn guarded_step(task: &mut Task) -> Result<Step, TaskError> {
    match catch_unwind(AssertUnwindSafe(|| task.step())) {
        Ok(result) => result,
        Err(_) => Err(panicked(task.current_place())),
    }
}

/// Drives tasks on the calling thread until all have ended.
///
/// A task that fails is closed and reported; the others go on until they are cancelled.
pub fn run(
    signal: &Arc<Signal>,
    clock: &SharedClock,
    builders: Vec<(usize, rheos_core::id::Place, TaskBuilder)>,
    listener: &Arc<dyn WorkerListener>,
) {
    signal.attach();
    ON_WORKER.with(|on| on.set(true));
    let mut tasks = Vec::new();
    let alone = builders.len() == 1;
    for (index, place, builder) in builders {
        listener.task_initializes(index);
        // The log lines of a thread that has one task say which by the thread's own span.
        let span = if alone {
            tracing::Span::none()
        } else {
            tracing::info_span!("task", operator = %place.operator, subtask = place.subtask)
        };
        match span.in_scope(|| guard(|| place, builder)) {
            Ok(task) => {
                listener.task_runs(index);
                tasks.push((index, task, span));
            }
            Err(error) => listener.task_ended(index, Err(error)),
        }
    }
    while !tasks.is_empty() {
        let mut worked = false;
        let mut until: Option<i64> = None;
        let mut position = 0;
        while let Some((index, task, span)) = tasks.get_mut(position) {
            let entered = span.enter();
            let step = guarded_step(task);
            drop(entered);
            match step {
                Ok(Step::Worked) => worked = true,
                Ok(Step::Blocked { until: due, .. }) => {
                    until = [until, due].into_iter().flatten().min();
                }
                Ok(Step::Finished) => {
                    task.close();
                    listener.task_ended(*index, Ok(()));
                    tasks.swap_remove(position);
                    worked = true;
                    continue;
                }
                Err(error) => {
                    if catch_unwind(AssertUnwindSafe(|| task.close())).is_err() {
                        let second = panicked(task.current_place());
                        tracing::error!("while closing after a failure: {second}");
                    }
                    listener.task_ended(*index, Err(error));
                    tasks.swap_remove(position);
                    continue;
                }
            }
            position += 1;
        }
        if !worked && !tasks.is_empty() {
            let timeout = until.map(|at| {
                let wait = (at - clock.monotonic_micros()).max(0);
                Duration::from_micros(u64::try_from(wait).unwrap_or(0))
            });
            signal.wait(timeout);
        }
    }
}
