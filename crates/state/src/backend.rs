//! `KeyedBackend`: everything an operator keeps by key.
//!
//! It owns the directory and the context, and knows every state and timer service of the operator
//! by name. An operator makes one when it opens, declares its states (a name can be used once), and
//! then, for each batch: [`KeyedBackend::resolve_batch`], [`KeyedBackend::touch`], for each row
//! [`KeyedBackend::set_current`] and the user's function, and at the end
//! [`KeyedBackend::end_batch`]. A timer that fires is entered with [`KeyedBackend::enter`].
//!
//! A snapshot is an enumeration: [`KeyedBackend::snapshot`] shows each entry of each state once, in
//! the order of key groups, [`KeyedBackend::snapshot_timers`] each timer; what they show,
//! [`KeyedBackend::restore_entry`] and [`KeyedBackend::restore_timer`] take back, into a backend
//! that declares the same states.

mod converted;
mod enumeration;
mod evicting;
mod frozen;
mod stored;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use rheos_core::Row;
use rheos_core::row::Schema;

use crate::aggregating::AggregatingState;
use crate::changes::{Epoch, Hold};
use crate::descriptor::{
    AggregatingStateDescriptor, ListStateDescriptor, MapStateDescriptor, ReducingStateDescriptor,
    StateKind, ValueStateDescriptor,
};
use crate::error::StateError;
use crate::evolution::Migrate;
use crate::image_writer::{IMAGE_SLICE, ImagePass};
use crate::key_context::{KeyContext, Namespace, Place};
use crate::key_directory::KeyDirectory;
use crate::list::ListState;
use crate::map::{MapState, Maps};
use crate::reducing::ReducingState;
use crate::registered::{Handle, Registered, StateCell, StateTable};
use crate::timers::{TimeDomain, Timers};
use crate::ttl::StateTtlConfig;
use crate::value::ValueState;
use frozen::Freeze;
pub use frozen::FrozenKey;
use stored::Stored;

/// What there is to know about one state.
#[derive(Debug, Clone)]
pub struct StateInfo {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: StateKind,
    /// Whether it is kept by namespace (window) too.
    pub namespaced: bool,
    /// Whether its entries age.
    pub has_ttl: bool,
    /// Whether it has a hook for what was written as another type.
    pub migrates: bool,
    /// The schema of the map keys, for a map.
    pub map_key_schema: Option<Schema>,
    /// The schema of the values, elements or accumulators.
    pub value_schema: Schema,
    /// Keys with something in it.
    pub keys: usize,
    /// Values, lists or maps in it: more than keys where a key has several namespaces.
    pub cells: usize,
    /// Bytes of memory it holds, estimated from a sample.
    pub estimated_bytes: usize,
}

/// The keyed state and timers of one operator, on one task's thread.
pub struct KeyedBackend<K> {
    directory: KeyDirectory<K>,
    context: Rc<KeyContext>,
    states: Vec<Rc<RefCell<dyn StateTable>>>,
    /// States that are cleaned up for every record, and how many keys at a time.
    cleaned_by_record: Vec<(Rc<RefCell<dyn StateTable>>, usize)>,
    timers: Vec<(String, Timers)>,
    /// Whether changes are tracked, and the epoch that ended last.
    tracked: bool,
    epoch: Epoch,
    /// What is frozen and not saved, and by whom it is saved.
    hold: Rc<Hold>,
    frozen: RefCell<Option<Freeze<K>>>,
    /// The image that is being written.
    pub(crate) image: Option<ImagePass>,
    pub(crate) image_slice: usize,
    /// Whether something is to be done as a key comes to hand.
    attention: Cell<bool>,
    /// What is kept of the store behind the states.
    stored: RefCell<Option<Box<Stored>>>,
    has_store: bool,
    /// Whether states of a snapshot that are not declared are dropped.
    drops_undeclared: bool,
}

impl<K> fmt::Debug for KeyedBackend<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedBackend")
            .field("states", &self.states.len())
            .finish_non_exhaustive()
    }
}

impl<K: Row> Default for KeyedBackend<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Row> KeyedBackend<K> {
    /// A backend without keys and states.
    pub fn new() -> Self {
        let directory = KeyDirectory::new();
        let context = KeyContext::new(Rc::clone(directory.refs()));
        let hold = Rc::clone(directory.hold());
        Self {
            directory,
            context,
            states: Vec::new(),
            cleaned_by_record: Vec::new(),
            timers: Vec::new(),
            tracked: false,
            epoch: 0,
            hold,
            frozen: RefCell::new(None),
            image: None,
            image_slice: IMAGE_SLICE,
            attention: Cell::new(false),
            stored: RefCell::new(None),
            has_store: false,
            drops_undeclared: false,
        }
    }

