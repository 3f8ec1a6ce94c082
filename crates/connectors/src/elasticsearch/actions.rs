//! Rows as actions of `_bulk`.

use std::collections::HashMap;

use rheos_core::Row;

use super::bulk::{Batch, Item};
use super::sink::ElasticsearchSink;
use crate::format::json::{JsonNesting, JsonWriter};
use crate::outbox::Gather;

/// Gathers rows as actions.
pub(super) struct Actions<T> {
    sink: ElasticsearchSink<T>,
    nesting: JsonNesting,
    /// Where an id of an index is in the batch.
    places: HashMap<String, usize>,
    batch: Batch,
}

impl<T> Actions<T> {
    pub fn new(sink: ElasticsearchSink<T>) -> Self {
        Self {
            sink,
            nesting: JsonNesting::default(),
            places: HashMap::new(),
            batch: Batch::default(),
        }
    }
}

/// What is known of the lines of an action.
struct Lines {
    split: usize,
    deletes: bool,
    versioned: bool,
}

/// What the server takes as an id, in bytes.
const LONGEST_ID: usize = 512;

impl<T: Row> Actions<T> {
    /// Appends the lines of a row.
    fn lines(&mut self, row: &T, id: Option<&str>, index: &str) -> Result<Lines, String> {
        let deletes = self
            .sink
            .deletes
            .as_ref()
            .is_some_and(|deletes| deletes(row));
        let text = &mut self.batch.text;
        let string = |value: &str| serde_json::Value::from(value).to_string();
        let verb = if deletes { "delete" } else { "index" };
        text.extend_from_slice(format!("{{\"{verb}\":{{\"_index\":{}", string(index)).as_bytes());
        if let Some(id) = id {
            text.extend_from_slice(format!(",\"_id\":{}", string(id)).as_bytes());
        }
        let version = self.sink.version.as_ref().map(|version| version(row));
        if let Some(version) = version {
            let version = format!(",\"version\":{version},\"version_type\":\"external\"");
            text.extend_from_slice(version.as_bytes());
        }
        let split = text.len();
        text.extend_from_slice(b"}}\n");
        if !deletes {
            let mut writer = JsonWriter::new(text, &mut self.nesting);
            row.visit(&mut writer).map_err(|error| error.to_string())?;
            text.push(b'\n');
        }
        Ok(Lines {
            split,
            deletes,
            versioned: version.is_some(),
        })
    }
}

impl<T: Row> Gather<T> for Actions<T> {
    type Batch = Batch;

    fn put(&mut self, row: &T) -> Result<usize, String> {
        let id = self.sink.id.as_ref().map(|id| id(row));
        if let Some(id) = &id
            && !(1..=LONGEST_ID).contains(&id.len())
        {
            return Err(format!(
                "its _id has {} bytes, and may have 1 to {LONGEST_ID}: '{}'",
                id.len(),
                id.chars().take(80).collect::<String>()
            ));
        }
        let index = match &self.sink.index_by {
            Some(index) => index(row),
            None => self.sink.index.clone(),
        };
        let from = self.batch.text.len();
        let lines = match self.lines(row, id.as_deref(), &index) {
            Ok(lines) => lines,
            Err(error) => {
                self.batch.text.truncate(from);
                return Err(error);
            }
        };
        let next = self.batch.items.len();
        let mut place = next;
        let identified = id.is_some();
        // Versions settle which of two holds; without them the order would be lost where one of two
        // is retried and the other is not.
        if let Some(id) = id
            && !lines.versioned
        {
            place = *self.places.entry(format!("{index}/{id}")).or_insert(next);
        }
        let item = Item {
            from,
            split: lines.split,
            to: self.batch.text.len(),
            row: place,
            deletes: lines.deletes,
            identified,
            versioned: lines.versioned,
        };
        match self.batch.items.get_mut(place) {
            Some(replaced) => *replaced = item,
            None => self.batch.items.push(item),
        }
        Ok(place)
    }

    fn bytes(&self) -> usize {
        self.batch.text.len()
    }

    fn take(&mut self) -> Batch {
        self.places.clear();
        std::mem::take(&mut self.batch)
    }
}
