//! What a snapshot of keyed state is made of: entries, in the order of key groups.
//!
//! [`crate::KeyedBackend::snapshot`] shows every entry of every state once, and
//! [`crate::KeyedBackend::restore_entry`] takes one back. The unit is the one that ages: the value,
//! the element of a list (in order), the entry of a map. Keys, map keys and values are in the
//! rows' binary encoding, by the schemas that [`crate::KeyedBackend::states`] gives, so that a
//! reader needs no user type.

use rheos_core::key_group::key_group_of;
use rheos_core::row::RowError;
use rheos_core::time::Millis;

use crate::descriptor::StateKind;
use crate::key_context::Namespace;
use crate::timers::TimeDomain;

/// One entry of one state of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotEntry<'a> {
    /// The state's name.
    pub state: &'a str,
    /// The state's kind.
    pub kind: StateKind,
    /// The hash of the key.
    pub key_hash: u64,
    /// The key's binary form.
    pub key: &'a [u8],
    /// The entry itself.
    pub piece: Piece<'a>,
}

impl SnapshotEntry<'_> {
    /// The key's key group.
    pub fn key_group(&self) -> u16 {
        key_group_of(self.key_hash)
    }
}

/// An entry without its state and key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The namespace, for window state.
    pub namespace: Option<Namespace>,
    /// When it was last updated, in milliseconds, for state with a TTL. Taken back without one, an
    /// entry counts from the restore.
    pub updated: Option<Millis>,
    /// The map key's binary form, for map state.
    pub map_key: Option<&'a [u8]>,
    /// The value's binary form.
    pub value: &'a [u8],
}

/// One pending timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimerEntry<'a> {
    /// The timer service's name.
    pub service: &'a str,
    /// Event or processing time.
    pub domain: TimeDomain,
    /// The hash of the key.
    pub key_hash: u64,
    /// The key's binary form.
    pub key: &'a [u8],
    /// The namespace that it was registered under.
    pub namespace: Namespace,
    /// When it is due.
    pub timestamp: Millis,
}

impl TimerEntry<'_> {
    /// The key's key group.
    pub fn key_group(&self) -> u16 {
        key_group_of(self.key_hash)
    }
}

/// Why an entry was not taken back.
#[derive(Debug)]
pub(crate) enum PieceError {
    /// The bytes of this part are no such value.
    Decode(&'static str, RowError),
    /// This part is missing.
    Missing(&'static str),
}