    /// Lets states and timers of a snapshot that are not declared be dropped, instead of refused.
    pub fn drop_undeclared(&mut self, drops: bool) {
        self.drops_undeclared = drops;
    }

    pub(crate) fn drops_undeclared(&self) -> bool {
        self.drops_undeclared
    }

    /// Declares a value a key.
    ///
    /// # Errors
    /// Where the name is in use, or the TTL not positive; so for each kind of state.
    pub fn value<V: Row>(
        &mut self,
        descriptor: &ValueStateDescriptor<V>,
    ) -> Result<ValueState<V>, StateError> {
        self.register_value(descriptor, false)
    }

    /// Declares a value a key and namespace.
    ///
    /// # Errors
    /// As [`KeyedBackend::value`].
    pub fn window_value<V: Row>(
        &mut self,
        descriptor: &ValueStateDescriptor<V>,
    ) -> Result<ValueState<V>, StateError> {
        self.register_value(descriptor, true)
    }

    fn register_value<V: Row>(
        &mut self,
        d: &ValueStateDescriptor<V>,
        namespaced: bool,
    ) -> Result<ValueState<V>, StateError> {
        self.register(
            &d.name,
            StateKind::Value,
            (d.ttl.as_ref(), d.migrate.as_ref()),
            namespaced,
        )
        .map(ValueState)
    }

    /// Declares a list a key.
    ///
    /// # Errors
    /// As [`KeyedBackend::value`].
    pub fn list<V: Row>(&mut self, d: &ListStateDescriptor<V>) -> Result<ListState<V>, StateError> {
        self.register(
            &d.name,
            StateKind::List,
            (d.ttl.as_ref(), d.migrate.as_ref()),
            false,
        )
        .map(ListState)
    }

    /// Declares a list a key and namespace.
    ///
    /// # Errors
    /// As [`KeyedBackend::value`].
    pub fn window_list<V: Row>(
        &mut self,
        d: &ListStateDescriptor<V>,
    ) -> Result<ListState<V>, StateError> {
        self.register(
            &d.name,
            StateKind::List,
            (d.ttl.as_ref(), d.migrate.as_ref()),
            true,
        )
        .map(ListState)
    }

    /// Declares a map a key.
    ///
    /// # Errors
    /// As [`KeyedBackend::value`].
    pub fn map<MK: Row, MV: Row>(
        &mut self,
        d: &MapStateDescriptor<MK, MV>,
    ) -> Result<MapState<MK, MV>, StateError> {
        self.register_map(d, false)
    }

    /// Declares a map a key and namespace.
    ///
    /// # Errors
    /// As [`KeyedBackend::value`].
    pub fn window_map<MK: Row, MV: Row>(
        &mut self,
        d: &MapStateDescriptor<MK, MV>,
    ) -> Result<MapState<MK, MV>, StateError> {
        self.register_map(d, true)
    }

    fn register_map<MK: Row, MV: Row>(
        &mut self,
        d: &MapStateDescriptor<MK, MV>,
        namespaced: bool,
    ) -> Result<MapState<MK, MV>, StateError> {
        let (name, kind, ttl) = (
            &d.name,
            StateKind::Map,
            (d.ttl.as_ref(), d.migrate.as_ref()),
        );
        let maps = match ttl.0 {
            None => self
                .register(name, kind, ttl, namespaced)
                .map(Maps::Ageless),
            Some(_) => self.register(name, kind, ttl, namespaced).map(Maps::Aging),
        };
        maps.map(MapState)
    }

    /// Declares a reduced value a key.
    ///
    /// # Errors
    /// As [`KeyedBackend::value`].
    pub fn reducing<V: Row>(
        &mut self,
        descriptor: &ReducingStateDescriptor<V>,
    ) -> Result<ReducingState<V>, StateError> {
        self.register_reducing(descriptor, false)
    }

    /// Declares a reduced value a key and namespace.
    ///
    /// # Errors
    /// As [`KeyedBackend::value`].
    pub fn window_reducing<V: Row>(
        &mut self,
        descriptor: &ReducingStateDescriptor<V>,
    ) -> Result<ReducingState<V>, StateError> {
        self.register_reducing(descriptor, true)
    }

    fn register_reducing<V: Row>(
        &mut self,
        d: &ReducingStateDescriptor<V>,
        namespaced: bool,
    ) -> Result<ReducingState<V>, StateError> {
        let handle = self.register(
            &d.name,
            StateKind::Reducing,
            (d.ttl.as_ref(), d.migrate.as_ref()),
            namespaced,
        )?;
        Ok(ReducingState {
            handle,
            reduce: d.reduce.clone(),
        })
    }

    /// Declares an accumulator a key.
    ///
    /// # Errors
    /// As [`KeyedBackend::value`].
    pub fn aggregating<In, Acc: Row, Out>(
        &mut self,
        descriptor: &AggregatingStateDescriptor<In, Acc, Out>,
    ) -> Result<AggregatingState<In, Acc, Out>, StateError> {
        self.register_aggregating(descriptor, false)
    }

