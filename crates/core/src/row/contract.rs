//! The trait alone, without the derive of the same name: a crate that re-exports rows with a derive
//! of its own (`rheos_derive::FacadeRow`) takes it from here.

use super::error::RowError;
use super::key::{KeyBuffer, KeySink};
use super::resolve::Resolution;
use super::schema::Schema;
use super::source::FieldSource;
use super::value::{Value, ValueBuilder, ValueSource};
use super::visitor::FieldVisitor;
use super::wire::{Reader, Writer};

/// A type that can be a row, a key or a state value. Implement it with `#[derive(Row)]`.
///
/// Implemented by the derive and, for the types that rows are made of, here; called by the engine,
/// its connectors and its state from the thread of the task that holds the value. Equal keys have
/// equal [`Row::key_bytes`] and so equal [`Row::key_hash`]; what [`Row::encode`] wrote,
/// [`Row::decode`] of the same version reads back equal.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Row`",
    label = "rows, keys and state values are made of types that implement `Row`",
    note = "add `#[derive(Row, Clone)]` to `{Self}`, or use one of the types that are rows already: integers, floats, `bool`, `char`, `Str`, `String`, `Option`, `Vec`, maps, tuples of up to six, `Box`, `Arc`"
)]
pub trait Row: Clone + Send + Sized + 'static {
    /// Whether a value can own heap memory. Where it can't, sizes cost nothing to know.
    const HAS_HEAP: bool;

    /// Names and types of the fields, with the defaults of those that may be missing.
    fn schema() -> Schema;

    /// Appends the binary form.
    fn encode(&self, out: &mut Writer);

    /// Reads the binary form that [`Row::encode`] of this very schema wrote.
    ///
    /// # Errors
    /// Where the bytes are truncated or are no value of the type.
    fn decode(input: &mut Reader<'_>) -> Result<Self, RowError>;

    /// Reads a value written under another schema, by the resolution of that schema with
    /// [`Row::schema`].
    ///
    /// # Errors
    /// Where the bytes are truncated or are no value of the writer's schema, and where the value
    /// can't be one of this type, see [`Resolution::doubts`].
    fn decode_resolved(input: &mut Reader<'_>, resolution: &Resolution) -> Result<Self, RowError> {
        resolution.read_row(input)
    }

    /// Builds a value from whatever a decoder offers at this place.
    ///
    /// # Errors
    /// Where a field is missing without a default, or has another type; the error has the path.
    fn from_source(source: &mut dyn FieldSource) -> Result<Self, RowError>;

    /// Shows the value to a visitor.
    ///
    /// # Errors
    /// What the visitor answers.
    fn visit(&self, visitor: &mut dyn FieldVisitor) -> Result<(), RowError>;

    /// Builds a value from a dynamic one.
    ///
    /// # Errors
    /// Where its shape is another.
    fn from_value(value: &Value) -> Result<Self, RowError> {
        Self::from_source(&mut ValueSource::new(value))
    }

    /// The value as a dynamic one.
    fn to_value(&self) -> Value {
        let mut builder = ValueBuilder::default();
        // The builder refuses nothing that an implementation shows in the agreed order.
        match self.visit(&mut builder) {
            Ok(()) => builder.finish(),
            Err(_) => Value::Null,
        }
    }

    /// Bytes of heap memory that the value owns, without its own size.
    fn heap_bytes(&self) -> usize;

    /// Appends the canonical key bytes: self-delimiting, equal for equal keys, ordered as the keys
    /// are; −0.0 is 0.0 and there is one NaN.
    fn key_bytes<S: KeySink>(&self, out: &mut S);

    /// xxh3-64 of the canonical key bytes. Allocates only for keys of more than
    /// [`KeyBuffer::INLINE`] bytes.
    #[inline]
    fn key_hash(&self) -> u64 {
        let mut bytes = KeyBuffer::new();
        self.key_bytes(&mut bytes);
        crate::key_group::hash_bytes(bytes.as_slice())
    }

    /// Whether two keys are the same: exactly if their canonical bytes are.
    fn key_eq(&self, other: &Self) -> bool;

    /// The value of a field of this type that is missing and has no default of its own: `None` of
    /// an `Option`; of other types there is none.
    fn missing() -> Option<Self> {
        None
    }

    /// The schema of a list of these. `u8` alone has one of its own: a list of it is `bytes`.
    #[doc(hidden)]
    fn list_schema() -> Schema {
        Schema::array(Self::schema())
    }

    #[doc(hidden)]
    #[inline]
    fn encode_list(list: &[Self], out: &mut Writer) {
        out.block(list.len(), |out| {
            for item in list {
                item.encode(out);
            }
        });
    }

    #[doc(hidden)]
    #[inline]
    fn decode_list(input: &mut Reader<'_>) -> Result<Vec<Self>, RowError> {
        let mut list = Vec::with_capacity(input.size_hint::<Self>());
        input.blocks(|input| {
            list.push(Self::decode(input)?);
            Ok(())
        })?;
        Ok(list)
    }

    #[doc(hidden)]
    fn list_from_source(source: &mut dyn FieldSource) -> Result<Vec<Self>, RowError> {
        let mut list = Vec::new();
        source.list(&mut |item| {
            let value = Self::from_source(item);
            list.push(value.map_err(|e| e.in_item(list.len()))?);
            Ok(())
        })?;
        Ok(list)
    }

    #[doc(hidden)]
    fn visit_list(list: &[Self], visitor: &mut dyn FieldVisitor) -> Result<(), RowError> {
        visitor.begin_list(list.len())?;
        for (i, item) in list.iter().enumerate() {
            visitor.item(i)?;
            item.visit(visitor).map_err(|e| e.in_item(i))?;
        }
        visitor.end_list()
    }

    #[doc(hidden)]
    fn list_key_bytes<S: KeySink>(list: &[Self], out: &mut S) {
        for item in list {
            out.put(&[1]);
            item.key_bytes(out);
        }
        out.put(&[0]);
    }
}
