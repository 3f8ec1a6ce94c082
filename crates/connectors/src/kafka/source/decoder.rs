//! Records to rows.

use rheos_core::row::RowError;
use rheos_runtime::error::BoxError;
use rheos_runtime::source::reader::ReaderContext;

use crate::format::{Decoder, DecodingFormat};
use crate::kafka::batch::Headers;

/// A record as the decoder sees it; nothing of it is copied.
#[derive(Debug, Clone, Copy)]
pub struct KafkaRecord<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The time that Kafka has of it, in milliseconds since 1970; -1 if it has none.
    pub timestamp: i64,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; none is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: Headers<'a>,
}

/// What a record came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded {
    /// The rows it holds were emitted; it may hold none.
    Done,
    /// It can't be decoded yet, and was not: something is being waited for. It is offered again.
    Later,
}

/// Records to rows. Implemented by formats and users, shared between threads.
pub trait RecordFormat<T>: Clone + Send + Sync + 'static {
    /// See [`RecordDecoder`].
    type Decoder: RecordDecoder<T> + 'static;

    /// A decoder for one subtask.
    ///
    /// # Errors
    /// If it can't be made.
    fn decoder(&self, context: &ReaderContext) -> Result<Self::Decoder, BoxError>;
}

/// Decodes the records of one subtask. Implemented by formats and users; called by the reader on
/// the task's thread.
pub trait RecordDecoder<T> {
    /// Hands the rows of a record to `emit`.
    ///
    /// # Errors
    /// What is wrong with the record, with the path of the field: it is a bad record then. What was
    /// emitted before stays.
    fn decode(
        &mut self,
        record: &KafkaRecord<'_>,
        emit: impl FnMut(T),
    ) -> Result<Decoded, RowError>;

    /// Whether tombstones are offered too; otherwise they are skipped, and counted apart.
    fn takes_tombstones(&self) -> bool {
        false
    }
}

/// Rows out of values, by any format; keys and headers are passed over.
#[derive(Debug, Clone)]
pub struct Values<F>(pub F);

/// Decodes values, see [`Values`].
pub struct ValuesDecoder<D>(D);

impl<T, F: DecodingFormat<T>> RecordFormat<T> for Values<F> {
    type Decoder = ValuesDecoder<F::Decoder>;

    fn decoder(&self, _context: &ReaderContext) -> Result<Self::Decoder, BoxError> {
        Ok(ValuesDecoder(self.0.decoder()))
    }
}

impl<T, D: Decoder<T>> RecordDecoder<T> for ValuesDecoder<D> {
    #[inline]
    fn decode(
        &mut self,
        record: &KafkaRecord<'_>,
        emit: impl FnMut(T),
    ) -> Result<Decoded, RowError> {
        // A value is a record of the format: what ends it in a file need not be there.
        self.0.decode(record.value.unwrap_or_default(), emit)?;
        Ok(Decoded::Done)
    }
}
