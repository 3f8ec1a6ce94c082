//! How decoders fill rows by field name, without a tree in between.
//!
//! A decoder (JSON, CSV, Avro, Debezium) implements [`FieldSource`] for "the value at this place".
//! A row asks for what it wants: `bool()`, `str()`, `record()` … For a record the decoder goes
//! through *its own* fields in *its own* order, once, and offers each that the row knows by its
//! position in [`FieldNames`]; the row keeps what it is given and then looks for what is missing.
//! So a streaming decoder never goes back, and a decoder with columns looks a name up once for all
//! rows: [`FieldNames`] is `'static`, its address is a key for such a table.

use super::error::RowError;

/// The names by which a record's fields, or an enum's variants, are known.
#[derive(Debug, PartialEq, Eq)]
pub struct FieldNames {
    /// The name of the record or enum, for messages.
    pub owner: &'static str,
    /// Of each field its name and its aliases.
    pub fields: &'static [&'static [&'static str]],
    /// Whether the fields have an order rather than names (tuples): a list of values will do.
    pub positional: bool,
    /// Of an enum, the variant that stands for unknown ones.
    pub default: Option<usize>,
}

impl FieldNames {
    /// The position of a field by its name or an alias. Looks at position `guess` first, which is
    /// right when records come with their fields in the same order.
    #[inline]
    pub fn position(&self, name: &str, guess: usize) -> Option<usize> {
        if let Some([first, ..]) = self.fields.get(guess)
            && *first == name
        {
            return Some(guess);
        }
        self.fields.iter().position(|names| names.contains(&name))
    }

    /// The name of the field at a position.
    pub fn name(&self, position: usize) -> &'static str {
        self.fields
            .get(position)
            .and_then(|names| names.first())
            .copied()
            .unwrap_or("?")
    }

    /// The position of an enum's variant; of the default one if the name is unknown.
    ///
    /// # Errors
    /// Where there is neither.
    pub fn variant(&self, name: &str) -> Result<usize, RowError> {
        self.position(name, 0).or(self.default).ok_or_else(|| {
            let known: Vec<_> = (0..self.fields.len()).map(|i| self.name(i)).collect();
            RowError::mismatch(format!(
                "{} has no variant {name:?}, only {}",
                self.owner,
                known.join(", ")
            ))
        })
    }
}

/// The value at one place of an input, as a decoder sees it.
///
/// Implemented by decoders, called by [`Row::from_source`](super::Row::from_source) on the
/// decoder's thread. Each place is read once, by one of the methods; `is_null` may come before. A
/// method that finds another type answers an error with [`mismatch`]; errors need no path.
pub trait FieldSource {
    /// Whether there is nothing here: a JSON `null`, an empty CSV field, the null of a union.
    fn is_null(&mut self) -> bool;

    /// The row has seen that an optional value is there and will now read it. Only sources whose
    /// optional values are wrapped need this.
    fn enter_some(&mut self) {}

    /// A boolean.
    ///
    /// # Errors
    /// Where it is none.
    fn bool(&mut self) -> Result<bool, RowError>;

    /// An integer.
    ///
    /// # Errors
    /// Where it is none or does not fit.
    fn i64(&mut self) -> Result<i64, RowError>;

    /// An integer that is not negative.
    ///
    /// # Errors
    /// Where it is none or does not fit.
    fn u64(&mut self) -> Result<u64, RowError>;

    /// A float, or an integer as a float.
    ///
    /// # Errors
    /// Where it is no number.
    fn f64(&mut self) -> Result<f64, RowError>;

    /// A string.
    ///
    /// # Errors
    /// Where it is none.
    fn str(&mut self) -> Result<&str, RowError>;

    /// Bytes; of a format that holds them as text (base64 in JSON and CSV), what the text stands for.
    /// Unless implemented, the bytes of the string.
    ///
    /// # Errors
    /// Where there are none.
    fn bytes(&mut self) -> Result<&[u8], RowError> {
        self.str().map(str::as_bytes)
    }

    /// A record: calls `field` with the position of each field that `names` knows, and its value.
    /// Others are skipped.
    ///
    /// # Errors
    /// Those of `field`; where this is no record.
    fn record(
        &mut self,
        names: &'static FieldNames,
        field: &mut dyn FnMut(usize, &mut dyn FieldSource) -> Result<(), RowError>,
    ) -> Result<(), RowError>;

    /// An enum: calls `variant` once, with the position of the variant and, unless it came as a
    /// mere name, its fields.
    ///
    /// # Errors
    /// Those of `variant`; where this is no variant of `names`, see [`FieldNames::variant`].
    fn variant(
        &mut self,
        names: &'static FieldNames,
        variant: &mut dyn FnMut(usize, Option<&mut dyn FieldSource>) -> Result<(), RowError>,
    ) -> Result<(), RowError>;

    /// A list: calls `item` for each.
    ///
    /// # Errors
    /// Those of `item`; where this is no list.
    fn list(
        &mut self,
        item: &mut dyn FnMut(&mut dyn FieldSource) -> Result<(), RowError>,
    ) -> Result<(), RowError>;

    /// A map: calls `entry` for each key and value. A text format offers the key as a source that
    /// also reads numbers and booleans from its text.
    ///
    /// # Errors
    /// Those of `entry`; where this is no map.
    fn map(
        &mut self,
        entry: &mut dyn FnMut(&mut dyn FieldSource, &mut dyn FieldSource) -> Result<(), RowError>,
    ) -> Result<(), RowError>;
}

/// The error of a source that has something else at this place.
#[cold]
pub fn mismatch(expected: &str, found: impl std::fmt::Display) -> RowError {
    RowError::mismatch(format!("expected {expected}, found {found}"))
}
