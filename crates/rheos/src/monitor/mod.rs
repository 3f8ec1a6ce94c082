//! What a run shows while it lasts, and sums up when it has ended.
//!
//! On a terminal a few lines at its bottom, drawn anew twice a second; elsewhere a line in the log
//! every few seconds, and none if the run is over before. Nothing here slows the job: a thread of its
//! own reads counters that the tasks write anyway.
//!
//! Life cycle: [`Monitor::start`] when the job runs → frames or lines → [`Monitor::finish`], or the
//! drop of the monitor, gives the terminal back.

pub mod number;
pub mod render;
pub mod screen;
pub mod summary;
pub mod view;

use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rheos_cluster::embedded::JobHandle;
use rheos_core::spawn::Spawner;

use view::Viewer;

/// How a run shows what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Display {
    /// Not at all.
    None,
    /// Lines at the bottom of the terminal that stderr is.
    Live,
    /// A line in the log now and then.
    Lines,
}

/// How often a frame is drawn.
const FRAME: Duration = Duration::from_millis(500);
/// A run that is over before shows no line.
const FIRST_LINE: Duration = Duration::from_secs(2);
/// How often a line is written after the first.
const LINE: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Ended {
    flag: Mutex<bool>,
    changed: Condvar,
}

impl Ended {
    /// Waits; whether the run has ended.
    fn wait(&self, timeout: Duration) -> bool {
        let flag = self
            .flag
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let waited = self
            .changed
            .wait_timeout_while(flag, timeout, |ended| !*ended);
        *waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0
    }

    fn set(&self) {
        *self
            .flag
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner()) = true;
        self.changed.notify_all();
    }
}

/// Shows what a job does, on a thread of its own.
pub struct Monitor {
    ended: Arc<Ended>,
    thread: Option<JoinHandle<()>>,
}

impl Monitor {
    /// Starts to show a job.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start(display: Display, job: JobHandle, spawner: &dyn Spawner) -> io::Result<Self> {
        let ended = Arc::new(Ended::default());
        let mut monitor = Self {
            ended: ended.clone(),
            thread: None,
        };
        if display == Display::None {
            return Ok(monitor);
        }
        let mut viewer = Viewer::new(job);
        let body = move || match display {
            Display::Live => {
                while !ended.wait(FRAME) {
                    screen::draw(&render::frame(&viewer.look()));
                }
                screen::leave();
            }
            Display::Lines | Display::None => {
                let mut next = FIRST_LINE;
                while !ended.wait(next) {
                    let view = viewer.look();
                    tracing::info!(job = %view.job, "{}", render::line(&view));
                    next = LINE;
                }
            }
        };
        monitor.thread = Some(spawner.spawn("rheos-monitor".to_owned(), Box::new(body))?);
        Ok(monitor)
    }

    /// Stops showing; when it returns, the terminal is the program's again.
    pub fn finish(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.ended.set();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the display of the run ended by a panic");
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.end();
    }
}
