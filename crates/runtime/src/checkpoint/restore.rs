//! What a new subtask of an operator is to take of what all its former subtasks remembered.
//!
//! At the same parallelism a subtask takes its own part. At another one, keyed state goes by key
//! group, lists by their [`Deal`], numbers and time by those whose keys the subtask inherits.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use rheos_core::Row;
use rheos_core::id::{CheckpointId, OperatorId};
use rheos_core::key_group::range_of;
use rheos_core::row::{Reader, RowError};
use rheos_core::time::{MAX_WATERMARK, MIN_TIMESTAMP, Millis};
use rheos_state::image::same_schema;
use rheos_state::store::{OriginFile, StoreOrigin};
use rheos_state::{
    KeyedBackend, OperatorBackend, OperatorEntry, OwnEntry, Redistribution, StateError, Timers,
};

use super::floors::Floors;
use super::snapshot::{Counts, Deal, ListEntry, OperatorSnapshot};
use crate::exchange::in_flight::input_of;

/// What an operator remembered, of all its subtasks.
#[derive(Debug, Clone, Default)]
pub struct RestoredOperator {
    /// By subtask; none of one that had finished, and left nothing behind.
    pub parts: Vec<Option<Arc<OperatorSnapshot>>>,
    /// Of subtasks with a store, its files; may be shorter than `parts`.
    pub stores: Vec<Option<RestoredStore>>,
    /// What the enumerator of a source remembered.
    pub enumerator: Option<Arc<Vec<u8>>>,
}

/// The files of a store, where this process can use them.
#[derive(Clone)]
pub struct FilesHere {
    /// They.
    pub files: Vec<OriginFile>,
    /// What keeps them where they lie.
    pub keep: Arc<dyn Any + Send + Sync>,
}

/// Gets the files of a subtask's store. Implemented by checkpoints and by the harness of tests; called on the
/// thread of each task that takes something of the store, when the task is opened, and perhaps by several
/// at one time. Each call gives all files, whole and as they were written.
pub trait GetFiles: Send + Sync {
    /// Gets them.
    ///
    /// # Errors
    /// If a file is missing or not what was written, by its name; what the system says.
    fn files(&self) -> Result<FilesHere, StateError>;
}

/// The store of a former subtask.
#[derive(Clone)]
pub struct RestoredStore(pub Arc<dyn GetFiles>);

impl fmt::Debug for RestoredStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RestoredStore")
    }
}

/// What a job remembered, to be deployed again.
#[derive(Debug, Clone)]
pub struct RestoredJob {
    /// The checkpoint.
    pub checkpoint: CheckpointId,
    /// By operator.
    pub operators: BTreeMap<OperatorId, Arc<RestoredOperator>>,
    /// Whether states that operators no longer declare are dropped, and not refused.
    pub ignore_unclaimed: bool,
}

impl RestoredJob {
    /// The share of a subtask of an operator; none of an operator that is new.
    pub fn share(
        &self,
        operator: OperatorId,
        subtask: u32,
        parallelism: u32,
    ) -> Option<OperatorRestore> {
        let operator = self.operators.get(&operator)?.clone();
        Some(OperatorRestore {
            checkpoint: self.checkpoint,
            subtask,
            parallelism,
            operator,
            ignore_unclaimed: self.ignore_unclaimed,
        })
    }
}

/// The stores that a subtask goes on from, which stay where they are as long as this.
#[derive(Default)]
struct Origins {
    stores: Vec<StoreOrigin>,
    keep: Vec<Arc<dyn Any + Send + Sync>>,
}

/// The share of one new subtask.
#[derive(Debug, Clone)]
pub struct OperatorRestore {
    /// The checkpoint that is restored.
    pub checkpoint: CheckpointId,
    /// The new subtask.
    pub subtask: u32,
    /// How many there are now.
    pub parallelism: u32,
    /// What there was.
    pub operator: Arc<RestoredOperator>,
    /// Whether states that the operator no longer declares are dropped, and not refused.
    pub ignore_unclaimed: bool,
}

impl OperatorRestore {
    fn old_parallelism(&self) -> u32 {
        u32::try_from(self.operator.parts.len()).unwrap_or(u32::MAX)
    }

    /// The key groups of the new subtask.
    pub fn groups(&self) -> Range<u32> {
        range_of(self.subtask, self.parallelism)
    }

