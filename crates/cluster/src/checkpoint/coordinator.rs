//! Which checkpoints are under way, and what becomes of them. Decisions only: time, mail and files
//! are the caller's.
//!
//! Life of a checkpoint: due → begun, its barriers sent → each task has answered and its part is
//! written, or the task has ended → its manifest is written → complete; or it has failed or expired,
//! and is discarded.

use std::collections::{BTreeMap, BTreeSet};

use super::settings::CheckpointSettings;
use super::writer::WrittenTask;

/// A checkpoint under way.
#[derive(Debug)]
pub struct Pending {
    /// Its number.
    pub checkpoint: u64,
    /// When it was triggered, by the wall clock in milliseconds.
    pub triggered_at: i64,
    /// And by the monotonic one, in microseconds.
    pub triggered_micros: i64,
    /// Tasks that have not answered.
    silent: BTreeSet<usize>,
    /// Tasks that have answered and whose part is not written.
    unwritten: BTreeSet<usize>,
    /// What has been written.
    pub written: BTreeMap<usize, WrittenTask>,
    /// Sources that had come to their end when it began.
    at_end: BTreeSet<usize>,
    /// The manifest is being written.
    closing: bool,
    /// It is a savepoint.
    pub savepoint: bool,
}

impl Pending {
    /// Tasks that are to be waited for.
    pub fn missing(&self) -> impl Iterator<Item = usize> {
        self.silent.union(&self.unwritten).copied()
    }
}

/// Decides about checkpoints in one attempt.
#[derive(Debug)]
pub struct Coordinator {
    interval: i64,
    min_pause: i64,
    timeout: i64,
    max_concurrent: usize,
    tolerable: u32,
    next: u64,
    /// Tasks that run; of them those with a source.
    running: BTreeSet<usize>,
    sources: BTreeSet<usize>,
    /// Sources that have come to their end and wait.
    at_end: BTreeSet<usize>,
    /// Sources whose end a complete checkpoint has made durable: they end now.
    released: BTreeSet<usize>,
    pending: BTreeMap<u64, Pending>,
    next_trigger: i64,
    earliest: i64,
    failures: u32,
    /// No checkpoint begins: a savepoint is to.
    held: bool,
}

/// What a failed checkpoint means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// The job goes on.
    Tolerated,
    /// The job fails.
    Fatal,
}

fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

impl Coordinator {
    /// A coordinator of an attempt that begins at `now`, in monotonic microseconds. Its first
    /// checkpoint has the number `next`.
    pub fn new(
        settings: &CheckpointSettings,
        next: u64,
        tasks: usize,
        sources: BTreeSet<usize>,
        now: i64,
    ) -> Self {
        let interval = micros(settings.interval);
        Self {
            interval,
            min_pause: micros(settings.min_pause),
            timeout: micros(settings.timeout),
            max_concurrent: settings.max_concurrent,
            tolerable: settings.tolerable_failures,
            next,
            running: (0..tasks).collect(),
            sources,
            at_end: BTreeSet::new(),
            released: BTreeSet::new(),
            pending: BTreeMap::new(),
            next_trigger: now + interval,
            earliest: now,
            failures: 0,
            held: false,
        }
    }

    /// Whether checkpoints wait for a savepoint.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Whether a savepoint may begin; one that stops the job waits for all of its sources to come to
    /// their end.
    pub fn savepoint_is_due(&self, stops: bool) -> bool {
        self.pending.is_empty() && (!stops || self.waits_for_last())
    }

    /// A checkpoint is due as soon as there is room for one.
    pub fn hurry(&mut self, now: i64) {
        self.next_trigger = self.next_trigger.min(now);
        self.earliest = self.earliest.min(now);
    }

    /// Whether there are sources to send a barrier into.
    pub fn has_sources(&self) -> bool {
        self.reading().next().is_some()
    }

    /// A savepoint that does not stop the job is complete, or has failed, or a checkpoint has whose
    /// failure is that of who has asked for it: nothing else changes.
    pub fn savepoint_ended(&mut self, checkpoint: u64) -> bool {
        self.pending.remove(&checkpoint).is_some()
    }

    /// Whether a number is that of a savepoint under way.
    pub fn is_savepoint(&self, checkpoint: u64) -> bool {
        let pending = self.pending.get(&checkpoint);
        pending.is_some_and(|pending| pending.savepoint)
    }

    /// The number of the next checkpoint: never used before.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Whether all sources that run have come to their end: what is then due is the last checkpoint.
    fn waits_for_last(&self) -> bool {
        self.pending.is_empty() && self.reading().all(|task| self.at_end.contains(&task))
    }

    /// Sources that a checkpoint is of use for.
    fn reading(&self) -> impl Iterator<Item = usize> {
        let running = self.sources.intersection(&self.running).copied();
        running.filter(|task| !self.released.contains(task))
    }

    /// Whether a checkpoint is due.
    pub fn is_due(&self, now: i64) -> bool {
        if self.held || self.reading().next().is_none() {
            return false;
        }
        if self.waits_for_last() && self.failures == 0 {
            return true;
        }
        now >= self.next_trigger.max(self.earliest) && self.pending.len() < self.max_concurrent
    }

    /// When to look again.
    pub fn next_look(&self) -> i64 {
        let waiting = self.pending.values().filter(|pending| !pending.closing);
        let expiry = waiting.map(|pending| pending.triggered_micros.saturating_add(self.timeout));
        let may_begin = !self.held
            && self.pending.len() < self.max_concurrent
            && self.reading().next().is_some();
        let trigger = may_begin.then(|| self.next_trigger.max(self.earliest));
        expiry.chain(trigger).min().unwrap_or(i64::MAX)
    }

