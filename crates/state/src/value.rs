//! `ValueState`: one value a key.

use std::cell::RefMut;
use std::fmt;

use rheos_core::Row;
use rheos_core::row::{Resolution, RowError, Schema};
use rheos_core::time::Millis;

use crate::error::StateError;
use crate::evolution;
use crate::registered::{Handle, PieceSink, Pruned, Registered, Scratch, Shown, StateCell, decode};
use crate::snapshot::{Piece, PieceError};
use crate::ttl::Ttl;

/// The cell of a value is the value; its time of last update is kept by the table.
impl<V: Row> StateCell for V {
    const TIMED_AS_A_WHOLE: bool = true;

    fn schemas() -> (Option<Schema>, Schema) {
        (None, V::schema())
    }

    fn resolve(how: &Resolution, value: &[u8]) -> Result<Vec<u8>, RowError> {
        evolution::resolve::<V>(how, value)
    }

    fn prune(&mut self, updated: Millis, ttl: &Ttl, now: Millis) -> Pruned {
        match ttl.expired(updated, now) {
            true => Pruned::Nothing,
            false => Pruned::All,
        }
    }

    fn show(
        &self,
        shown: Shown<'_>,
        scratch: &mut Scratch,
        out: &mut PieceSink<'_>,
    ) -> Result<(), StateError> {
        if shown.leaves_out(shown.updated) {
            return Ok(());
        }
        scratch.value.clear();
        self.encode(&mut scratch.value);
        out(Piece {
            namespace: shown.namespace,
            updated: shown.stored(shown.updated),
            map_key: None,
            value: scratch.value.as_slice(),
        })
    }

    fn restore(
        cell: &mut Option<Self>,
        piece: &Piece<'_>,
        _updated: Millis,
        _ttl: Option<&Ttl>,
    ) -> Result<(), PieceError> {
        *cell = Some(decode("value", piece.value)?);
        Ok(())
    }

    fn owned_bytes(&self) -> usize {
        self.heap_bytes()
    }
}

/// The value that a read sees, under a TTL.
#[inline]
pub(crate) fn read_aged<V, R>(
    look: impl FnOnce(Option<&V>) -> R,
    cell: &mut Option<V>,
    updated: &mut Millis,
    ttl: &Ttl,
    now: Millis,
) -> R {
    if ttl.expired(*updated, now) {
        let expired = cell.take().filter(|_| ttl.return_expired);
        return look(expired.as_ref());
    }
    if ttl.on_read {
        *updated = now;
    }
    look(cell.as_ref())
}

/// Before a write that goes on from what is there: an expired value is not.
#[inline]
pub(crate) fn drop_expired<V>(
    cell: &mut Option<V>,
    updated: Millis,
    ttl: Option<&Ttl>,
    now: Millis,
) {
    if ttl.is_some_and(|ttl| !ttl.return_expired && ttl.expired(updated, now)) {
        *cell = None;
    }
}

/// One value of type `V` for the current key (and namespace, for window state).
///
/// A closure given to a method must not use the same state again: it is borrowed meanwhile, and the
/// second use panics, as a `RefCell`'s does.
pub struct ValueState<V>(pub(crate) Handle<V>);

impl<V> Clone for ValueState<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<V> fmt::Debug for ValueState<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValueState").finish_non_exhaustive()
    }
}

impl<V: Row> ValueState<V> {
    /// The value, cloned.
    #[inline]
    pub fn get(&self) -> Option<V> {
        self.with(|value| value.cloned())
    }

    /// Looks at the value without cloning it.
    #[inline]
    pub fn with<R>(&self, look: impl FnOnce(Option<&V>) -> R) -> R {
        self.0.read(look, |look, cell| look(cell), read_aged)
    }

    /// Sets the value.
    #[inline]
    pub fn update(&self, value: V) {
        self.0.write(|cell, updated, _, now| {
            *cell = Some(value);
            *updated = now;
        });
    }

    /// Changes the value in place; leaving `None` clears it. Counts as a write.
    #[inline]
    pub fn modify<R>(&self, change: impl FnOnce(&mut Option<V>) -> R) -> R {
        self.0.write(|cell, updated, ttl, now| {
            drop_expired(cell, *updated, ttl, now);
            let result = change(cell);
            *updated = now;
            result
        })
    }

    /// The value, to be changed in place, set to `make()` first if there is none. Counts as a write.
    /// The state is borrowed as long as the guard lives.
    #[inline]
    pub fn get_or_insert_with(&self, make: impl FnOnce() -> V) -> RefMut<'_, V> {
        let at = self.0.context.place();
        let now = self.0.context.now();
        let mut state = self.0.state.borrow_mut();
        state.access(now);
        RefMut::map(state, |state| {
            let Registered { ttl, table, .. } = state;
            table.filled(
                at,
                |cell, updated| {
                    drop_expired(cell, *updated, ttl.as_ref(), now);
                    *updated = now;
                },
                make,
            )
        })
    }

    /// Whether there is a value.
    #[inline]
    pub fn is_some(&self) -> bool {
        self.with(|value| value.is_some())
    }

    /// Takes the value out.
    #[inline]
    pub fn take(&self) -> Option<V> {
        self.0.write(|cell, updated, ttl, now| {
            let expired = ttl.is_some_and(|ttl| !ttl.return_expired && ttl.expired(*updated, now));
            cell.take().filter(|_| !expired)
        })
    }

    /// Drops the value.
    #[inline]
    pub fn clear(&self) {
        self.0.clear();
    }
}
