//! `AggregatingState`: one accumulator a key, to which values of another type are added.

use std::fmt;
use std::sync::Arc;

use rheos_core::Row;

use crate::key_context::Namespace;
use crate::registered::Handle;
use crate::value::{drop_expired, read_aged};

/// How values become an accumulator and the accumulator a result.
///
/// Implemented by users, for aggregating state and for window aggregation; called on the task's
/// thread, for the key at hand. One instance serves all keys, so it keeps nothing itself.
pub trait AggregateFunction: Send + Sync + 'static {
    /// What is added.
    type In;
    /// What is kept.
    type Acc;
    /// What comes out.
    type Out;

    /// An accumulator to which nothing was added.
    fn create_accumulator(&self) -> Self::Acc;

    /// Adds a value.
    fn add(&self, accumulator: &mut Self::Acc, value: Self::In);

    /// The result of what was added so far.
    fn get_result(&self, accumulator: &Self::Acc) -> Self::Out;

    /// Adds to `into` what was added to `from`. Called where windows merge or slices are combined.
    fn merge(&self, into: &mut Self::Acc, from: Self::Acc);
}

/// The aggregate of all values that were added for the current key (and namespace).
///
/// The function must not use the same state: it is borrowed meanwhile.
pub struct AggregatingState<In, Acc, Out> {
    pub(crate) handle: Handle<Acc>,
    pub(crate) function: Arc<dyn AggregateFunction<In = In, Acc = Acc, Out = Out>>,
}

impl<In, Acc, Out> Clone for AggregatingState<In, Acc, Out> {
    fn clone(&self) -> Self {
        Self {
            handle: self.handle.clone(),
            function: Arc::clone(&self.function),
        }
    }
}

impl<In, Acc, Out> fmt::Debug for AggregatingState<In, Acc, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AggregatingState").finish_non_exhaustive()
    }
}

impl<In: 'static, Acc: Row, Out: 'static> AggregatingState<In, Acc, Out> {
    /// Adds a value to the accumulator, which is created if there is none.
    #[inline]
    pub fn add(&self, value: In) {
        self.handle.write(|cell, updated, ttl, now| {
            drop_expired(cell, *updated, ttl, now);
            let accumulator = cell.get_or_insert_with(|| self.function.create_accumulator());
            self.function.add(accumulator, value);
            *updated = now;
        });
    }

    /// The result; none if nothing was added.
    #[inline]
    pub fn get(&self) -> Option<Out> {
        self.with_accumulator(|acc| acc.map(|acc| self.function.get_result(acc)))
    }

    /// Looks at the accumulator.
    #[inline]
    pub fn with_accumulator<R>(&self, look: impl FnOnce(Option<&Acc>) -> R) -> R {
        self.handle.read(look, |look, cell| look(cell), read_aged)
    }

    /// Forgets what was added.
    #[inline]
    pub fn clear(&self) {
        self.handle.clear();
    }

    /// Merges what the current key has under namespaces `from` into namespace `into`, and leaves
    /// them empty: what a merge of session windows does. For window state.
    pub fn merge_namespaces(&self, into: Namespace, from: &[Namespace]) {
        let parts = self.handle.take_namespaces(from);
        self.handle.write_at(into, |cell, updated| {
            for (part, at) in parts {
                match cell {
                    Some(accumulator) => self.function.merge(accumulator, part),
                    None => *cell = Some(part),
                }
                *updated = at.max(*updated);
            }
        });
    }
}