    /// Begins a checkpoint.
    pub fn begin(&mut self, now: i64, wall_millis: i64) -> u64 {
        let checkpoint = self.next;
        self.next += 1;
        self.next_trigger = now + self.interval;
        self.pending.insert(
            checkpoint,
            Pending {
                checkpoint,
                triggered_at: wall_millis,
                triggered_micros: now,
                silent: self.running.clone(),
                unwritten: BTreeSet::new(),
                written: BTreeMap::new(),
                at_end: self.at_end.clone(),
                closing: false,
                savepoint: false,
            },
        );
        checkpoint
    }

    /// Begins a savepoint.
    pub fn begin_savepoint(&mut self, now: i64, wall_millis: i64) -> u64 {
        let next_trigger = self.next_trigger;
        let checkpoint = self.begin(now, wall_millis);
        self.next_trigger = next_trigger;
        if let Some(pending) = self.pending.get_mut(&checkpoint) {
            pending.savepoint = true;
        }
        checkpoint
    }

    /// The newest checkpoint under way that is no savepoint.
    pub fn newest(&self) -> Option<u64> {
        let pending = self.pending.values().filter(|pending| !pending.savepoint);
        pending.map(|pending| pending.checkpoint).next_back()
    }

    /// Those that are under way.
    pub fn under_way(&self) -> impl Iterator<Item = u64> {
        self.pending.keys().copied()
    }

    /// Checkpoints under way.
    pub fn in_progress(&self) -> usize {
        self.pending.len()
    }

    /// When a checkpoint under way was triggered, in monotonic microseconds.
    pub fn triggered_micros(&self, checkpoint: u64) -> Option<i64> {
        let pending = self.pending.get(&checkpoint);
        pending.map(|pending| pending.triggered_micros)
    }

    /// A source has come to its end and waits for a checkpoint.
    pub fn end_reached(&mut self, task: usize) {
        self.at_end.insert(task);
    }

    /// A task has answered; whether its part is wanted.
    pub fn answered(&mut self, checkpoint: u64, task: usize) -> bool {
        let Some(pending) = self.pending.get_mut(&checkpoint) else {
            return false;
        };
        if pending.silent.remove(&task) {
            pending.unwritten.insert(task);
        }
        true
    }

    /// Checkpoints under way that a task has not answered.
    pub fn unanswered(&self, task: usize) -> Vec<u64> {
        let pending = self.pending.values();
        let silent = pending.filter(|pending| pending.silent.contains(&task));
        silent.map(|pending| pending.checkpoint).collect()
    }

    /// What a task left that had ended before is written as its part.
    pub fn left(&mut self, checkpoint: u64, task: usize) {
        if let Some(pending) = self.pending.get_mut(&checkpoint) {
            pending.unwritten.insert(task);
        }
    }

    /// A task's part is written.
    pub fn written(&mut self, checkpoint: u64, task: usize, part: WrittenTask) {
        if let Some(pending) = self.pending.get_mut(&checkpoint) {
            pending.unwritten.remove(&task);
            pending.written.insert(task, part);
        }
    }

    /// A task has ended well: what it had is in an earlier checkpoint or gone, and in those under way
    /// it is not waited for any more if it has not answered.
    pub fn task_ended(&mut self, task: usize) {
        self.running.remove(&task);
        for pending in self.pending.values_mut() {
            pending.silent.remove(&task);
        }
    }

    /// A checkpoint of which everything is written, once.
    pub fn whole(&mut self) -> Option<&Pending> {
        let whole = self.pending.values_mut().find(|pending| {
            !pending.closing && pending.silent.is_empty() && pending.unwritten.is_empty()
        })?;
        whole.closing = true;
        Some(whole)
    }

    /// A checkpoint is complete; those before it that are under way are given up.
    pub fn completed(&mut self, checkpoint: u64, now: i64) -> Vec<u64> {
        self.failures = 0;
        self.earliest = now + self.min_pause;
        let later = self.pending.split_off(&(checkpoint + 1));
        let given_up = std::mem::replace(&mut self.pending, later);
        let ended = given_up.values().flat_map(|pending| &pending.at_end);
        self.released.extend(ended);
        given_up
            .into_keys()
            .filter(|given_up| *given_up != checkpoint)
            .collect()
    }

    /// A checkpoint has failed.
    pub fn failed(&mut self, checkpoint: u64, now: i64) -> Consequence {
        if self.pending.remove(&checkpoint).is_none() {
            return Consequence::Tolerated;
        }
        self.earliest = now + self.min_pause;
        self.failures += 1;
        match self.failures > self.tolerable {
            true => Consequence::Fatal,
            false => Consequence::Tolerated,
        }
    }

    /// A checkpoint whose time is up, and the tasks that it waited for.
    pub fn expired(&self, now: i64) -> Option<(u64, Vec<usize>)> {
        let expired = self.pending.values().find(|pending| {
            !pending.closing && now >= pending.triggered_micros.saturating_add(self.timeout)
        })?;
        Some((expired.checkpoint, expired.missing().collect()))
    }

    /// Those under way of which not everything is written. The others may be complete by now.
    pub fn unfinished(&self) -> impl Iterator<Item = u64> {
        let unfinished = self.pending.values().filter(|pending| !pending.closing);
        unfinished.map(|pending| pending.checkpoint)
    }
}

#[cfg(test)]
mod tests;
