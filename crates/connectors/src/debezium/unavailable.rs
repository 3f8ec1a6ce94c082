//! Values that Debezium did not have.

use memchr::memmem::Finder;
use rheos_core::row::{FieldNames, FieldSource, RowError};

/// What Debezium writes in place of a value that it does not have.
pub(super) const PLACEHOLDER: &str = "__debezium_unavailable_value";

/// The same in place of bytes in JSON.
const PLACEHOLDER_BASE64: &str = "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==";

/// Looks whether a record may hold it, before it is gone through field by field.
pub(super) struct Suspicion {
    plain: Finder<'static>,
    base64: Option<Finder<'static>>,
}

impl Suspicion {
    /// Of records in JSON.
    pub fn json() -> Self {
        Self {
            plain: Finder::new(PLACEHOLDER),
            base64: Some(Finder::new(PLACEHOLDER_BASE64)),
        }
    }

    /// Of records that hold bytes as they are.
    #[cfg(feature = "kafka")]
    pub fn binary() -> Self {
        Self {
            plain: Finder::new(PLACEHOLDER),
            base64: None,
        }
    }

    pub fn of(&self, record: &[u8]) -> bool {
        let base64 = || {
            self.base64
                .as_ref()
                .is_some_and(|finder| finder.find(record).is_some())
        };
        self.plain.find(record).is_some() || base64()
    }
}

/// A source that refuses it.
pub(super) struct Available<'a>(pub &'a mut dyn FieldSource);

#[cold]
fn unavailable() -> RowError {
    RowError::mismatch(
        "the value did not change, and Debezium does not have it; give the table REPLICA IDENTITY \
         FULL (PostgreSQL), or take the placeholder as the value by \
         unavailable_values(UnavailableValues::Keep)",
    )
}

impl FieldSource for Available<'_> {
    fn is_null(&mut self) -> bool {
        self.0.is_null()
    }

    fn enter_some(&mut self) {
        self.0.enter_some();
    }

    fn bool(&mut self) -> Result<bool, RowError> {
        self.0.bool()
    }

    fn i64(&mut self) -> Result<i64, RowError> {
        self.0.i64()
    }

    fn u64(&mut self) -> Result<u64, RowError> {
        self.0.u64()
    }

    fn f64(&mut self) -> Result<f64, RowError> {
        self.0.f64()
    }

    fn str(&mut self) -> Result<&str, RowError> {
        match self.0.str()? {
            PLACEHOLDER => Err(unavailable()),
            text => Ok(text),
        }
    }

    fn bytes(&mut self) -> Result<&[u8], RowError> {
        let bytes = self.0.bytes()?;
        if bytes == PLACEHOLDER.as_bytes() {
            return Err(unavailable());
        }
        Ok(bytes)
    }

    fn record(
        &mut self,
        names: &'static FieldNames,
        field: &mut dyn FnMut(usize, &mut dyn FieldSource) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        self.0.record(names, &mut |position, value| {
            field(position, &mut Available(value))
        })
    }

    fn variant(
        &mut self,
        names: &'static FieldNames,
        variant: &mut dyn FnMut(usize, Option<&mut dyn FieldSource>) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        self.0.variant(names, &mut |position, fields| match fields {
            Some(fields) => variant(position, Some(&mut Available(fields))),
            None => variant(position, None),
        })
    }

    fn list(
        &mut self,
        item: &mut dyn FnMut(&mut dyn FieldSource) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        self.0.list(&mut |value| item(&mut Available(value)))
    }

    fn map(
        &mut self,
        entry: &mut dyn FnMut(&mut dyn FieldSource, &mut dyn FieldSource) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        self.0
            .map(&mut |key, value| entry(key, &mut Available(value)))
    }
}
