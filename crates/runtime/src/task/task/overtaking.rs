//! How a barrier gets through a task: aligned, it waits for the rows before it; unaligned, it overtakes
//! them.
//!
//! Life of a barrier: delivered by the channels one after the other → by all (aligned), or its time has
//! come and every channel has it somewhere in its queue → what has been begun with in the chain is
//! finished, in haste if the barrier overtakes: output is taken on whatever the credit, and the head
//! begins with nothing new → it passes: what was overtaken is the checkpoint's, and the stages are told.

use std::sync::Arc;

use rheos_core::barrier::Barrier;

use super::Task;
use crate::checkpoint::snapshot::TaskCost;
use crate::error::BoxError;
use crate::exchange::in_flight::InFlightRows;

/// How far the barrier at hand is in overtaking, and what its checkpoint has cost.
#[derive(Debug, Default)]
pub(super) struct Overtaking {
    /// The barrier has overtaken what is before it; the chain is being finished.
    under_way: bool,
    /// The head begins with nothing: what is in its inbox is overtaken too.
    frozen: bool,
    /// Every channel has this barrier, whose time to overtake has not come.
    waiting: Option<Barrier>,
    /// Bytes of rows that had been taken when the first barrier came.
    taken_before: u64,
    cost: TaskCost,
}

impl Overtaking {
    /// See [`Overtaking::under_way`].
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way
    }

    /// What the checkpoint at hand has cost so far.
    pub(super) fn cost(&self) -> TaskCost {
        self.cost
    }
}

impl Task {
    /// The first barrier of a checkpoint is here.
    pub(super) fn barrier_arrives(&mut self, barrier: &Barrier) {
        let delay = self.clock.wall_millis() - barrier.triggered_at;
        self.overtaking.taken_before = self.taken_bytes();
        self.overtaking.cost = TaskCost {
            start_delay_micros: delay.max(0).saturating_mul(1000),
            ..TaskCost::default()
        };
    }

    fn taken_bytes(&self) -> u64 {
        self.inputs
            .iter()
            .map(|input| input.feed.taken_bytes())
            .sum()
    }

    /// A barrier has been delivered by every input that still runs, or overtakes what is before it in
    /// them.
    fn aligned(&mut self, barrier: Barrier, now: i64) {
        let since = self.aligning_since.take().unwrap_or_else(|| {
            self.barrier_arrives(&barrier);
            now
        });
        for input in &mut self.inputs {
            input.barrier = None;
        }
        self.overtaking.waiting = None;
        self.overtaking.cost.alignment_micros = now - since;
        self.overtaking.cost.bytes_processed = self.taken_bytes() - self.overtaking.taken_before;
        self.barrier = Some(barrier);
    }

    /// Whether every input that still runs has aligned the same barrier.
    pub(super) fn align(&mut self) {
        let now = self.clock.monotonic_micros();
        let newest = self
            .inputs
            .iter()
            .filter_map(|input| input.barrier)
            .max_by_key(|b| b.checkpoint);
        let Some(newest) = newest else { return };
        if self.aligning_since.is_none() {
            self.aligning_since = Some(now);
            self.barrier_arrives(&newest);
        }
        for input in &mut self.inputs {
            if input
                .barrier
                .is_some_and(|barrier| barrier.checkpoint < newest.checkpoint)
            {
                input.barrier = None;
                input.feed.release();
            }
        }
        if self
            .inputs
            .iter()
            .all(|input| input.barrier.is_some() || input.ended)
        {
            self.aligned(newest, now);
        }
    }

    fn may_overtake(&self, barrier: &Barrier) -> bool {
        let at = barrier.overtakes_at();
        at.is_some_and(|at| at <= self.clock.wall_millis())
    }

    /// When a barrier at hand begins to overtake, in monotonic microseconds.
    pub(super) fn overtaking_due(&self, now: i64) -> Option<i64> {
        if self.overtaking.under_way {
            return None;
        }
        let at = self.barrier.or(self.overtaking.waiting)?.overtakes_at()?;
        let wait = at.saturating_sub(self.clock.wall_millis()).max(0);
        Some(now.saturating_add(wait.saturating_mul(1000)))
    }

