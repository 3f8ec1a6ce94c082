//! The primitives that threads meet at, so that loom can take their place in its tests.

// Counting references is no meeting of threads that loom could find a mistake in, and signals are
// shared with code that loom does not see.
pub(crate) use std::sync::Arc;
#[cfg(not(loom))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicI64, Ordering},
};
#[cfg(not(loom))]
pub(crate) use std::thread::{self, Thread};

#[cfg(loom)]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicI64, Ordering},
};
#[cfg(loom)]
pub(crate) use loom::thread::{self, Thread};

/// Locks, also where another thread panicked while it held the lock: what is guarded here is a
/// queue that is whole between any two calls.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
