//! Writes the [image](crate::image) of a backend without stopping the task.
//!
//! ```text
//! freeze_image ─▶ the head; keys and timers are frozen      (time by the number of states)
//! write_image  ─▶ some frames …… true: that was the last    (some 64 KiB of them a call)
//! ```
//!
//! Between the calls rows are processed and timers fire: what they are about to change is written
//! before they do, see [`crate::changes`] and [`crate::timers`]; so the frames are those of what there
//! was at the freeze, in another order. An operator that keeps state of its own beside the backend
//! declares it in the head, and writes its records by [`KeyedBackend::write_own`] before it changes
//! them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use rheos_core::Row;
use rheos_core::key_group::key_group_of;
use rheos_core::row::Writer;

use crate::backend::{FrozenKey, KeyedBackend};
use crate::changes::FrozenSink;
use crate::error::StateError;
use crate::image::{KeyedImage, StateHeader, TimerHeader, text_of};
use crate::key_context::Namespace;
use crate::snapshot::Piece;

/// Bytes of frames that a call writes, or a little more.
pub const IMAGE_SLICE: usize = 64 * 1024;
/// Frames that rows have caused to be written between two calls are given on in pieces of so many
/// bytes: to copy all that a batch has touched, some megabytes, would be a pause by itself.
const PIECE: usize = 256 * 1024;
/// And keys that are looked at: one without entries costs time too.
const SLICE_KEYS: usize = 4096;

/// The head of an image: which states there are.
#[derive(Debug)]
pub struct ImageHead(KeyedImage);

impl ImageHead {
    /// Declares a state that the operator keeps beside its backend; its number for
    /// [`KeyedBackend::write_own`].
    ///
    /// # Errors
    /// If the type has no schema that can be written.
    pub fn declare<V: Row>(
        &mut self,
        name: &str,
        kind: &str,
        namespaced: bool,
    ) -> Result<usize, StateError> {
        let value_schema = text_of(name, "value", &V::schema())?;
        self.0.states.push(StateHeader {
            name: name.to_owned(),
            kind: kind.to_owned(),
            namespaced,
            has_ttl: false,
            map_key_schema: None,
            value_schema,
        });
        Ok(self.0.states.len() - 1)
    }
}

/// Frames, as they are written.
#[derive(Debug, Default)]
struct Frames {
    /// Whole pieces, behind which comes `done`.
    pieces: VecDeque<Vec<u8>>,
    done: Writer,
    frame: Writer,
    scratch: Writer,
    /// Whether the frame at hand has a record beside its key.
    filled: bool,
    failed: Option<StateError>,
}

impl Frames {
    fn begin<K: Row>(&mut self, key: &K) {
        self.scratch.clear();
        key.encode(&mut self.scratch);
        self.frame.clear();
        self.frame.long(0);
        self.frame.bytes(self.scratch.as_slice());
        self.filled = false;
    }

    /// A record's number and namespace; its value follows.
    fn record(&mut self, tag: usize) -> &mut Writer {
        self.filled = true;
        self.frame.long(tag as i64);
        &mut self.frame
    }

    fn entry(&mut self, state: usize, piece: &Piece<'_>) {
        let frame = self.record(state + 1);
        if let Some(namespace) = piece.namespace {
            frame.long(namespace as i64);
        }
        if let Some(updated) = piece.updated {
            frame.long(updated);
        }
        if let Some(map_key) = piece.map_key {
            frame.bytes(map_key);
        }
        frame.bytes(piece.value);
    }

    fn end(&mut self, hash: u64) {
        if self.filled {
            self.done.long(i64::from(key_group_of(hash)));
            self.done.bytes(self.frame.as_slice());
            if self.done.len() >= PIECE && self.done.check().is_ok() {
                let next = Writer::from_vec(Vec::with_capacity(PIECE + IMAGE_SLICE));
                let piece = std::mem::replace(&mut self.done, next);
                self.pieces.push_back(piece.into_vec());
            }
        }
    }

