//! What can go wrong between bytes, fields and rows.
//!
//! An error is made where the trouble is and gains its path on the way out: each record, list and
//! map it passes adds one step. Its [`RowErrorKind`] says who has to act.

use std::borrow::Cow;
use std::fmt;

/// Who has to act on a [`RowError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowErrorKind {
    /// The bytes are truncated or damaged: read them again from where they came from.
    Corrupt,
    /// The input has another shape than the row: a bad record, or the wrong type in the program.
    Mismatch,
    /// Two schemas can't be resolved: give defaults or aliases, or migrate the state.
    Incompatible,
    /// A schema text is no schema that is understood.
    Schema,
}

/// A value could not be read, written or resolved; says where in the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    // Boxed, as results of decoders are returned once a field and errors are rare.
    inner: Box<Inner>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    kind: RowErrorKind,
    message: String,
    /// From the innermost step to the outermost.
    path: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(Cow<'static, str>),
    Item(usize),
    Key(String),
}

impl RowError {
    /// An error of this kind, at the place where it is made.
    pub fn new(kind: RowErrorKind, message: impl Into<String>) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                message: message.into(),
                path: Vec::new(),
            }),
        }
    }

    /// Bytes that are truncated or damaged.
    #[cold]
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(RowErrorKind::Corrupt, message)
    }

    /// Input of another shape than the row.
    #[cold]
    pub fn mismatch(message: impl Into<String>) -> Self {
        Self::new(RowErrorKind::Mismatch, message)
    }

    /// Schemas that can't be resolved.
    #[cold]
    pub fn incompatible(message: impl Into<String>) -> Self {
        Self::new(RowErrorKind::Incompatible, message)
    }

    /// Text that is no schema.
    #[cold]
    pub fn schema(message: impl Into<String>) -> Self {
        Self::new(RowErrorKind::Schema, message)
    }

    /// A field that is absent and has no default.
    #[cold]
    pub fn missing(field: &'static str) -> Self {
        Self::mismatch("the field is missing and has no default").in_field(field)
    }

    /// The same error, one field further out.
    #[cold]
    #[must_use]
    pub fn in_field(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.inner.path.push(Step::Field(name.into()));
        self
    }

    /// The same error, one list further out.
    #[cold]
    #[must_use]
    pub fn in_item(mut self, index: usize) -> Self {
        self.inner.path.push(Step::Item(index));
        self
    }

    /// The same error, one map further out.
    #[cold]
    #[must_use]
    pub fn in_key(mut self, key: impl Into<String>) -> Self {
        self.inner.path.push(Step::Key(key.into()));
        self
    }

    /// Who has to act.
    pub fn kind(&self) -> RowErrorKind {
        self.inner.kind
    }

    /// What is wrong, without where.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// Where in the row, as in `orders[3].price`; empty at its root.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for step in self.inner.path.iter().rev() {
            match step {
                Step::Field(name) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                }
                Step::Item(index) => path.push_str(&format!("[{index}]")),
                Step::Key(key) => path.push_str(&format!("[{key:?}]")),
            }
        }
        path
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.inner.path.is_empty() {
            f.write_str(&self.inner.message)
        } else {
            write!(f, "{}: {}", self.path(), self.inner.message)
        }
    }
}

impl std::error::Error for RowError {}
