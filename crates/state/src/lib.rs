//! Keyed and operator state, on the heap or with a store behind it: what a task remembers between rows.
//!
//! A key is looked up once, in the [`KeyDirectory`], which gives it a **slot**: a small dense
//! number. Everything that is kept for the key lies under that number in one table a state, so a
//! state access is an index into a `Vec` and not a second look-up. The [`KeyContext`] holds the
//! slot (and namespace, and processing time) of the row at hand and is shared by all handles of
//! an operator.
//!
//! ```text
//! batch of keys ──resolve_batch──▶ slots ──touch──▶ (cache misses overlap)
//!                                    │
//!              for each row:  set_current(slot, hash) ─▶ user function ─▶ ValueState::update …
//!                                    │
//!                               end_batch: slots that nothing refers to are freed
//! ```
//!
//! A slot lives as long as something refers to it: a table with an entry under it, or a timer.
//! Freed slots are used again, but only at [`KeyedBackend::end_batch`], so numbers that a batch
//! resolved stay valid until its end.
//!
//! All of this runs on the one thread of its task: handles are `Rc`s, not `Send`, and are made by
//! the operator on the thread that runs it. What crosses threads are the descriptors.
//!
//! | module | what it holds |
//! |---|---|
//! | [`backend`] | `KeyedBackend`: directory, context, registered states and timers; enumeration and restore |
//! | [`key_directory`], [`key_context`] | key → slot; the key at hand |
//! | [`descriptor`], [`ttl`] | how a state is declared; how its entries age |
//! | [`value`], [`list`], [`map`], [`reducing`], [`aggregating`] | the handles |
//! | [`timers`] | event- and processing-time timers |
//! | [`changes`] | what has changed since when; keys that are kept as they were while rows go on |
//! | [`snapshot`] | entries one by one |
//! | [`image`], [`image_writer`] | the canonical form of all of them, written while rows go on |
//! | [`store`] | a store behind the tables, for state that does not fit into memory |
//! | `rocks` | that store in RocksDB; with the feature `rocksdb` |
//! | [`broadcast`], [`operator_state`] | state without a key |
#![deny(missing_docs)]

pub mod aggregating;
pub mod backend;
pub mod broadcast;
pub mod changes;
pub mod descriptor;
pub mod error;
pub mod evolution;
pub mod image;
pub mod image_writer;
pub mod key_context;
pub mod key_directory;
pub mod list;
pub mod local_folder;
pub mod map;
mod map_cell;
mod namespace_cell;
pub mod operator_state;
mod probe_index;
mod quick_hash;
pub mod reducing;
mod registered;
#[cfg(feature = "rocksdb")]
pub mod rocks;
mod slab;
mod slot_refs;
mod slot_set;
pub mod snapshot;
pub mod store;
mod table;
mod tag_scan;
pub mod timers;
pub mod ttl;
pub mod value;

pub use aggregating::{AggregateFunction, AggregatingState};
pub use backend::{FrozenKey, KeyedBackend, StateInfo};
pub use broadcast::{BroadcastState, ReadOnlyBroadcastState};
pub use changes::{ChangeLog, Epoch, FrozenSink};
pub use descriptor::{
    AggregatingStateDescriptor, BroadcastStateDescriptor, ListStateDescriptor, MapStateDescriptor,
    OperatorListStateDescriptor, ReducingStateDescriptor, StateKind, ValueStateDescriptor,
};
pub use error::StateError;
pub use image::{ImageRecord, KeyedImage, OwnEntry, StateHeader, TimerHeader};
pub use image_writer::ImageHead;
pub use key_context::{KeyContext, Namespace};
pub use key_directory::KeyDirectory;
pub use list::ListState;
pub use map::MapState;
pub use operator_state::{OperatorBackend, OperatorEntry, OperatorListState, Redistribution};
pub use reducing::ReducingState;
pub use slot_refs::SlotRefs;
pub use slot_set::SlotSet;
pub use snapshot::{Piece, SnapshotEntry, TimerEntry};
pub use store::seal::PendingSeal;
pub use timers::{Due, TimeDomain, TimerService, Timers};
pub use ttl::{StateTtlConfig, StateVisibility, UpdateType};
pub use value::ValueState;