    /// Whether there is so much that it should be taken.
    fn are_many(&self, slice: usize) -> bool {
        !self.pieces.is_empty() || self.done.as_slice().len() >= slice
    }

    fn fail(&mut self, result: Result<(), StateError>) {
        if let Err(error) = result {
            self.failed.get_or_insert(error);
        }
    }

    /// A piece of what has been written, or what went wrong; says whether that was all.
    fn take(&mut self, out: &mut Vec<u8>) -> Result<bool, StateError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.done.check().map_err(|source| StateError::Decode {
            name: "keyed state".to_owned(),
            part: "record",
            source,
        })?;
        match self.pieces.pop_front() {
            Some(piece) if out.is_empty() => *out = piece,
            Some(piece) => out.extend_from_slice(&piece),
            None => {
                out.extend_from_slice(self.done.as_slice());
                self.done.clear();
                return Ok(true);
            }
        }
        Ok(self.pieces.is_empty() && self.done.is_empty())
    }
}

/// Writes keys as frames.
struct FrameSink {
    frames: Rc<RefCell<Frames>>,
    states: usize,
}

impl<K: Row> FrozenSink<K> for FrameSink {
    fn take(&mut self, mut key: FrozenKey<'_, K>) {
        let frames = &mut *self.frames.borrow_mut();
        frames.begin(key.key());
        for state in 0..self.states {
            let shown = key.show(state, |piece| {
                frames.entry(state, &piece);
                Ok(())
            });
            frames.fail(shown);
        }
        frames.end(key.hash());
    }
}

/// An image that is being written.
#[derive(Debug)]
pub(crate) struct ImagePass {
    frames: Rc<RefCell<Frames>>,
    /// How many states its head names.
    states: usize,
    /// The timer service at work.
    service: usize,
}

impl<K: Row> KeyedBackend<K> {
    /// Freezes every entry and timer, for an image; its head. `declare` adds the operator's own states.
    /// Only between two rows. An image that is being written is given up.
    ///
    /// # Errors
    /// If a type has no schema that can be written, or what `declare` says.
    pub fn freeze_image<X>(
        &mut self,
        declare: impl FnOnce(&mut ImageHead) -> Result<X, StateError>,
    ) -> Result<(KeyedImage, X), StateError> {
        self.drop_image();
        let (mut head, own) = (ImageHead(self.head()?), self.tables().len());
        let declared = declare(&mut head)?;
        let frames = Rc::<RefCell<Frames>>::default();
        self.image = Some(ImagePass {
            frames: Rc::clone(&frames),
            states: head.0.states.len(),
            service: 0,
        });
        if self.has_store() {
            // The entries go to the store; the image has timers alone.
            self.freeze_to_store();
        } else {
            let sink = FrameSink {
                frames,
                states: own,
            };
            self.freeze(self.all_slots(), Box::new(sink));
        }
        for (_, timers) in self.timer_services() {
            timers.service().borrow_mut().freeze();
        }
        Ok((head.0, declared))
    }

    /// An image of this backend's states and timers, without records.
    fn head(&self) -> Result<KeyedImage, StateError> {
        let mut states = Vec::new();
        for state in self.tables() {
            let state = state.borrow();
            let (map_key, value) = state.schemas();
            let map_key_schema = map_key
                .map(|schema| text_of(state.name(), "map key", &schema))
                .transpose()?;
            states.push(StateHeader {
                name: state.name().to_owned(),
                kind: state.kind().name().to_owned(),
                namespaced: state.is_namespaced(),
                has_ttl: state.ttl().is_some(),
                map_key_schema,
                value_schema: text_of(state.name(), "value", &value)?,
            });
        }
        let timers = self.timer_services();
        let timers = timers.map(|(service, timers)| TimerHeader {
            service: service.to_owned(),
            domain: timers.domain().to_string(),
        });
        Ok(KeyedImage {
            key_schema: text_of("key", "key", &K::schema())?,
            states,
            timers: timers.collect(),
            body: Vec::new(),
        })
    }

    /// Whether an image is being written.
    pub fn writes_image(&self) -> bool {
        self.image.is_some()
    }

