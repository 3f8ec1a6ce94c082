//! The windows of a key, and the numbers under which their state and timers are kept.
//!
//! Where the assigner tells window and number from each other, nothing is kept. Else, as with
//! sessions, the live windows of a key are listed in its state. A number of a listed window is never
//! given out again, so that a timer of a window that is gone finds none.

use std::cell::Cell;
use std::sync::Arc;

use rheos_core::Row;
use rheos_state::{KeyedBackend, ListState, ListStateDescriptor, Namespace, StateError};

use super::assigner::WindowAssigner;
use super::window::Window;

/// The name of the list, among the operator's states.
const LIVE_STATE: &str = "window-set";

/// Windows and their numbers, for the key at hand.
pub(crate) struct LiveWindows<T, W: Window> {
    assigner: Arc<dyn WindowAssigner<T, Window = W>>,
    /// Only where the assigner doesn't number its windows.
    listed: Option<ListState<(W, Namespace)>>,
    next: Cell<Namespace>,
}

impl<T: 'static, W: Window> LiveWindows<T, W> {
    pub(crate) fn open<K: Row>(
        assigner: Arc<dyn WindowAssigner<T, Window = W>>,
        backend: &mut KeyedBackend<K>,
    ) -> Result<Self, StateError> {
        let numbered = !assigner.is_merging() && assigner.window_of(0).is_some();
        let listed = match numbered {
            true => None,
            false => Some(backend.list(&ListStateDescriptor::new(LIVE_STATE))?),
        };
        Ok(Self {
            assigner,
            listed,
            next: Cell::new(0),
        })
    }

    /// The window of a number, if it is live (or may be).
    pub(crate) fn window(&self, number: Namespace) -> Option<W> {
        match &self.listed {
            None => self.assigner.window_of(number),
            Some(listed) => listed.with(|live| {
                live.iter()
                    .find(|(_, other)| *other == number)
                    .map(|(window, _)| *window)
            }),
        }
    }

    /// The number of a window, which is live from now on.
    pub(crate) fn number(&self, window: &W) -> Namespace {
        let Some(listed) = &self.listed else {
            return self.assigner.number_of(window).unwrap_or_default();
        };
        let known = listed.with(|live| {
            live.iter()
                .find(|(other, _)| other == window)
                .map(|(_, number)| *number)
        });
        known.unwrap_or_else(|| self.add(*window))
    }

    /// Lists a window under a fresh number.
    pub(crate) fn add(&self, window: W) -> Namespace {
        let number = self.next.get();
        self.next.set(number + 1);
        if let Some(listed) = &self.listed {
            listed.add((window, number));
        }
        number
    }

    /// The number that comes next; greater than all that are given out.
    pub(crate) fn next(&self) -> Namespace {
        self.next.get()
    }

    /// Goes on with that number.
    pub(crate) fn resume(&self, next: Namespace) {
        self.next.set(self.next.get().max(next));
    }

    /// Takes a window off the list.
    pub(crate) fn remove(&self, number: Namespace) {
        if let Some(listed) = &self.listed {
            listed.retain(|(_, other)| *other != number);
        }
    }

    /// What a window becomes with the live ones that it is to be merged with, and those.
    pub(crate) fn merged(&self, window: W) -> (W, Vec<(W, Namespace)>) {
        let mut result = window;
        let mut merged: Vec<(W, Namespace)> = Vec::new();
        let Some(listed) = &self.listed else {
            return (result, merged);
        };
        listed.with(|live| {
            loop {
                let before = merged.len();
                for other in live {
                    if merged.contains(other) {
                        continue;
                    }
                    if let Some(both) = self.assigner.merged(&result, &other.0) {
                        result = both;
                        merged.push(*other);
                    }
                }
                if merged.len() == before {
                    return;
                }
            }
        });
        merged.sort_by_key(|(_, number)| *number);
        (result, merged)
    }
}
