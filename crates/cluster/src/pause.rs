//! Letting time pass on a thread that has nothing to wait for.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// Lets time pass.
pub(crate) fn pause(time: Duration) {
    let (nothing, never) = (Mutex::new(()), Condvar::new());
    let guard = nothing.lock();
    let guard = guard.unwrap_or_else(|poisoned| poisoned.into_inner());
    drop(never.wait_timeout_while(guard, time, |()| true));
}