    /// Whether so much has been written that it should be taken, with [`KeyedBackend::write_image`].
    pub fn image_slice_is_full(&self) -> bool {
        let image = self.image.as_ref();
        image.is_some_and(|image| image.frames.borrow().are_many(self.image_slice))
    }

    /// Sets how many bytes a call of [`KeyedBackend::write_image`] writes, instead of [`IMAGE_SLICE`].
    pub fn set_image_slice(&mut self, bytes: usize) {
        self.image_slice = bytes;
    }

    /// Writes a record of an own state of the operator, of the key in `slot`; `namespace` is left out
    /// where the state has none.
    pub fn write_own(
        &self,
        state: usize,
        slot: u32,
        namespace: Option<Namespace>,
        value: impl FnOnce(&mut Writer),
    ) {
        let key = self.directory().key(slot).zip(self.directory().hash(slot));
        let (Some(image), Some((key, hash))) = (&self.image, key) else {
            return;
        };
        let frames = &mut *image.frames.borrow_mut();
        frames.begin(key);
        let frame = frames.record(state + 1);
        if let Some(namespace) = namespace {
            frame.long(namespace as i64);
        }
        frames.scratch.clear();
        value(&mut frames.scratch);
        frames.frame.bytes(frames.scratch.as_slice());
        frames.end(hash);
    }

    /// Appends a piece of what has been written to `out`.
    ///
    /// # Errors
    /// If an entry can't be written.
    pub fn take_image(&mut self, out: &mut Vec<u8>) -> Result<(), StateError> {
        if let Some(image) = &self.image {
            image.frames.borrow_mut().take(out)?;
        }
        Ok(())
    }

    /// Appends a piece of what has been written to `out`, and some more where that is little; says
    /// whether that was the last of the backend's. Then the state is no longer frozen.
    ///
    /// # Errors
    /// If an entry can't be written.
    pub fn write_image(&mut self, out: &mut Vec<u8>) -> Result<bool, StateError> {
        let Some(mut image) = self.image.take() else {
            return Ok(true);
        };
        let done = self.write_some(&mut image);
        let taken = image.frames.borrow_mut().take(out)?;
        self.check_store()?;
        if done? && taken {
            self.end_saving();
            self.drop_image();
            return Ok(true);
        }
        self.image = Some(image);
        Ok(false)
    }

    fn write_some(&self, image: &mut ImagePass) -> Result<bool, StateError> {
        // To write a key to a store takes longer than to encode it.
        let keys = SLICE_KEYS / if self.has_store() { 4 } else { 1 };
        for _ in 0..keys {
            if image.frames.borrow().are_many(self.image_slice) {
                return Ok(false);
            }
            if self.save_some(1) {
                return self.write_timers(image);
            }
        }
        Ok(false)
    }

    /// Writes some of the frozen timers; says whether those were the last.
    fn write_timers(&self, image: &mut ImagePass) -> Result<bool, StateError> {
        let Some((_, timers)) = self.timer_services().nth(image.service) else {
            return Ok(true);
        };
        let frames = &mut *image.frames.borrow_mut();
        let tag = 1 + image.states + image.service;
        let all = timers.service().borrow_mut().show_frozen(|due| {
            let key = self.directory().key(due.slot);
            if let Some((key, hash)) = key.zip(self.directory().hash(due.slot)) {
                frames.begin(key);
                let frame = frames.record(tag);
                frame.long(due.timestamp);
                frame.long(due.namespace as i64);
                frames.end(hash);
            }
            Ok::<(), StateError>(())
        })?;
        image.service += usize::from(all);
        Ok(false)
    }

    /// Gives up an image that is being written, if there is one.
    pub fn drop_image(&mut self) {
        self.image = None;
        // What has changed up to the barrier is in the store then, though no checkpoint has it.
        if self.is_saving() {
            while !self.save_some(usize::MAX) {}
            drop(self.finish_saving());
        }
        self.thaw();
        for (_, timers) in self.timer_services() {
            timers.service().borrow_mut().thaw();
        }
    }
}
