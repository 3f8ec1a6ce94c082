//! State without a key: lists that belong to a subtask, and the broadcast maps.
//!
//! A subtask's list is kept for what is not by key: the offsets of a source, what a sink has open.
//! When the job is restored with another parallelism the elements are dealt out anew: each element
//! to one subtask ([`Redistribution::Split`]) or all to all ([`Redistribution::Union`]); broadcast
//! maps are the same everywhere, and every subtask takes one of them.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use rheos_core::Row;
use rheos_core::row::Writer;

use crate::broadcast::{BroadcastEntries, BroadcastState};
use crate::descriptor::{BroadcastStateDescriptor, OperatorListStateDescriptor};
use crate::error::StateError;
use crate::image::text_of;
use crate::registered::decode;
use crate::snapshot::PieceError;

/// How the elements of the subtasks' lists are dealt out on a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Redistribution {
    /// Each element goes to one subtask, evenly.
    Split,
    /// Every subtask gets all elements.
    Union,
}

impl Redistribution {
    /// Deals the lists of the subtasks before out to `parallelism` subtasks. With
    /// [`Redistribution::Split`] every subtask gets a run of neighbours, none more than one longer
    /// than another.
    pub fn deal<T: Clone>(self, lists: Vec<Vec<T>>, parallelism: usize) -> Vec<Vec<T>> {
        let mut all: Vec<T> = lists.into_iter().flatten().collect();
        match self {
            Self::Union => vec![all; parallelism],
            Self::Split => {
                let (each, more) = (
                    all.len() / parallelism.max(1),
                    all.len() % parallelism.max(1),
                );
                let mut dealt: Vec<Vec<T>> = Vec::with_capacity(parallelism);
                for subtask in (0..parallelism).rev() {
                    let len = each + usize::from(subtask < more);
                    dealt.push(all.split_off(all.len().saturating_sub(len)));
                }
                dealt.reverse();
                dealt
            }
        }
    }
}

#[derive(Debug)]
struct List<V> {
    name: String,
    items: Vec<V>,
}

/// A list of one subtask.
pub struct OperatorListState<V>(Rc<RefCell<List<V>>>);

impl<V> Clone for OperatorListState<V> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<V> fmt::Debug for OperatorListState<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorListState").finish_non_exhaustive()
    }
}

impl<V: Row> OperatorListState<V> {
    /// Appends an element.
    pub fn add(&self, value: V) {
        self.0.borrow_mut().items.push(value);
    }

    /// Appends elements.
    pub fn add_all(&self, values: impl IntoIterator<Item = V>) {
        self.0.borrow_mut().items.extend(values);
    }

    /// Replaces the list.
    pub fn update(&self, values: Vec<V>) {
        self.0.borrow_mut().items = values;
    }

    /// The list, cloned.
    pub fn get(&self) -> Vec<V> {
        self.0.borrow().items.clone()
    }

    /// Looks at the list without cloning it.
    pub fn with<R>(&self, look: impl FnOnce(&[V]) -> R) -> R {
        look(&self.0.borrow().items)
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.0.borrow().items.len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops all elements.
    pub fn clear(&self) {
        self.0.borrow_mut().items.clear();
    }
}

/// A list without its type. Implemented by [`OperatorListState`], called by the operator's backend
/// on the task's thread.
trait ListEntries {
    fn schema(&self) -> Result<String, StateError>;
    fn show(&self, out: &mut dyn FnMut(&[u8]) -> Result<(), StateError>) -> Result<(), StateError>;
    fn restore(&self, value: &[u8]) -> Result<(), StateError>;
}

impl<V: Row> ListEntries for OperatorListState<V> {
    fn schema(&self) -> Result<String, StateError> {
        text_of(&self.0.borrow().name, "element", &V::schema())
    }

    fn show(&self, out: &mut dyn FnMut(&[u8]) -> Result<(), StateError>) -> Result<(), StateError> {
        let mut bytes = Writer::new();
        for item in &self.0.borrow().items {
            bytes.clear();
            item.encode(&mut bytes);
            out(bytes.as_slice())?;
        }
        Ok(())
    }

    fn restore(&self, value: &[u8]) -> Result<(), StateError> {
        let list = &mut *self.0.borrow_mut();
        let item = decode("element", value).map_err(|error| match error {
            PieceError::Decode(part, source) => StateError::Decode {
                name: list.name.clone(),
                part,
                source,
            },
            PieceError::Missing(part) => StateError::Incomplete {
                name: list.name.clone(),
                part,
            },
        })?;
        list.items.push(item);
        Ok(())
    }
}

/// One element of a list or one entry of a broadcast map, as a snapshot has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperatorEntry<'a> {
    /// The state's name.
    pub state: &'a str,
    /// How it is dealt out; none for a broadcast map, of which each subtask takes one.
    pub redistribution: Option<Redistribution>,
    /// The binary form of the key, for a broadcast map.
    pub key: Option<&'a [u8]>,
    /// The binary form of the element or value.
    pub value: &'a [u8],
}

