//! The primitives that threads meet at, so that loom can take their place in its tests.

// Counting references is no meeting of threads that loom could find a mistake in, and signals are
// shared with code that loom does not see.
pub(crate) use std::sync::Arc;
#[cfg(not(loom))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
};
#[cfg(not(loom))]
pub(crate) use std::thread::{self, Thread};

#[cfg(loom)]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
};
#[cfg(loom)]
pub(crate) use thread::Thread;

/// Parking with a token, as the standard library has it. Loom's own wakes a parked thread also from
/// a lock or a join that it has gone on to.
#[cfg(loom)]
pub(crate) mod thread {
    use std::sync::Arc;

    use loom::sync::{Condvar, Mutex};

    #[derive(Debug, Default)]
    struct Token {
        there: Mutex<bool>,
        given: Condvar,
    }

    loom::thread_local! {
        static TOKEN: Arc<Token> = Arc::new(Token::default());
    }

    #[derive(Debug)]
    pub(crate) struct Thread(Arc<Token>);

    impl Thread {
        pub(crate) fn unpark(&self) {
            *super::lock(&self.0.there) = true;
            self.0.given.notify_one();
        }
    }

    pub(crate) fn current() -> Thread {
        Thread(TOKEN.with(Arc::clone))
    }

    pub(crate) fn park() {
        let Thread(token) = current();
        let mut there = super::lock(&token.there);
        while !*there {
            there = match token.given.wait(there) {
                Ok(there) => there,
                Err(poisoned) => poisoned.into_inner(),
            };
        }
        *there = false;
    }
}

/// Locks, also where another thread panicked while it held the lock: what is guarded here is a
/// queue that is whole between any two calls.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