    /// Former subtasks with key groups that are the new one's: those key groups, and the part.
    fn by_groups(&self) -> impl Iterator<Item = (Range<u32>, Option<&OperatorSnapshot>)> {
        let (own, old) = (self.groups(), self.old_parallelism());
        (0u32..)
            .zip(&self.operator.parts)
            .filter_map(move |(subtask, part)| {
                let range = range_of(subtask, old);
                let both = range.start.max(own.start)..range.end.min(own.end);
                (!both.is_empty()).then_some((both, part.as_deref()))
            })
    }

    /// Gets the stores of former subtasks with key groups that are the new one's, and no others.
    fn origins(&self) -> Result<Origins, StateError> {
        let (own, old) = (self.groups(), self.old_parallelism());
        let mut origins = Origins::default();
        for (subtask, store) in (0u32..).zip(&self.operator.stores) {
            let held = range_of(subtask, old);
            let both = held.start.max(own.start)..held.end.min(own.end);
            let Some(RestoredStore(store)) = store.as_ref().filter(|_| !both.is_empty()) else {
                continue;
            };
            let FilesHere { files, keep } = store.files()?;
            origins.stores.push(StoreOrigin {
                files,
                held,
                wanted: both,
            });
            origins.keep.push(keep);
        }
        Ok(origins)
    }

    /// Former subtasks that this one is the heir of.
    fn inherited(&self) -> impl Iterator<Item = &OperatorSnapshot> {
        let own = (0u32..).zip(&self.operator.parts);
        own.filter(|(subtask, _)| subtask % self.parallelism == self.subtask)
            .filter_map(|(_, part)| part.as_deref())
    }

    /// Those by whose time the new subtask goes: its own, or those whose keys it inherits, or all
    /// where there are no keys.
    fn timed(&self) -> Vec<&OperatorSnapshot> {
        let parts = &self.operator.parts;
        if self.old_parallelism() == self.parallelism {
            return self.inherited().collect();
        }
        let keyed = parts.iter().flatten().any(|part| part.keyed.is_some());
        if keyed {
            return self.by_groups().filter_map(|(_, part)| part).collect();
        }
        parts.iter().filter_map(Option::as_deref).collect()
    }

    /// The least of the watermarks.
    pub fn watermark(&self) -> Millis {
        let timed = self.timed().into_iter().map(|part| part.watermark);
        timed.min().unwrap_or(MIN_TIMESTAMP)
    }

    /// Whether one of them was still at work on it.
    pub fn burst(&self) -> bool {
        self.timed().into_iter().any(|part| part.burst)
    }

