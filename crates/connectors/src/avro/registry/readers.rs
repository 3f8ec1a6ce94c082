//! How values are read, by the schemas of their writers.

use rheos_core::row::{RowError, Schema};
use rheos_runtime::error::BoxError;
use rheos_runtime::source::reader::ReaderContext;

use super::client::{Client, Lookup, RegistrySettings};

/// Bytes in front of a value: zero, and the schema's number.
pub(crate) const FRAME: usize = 5;

/// Where the schemas of writers are to be had.
#[derive(Debug, Clone)]
pub(crate) enum Schemas {
    Registry(RegistrySettings),
    /// One for every number.
    Fixed(Schema),
}

/// What makes a reader of a writer's schema.
type Make<R> = fn(&Schema) -> Result<R, RowError>;

/// The readers of one subtask.
pub(crate) struct WriterReaders<R> {
    make: Make<R>,
    client: Option<Client>,
    /// Of every number seen how its values are read, or why they can't be. The last one used first.
    readers: Vec<(u32, Result<R, RowError>)>,
    fixed: Option<R>,
}

impl<R> WriterReaders<R> {
    pub fn new(
        schemas: &Schemas,
        context: &ReaderContext,
        make: Make<R>,
    ) -> Result<Self, BoxError> {
        let (client, fixed) = match schemas {
            Schemas::Registry(settings) => {
                let client = Client::new(settings, context.io.clone(), context.signal.clone())?;
                (Some(client), None)
            }
            Schemas::Fixed(schema) => (None, Some(make(schema)?)),
        };
        Ok(Self {
            make,
            client,
            readers: Vec::new(),
            fixed,
        })
    }

    /// This reader for every number.
    #[cfg(any(fuzzing, test))]
    pub fn fixed(make: Make<R>, reader: R) -> Self {
        Self {
            make,
            client: None,
            readers: Vec::new(),
            fixed: Some(reader),
        }
    }

    /// The reader of a framed value, and the value; none while its schema is being asked for.
    ///
    /// # Errors
    /// Where there is no frame, or no schema, or no reader can be made of it.
    #[inline]
    pub fn of<'a, 'v>(
        &'a mut self,
        framed: &'v [u8],
    ) -> Result<Option<(&'a R, &'v [u8])>, RowError> {
        let Some((frame, value)) = framed.split_first_chunk::<FRAME>() else {
            return Err(too_short(framed.len()));
        };
        let [magic, a, b, c, d] = *frame;
        if magic != 0 {
            return Err(wrong_magic(magic));
        }
        let id = u32::from_be_bytes([a, b, c, d]);
        let is_first = |(known, _): &(u32, _)| *known == id;
        if self.fixed.is_none()
            && !self.readers.first().is_some_and(is_first)
            && !self.look_up(id)?
        {
            return Ok(None);
        }
        if let Some(reader) = &self.fixed {
            return Ok(Some((reader, value)));
        }
        match self.readers.first() {
            Some((_, Ok(reader))) => Ok(Some((reader, value))),
            Some((_, Err(error))) => Err(error.clone()),
            None => Ok(None),
        }
    }

    /// Makes sure that the first reader is that of a number; false if its schema is not there yet.
    fn look_up(&mut self, id: u32) -> Result<bool, RowError> {
        if let Some(at) = self.readers.iter().position(|(known, _)| *known == id) {
            self.readers.swap(0, at);
            return Ok(true);
        }
        let Some(client) = &mut self.client else {
            return Ok(false);
        };
        let text = match client.schema(id) {
            Lookup::Waiting => return Ok(false),
            Lookup::Refused(why) => return Err(RowError::schema(why)),
            Lookup::Known(text) => text,
        };
        let reader = Schema::parse_avro_json(&text)
            .and_then(|writer| (self.make)(&writer))
            .map_err(|error| RowError::schema(format!("the schema {id} of the registry: {error}")));
        self.readers.insert(0, (id, reader));
        Ok(true)
    }
}

#[cold]
fn too_short(len: usize) -> RowError {
    RowError::corrupt(format!(
        "a value of {len} bytes is too short for the registry's framing"
    ))
}

#[cold]
fn wrong_magic(magic: u8) -> RowError {
    RowError::corrupt(format!(
        "the value begins with {magic:#04x}, not with the zero of the registry's framing"
    ))
}
