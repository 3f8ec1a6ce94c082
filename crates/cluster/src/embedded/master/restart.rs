//! From the end of one attempt to the beginning of the next.

use std::sync::Arc;
use std::time::Duration;

use super::super::attempt::Command;
use super::super::checkpoints::{FAILED_MEANWHILE, RESCALED_MEANWHILE};
use super::super::events::Event;
use super::super::launch::Start;
use super::{JobMaster, TICK};
use crate::checkpoint::writer::Written;
use crate::error::JobError;
use crate::schedule::ExecutionState;
use crate::schedule::scaling::Wait;
use crate::submit::JobStatus;
use crate::submit::lifecycle::Verdict;

impl JobMaster {
    /// Gets ready for the next attempt; whether there is to be one.
    pub(super) fn may_launch(&mut self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Ended(_) => false,
            Verdict::Restart(millis) => {
                self.settle(FAILED_MEANWHILE);
                self.pause(millis) && self.await_room()
            }
            Verdict::Rescale => {
                self.settle(RESCALED_MEANWHILE);
                self.lifecycle.status() == JobStatus::Restarting
                    && !self.lifecycle.is_superseded()
                    && (self.fitting().is_ok() || self.await_room())
            }
        }
    }

    /// Waits until the writer has nothing left to do: what it completes last is restored from.
    fn settle(&mut self, why: &str) {
        let Some(checkpoints) = &mut self.checkpoints else {
            return;
        };
        checkpoints.give_up(why);
        loop {
            match self.events.next(TICK) {
                Some(Event::Written(Written::Settled)) => return,
                Some(Event::Written(Written::Prepared(asked, _))) => {
                    let cause = format!("{why}: ask for another when it runs again");
                    self.savepoints.failed(&asked.id, &cause);
                }
                Some(event) => self.command(&event),
                None => {}
            }
        }
    }

    /// Lets time pass; whether nothing was asked for meanwhile.
    fn pause(&mut self, millis: i64) -> bool {
        let error = self.lifecycle.cause().map(JobError::to_string);
        tracing::warn!(
            error = error
                .as_deref()
                .and_then(|e| e.lines().next())
                .unwrap_or(""),
            restarts = self.lifecycle.restarts(),
            "the job starts again in {millis} ms",
        );
        let until = self.clock.monotonic_micros() + millis.saturating_mul(1000);
        while self.lifecycle.may_restart() {
            let left = until - self.clock.monotonic_micros();
            let Ok(left @ 1..) = u64::try_from(left) else {
                return true;
            };
            if let Some(event) = self.events.next(TICK.min(Duration::from_micros(left))) {
                self.command(&event);
            }
        }
        false
    }

    /// Waits for slots, as long as the settings say; whether nothing was asked for meanwhile.
    fn await_room(&mut self) -> bool {
        let mut wait = self.scaling.wait(self.clock.monotonic_micros());
        let mut told = false;
        while self.lifecycle.may_restart() {
            let (graph, slots) = (&self.metrics.graph, self.launcher.slots());
            let fit = self.scaling.requirements().fitting(graph, slots);
            let now = self.clock.monotonic_micros();
            // Of those that are too few the launch says so again.
            if wait.look(now, fit.as_ref()) != Wait::Wait || !self.launcher.may_get_slots() {
                return true;
            }
            if !std::mem::replace(&mut told, true) {
                match self.fitting() {
                    Ok(fits) => tracing::warn!(?fits, "the job waits for more slots"),
                    Err(error) => tracing::warn!("the job waits for slots: {error}"),
                }
            }
            if let Some(event) = self.events.next(TICK) {
                self.command(&event);
            }
        }
        false
    }

    /// As many subtasks as there are slots for.
    fn fitting(&self) -> Result<Vec<u32>, JobError> {
        let (graph, slots) = (&self.metrics.graph, self.launcher.slots());
        self.scaling.requirements().fit(graph, slots)
    }

    /// Starts the next attempt, from the newest complete checkpoint.
    pub(super) fn launch_again(&mut self) -> Result<(), JobError> {
        let parallelism = self.fitting()?;
        let mut graph = self.metrics.graph.clone();
        let rescaled = graph.parallelism() != parallelism;
        if rescaled {
            if !self.scaling.is_under_way() {
                tracing::info!(?parallelism, "the job goes on as wide as the slots allow");
            }
            graph = Arc::new(graph.with_parallelism(&parallelism));
        }
        let number = self.lifecycle.attempt();
        let now = self.clock.wall_millis();
        let begun = match &mut self.checkpoints {
            Some(checkpoints) => Some(checkpoints.begin_again(&graph)?),
            None => None,
        };
        let start = Start {
            generation: begun.as_ref().map(|begun| begun.generation),
            lineage: self.checkpoints.as_ref().map(|c| c.lineage().to_owned()),
            number,
            rescales: self.lifecycle.rescales(),
            parallelism: &parallelism,
            restored: begun.as_ref().and_then(|begun| begun.restored.as_ref()),
            from: begun.as_ref().and_then(|begun| begun.from.as_ref()),
            before: Some(&self.metrics),
        };
        self.shared.update(|view| match rescaled {
            true => view.execution.rescale(&graph, number, now),
            false => view.execution.begin(number, now),
        });
        self.shared
            .update(|view| view.execution.enter_all(ExecutionState::Scheduled, now));
        let (launched, metrics) = self.launcher.launch(&self.events, &start)?;
        self.shared.rewire(&metrics, |view| {
            let now = self.clock.wall_millis();
            view.execution.enter_all(ExecutionState::Deploying, now);
        });
        self.metrics = metrics;
        std::mem::replace(&mut self.attempt, launched).join();
        let why = match self.scaling.is_under_way() {
            true => RESCALED_MEANWHILE,
            false => FAILED_MEANWHILE,
        };
        if let (Some(checkpoints), Some(begun)) = (&mut self.checkpoints, &begun) {
            checkpoints.attempt(begun, (&self.attempt, &parallelism), why);
        }
        self.rescale_deployed(parallelism);
        self.lifecycle.deployed(self.clock.wall_millis());
        self.show();
        if let Some(drain) = self.lifecycle.stop_asked() {
            // It was told so while it was being rescaled.
            self.attempt.tell_sources(Command::Stop { drain });
        }
        Ok(())
    }
}