    /// A number, of each former subtask by whose time the new one goes.
    pub fn numbers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = i64> + 'a {
        let parts = self.timed().into_iter();
        parts.filter_map(move |part| number(part, name))
    }

    /// Watermarks by key group, or what `of` takes for them, where they differ.
    pub fn floors(&self, of: impl Fn(&OperatorSnapshot) -> Millis) -> Option<Floors> {
        let floors = self.by_groups().map(|(groups, part)| {
            // What had finished had come to the end of time.
            (groups, part.map_or(MAX_WATERMARK, &of))
        });
        Floors::new(floors.collect())
    }

    /// What had been counted by those that this subtask is the heir of.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.inherited().for_each(|part| counts.add(&part.counts));
        counts
    }

    /// The entries of a list that are the new subtask's.
    fn entries(&self, name: &str) -> Vec<(String, ListEntry)> {
        let list_of = |part: &OperatorSnapshot| {
            part.lists
                .iter()
                .find(|list| list.name == name)
                .map(|list| (list.deal, list.schema.clone(), list.entries.clone()))
        };
        let parts = &self.operator.parts;
        let lists: Vec<_> = parts
            .iter()
            .map(|part| part.as_deref().and_then(list_of))
            .collect();
        let Some((deal, ..)) = lists.iter().flatten().next() else {
            return Vec::new();
        };
        let stamped = |list: Option<(Deal, String, Vec<ListEntry>)>| -> Vec<(String, ListEntry)> {
            let (_, schema, entries) = list.unwrap_or((Deal::Split, String::new(), Vec::new()));
            let entries = entries.into_iter();
            entries.map(|entry| (schema.clone(), entry)).collect()
        };
        let (subtask, parallelism) = (self.subtask as usize, self.parallelism as usize);
        let own = deal != &Deal::Union && lists.len() == parallelism;
        match deal {
            _ if own => lists
                .into_iter()
                .nth(subtask)
                .map(stamped)
                .unwrap_or_default(),
            Deal::Same => {
                let at = subtask % lists.len().max(1);
                let found = lists.get(at).cloned().flatten();
                stamped(found.or_else(|| lists.into_iter().flatten().next()))
            }
            Deal::Heir => lists
                .into_iter()
                .skip(subtask)
                .step_by(parallelism)
                .flat_map(stamped)
                .collect(),
            Deal::Split | Deal::Union => {
                let redistribution = match deal {
                    Deal::Union => Redistribution::Union,
                    _ => Redistribution::Split,
                };
                let lists = lists.into_iter().map(stamped).collect();
                let dealt = redistribution.deal(lists, parallelism);
                dealt.into_iter().nth(subtask).unwrap_or_default()
            }
        }
    }

    /// The rows of a list that are the new subtask's.
    ///
    /// # Errors
    /// If they are of another type, by name.
    pub fn list<V: Row>(&self, name: &str) -> Result<Vec<V>, StateError> {
        let mut rows = Vec::new();
        for (schema, entry) in self.entries(name) {
            same_schema(name, "value", &schema, &V::schema())?;
            let mut reader = Reader::new(&entry.value);
            let row = V::decode(&mut reader).and_then(|row| reader.finish().map(|()| row));
            rows.push(row.map_err(|source| decode_error(name, source))?);
        }
        Ok(rows)
    }

    /// The bytes that are the new subtask's.
    pub fn bytes(&self, name: &str) -> Vec<Vec<u8>> {
        let entries = self.entries(name).into_iter();
        entries.map(|(_, entry)| entry.value).collect()
    }

    /// Fills a backend of state without a key, whose states are declared.
    ///
    /// # Errors
    /// If an entry is of another type.
    pub fn operator_state(&self, backend: &OperatorBackend) -> Result<(), StateError> {
        let known: Vec<&str> = backend.names().collect();
        for list in self
            .operator
            .parts
            .iter()
            .flatten()
            .flat_map(|part| &part.lists)
        {
            let in_flight = input_of(&list.name).is_some();
            if !in_flight && !self.ignore_unclaimed && !known.contains(&list.name.as_str()) {
                return Err(StateError::UnknownState {
                    name: list.name.clone(),
                    kind: "operator state".to_owned(),
                });
            }
        }
        for (name, _, declared) in backend.declared()? {
            for (written, entry) in self.entries(name) {
                // Older checkpoints don't say.
                if !written.is_empty() && written != declared {
                    return Err(StateError::OtherSchema {
                        name: name.to_owned(),
                        part: "element",
                        written,
                        declared,
                        reason: "state without a key does not change its type".to_owned(),
                    });
                }
                backend.restore(&OperatorEntry {
                    state: name,
                    redistribution: None,
                    key: entry.key.as_deref(),
                    value: &entry.value,
                })?;
            }
        }
        Ok(())
    }

    /// Fills a backend of keyed state, whose states and timers are declared; what the operator keeps
    /// beside it under the names `own` is shown.
    ///
    /// # Errors
    /// If there is a state that is not declared, or of another type.
    pub fn keyed<K: Row>(
        &self,
        backend: &mut KeyedBackend<K>,
        own: &[&str],
        mut show: impl FnMut(OwnEntry<'_>) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        backend.drop_undeclared(self.ignore_unclaimed);
        let origins = self.origins()?;
        backend.restore_store(&origins.stores)?;
        let image = self.operator.parts.iter().flatten();
        let image = image.filter_map(|part| part.keyed.as_ref()).next();
        if let Some(image) = image.filter(|_| !origins.stores.is_empty()) {
            backend.convert_store(image)?;
        }
        for (groups, part) in self.by_groups() {
            if let Some(image) = part.and_then(|part| part.keyed.as_ref()) {
                backend.restore_image(image, &groups, own, &mut show)?;
            }
        }
        Ok(())
    }

    /// Sets the time of an event-time timer service; before its timers are restored.
    pub fn event_time(&self, timers: &Timers) {
        let watermark = self.watermark();
        if watermark > MIN_TIMESTAMP {
            let burst = self.burst();
            timers
                .service()
                .borrow_mut()
                .restore_progress(watermark, burst);
        }
    }
}

/// A number of a part.
pub fn number(part: &OperatorSnapshot, name: &str) -> Option<i64> {
    let mut numbers = part.numbers.iter();
    numbers
        .find(|number| number.name == name)
        .map(|number| number.number)
}

/// An entry of this state can't be read.
pub fn decode_error(name: &str, source: RowError) -> StateError {
    StateError::Decode {
        name: name.to_owned(),
        part: "value",
        source,
    }
}