    /// Looks for a barrier that is in every channel and whose time to overtake has come.
    fn look_for_overtaking(&mut self, now: i64) {
        if let Some(waiting) = self.overtaking.waiting
            && !self.may_overtake(&waiting)
        {
            return;
        }
        self.overtaking.waiting = None;
        let mut found: Option<Barrier> = None;
        for input in self.inputs.iter().filter(|input| !input.ended) {
            let barrier = input.feed.overtaking().or(input.barrier);
            let other = found.zip(barrier).is_some_and(|(a, b)| a != b);
            if barrier.is_none() || other {
                return;
            }
            found = barrier;
        }
        match found {
            Some(barrier) if self.may_overtake(&barrier) => self.aligned(barrier, now),
            Some(barrier) if barrier.overtakes_at().is_some() => {
                self.overtaking.waiting = Some(barrier);
            }
            _ => {}
        }
    }

    /// Begins or ends to finish in haste what has been begun with.
    fn hurry(&mut self, on: bool) {
        let ends = self.stages.first().is_some_and(|head| head.holds_end());
        let feeds = || self.inputs.iter().map(|input| &input.feed);
        // An end of data is waited for, and so are rows of channels that are not overtaken.
        let frozen = on && !ends && feeds().all(|feed| feed.inbox_may_be_overtaken());
        self.overtaking.under_way = on;
        self.overtaking.frozen = frozen;
        for (index, stage) in self.stages.iter_mut().enumerate() {
            stage.hurry(on, frozen && index == 0);
        }
    }

    /// Whether something is pending in the chain that the barrier must not pass.
    fn holds_barrier(&self) -> bool {
        let frozen = self.overtaking.frozen;
        let mut stages = self.stages.iter().enumerate();
        stages.any(|(index, stage)| match index {
            0 if frozen => stage.holds_end() || stage.unfinished(),
            _ => stage.holds_barrier(),
        })
    }

    /// Passes a barrier once nothing is pending in the chain that it must not pass.
    pub(super) fn pass_barrier(&mut self, now: i64) -> Result<bool, BoxError> {
        if self.barrier.is_none() {
            self.look_for_overtaking(now);
        }
        if self.barrier.is_some() && self.is_writing() {
            // The one before it is written first.
            return Ok(false);
        }
        if let Some(barrier) = self.barrier
            && !self.overtaking.under_way
            && self.may_overtake(&barrier)
        {
            self.hurry(true);
        }
        let holds = self.holds_barrier();
        if self.barrier.is_none() && !holds && self.stages.iter().any(|s| s.in_burst()) {
            // A burst of timers may last: let a barrier that waits behind it through.
            for input in &mut self.inputs {
                if input.barrier.is_none()
                    && let Some(barrier) = input.feed.poll_barrier()
                {
                    input.barrier = Some(barrier);
                }
            }
            self.align();
        }
        if holds {
            if self.barrier.is_some() {
                for index in 0..self.stages.len() {
                    self.current = index;
                    if let Some(stage) = self.stages.get_mut(index) {
                        stage.hasten()?;
                    }
                }
            }
            return Ok(false);
        }
        let Some(barrier) = self.barrier.take() else {
            return Ok(false);
        };
        let started = self.clock.monotonic_micros();
        let cost = self.overtaking.cost;
        self.times
            .set_barrier(cost.alignment_micros, cost.start_delay_micros / 1_000);
        let keeps = self.listener.takes_snapshots();
        let mut in_flight: Vec<Arc<dyn InFlightRows>> = Vec::new();
        if self.overtaking.under_way {
            for input in &mut self.inputs {
                in_flight.extend(input.feed.overtake(&barrier, keeps));
            }
            self.hurry(false);
            self.overtaking.cost.unaligned = true;
        }
        for index in 0..self.stages.len() {
            self.current = index;
            if let Some(stage) = self.stages.get_mut(index) {
                stage.barrier(&barrier, now)?;
            }
        }
        for input in &mut self.inputs {
            input.feed.release();
        }
        if keeps {
            self.take_snapshot(&barrier, in_flight, started)?;
        }
        self.listener.barrier_passed(&self.place, &barrier);
        while self.barrier.is_none()
            && let Some(mail) = self.deferred.pop_front()
        {
            self.act_on(mail, now)?;
        }
        Ok(true)
    }
}
