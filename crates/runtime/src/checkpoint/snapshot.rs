//! What one subtask of an operator remembers at a barrier, in its canonical form: every backend
//! writes it and reads it.

use std::sync::Arc;

use rheos_core::Row;
use rheos_core::id::OperatorId;
use rheos_core::row::{Reader, RowError, Writer};
use rheos_core::time::{MIN_TIMESTAMP, Millis};
use rheos_state::{
    KeyedImage, OperatorBackend, OperatorEntry, PendingSeal, Redistribution, StateError,
};

use crate::exchange::in_flight::{InFlightRows, input_of};
use crate::metrics::operator::OperatorMetrics;
use crate::metrics::user::UserMetric;

/// To whom the entries of a list go when it is restored at another parallelism.
#[derive(Row, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deal {
    /// Each to one subtask, evenly.
    Split,
    /// All to each.
    Union,
    /// The lists are the same everywhere: each subtask takes one of them.
    Same,
    /// The list of subtask *n* to subtask *n* modulo the new parallelism.
    Heir,
}

/// One entry of a list, or of a broadcast map.
#[derive(Row, Debug, Clone, PartialEq)]
pub struct ListEntry {
    /// The key's binary form, for a map.
    pub key: Option<Vec<u8>>,
    /// The value's binary form.
    pub value: Vec<u8>,
}

/// State without a key.
#[derive(Row, Debug, Clone, PartialEq)]
pub struct ListImage {
    /// Its name.
    pub name: String,
    /// Who takes which entries back.
    pub deal: Deal,
    /// The schema of the values, as Avro's JSON; empty where the operator keeps bytes.
    pub schema: String,
    /// The entries, in order.
    pub entries: Vec<ListEntry>,
}

/// A number that an operator keeps.
#[derive(Row, Debug, Clone, PartialEq)]
pub struct NumberImage {
    /// Its name.
    pub name: String,
    /// It.
    pub number: i64,
}

/// What an operator has counted; goes on after a restore, so that the counters hold for the job and
/// not for one attempt.
#[derive(Row, Debug, Clone, Default, PartialEq)]
pub struct Counts {
    /// Rows taken.
    pub records_in: u64,
    /// Rows emitted.
    pub records_out: u64,
    /// Late rows that no side output took.
    pub late_dropped: u64,
    /// Late rows that a side output took.
    pub late_to_side: u64,
    /// Records that a source could not read.
    pub records_in_errors: u64,
    /// Rows that a sink could not write.
    pub records_out_errors: u64,
    /// The counters of user functions.
    pub user: Vec<NumberImage>,
}

impl Counts {
    /// What has been counted.
    pub fn of(metrics: &OperatorMetrics) -> Self {
        let user = metrics.user().all().into_iter();
        let user = user.filter_map(|(name, metric)| match metric {
            UserMetric::Counter(count) => Some(NumberImage {
                name: name.path,
                number: count.count(),
            }),
            _ => None,
        });
        Self {
            records_in: metrics.records_in(),
            records_out: metrics.records_out(),
            late_dropped: metrics.late_dropped(),
            late_to_side: metrics.late_to_side(),
            records_in_errors: metrics.records_in_errors(),
            records_out_errors: metrics.records_out_errors(),
            user: user.collect(),
        }
    }

    /// Adds what another has counted.
    pub fn add(&mut self, other: &Self) {
        self.records_in += other.records_in;
        self.records_out += other.records_out;
        self.late_dropped += other.late_dropped;
        self.late_to_side += other.late_to_side;
        self.records_in_errors += other.records_in_errors;
        self.records_out_errors += other.records_out_errors;
        for counter in &other.user {
            match self.user.iter_mut().find(|own| own.name == counter.name) {
                Some(own) => own.number += counter.number,
                None => self.user.push(counter.clone()),
            }
        }
    }

    /// Lets fresh metrics, whose functions are open, go on from here.
    pub fn resume(&self, metrics: &OperatorMetrics) {
        metrics.set_records_in(self.records_in);
        metrics.set_records_out(self.records_out);
        metrics.add_late_dropped(self.late_dropped);
        metrics.add_late_to_side(self.late_to_side);
        metrics.add_records_in_errors(self.records_in_errors);
        metrics.add_records_out_errors(self.records_out_errors);
        for (name, metric) in metrics.user().all() {
            let counted = self.user.iter().find(|counter| counter.name == name.path);
            if let (UserMetric::Counter(count), Some(counted)) = (metric, counted) {
                count.inc_by(counted.number);
            }
        }
    }
}

/// What one subtask of an operator remembers.
#[derive(Row, Debug, Clone, PartialEq)]
pub struct OperatorSnapshot {
    /// How far event time had come in it.
    pub watermark: Millis,
    /// Whether that watermark was still at work: timers due under it are among the state.
    pub burst: bool,
    /// Its counters.
    pub counts: Counts,
    /// Numbers.
    pub numbers: Vec<NumberImage>,
    /// State without a key.
    pub lists: Vec<ListImage>,
    /// State by key.
    pub keyed: Option<KeyedImage>,
}

impl Default for OperatorSnapshot {
    fn default() -> Self {
        Self {
            watermark: MIN_TIMESTAMP,
            burst: false,
            counts: Counts::default(),
            numbers: Vec::new(),
            lists: Vec::new(),
            keyed: None,
        }
    }
}

impl OperatorSnapshot {
    /// Keeps a number.
    pub fn number(&mut self, name: &str, number: i64) {
        self.numbers.push(NumberImage {
            name: name.to_owned(),
            number,
        });
    }

