//! The savepoints of a running job: one at a time, and no checkpoint beside it.

use rheos_core::barrier::{Alignment, SnapshotKind};

use super::super::attempt::Attempt;
use super::{Asker, Checkpoints};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::savepoint::{Asked, SavepointTarget};
use crate::checkpoint::writer::Order;
use crate::error::JobError;

impl Checkpoints {
    /// A savepoint is asked for: its place is opened first, so that one that can't be used stops
    /// nothing.
    pub(in super::super) fn ask(&mut self, asked: Asked) {
        self.writer.order(Order::Prepare(asked));
    }

    /// A checkpoint is asked for.
    pub(in super::super) fn hurry(&mut self, id: String) {
        self.hurried.push(Asker::Trigger(id));
        self.coordinator.hurry(self.clock.monotonic_micros());
    }

    /// A checkpoint is wanted to go on from with other parallelism: the one under way, or one as soon
    /// as there is room for it.
    pub(in super::super) fn hurry_rescale(&mut self) {
        match self.coordinator.newest() {
            Some(checkpoint) => self
                .served
                .push((checkpoint, Asker::Rescale { own: false })),
            None => {
                self.hurried.push(Asker::Rescale { own: true });
                self.coordinator.hurry(self.clock.monotonic_micros());
            }
        }
    }

    /// What has become of that checkpoint, once: its number, or why there is none.
    pub(in super::super) fn take_rescale(&mut self) -> Option<Result<u64, String>> {
        self.rescale.take()
    }

    /// Tells who has asked for a checkpoint that there is none.
    fn refuse(&mut self, asker: Asker, cause: &str) {
        match asker {
            Asker::Trigger(id) => self.savepoints.failed(&id, cause),
            Asker::Rescale { .. } => self.rescale = Some(Err(cause.to_owned())),
        }
    }

    /// A checkpoint is complete, and with it what was asked for until it began.
    pub(super) fn serve(&mut self, checkpoint: u64) {
        let later = |(of, _): &(u64, Asker)| *of > checkpoint;
        let (later, served) = self.served.drain(..).partition(later);
        self.served = later;
        let served: Vec<(u64, Asker)> = served;
        for (_, asker) in served {
            match asker {
                Asker::Trigger(id) => self.savepoints.completed_checkpoint(&id, checkpoint),
                Asker::Rescale { .. } => self.rescale = Some(Ok(checkpoint)),
            }
        }
    }

    /// A checkpoint has failed, and with it what was asked for; whether it had begun for a rescale.
    pub(super) fn fail_served(&mut self, checkpoint: u64, error: &CheckpointError) -> bool {
        let of_this = |(of, _): &mut (u64, Asker)| *of == checkpoint;
        let failed: Vec<(u64, Asker)> = self.served.extract_if(.., of_this).collect();
        let mut own = false;
        for (_, asker) in failed {
            own |= asker == Asker::Rescale { own: true };
            self.refuse(asker, &error.to_string());
        }
        own
    }

    /// No checkpoint is to come.
    pub(super) fn fail_hurried(&mut self, cause: &str) {
        for asker in std::mem::take(&mut self.hurried) {
            self.refuse(asker, cause);
        }
    }

    /// What the sources are to be told, once.
    pub(in super::super) fn take_stop(&mut self) -> Option<bool> {
        self.stop.take()
    }

    /// Checkpoints wait for what has been asked for, and until it has ended.
    fn hold(&mut self) {
        let held = !self.asked.is_empty() || self.savepoint.is_some();
        self.coordinator.hold(held);
    }

    pub(super) fn prepared(
        &mut self,
        asked: Asked,
        target: Result<SavepointTarget, CheckpointError>,
    ) {
        match target {
            Ok(target) => {
                if asked.stop.is_some() {
                    self.stop = asked.stop;
                }
                self.asked.push_back((asked, target));
                self.hold();
            }
            Err(error) => self.savepoints.failed(&asked.id, &error.to_string()),
        }
    }

    pub(super) fn savepoint_is_due(&self) -> bool {
        let next = self.asked.front();
        next.is_some_and(|(asked, _)| self.coordinator.savepoint_is_due(asked.stop.is_some()))
    }

    /// Begins the savepoint that was asked for first; the failure that it comes to.
    pub(super) fn begin_savepoint(&mut self, now: i64, attempt: &Attempt) -> Option<JobError> {
        let (asked, target) = self.asked.pop_front()?;
        if !self.coordinator.has_sources() {
            let cause =
                "all sources of the job have ended: there is nothing that it would go on with";
            self.savepoints.failed(&asked.id, cause);
            self.hold();
            return None;
        }
        let wall = self.trigger_time();
        let checkpoint = self.coordinator.begin_savepoint(now, wall);
        self.writer.order(Order::Aim(checkpoint, target.clone()));
        self.savepoint = Some((checkpoint, asked, target));
        let how = (SnapshotKind::Savepoint, Alignment::Aligned);
        self.send(checkpoint, wall, how, attempt)
    }

    /// Takes note of a checkpoint that is complete, if it is the savepoint; whether that is all there
    /// is to do about it. One that stops the job is its last checkpoint too: sinks commit what is in
    /// it, and the sources end. Another changes nothing: what sinks have staged is committed with the
    /// next checkpoint.
    pub(super) fn savepoint_completed(&mut self, checkpoint: u64) -> bool {
        let this = self.savepoint.take_if(|(of, ..)| *of == checkpoint);
        let Some((_, asked, target)) = this else {
            return false;
        };
        tracing::info!(location = %target.location, "a savepoint is complete");
        self.savepoints.completed(&asked.id, &target.location);
        self.hold();
        if target.stops {
            return false;
        }
        self.enumerators.remove(&checkpoint);
        self.coordinator.savepoint_ended(checkpoint);
        self.stats.update(|counts| counts.completed += 1);
        self.count_failed(0);
        true
    }

    /// Takes note of a checkpoint that has failed, if it is the savepoint: that is the failure of its
    /// request, and of nothing else.
    pub(super) fn savepoint_failed(&mut self, checkpoint: u64, error: &CheckpointError) -> bool {
        let this = self.savepoint.take_if(|(of, ..)| *of == checkpoint);
        let Some((_, asked, _)) = this else {
            return false;
        };
        tracing::warn!("a savepoint failed: {error}");
        let more = match asked.stop {
            Some(_) => "; the job stops with a checkpoint instead, to go on from",
            None => "",
        };
        self.savepoints.failed(&asked.id, &format!("{error}{more}"));
        self.coordinator.savepoint_ended(checkpoint);
        self.hold();
        self.count_failed(1);
        true
    }

    /// The attempt is over, for this reason, and with it what was asked for in it. A rescale waits for
    /// no checkpoint any more: the next attempt has its parallelism.
    pub(super) fn fail_savepoints(&mut self, why: &str) {
        let under_way = self.savepoint.take().map(|(_, asked, _)| asked);
        let waiting = self.asked.drain(..).map(|(asked, _)| asked);
        for asked in waiting.chain(under_way) {
            let cause = format!("{why}: ask for another when it runs again");
            self.savepoints.failed(&asked.id, &cause);
        }
        let served = self.served.drain(..).map(|(_, asker)| asker);
        for asker in served.chain(self.hurried.drain(..)) {
            if let Asker::Trigger(id) = asker {
                self.savepoints.failed(&id, why);
            }
        }
        self.rescale = None;
        self.stop = None;
        self.hold();
    }
}
