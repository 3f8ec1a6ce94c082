//! Side outputs: rows of another type, or of another fate, that an operator emits beside its own.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;

use rheos_core::Row;
use rheos_core::element::Control;
use rheos_core::time::Millis;

use super::outputs::Outputs;

/// Names a side output and the type of its rows. Two tags of one name are one output.
#[derive(Debug)]
pub struct OutputTag<T> {
    name: String,
    row: PhantomData<fn() -> T>,
}

impl<T> OutputTag<T> {
    /// A tag of that name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            row: PhantomData,
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<T> Clone for OutputTag<T> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            row: PhantomData,
        }
    }
}

/// Emits to a side output. Where nobody reads it, rows are dropped, as in Flink.
pub struct SideOutput<T> {
    outputs: Rc<RefCell<Outputs<T>>>,
}

impl<T> Clone for SideOutput<T> {
    fn clone(&self) -> Self {
        Self {
            outputs: self.outputs.clone(),
        }
    }
}

impl<T: Row> SideOutput<T> {
    /// A handle on these outputs.
    pub fn new(outputs: Rc<RefCell<Outputs<T>>>) -> Self {
        Self { outputs }
    }

    /// Emits a row with an event time.
    pub fn emit(&self, row: T, timestamp: Millis) {
        self.outputs.borrow_mut().push(row, timestamp);
    }

    /// Rows emitted so far.
    pub fn emitted(&self) -> u64 {
        self.outputs.borrow().emitted()
    }
}

/// A stage's outputs of any row type, main or side. Implemented by [`Outputs`] in a cell; called by
/// the stage.
pub trait AnyOutputs {
    /// See [`Outputs::ready`].
    fn ready(&self) -> bool;
    /// See [`Outputs::hurry`].
    fn hurry(&self, on: bool);
    /// See [`Outputs::flush`].
    fn flush(&self, now_micros: i64);
    /// See [`Outputs::control`].
    fn control(&self, control: Control, now_micros: i64);
    /// See [`Outputs::control_exchanges`].
    fn control_exchanges(&self, control: Control, now_micros: i64);
    /// See [`Outputs::flush_exchanges`].
    fn flush_exchanges(&self, now_micros: i64, all: bool) -> bool;
    /// See [`Outputs::flush_due`].
    fn flush_due(&self) -> Option<i64>;
}

impl<T: Row> AnyOutputs for RefCell<Outputs<T>> {
    fn ready(&self) -> bool {
        self.borrow_mut().ready()
    }
    fn hurry(&self, on: bool) {
        self.borrow_mut().hurry(on);
    }
    fn flush(&self, now_micros: i64) {
        self.borrow_mut().flush(now_micros);
    }
    fn control(&self, control: Control, now_micros: i64) {
        self.borrow_mut().control(control, now_micros);
    }
    fn control_exchanges(&self, control: Control, now_micros: i64) {
        self.borrow_mut().control_exchanges(control, now_micros);
    }
    fn flush_exchanges(&self, now_micros: i64, all: bool) -> bool {
        self.borrow_mut().flush_exchanges(now_micros, all)
    }
    fn flush_due(&self) -> Option<i64> {
        self.borrow().flush_due()
    }
}
