//! SIGTERM and SIGINT: the first stops the job in good order, the second ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rheos_cluster::embedded::JobControl;
use rheos_core::spawn::{OsSpawner, Spawner};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::ApiError;

/// The exit status of a process that a signal stopped.
pub(super) fn exit_status(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

/// Stops the job at the first signal; the signal is left in the answer.
pub(super) fn install(control: JobControl) -> Result<Arc<AtomicI32>, ApiError> {
    let refused = |error| ApiError::System { what: "waiting for signals".to_owned(), error };
    let received = Arc::new(AtomicI32::new(0));
    let seen = received.clone();
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(refused)?;
    let body = move || {
        for signal in signals.forever() {
            if seen.swap(signal, Ordering::SeqCst) != 0 {
                tracing::warn!("a second signal: ending at once");
                std::process::exit(i32::from(exit_status(signal)));
            }
            tracing::info!(
                "signal {signal}: the sources stop, the rest drains; a second signal ends at once"
            );
            control.stop(true);
        }
    };
    OsSpawner.spawn("rheos-signals".to_owned(), Box::new(body)).map_err(refused)?;
    Ok(received)
}
