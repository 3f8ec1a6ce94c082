//! What a barrier has left a task to write: the keyed state that it has frozen, slice by slice, between
//! slices of rows.
//!
//! Life: the barrier passes, each stage freezes its state, and rows go on at once → each turn of the
//! task's loop writes a slice, also while the task waits for rows or credit; pieces go to the listener
//! as they are full → the last is written, and the listener gets what else the task remembers. A
//! checkpoint that is not wanted any more is dropped wherever it is. A barrier that comes meanwhile
//! waits until the one before it is written, and so does the end of the task.

use std::sync::Arc;

use rheos_core::barrier::Barrier;
use rheos_core::time::MAX_WATERMARK;

use super::Task;
use crate::checkpoint::snapshot::{OperatorSnapshot, TaskSnapshot};
use crate::error::BoxError;
use crate::exchange::in_flight::InFlightRows;

/// A piece of keyed state is given to the listener when it has so many bytes.
const PIECE: usize = 256 * 1024;
/// When to look again whether the listener takes more, in microseconds.
const LISTENER_MICROS: i64 = 2_000;

/// A snapshot that is being written.
pub(super) struct Writing {
    pub(super) barrier: Barrier,
    snapshot: TaskSnapshot,
    /// The stage at work.
    stage: usize,
    piece: Vec<u8>,
}

impl Task {
    /// Freezes what the stages remember, and begins to write it, with what was in flight before the
    /// first of them; the task has stood still since `started`.
    pub(super) fn take_snapshot(
        &mut self,
        barrier: &Barrier,
        in_flight: Vec<Arc<dyn InFlightRows>>,
        started: i64,
    ) -> Result<(), BoxError> {
        let mut snapshot = TaskSnapshot {
            in_flight,
            cost: self.overtaking.cost(),
            ..TaskSnapshot::default()
        };
        for index in 0..self.stages.len() {
            self.current = index;
            let operator = self.identity.operators.get(index).copied();
            if let (Some(stage), Some(operator)) = (self.stages.get_mut(index), operator) {
                snapshot.operators.push((operator, stage.snapshot()?));
            }
        }
        snapshot.cost.sync_micros = self.clock.monotonic_micros() - started;
        self.writing = Some(Writing {
            barrier: *barrier,
            snapshot,
            stage: 0,
            piece: Vec::new(),
        });
        // Of little state that is all there is to do.
        for _ in 0..self.stages.len() {
            self.write_on()?;
        }
        Ok(())
    }

    /// Whether a snapshot is being written that is still wanted.
    pub(super) fn is_writing(&mut self) -> bool {
        let Some(writing) = &self.writing else {
            return false;
        };
        if self.listener.is_wanted(&writing.barrier) {
            return true;
        }
        self.writing = None;
        for stage in &mut self.stages {
            stage.thaw();
        }
        false
    }

    /// Writes a slice of the snapshot at hand; whether there was one to write.
    pub(super) fn write_on(&mut self) -> Result<bool, BoxError> {
        if self.writing.is_none() || !self.is_writing() || !self.listener.takes_pieces() {
            return Ok(false);
        }
        let Some(writing) = &mut self.writing else {
            return Ok(false);
        };
        let operator = writing.snapshot.operators.get(writing.stage);
        let Some((operator, stage)) = operator.zip(self.stages.get_mut(writing.stage)) else {
            if let Some(writing) = self.writing.take() {
                let (task, barrier) = (self.identity.index, &writing.barrier);
                self.listener
                    .snapshot_taken(task, barrier, writing.snapshot);
            }
            return Ok(true);
        };
        self.current = writing.stage;
        let done = stage.write_frozen(&mut writing.piece)?;
        if writing.piece.len() >= PIECE || (done && !writing.piece.is_empty()) {
            let piece = std::mem::take(&mut writing.piece);
            let (task, barrier) = (self.identity.index, &writing.barrier);
            self.listener
                .snapshot_piece(task, barrier, operator.0, piece);
        }
        if done {
            let (operator, seal) = (operator.0, stage.take_seal());
            let seal = seal.map(|seal| (operator, seal));
            writing.snapshot.stores.extend(seal);
            writing.stage += 1;
            if writing.stage == self.stages.len() {
                return self.write_on();
            }
        }
        Ok(true)
    }

    /// When to look again, where the listener takes nothing at the moment.
    pub(super) fn writing_due(&self, now: i64) -> Option<i64> {
        self.writing.as_ref().map(|_| now + LISTENER_MICROS)
    }

    /// Hands what is left of a task that ends to the listener: what its operators have counted, and,
    /// of one that was stopped, what it remembers too. Tasks are stopped one after the other, and a
    /// checkpoint that is taken for the last of them is what the job goes on from.
    pub(super) fn leave(&mut self) -> Result<(), BoxError> {
        let mut left = TaskSnapshot::default();
        for (operator, stage) in self.identity.operators.iter().zip(&mut self.stages) {
            let part = if stage.stopped() {
                let mut part = stage.snapshot()?;
                let mut body = Vec::new();
                while !stage.write_frozen(&mut body)? {}
                part.add_keyed(&body);
                part
            } else {
                OperatorSnapshot {
                    watermark: MAX_WATERMARK,
                    counts: stage.counts(),
                    ..OperatorSnapshot::default()
                }
            };
            left.operators.push((*operator, part));
            let seal = stage.take_seal().map(|seal| (*operator, seal));
            left.stores.extend(seal);
        }
        self.listener.task_leaves(self.identity.index, left);
        Ok(())
    }
}
