//! SIGTERM and SIGINT: the first stops the job in good order, the second ends the process.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};

use rheos_cluster::embedded::JobControl;
use rheos_core::spawn::{OsSpawner, Spawner};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::error::ApiError;
use crate::execute::Interrupted;
use crate::monitor::screen;

/// The exit status of a process that a signal stopped.
pub(crate) fn exit_status(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

/// Stops a job at a signal for as long as it lives. It is there before the job is, so that a signal at
/// any moment does what is said of it; one that comes before the job waits for it.
pub(super) struct SignalHandler {
    received: Arc<AtomicI32>,
    job: Arc<OnceLock<JobControl>>,
    handle: Handle,
}

impl SignalHandler {
    /// Stops the job to come at the first signal, and ends the process at the second.
    pub(super) fn install() -> Result<Self, ApiError> {
        let refused = |error| ApiError::System {
            what: "waiting for signals".to_owned(),
            error,
        };
        let received = Arc::new(AtomicI32::new(0));
        let job = Arc::new(OnceLock::<JobControl>::new());
        let (seen, known) = (received.clone(), job.clone());
        let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(refused)?;
        let handle = signals.handle();
        let body = move || {
            for signal in signals.forever() {
                if seen.swap(signal, Ordering::SeqCst) != 0 {
                    tracing::warn!(signal = name(signal), "a second signal: ending at once");
                    screen::leave();
                    // Without the destructors of other threads, which may hang: that is why there
                    // was a second signal.
                    signal_hook::low_level::exit(i32::from(exit_status(signal)));
                }
                match known.get() {
                    Some(control) => stop(control, signal),
                    None => tracing::info!(
                        signal = name(signal),
                        "the job is stopped once it has started, and a JobManager that stands by \
                         ends now; a second signal ends at once"
                    ),
                }
            }
        };
        OsSpawner
            .spawn("rheos-signals".to_owned(), Box::new(body))
            .map_err(refused)?;
        Ok(Self {
            received,
            job,
            handle,
        })
    }

    /// The job has started: a signal that came before stops it now.
    pub(super) fn started(&self, control: JobControl) {
        // Twice at worst, if a signal comes between the two lines: stopping again changes nothing.
        let control = self.job.get_or_init(|| control);
        if let Some(signal) = self.received() {
            stop(control, signal);
        }
    }

    /// Says which signal has come, if one has.
    pub(super) fn interrupted(&self) -> Interrupted {
        let received = self.received.clone();
        Arc::new(move || Some(received.load(Ordering::SeqCst)).filter(|signal| *signal != 0))
    }

    /// The signal that stopped the job, if one did.
    pub(super) fn received(&self) -> Option<i32> {
        Some(self.received.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }
}

impl Drop for SignalHandler {
    fn drop(&mut self) {
        self.handle.close();
    }
}

fn stop(control: &JobControl, signal: i32) {
    let drain = !control.takes_checkpoints();
    control.stop(drain);
    let what = match drain {
        true => "the sources stop and the rest drains",
        false => "a last checkpoint is taken, to go on from",
    };
    tracing::info!(
        signal = name(signal),
        "{what}; a second signal ends at once"
    );
}

fn name(signal: i32) -> &'static str {
    match signal {
        SIGTERM => "SIGTERM",
        SIGINT => "SIGINT",
        _ => "another",
    }
}
