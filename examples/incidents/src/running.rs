//! A job that runs beside the program that watches it.

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use rheos::ApiError;
use rheos::cluster::embedded::{JobControl, JobReport};
use rheos::core::spawn::{OsSpawner, Spawner as _};
use rheos::execute::RunningJob;
use rheos::prelude::BoxError;

/// See the [module](self).
pub struct Watched {
    control: JobControl,
    ended: Receiver<Result<JobReport, ApiError>>,
}

impl Watched {
    /// Takes a job that has been started.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn new(job: RunningJob) -> Result<Self, BoxError> {
        let control = job.handle.control();
        let (tell, ended) = sync_channel(1);
        let body = move || {
            // Nobody may wait for it any more.
            let _told = tell.send(job.wait());
        };
        OsSpawner.spawn("job".to_owned(), Box::new(body))?;
        Ok(Self { control, ended })
    }

    /// Lets time pass; what the job ended with, if it has.
    pub fn pause(&self, time: Duration) -> Option<Result<JobReport, ApiError>> {
        #[allow(
            clippy::disallowed_methods,
            reason = "the program that watches has nothing else to do"
        )]
        std::thread::sleep(time);
        self.ended.try_recv().ok()
    }

    /// Ends the job.
    pub fn cancel(self) {
        self.control.cancel();
        // It was cancelled, and says so.
        let _cancelled = self.ended.recv();
    }
}
