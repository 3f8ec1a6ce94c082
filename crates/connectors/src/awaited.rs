//! An answer from outside that a task needs, and must not block its thread for.
//!
//! Life: asked on the I/O runtime → the answer is there, and the task is woken → taken. Whoever drops
//! it stops asking.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};

use rheos_runtime::task::signal::Signal;
use tokio::task::AbortHandle;

use crate::error::ConnectorError;

#[derive(Debug)]
enum Answer<T> {
    Asked,
    There(T),
    /// Whoever asked is gone without one: it panicked.
    Lost,
}

type Shared<T> = Arc<Mutex<Answer<T>>>;

fn lock<T>(answer: &Shared<T>) -> MutexGuard<'_, Answer<T>> {
    answer
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Leaves word that no answer comes, if none has, and wakes the task in any case.
struct End<T> {
    answer: Shared<T>,
    signal: Arc<Signal>,
}

impl<T> Drop for End<T> {
    fn drop(&mut self) {
        let mut answer = lock(&self.answer);
        if matches!(*answer, Answer::Asked) {
            *answer = Answer::Lost;
        }
        drop(answer);
        self.signal.raise();
    }
}

/// See the [module](self).
pub(crate) struct Awaited<T> {
    answer: Shared<T>,
    asking: AbortHandle,
}

impl<T: Send + 'static> Awaited<T> {
    /// Asks; the signal is raised when the answer is there.
    pub fn ask(
        io: &tokio::runtime::Handle,
        signal: Arc<Signal>,
        question: impl Future<Output = T> + Send + 'static,
    ) -> Self {
        let answer = Arc::new(Mutex::new(Answer::Asked));
        let end = End {
            answer: answer.clone(),
            signal,
        };
        let asking = io.spawn(async move {
            let answer = question.await;
            *lock(&end.answer) = Answer::There(answer);
        });
        Self {
            answer,
            asking: asking.abort_handle(),
        }
    }

    /// Whether there is an answer to take, or never will be.
    pub fn is_there(&self) -> bool {
        !matches!(*lock(&self.answer), Answer::Asked)
    }

    /// The answer, or the question again if there is none yet.
    ///
    /// # Errors
    /// If it was lost.
    pub fn take(self) -> Result<Result<T, Self>, ConnectorError> {
        let mut answer = lock(&self.answer);
        match std::mem::replace(&mut *answer, Answer::Asked) {
            Answer::There(there) => Ok(Ok(there)),
            Answer::Lost => Err(ConnectorError::Lost),
            Answer::Asked => {
                drop(answer);
                Ok(Err(self))
            }
        }
    }
}

impl<T> Drop for Awaited<T> {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    }

    /// Lets whatever can go on do so.
    fn turn(runtime: &tokio::runtime::Runtime) {
        runtime.block_on(async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        });
    }

    #[test]
    fn an_answer_is_taken_once_it_is_there() {
        let (runtime, signal) = (runtime(), Arc::new(Signal::new()));
        let (tell, told) = tokio::sync::oneshot::channel::<u32>();
        let awaited = Awaited::ask(runtime.handle(), signal, async { told.await.unwrap() });
        assert!(!awaited.is_there());
        let Ok(Err(awaited)) = awaited.take() else {
            panic!("nothing was answered yet");
        };
        tell.send(5).unwrap();
        turn(&runtime);
        assert!(awaited.is_there());
        assert_eq!(awaited.take().unwrap().ok(), Some(5));
    }

    #[test]
    fn a_question_that_panics_is_lost_and_one_that_is_dropped_ends() {
        let (runtime, signal) = (runtime(), Arc::new(Signal::new()));
        let lost: Awaited<()> =
            Awaited::ask(runtime.handle(), signal.clone(), async { panic!("a test") });
        let held = Arc::new(());
        let inside = held.clone();
        let dropped = Awaited::ask(runtime.handle(), signal, async move {
            std::future::pending::<()>().await;
            drop(inside);
        });
        turn(&runtime);
        assert!(lost.is_there());
        assert!(matches!(lost.take(), Err(ConnectorError::Lost)));
        assert_eq!(Arc::strong_count(&held), 2);
        drop(dropped);
        turn(&runtime);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