enum State {
    List(Redistribution, Box<dyn ListEntries>),
    Broadcast(Box<dyn BroadcastEntries>),
}

/// The state without a key of one operator, by name.
#[derive(Default)]
pub struct OperatorBackend {
    states: Vec<(String, State)>,
}

impl fmt::Debug for OperatorBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.states.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("OperatorBackend")
            .field("states", &names)
            .finish()
    }
}

impl OperatorBackend {
    /// A backend without states.
    pub fn new() -> Self {
        Self::default()
    }

    /// Declares a list of this subtask.
    ///
    /// # Errors
    /// Where the name is in use.
    pub fn list<V: Row>(
        &mut self,
        descriptor: &OperatorListStateDescriptor<V>,
    ) -> Result<OperatorListState<V>, StateError> {
        let list = List {
            name: descriptor.name.clone(),
            items: Vec::new(),
        };
        let list = OperatorListState(Rc::new(RefCell::new(list)));
        let state = State::List(descriptor.redistribution, Box::new(list.clone()));
        self.register(&descriptor.name, state)?;
        Ok(list)
    }

    /// Declares a broadcast map.
    ///
    /// # Errors
    /// Where the name is in use.
    pub fn broadcast<K: Row, V: Row>(
        &mut self,
        descriptor: &BroadcastStateDescriptor<K, V>,
    ) -> Result<BroadcastState<K, V>, StateError> {
        let map = BroadcastState::new(descriptor);
        self.register(&descriptor.name, State::Broadcast(Box::new(map.clone())))?;
        Ok(map)
    }

    fn register(&mut self, name: &str, state: State) -> Result<(), StateError> {
        if self.states.iter().any(|(other, _)| other == name) {
            return Err(StateError::DuplicateName {
                name: name.to_owned(),
            });
        }
        self.states.push((name.to_owned(), state));
        Ok(())
    }

    /// The names of its states, in the order of declaration.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.states.iter().map(|(name, _)| name.as_str())
    }

    /// Its states in the order of declaration: name, how it is dealt out (none for a broadcast map), and
    /// the schema of its elements as Avro's JSON; of a map that of a record of `key` and `value`.
    ///
    /// # Errors
    /// If a type has no schema that can be written.
    pub fn declared(&self) -> Result<Vec<(&str, Option<Redistribution>, String)>, StateError> {
        let states = self.states.iter();
        states
            .map(|(name, state)| {
                Ok(match state {
                    State::List(redistribution, list) => {
                        (name.as_str(), Some(*redistribution), list.schema()?)
                    }
                    State::Broadcast(map) => (name.as_str(), None, map.schema()?),
                })
            })
            .collect()
    }

    /// Shows every element and entry once, by state, in order.
    ///
    /// # Errors
    /// What `show` answers, which ends it.
    pub fn snapshot(
        &self,
        mut show: impl FnMut(OperatorEntry<'_>) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        for (name, state) in &self.states {
            match state {
                State::List(redistribution, list) => list.show(&mut |value| {
                    let redistribution = Some(*redistribution);
                    show(OperatorEntry {
                        state: name,
                        redistribution,
                        key: None,
                        value,
                    })
                })?,
                State::Broadcast(map) => map.show(&mut |key, value| {
                    let key = Some(key);
                    show(OperatorEntry {
                        state: name,
                        redistribution: None,
                        key,
                        value,
                    })
                })?,
            }
        }
        Ok(())
    }

    /// Takes back an element or entry that [`OperatorBackend::snapshot`] showed, as
    /// [`Redistribution::deal`] dealt it.
    ///
    /// # Errors
    /// Where no such state is declared, or the entry is not of its types.
    pub fn restore(&self, entry: &OperatorEntry<'_>) -> Result<(), StateError> {
        let state = self.states.iter().find(|(name, _)| name == entry.state);
        match (state, entry.key) {
            (Some((_, State::List(_, list))), None) => list.restore(entry.value),
            (Some((_, State::Broadcast(map))), Some(key)) => map.restore(key, entry.value),
            _ => Err(StateError::UnknownState {
                name: entry.state.to_owned(),
                kind: if entry.key.is_some() {
                    "broadcast"
                } else {
                    "operator list"
                }
                .to_owned(),
            }),
        }
    }
}