    /// Declares an accumulator a key and namespace.
    ///
    /// # Errors
    /// As [`KeyedBackend::value`].
    pub fn window_aggregating<In, Acc: Row, Out>(
        &mut self,
        descriptor: &AggregatingStateDescriptor<In, Acc, Out>,
    ) -> Result<AggregatingState<In, Acc, Out>, StateError> {
        self.register_aggregating(descriptor, true)
    }

    fn register_aggregating<In, Acc: Row, Out>(
        &mut self,
        d: &AggregatingStateDescriptor<In, Acc, Out>,
        namespaced: bool,
    ) -> Result<AggregatingState<In, Acc, Out>, StateError> {
        let handle = self.register(
            &d.name,
            StateKind::Aggregating,
            (d.ttl.as_ref(), d.migrate.as_ref()),
            namespaced,
        )?;
        Ok(AggregatingState {
            handle,
            function: d.function.clone(),
        })
    }

    fn register<E: StateCell>(
        &mut self,
        name: &str,
        kind: StateKind,
        (ttl, migrate): (Option<&StateTtlConfig>, Option<&Migrate>),
        namespaced: bool,
    ) -> Result<Handle<E>, StateError> {
        if self
            .states
            .iter()
            .any(|state| state.borrow().name() == name)
        {
            return Err(StateError::DuplicateName {
                name: name.to_owned(),
            });
        }
        let refs = Rc::clone(self.directory.refs());
        let hold = Rc::clone(&self.hold);
        let mut state = Registered::<E>::new(name, kind, ttl, namespaced, refs, hold)?;
        state.migrate = migrate.cloned();
        if self.tracked {
            state.table.changes.start();
        }
        let by_record = state.ttl.map_or(0, |ttl| ttl.on_record);
        let state = Rc::new(RefCell::new(state));
        self.states
            .push(Rc::<RefCell<Registered<E>>>::clone(&state));
        if by_record > 0 {
            self.attention.set(true);
            self.cleaned_by_record
                .push((Rc::<RefCell<Registered<E>>>::clone(&state), by_record));
        }
        Ok(Handle {
            context: Rc::clone(&self.context),
            state,
        })
    }

    /// Declares a timer service.
    ///
    /// # Errors
    /// Where the operator has a timer service of that name.
    pub fn timers(&mut self, name: &str, domain: TimeDomain) -> Result<Timers, StateError> {
        if self.timers.iter().any(|(other, _)| other == name) {
            return Err(StateError::DuplicateName {
                name: name.to_owned(),
            });
        }
        let timers = Timers::new(domain, Rc::clone(&self.context));
        self.timers.push((name.to_owned(), timers.clone()));
        Ok(timers)
    }

    /// Its states, in the order of declaration.
    pub(crate) fn tables(&self) -> &[Rc<RefCell<dyn StateTable>>] {
        &self.states
    }

    /// The context that all handles share.
    pub fn context(&self) -> &Rc<KeyContext> {
        &self.context
    }

    /// The keys and their slots.
    pub fn directory(&self) -> &KeyDirectory<K> {
        &self.directory
    }

    /// The slots of a batch of keys, in order, into `out`; new keys are opened. See
    /// [`KeyDirectory::resolve_batch`].
    pub fn resolve_batch(&mut self, hashes: &[u64], keys: &[K], out: &mut Vec<u32>) {
        self.directory.resolve_batch(hashes, keys, out);
        if self.has_store {
            self.bring(out);
        }
    }

    /// The slots of a batch of rows that have their keys inside. See
    /// [`KeyDirectory::resolve_batch_with`].
    pub fn resolve_batch_with(
        &mut self,
        hashes: &[u64],
        same: impl Fn(usize, &K) -> bool,
        make: impl Fn(usize) -> Option<K>,
        out: &mut Vec<u32>,
    ) {
        self.directory.resolve_batch_with(hashes, same, make, out);
        if self.has_store {
            self.bring(out);
        }
    }

    /// The slot of one key, opened if it is new.
    ///
    /// # Panics
    /// At more than 2³²−2 keys at one time.
    pub fn resolve(&mut self, hash: u64, key: &K) -> u32 {
        let slot = self.directory.resolve_or_insert(hash, key);
        if self.has_store {
            self.bring(&[slot]);
        }
        slot
    }

    /// As [`KeyedBackend::resolve`], of a key whose entries are not needed.
    pub(crate) fn resolve_only(&mut self, hash: u64, key: &K) -> u32 {
        self.directory.resolve_or_insert(hash, key)
    }

