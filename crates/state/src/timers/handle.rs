//! Timers from the side of the operator and of the user's function: those of the key at hand.

use std::cell::RefCell;
use std::rc::Rc;

use rheos_core::time::Millis;

use crate::key_context::KeyContext;
use crate::timers::{Due, TimeDomain, TimerService};

/// A timer service and the key at hand.
#[derive(Debug, Clone)]
pub struct Timers {
    context: Rc<KeyContext>,
    service: Rc<RefCell<TimerService>>,
}

impl Timers {
    /// A new service for the keys of `context`.
    pub fn new(domain: TimeDomain, context: Rc<KeyContext>) -> Self {
        let service = TimerService::new(domain, Rc::clone(context.refs()));
        Self {
            context,
            service: Rc::new(RefCell::new(service)),
        }
    }

    /// Registers a timer for the current key and namespace.
    #[inline]
    pub fn register(&self, timestamp: Millis) {
        let (slot, namespace) = (self.context.slot(), self.context.namespace());
        self.service
            .borrow_mut()
            .register(timestamp, slot, namespace);
    }

    /// Deletes a timer of the current key and namespace, if there is such a one.
    #[inline]
    pub fn delete(&self, timestamp: Millis) {
        let (slot, namespace) = (self.context.slot(), self.context.namespace());
        self.service.borrow_mut().delete(timestamp, slot, namespace);
    }

    /// The current watermark, or processing time, in milliseconds.
    pub fn now(&self) -> Millis {
        self.service.borrow().now()
    }

    /// By which time the timers fire.
    pub fn domain(&self) -> TimeDomain {
        self.service.borrow().domain()
    }

    /// See [`TimerService::advance`].
    pub fn advance(&self, to: Millis) {
        self.service.borrow_mut().advance(to);
    }

    /// See [`TimerService::next_due`]. The service is free again on return, so the timer's function
    /// may register and delete.
    #[inline]
    pub fn next_due(&self) -> Option<Due> {
        self.service.borrow_mut().next_due()
    }

    /// See [`TimerService::upcoming_slots`].
    pub fn upcoming_slots(&self, limit: usize, out: &mut Vec<u32>) {
        self.service.borrow().upcoming_slots(limit, out);
    }

    /// See [`TimerService::next_timestamp`].
    pub fn next_timestamp(&self) -> Option<Millis> {
        self.service.borrow().next_timestamp()
    }

    /// See [`TimerService::num_timers`].
    pub fn num_timers(&self) -> usize {
        self.service.borrow().num_timers()
    }

    /// The service itself.
    pub fn service(&self) -> &RefCell<TimerService> {
        &self.service
    }
}