    /// Keeps a list of rows.
    ///
    /// # Errors
    /// If their type has no schema that can be written, or a row can't be.
    pub fn list<'a, V: Row>(
        &mut self,
        name: &str,
        deal: Deal,
        rows: impl IntoIterator<Item = &'a V>,
    ) -> Result<(), RowError> {
        let mut entries = Vec::new();
        for row in rows {
            let mut bytes = Writer::new();
            row.encode(&mut bytes);
            bytes.check()?;
            let value = bytes.into_vec();
            entries.push(ListEntry { key: None, value });
        }
        self.lists.push(ListImage {
            name: name.to_owned(),
            deal,
            schema: V::schema().to_avro_json()?,
            entries,
        });
        Ok(())
    }

    /// Puts frames behind those of the keyed state.
    pub fn add_keyed(&mut self, frames: &[u8]) {
        if let Some(keyed) = &mut self.keyed {
            keyed.body.extend_from_slice(frames);
        }
    }

    /// Keeps bytes.
    pub fn bytes(&mut self, name: &str, deal: Deal, values: impl IntoIterator<Item = Vec<u8>>) {
        let entries = values.into_iter();
        let entries = entries.map(|value| ListEntry { key: None, value });
        self.lists.push(ListImage {
            name: name.to_owned(),
            deal,
            schema: String::new(),
            entries: entries.collect(),
        });
    }

    /// Keeps the state without a key of a backend.
    ///
    /// # Errors
    /// What the backend says.
    pub fn operator_state(&mut self, backend: &OperatorBackend) -> Result<(), StateError> {
        for (name, redistribution, schema) in backend.declared()? {
            self.lists.push(ListImage {
                name: name.to_owned(),
                deal: match redistribution {
                    Some(Redistribution::Split) => Deal::Split,
                    Some(Redistribution::Union) => Deal::Union,
                    None => Deal::Same,
                },
                schema,
                entries: Vec::new(),
            });
        }
        let lists = &mut self.lists;
        backend.snapshot(|entry: OperatorEntry<'_>| {
            let stored = ListEntry {
                key: entry.key.map(<[u8]>::to_vec),
                value: entry.value.to_vec(),
            };
            // Each is declared above.
            if let Some(list) = lists.iter_mut().find(|list| list.name == entry.state) {
                list.entries.push(stored);
            }
            Ok(())
        })
    }

    /// Whether there is anything that a job would miss: state, not only time and counters.
    pub fn has_state(&self) -> bool {
        let keyed = self
            .keyed
            .as_ref()
            .is_some_and(|keyed| !keyed.body.is_empty());
        // Of what was in flight there is an entry for each channel, also of one that had nothing.
        let is_state = |list: &ListImage| match input_of(&list.name) {
            Some(_) => list.entries.iter().any(|entry| !entry.value.is_empty()),
            None => !list.entries.is_empty(),
        };
        keyed || self.lists.iter().any(is_state)
    }

    /// Its binary form.
    ///
    /// # Errors
    /// If something nests too deeply.
    pub fn to_bytes(&self) -> Result<Vec<u8>, RowError> {
        let mut out = Writer::new();
        self.encode(&mut out);
        out.check()?;
        Ok(out.into_vec())
    }

    /// Reads its binary form.
    ///
    /// # Errors
    /// If the bytes are not one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RowError> {
        let mut reader = Reader::new(bytes);
        let snapshot = Self::decode(&mut reader)?;
        reader.finish()?;
        Ok(snapshot)
    }
}

/// What one task remembers, and what it took.
#[derive(Clone, Default)]
pub struct TaskSnapshot {
    /// By operator, upstream first; the bodies of keyed state apart, in pieces.
    pub operators: Vec<(OperatorId, OperatorSnapshot)>,
    /// Of operators with a store, that, to be sealed.
    pub stores: Vec<(OperatorId, Arc<PendingSeal>)>,
    /// What was in flight before the inputs of the first of them, until it is encoded.
    pub in_flight: Vec<Arc<dyn InFlightRows>>,
    /// What it took.
    pub cost: TaskCost,
}

/// What a checkpoint cost one task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskCost {
    /// From the trigger to the first input's barrier, in microseconds.
    pub start_delay_micros: i64,
    /// From the first input's barrier to the last one's, in microseconds.
    pub alignment_micros: i64,
    /// How long the task stood still for it, in microseconds.
    pub sync_micros: i64,
    /// Bytes of rows that the task took in during alignment.
    pub bytes_processed: u64,
    /// Bytes of elements in flight that are in the checkpoint.
    pub bytes_persisted: u64,
    /// Whether the barrier overtook what was in flight.
    pub unaligned: bool,
}

impl TaskSnapshot {
    /// Writes what was in flight into the snapshot of the first operator. For whoever stores it, off
    /// the task's thread.
    ///
    /// # Errors
    /// If a row can't be written.
    pub fn settle(&mut self) -> Result<(), RowError> {
        for in_flight in std::mem::take(&mut self.in_flight) {
            let list = in_flight.encode()?;
            let bytes = list.entries.iter().map(|entry| entry.value.len() as u64);
            self.cost.bytes_persisted += bytes.sum::<u64>();
            if let Some((_, head)) = self.operators.first_mut() {
                head.lists.push(list);
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for TaskSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskSnapshot")
            .field("operators", &self.operators)
            .field("inputs_in_flight", &self.in_flight.len())
            .field("cost", &self.cost)
            .finish()
    }
}