    /// Reads a word of each state under each slot, so that the cache misses of a batch overlap.
    /// Window state is touched by key, not by namespace.
    pub fn touch(&self, slots: &[u32]) {
        let mut read = 0;
        for state in &self.states {
            read += state.borrow().touch(slots);
        }
        std::hint::black_box(read);
    }

    /// As [`KeyedBackend::touch`], but for what is behind the states' cells, and with the keys: for
    /// timers, which come without them.
    pub fn touch_keys(&self, slots: &[u32]) {
        if self.has_store {
            self.bring(slots);
        }
        let mut read = self.directory.touch(slots);
        for state in &self.states {
            read += state.borrow().touch_near(slots);
        }
        std::hint::black_box(read);
    }

    /// Makes the key in `slot`, whose hash is `hash`, the current one.
    #[inline]
    pub fn set_current(&self, slot: u32, hash: u64) {
        self.context.set_key(slot, hash);
        if self.attention.get() {
            self.attend(slot);
        }
    }

    /// What the key at hand has is saved before it changes, if it is frozen; and what is to be cleaned
    /// up for each record is.
    #[cold]
    fn attend(&self, slot: u32) {
        if self.hold.holds(slot) {
            self.save(slot);
        }
        for (state, keys) in &self.cleaned_by_record {
            state.borrow_mut().clean_up(*keys, self.context.now());
        }
    }

    /// Makes the key in `slot` the current one, as for a timer that fires; says whether there is a
    /// key.
    #[inline]
    pub fn enter(&self, slot: u32) -> bool {
        match self.directory.hash(slot) {
            Some(hash) => {
                if self.has_store {
                    self.bring(&[slot]);
                }
                self.set_current(slot, hash);
                true
            }
            None => false,
        }
    }

    /// The current key.
    #[inline]
    pub fn current_key(&self) -> Option<&K> {
        self.directory.key(self.context.slot())
    }

    /// Frees the slots that neither state nor a timer refers to. Slots resolved before are no
    /// longer valid. Returns how many keys went.
    pub fn end_batch(&mut self) -> usize {
        if self.has_store {
            return self.end_stored_batch();
        }
        self.directory.sweep()
    }

    /// As [`KeyedBackend::end_batch`], and shows each key that goes, with its slot, its hash, and
    /// whether an entry of it has changed after an epoch.
    pub fn end_batch_with(
        &mut self,
        epoch: Epoch,
        mut leaves: impl FnMut(u32, u64, &K, bool),
    ) -> usize {
        let states = &self.states;
        self.directory.sweep_with(|slot, hash, key| {
            let changed = states
                .iter()
                .any(|state| state.borrow_mut().changes().is_changed_after(epoch, slot));
            leaves(slot, hash, key, changed);
        })
    }

    /// Keys with state or timers, and those met since the last [`KeyedBackend::end_batch`].
    pub fn key_count(&self) -> usize {
        self.directory.len()
    }

    /// Drops what the current key has under `namespace`, in every window state.
    pub fn clear_namespace(&self, namespace: Namespace) {
        let at = Place {
            slot: self.context.slot(),
            namespace,
        };
        for state in &self.states {
            let mut state = state.borrow_mut();
            if state.is_namespaced() {
                state.clear(at);
            }
        }
    }

    /// Looks at the next `keys` keys of each state with a TTL and removes what is expired.
    pub fn clean_up(&self, keys: usize) {
        for state in &self.states {
            let mut state = state.borrow_mut();
            if state.ttl().is_some() {
                state.clean_up(keys, self.context.now());
            }
        }
    }

    /// Whether a state is declared.
    pub fn has_states(&self) -> bool {
        !self.states.is_empty()
    }

    /// What there is to know about each state, in the order of declaration.
    pub fn states(&self) -> Vec<StateInfo> {
        let info = |state: &Rc<RefCell<dyn StateTable>>| {
            let state = state.borrow();
            let (map_key_schema, value_schema) = state.schemas();
            StateInfo {
                name: state.name().to_owned(),
                kind: state.kind(),
                namespaced: state.is_namespaced(),
                has_ttl: state.ttl().is_some(),
                migrates: state.migrate().is_some(),
                map_key_schema,
                value_schema,
                keys: state.key_count(),
                cells: state.cell_count(),
                estimated_bytes: state.estimated_bytes(),
            }
        };
        self.states.iter().map(info).collect()
    }

    /// The timer services, by name, in the order of declaration.
    pub fn timer_services(&self) -> impl Iterator<Item = (&str, &Timers)> {
        self.timers
            .iter()
            .map(|(name, timers)| (name.as_str(), timers))
    }

    /// Bytes of memory of the directory and all states, estimated from samples.
    pub fn estimated_bytes(&self) -> usize {
        let states = self
            .states
            .iter()
            .map(|state| state.borrow().estimated_bytes());
        self.directory.heap_bytes() + states.sum::<usize>()
    }
}
