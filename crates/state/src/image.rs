//! The canonical form of keyed state: what a checkpoint or savepoint holds of one operator's subtask,
//! whatever kept it.
//!
//! ```text
//! KeyedImage  key schema │ states: name, kind, schemas … │ timer services │ body
//! body        frame*                    frame   key group │ length │ record*
//! record      0 key │ 1+i namespace? updated? map key? value │ 1+states+j timestamp namespace
//! ```
//!
//! A record without a key belongs to the key before it in its frame. A frame holds records of one
//! key group, a group may have several, and they come in any order; so a reader takes the groups that
//! it owns and passes over the others by their length, and bodies can be put one behind the other.
//! Everything is in the rows' binary encoding, under the schemas in the head: a reader needs no user
//! type.
//!
//! It is written bit by bit: see [`crate::image_writer`]. Back: [`KeyedBackend::restore_image`].

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use rheos_core::Row;
use rheos_core::row::{Reader, RowError, Schema};
use rheos_core::time::Millis;

use crate::backend::KeyedBackend;
use crate::error::StateError;
use crate::evolution::Conversion;
use crate::key_context::Namespace;
use crate::registered::StateTable;
use crate::snapshot::Piece;
use crate::timers::Timers;

/// What there is to know of a state in order to read it.
#[derive(Row, Debug, Clone, PartialEq)]
pub struct StateHeader {
    /// Its name.
    pub name: String,
    /// Its kind: `value`, `list`, `map`, `reducing`, `aggregating`, or an operator's own word.
    pub kind: String,
    /// Whether its records have a namespace.
    pub namespaced: bool,
    /// Whether its records say when they were last updated.
    pub has_ttl: bool,
    /// The schema of the map keys, as Avro's JSON.
    pub map_key_schema: Option<String>,
    /// The schema of the values, as Avro's JSON.
    pub value_schema: String,
}

/// A timer service.
#[derive(Row, Debug, Clone, PartialEq)]
pub struct TimerHeader {
    /// Its name.
    pub service: String,
    /// `event time` or `processing time`.
    pub domain: String,
}

/// The keyed state of one operator's subtask. See the [module](self).
#[derive(Row, Debug, Clone, PartialEq)]
pub struct KeyedImage {
    /// The schema of the keys, as Avro's JSON.
    pub key_schema: String,
    /// The states, in the order of their numbers.
    pub states: Vec<StateHeader>,
    /// The timer services, in the order of their numbers.
    pub timers: Vec<TimerHeader>,
    /// The records.
    pub body: Vec<u8>,
}

/// A record of a state that is not the backend's, shown to the operator that declared it.
#[derive(Debug, Clone, Copy)]
pub struct OwnEntry<'a> {
    /// The state's name.
    pub state: &'a str,
    /// The slot of its key, opened if it was new.
    pub slot: u32,
    /// The hash of its key.
    pub key_hash: u64,
    /// The namespace; 0 without.
    pub namespace: Namespace,
    /// The schema that it was written under, as Avro's JSON.
    pub schema: &'a str,
    /// The value's binary form.
    pub value: &'a [u8],
}

pub(crate) fn text_of(
    name: &str,
    part: &'static str,
    schema: &Schema,
) -> Result<String, StateError> {
    schema.to_avro_json().map_err(|source| StateError::Decode {
        name: name.to_owned(),
        part,
        source,
    })
}

