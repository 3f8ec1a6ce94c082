//! How encoders see rows: as a sequence of events, nothing allocated.
//!
//! A record is `begin_record`, then `field` and a value for each field, then `end_record`; lists
//! and maps alike. The calls always nest properly, so an encoder can write as it is called.

use super::error::RowError;

/// An encoder that is shown a value.
///
/// Implemented by encoders (JSON, CSV), called by [`Row::visit`](super::Row::visit) on the
/// encoder's thread. An error ends the visit and is handed to the caller.
#[allow(
    missing_docs,
    reason = "the scalar methods are named after what they are shown"
)]
#[allow(
    clippy::missing_errors_doc,
    reason = "all errors are the implementation's own"
)]
pub trait FieldVisitor {
    /// An optional value is there and follows. Few encoders need to know.
    fn some(&mut self) {}
    fn null(&mut self) -> Result<(), RowError>;
    fn bool(&mut self, value: bool) -> Result<(), RowError>;
    fn i64(&mut self, value: i64) -> Result<(), RowError>;
    fn u64(&mut self, value: u64) -> Result<(), RowError>;
    /// A 32-bit float, apart from [`FieldVisitor::f64`] because its shortest text is another.
    fn f32(&mut self, value: f32) -> Result<(), RowError>;
    fn f64(&mut self, value: f64) -> Result<(), RowError>;
    fn str(&mut self, value: &str) -> Result<(), RowError>;
    fn bytes(&mut self, value: &[u8]) -> Result<(), RowError>;

    /// A variant without fields.
    fn unit_variant(&mut self, owner: &str, name: &str) -> Result<(), RowError> {
        let _ = owner;
        self.str(name)
    }
    /// A variant; the record of its fields follows, then [`FieldVisitor::end_variant`].
    fn begin_variant(&mut self, owner: &str, name: &str) -> Result<(), RowError>;
    fn end_variant(&mut self) -> Result<(), RowError>;

    /// A record of `len` fields. If `positional`, it is a tuple, its names are but `f0`, `f1` ….
    fn begin_record(&mut self, name: &str, len: usize, positional: bool) -> Result<(), RowError>;
    /// The value of this field follows.
    fn field(&mut self, position: usize, name: &str) -> Result<(), RowError>;
    fn end_record(&mut self) -> Result<(), RowError>;

    /// A list of `len` items.
    fn begin_list(&mut self, len: usize) -> Result<(), RowError>;
    /// The value of the next item follows.
    fn item(&mut self, position: usize) -> Result<(), RowError>;
    fn end_list(&mut self) -> Result<(), RowError>;

    /// A map of `len` entries.
    fn begin_map(&mut self, len: usize) -> Result<(), RowError>;
    /// The key of the next entry follows; of any type, most often a string.
    fn key(&mut self, position: usize) -> Result<(), RowError>;
    /// The value of that key follows.
    fn value(&mut self) -> Result<(), RowError>;
    fn end_map(&mut self) -> Result<(), RowError>;
}
