//! A courier's failures that pass: waited out, told of, and given up when there were enough.

use super::Backoff;
use crate::error::ConnectorError;
use crate::net::pause;

/// Of one courier.
#[derive(Debug)]
pub(crate) struct Patience {
    /// Where it writes to, for messages.
    target: String,
    backoff: Backoff,
}

impl Patience {
    pub fn new(target: impl Into<String>, backoff: Backoff) -> Self {
        Self {
            target: target.into(),
            backoff,
        }
    }

    /// Lets time pass before the next attempt. The 1st, 2nd, 4th, 8th … failure in a row is logged.
    ///
    /// # Errors
    /// What ends the job, if there were as many attempts as users allow.
    pub async fn wait(&mut self, message: &str) -> Result<(), ConnectorError> {
        let Some(wait) = self.backoff.next() else {
            let attempts = self.backoff.failures();
            return Err(self.failed(&format!("{message}, in {attempts} attempts")));
        };
        let failures = self.backoff.failures();
        if failures.is_power_of_two() {
            tracing::warn!(
                failures,
                "{}: {message}; next attempt in {} ms",
                self.target,
                wait.as_millis()
            );
        }
        pause(wait).await;
        Ok(())
    }

    /// Something was written: the next failure is a first again.
    pub fn answered(&mut self) {
        let failures = self.backoff.failures();
        if failures > 0 {
            tracing::info!(failures, "{} answers again", self.target);
        }
        self.backoff.reset();
    }

    /// What ends the job.
    pub fn failed(&self, message: &str) -> ConnectorError {
        ConnectorError::NotWritten {
            sink: self.target.clone(),
            row: 0,
            message: message.to_owned(),
        }
    }
}