/// One record as it stands in a body.
enum Record<'a> {
    Key(&'a [u8]),
    Entry(usize, Piece<'a>),
    Timer(usize, Millis, Namespace),
}

impl KeyedImage {
    /// Shows the frames whose key groups lie in `groups`.
    fn frames<'a>(
        &'a self,
        groups: &Range<u32>,
        mut show: impl FnMut(&'a [u8]) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let mut body = Reader::new(&self.body);
        while !body.is_empty() {
            let group = body.long().map_err(damaged)?;
            let frame = body.bytes().map_err(damaged)?;
            if u32::try_from(group).is_ok_and(|group| groups.contains(&group)) {
                show(frame)?;
            }
        }
        Ok(())
    }

    fn read<'a>(&self, frame: &mut Reader<'a>) -> Result<Record<'a>, StateError> {
        let tag = frame.long().map_err(damaged)?;
        if tag == 0 {
            return Ok(Record::Key(frame.bytes().map_err(damaged)?));
        }
        let number = tag
            .checked_sub(1)
            .and_then(|number| usize::try_from(number).ok())
            .ok_or_else(|| damaged(RowError::corrupt("a record of no state")))?;
        if let Some(header) = self.states.get(number) {
            let mut part = || -> Result<Piece<'a>, RowError> {
                Ok(Piece {
                    namespace: match header.namespaced {
                        true => Some(frame.long()? as u64),
                        false => None,
                    },
                    updated: match header.has_ttl {
                        true => Some(frame.long()?),
                        false => None,
                    },
                    map_key: match header.map_key_schema {
                        Some(_) => Some(frame.bytes()?),
                        None => None,
                    },
                    value: frame.bytes()?,
                })
            };
            return part()
                .map(|piece| Record::Entry(number, piece))
                .map_err(damaged);
        }
        let service = number - self.states.len();
        let timestamp = frame.long().map_err(damaged)?;
        let namespace = frame.long().map_err(damaged)? as u64;
        Ok(Record::Timer(service, timestamp, namespace))
    }

    /// How many keys and records there are, by state and then by timer service: for whoever looks
    /// into a savepoint.
    ///
    /// # Errors
    /// If the body is damaged.
    pub fn counts(&self) -> Result<(u64, Vec<u64>), StateError> {
        let mut keys = std::collections::BTreeSet::new();
        let mut counts = vec![0; self.states.len() + self.timers.len()];
        self.frames(&(0..u32::MAX), |frame| {
            let mut frame = Reader::new(frame);
            while !frame.is_empty() {
                let at = match self.read(&mut frame)? {
                    Record::Key(key) => {
                        keys.insert(key);
                        continue;
                    }
                    Record::Entry(state, _) => state,
                    Record::Timer(service, ..) => self.states.len() + service,
                };
                if let Some(count) = counts.get_mut(at) {
                    *count += 1;
                }
            }
            Ok(())
        })?;
        Ok((keys.len() as u64, counts))
    }
}

/// A record, as whoever looks into a savepoint sees it.
#[derive(Debug, Clone, Copy)]
pub enum ImageRecord<'a> {
    /// An entry of the state of this number.
    Entry {
        /// The key group.
        key_group: u32,
        /// The key's binary form.
        key: &'a [u8],
        /// The state, by its place in the head.
        state: usize,
        /// The entry.
        piece: Piece<'a>,
    },
    /// A timer of the service of this number.
    Timer {
        /// The key group.
        key_group: u32,
        /// The key's binary form.
        key: &'a [u8],
        /// The service, by its place in the head.
        service: usize,
        /// When it is due.
        timestamp: Millis,
        /// What it was registered under.
        namespace: Namespace,
    },
}

impl KeyedImage {
    /// Shows every record.
    ///
    /// # Errors
    /// If the body is damaged, or what `show` says.
    pub fn records(
        &self,
        mut show: impl FnMut(ImageRecord<'_>) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let mut body = Reader::new(&self.body);
        while !body.is_empty() {
            let group = body.long().map_err(damaged)?;
            let key_group = u32::try_from(group)
                .map_err(|_| damaged(RowError::corrupt("a key group that there is not")))?;
            let mut frame = Reader::new(body.bytes().map_err(damaged)?);
            let mut key: &[u8] = &[];
            while !frame.is_empty() {
                show(match self.read(&mut frame)? {
                    Record::Key(bytes) => {
                        key = bytes;
                        continue;
                    }
                    Record::Entry(state, piece) => ImageRecord::Entry {
                        key_group,
                        key,
                        state,
                        piece,
                    },
                    Record::Timer(service, timestamp, namespace) => ImageRecord::Timer {
                        key_group,
                        key,
                        service,
                        timestamp,
                        namespace,
                    },
                })?;
            }
        }
        Ok(())
    }
}

fn damaged(source: RowError) -> StateError {
    StateError::Decode {
        name: "keyed state".to_owned(),
        part: "record",
        source,
    }
}

/// Where the records of a state of the snapshot go.
enum Target {
    Table(Rc<RefCell<dyn StateTable>>, Conversion),
    Own(String, String),
    /// Nowhere: the job does not declare it, and what it does not claim may go.
    Dropped,
}

impl<K: Row> KeyedBackend<K> {
    /// Takes back what an image holds of these key groups, into states and timers that are declared
    /// by now. Records of the states in `own` are shown to the operator.
    ///
    /// # Errors
    /// If the image holds a state that is neither declared nor in `own`, one of another type, or is
    /// damaged.
    pub fn restore_image(
        &mut self,
        image: &KeyedImage,
        groups: &Range<u32>,
        own: &[&str],
        mut show: impl FnMut(OwnEntry<'_>) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        same_schema("key", "key", &image.key_schema, &K::schema())?;
        let targets = self.targets(image, own)?;
        let services = self.services(image)?;
        let now = self.context().now();
        let stored = self.has_store();
        image.frames(groups, |frame| {
            let mut frame = Reader::new(frame);
            let mut at: Option<(u32, u64)> = None;
            while !frame.is_empty() {
                let record = image.read(&mut frame)?;
                if let Record::Key(bytes) = record {
                    let key = read_key::<K>(bytes)?;
                    let hash = key.key_hash();
                    at = Some((self.resolve_only(hash, &key), hash));
                    continue;
                }
                let (slot, key_hash) =
                    at.ok_or_else(|| damaged(RowError::corrupt("a record before any key")))?;
                match record {
                    Record::Key(_) => {}
                    Record::Entry(state, piece) => match targets.get(state) {
                        Some(Target::Table(table, conversion)) => {
                            if stored {
                                // It is not in the store yet.
                                self.bring(&[slot]);
                                table.borrow_mut().changes().note(slot);
                            }
                            let mut table = table.borrow_mut();
                            let header = image.states.get(state);
                            let name = header.map_or("", |header| header.name.as_str());
                            let value = conversion
                                .apply(name, piece.value, |how, value| table.resolve(how, value))?;
                            let piece = Piece {
                                value: &value,
                                ..piece
                            };
                            table.restore(slot, &piece, now)?;
                        }
                        Some(Target::Own(state, schema)) => show(OwnEntry {
                            state,
                            schema,
                            slot,
                            key_hash,
                            namespace: piece.namespace.unwrap_or_default(),
                            value: piece.value,
                        })?,
                        Some(Target::Dropped) | None => {}
                    },
                    Record::Timer(service, timestamp, namespace) => {
                        let service = services
                            .get(service)
                            .ok_or_else(|| damaged(RowError::corrupt("a record of no state")))?;
                        service
                            .service()
                            .borrow_mut()
                            .register(timestamp, slot, namespace);
                    }
                }
            }
            if stored {
                self.end_batch();
                self.check_store()?;
            }
            Ok(())
        })?;
        self.end_batch();
        Ok(())
    }

    fn targets(&self, image: &KeyedImage, own: &[&str]) -> Result<Vec<Target>, StateError> {
        let mut targets = Vec::new();
        for header in &image.states {
            if own.contains(&header.name.as_str()) {
                let schema = header.value_schema.clone();
                targets.push(Target::Own(header.name.clone(), schema));
                continue;
            }
            let found = self.tables().iter().find(|table| {
                let table = table.borrow();
                table.name() == header.name
                    && table.kind().name() == header.kind
                    && table.is_namespaced() == header.namespaced
            });
            if found.is_none() && self.drops_undeclared() {
                targets.push(Target::Dropped);
                continue;
            }
            let Some(table) = found else {
                return Err(StateError::UnknownState {
                    name: header.name.clone(),
                    kind: header.kind.clone(),
                });
            };
            let (map_key, value) = table.borrow().schemas();
            let migrate = table.borrow().migrate().cloned();
            let conversion =
                Conversion::of(&header.name, &header.value_schema, &value, migrate.as_ref())?;
            if let (Some(text), Some(schema)) = (&header.map_key_schema, &map_key) {
                same_schema(&header.name, "map key", text, schema)?;
            }
            targets.push(Target::Table(Rc::clone(table), conversion));
        }
        Ok(targets)
    }

    fn services(&self, image: &KeyedImage) -> Result<Vec<Timers>, StateError> {
        let mut services = Vec::new();
        for header in &image.timers {
            let found = self.timer_services().find(|(name, timers)| {
                *name == header.service && timers.domain().to_string() == header.domain
            });
            let Some((_, timers)) = found else {
                return Err(StateError::UnknownState {
                    name: header.service.clone(),
                    kind: format!("{} timers", header.domain),
                });
            };
            services.push(timers.clone());
        }
        Ok(services)
    }
}

fn read_key<K: Row>(bytes: &[u8]) -> Result<K, StateError> {
    let mut reader = Reader::new(bytes);
    K::decode(&mut reader)
        .and_then(|key| reader.finish().map(|()| key))
        .map_err(|source| StateError::Decode {
            name: "key".to_owned(),
            part: "key",
            source,
        })
}

/// Refuses what was written under another schema.
pub fn same_schema(
    name: &str,
    part: &'static str,
    written: &str,
    declared: &Schema,
) -> Result<(), StateError> {
    if text_of(name, part, declared)? == written {
        return Ok(());
    }
    Err(StateError::OtherSchema {
        name: name.to_owned(),
        part,
        written: written.to_owned(),
        declared: text_of(name, part, declared)?,
        reason: format!("a {part} does not change its type"),
    })
}
