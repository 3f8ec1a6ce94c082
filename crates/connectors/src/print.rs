//! A sink that prints its rows.

use std::fmt::Debug;
use std::io::Write;
use std::sync::Arc;

use rheos_core::Row;
use rheos_core::id::Place;
use rheos_core::row::RowError;
use rheos_core::time::Millis;
use rheos_runtime::BoxError;
use rheos_runtime::chain::inbox::Cursor;
use rheos_runtime::sink::writer::{Sink, SinkWriter, WriterContext};

use crate::format::json::{JsonNesting, JsonWriter};
use crate::format::text::TextWriter;

/// Bytes gathered before they are printed, within a slice of rows.
const GATHER: usize = 64 * 1024;

#[derive(Debug, Clone, Copy)]
enum Stream {
    Out,
    Err,
}

type Show<T> = Arc<dyn Fn(&T, &mut Vec<u8>) -> Result<(), RowError> + Send + Sync>;

/// Prints a line a row, with Flink's prefixes: `2> ` is what subtask 2 (from 1) of several printed,
/// `name:2> ` if the sink has an identifier.
///
/// Rows are shown as JSON, a row that is a mere string as its text; [`PrintSink::shown_by`] shows
/// them another way. Lines of a slice of rows go out at once and are never torn.
pub struct PrintSink<T> {
    stream: Stream,
    identifier: Option<String>,
    show: Show<T>,
}

impl<T> Clone for PrintSink<T> {
    fn clone(&self) -> Self {
        Self {
            stream: self.stream,
            identifier: self.identifier.clone(),
            show: self.show.clone(),
        }
    }
}

impl<T: Row> Default for PrintSink<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Row> PrintSink<T> {
    /// Prints rows as JSON to the standard output.
    pub fn new() -> Self {
        Self {
            stream: Stream::Out,
            identifier: None,
            show: Arc::new(show_json),
        }
    }

    /// Prints rows as `{:?}` shows them.
    pub fn debug() -> Self
    where
        T: Debug,
    {
        Self::shown_by(|row| format!("{row:?}"))
    }

    /// Prints what the function makes of a row.
    pub fn shown_by(show: impl Fn(&T) -> String + Send + Sync + 'static) -> Self {
        let show = move |row: &T, out: &mut Vec<u8>| {
            out.extend_from_slice(show(row).as_bytes());
            Ok(())
        };
        Self {
            stream: Stream::Out,
            identifier: None,
            show: Arc::new(show),
        }
    }

    /// Prints to the standard error output instead.
    #[must_use]
    pub fn to_std_err(mut self) -> Self {
        self.stream = Stream::Err;
        self
    }

    /// Puts a name before each line, to tell sinks apart.
    #[must_use]
    pub fn identifier(mut self, identifier: impl Into<String>) -> Self {
        self.identifier = Some(identifier.into());
        self
    }
}

fn show_json<T: Row>(row: &T, out: &mut Vec<u8>) -> Result<(), RowError> {
    let mut nesting = JsonNesting::default();
    let start = out.len();
    row.visit(&mut JsonWriter::new(out, &mut nesting))?;
    if out.get(start) == Some(&b'"') {
        out.truncate(start);
        row.visit(&mut TextWriter::printable(out))?;
    }
    Ok(())
}

/// What stands before each line: as Flink's `PrintSinkOutputWriter` has it.
fn prefix(identifier: Option<&str>, place: &Place) -> String {
    match (identifier, place.parallelism) {
        (None, ..=1) => String::new(),
        (None, _) => format!("{}> ", place.subtask + 1),
        (Some(identifier), ..=1) => format!("{identifier}> "),
        (Some(identifier), _) => format!("{identifier}:{}> ", place.subtask + 1),
    }
}

impl<T: Row> Sink<T> for PrintSink<T> {
    fn writer(&self, context: &WriterContext) -> Result<Box<dyn SinkWriter<T>>, BoxError> {
        Ok(Box::new(PrintWriter {
            stream: self.stream,
            prefix: prefix(self.identifier.as_deref(), &context.place),
            show: self.show.clone(),
            gathered: Vec::new(),
        }))
    }
}

struct PrintWriter<T> {
    stream: Stream,
    prefix: String,
    show: Show<T>,
    gathered: Vec<u8>,
}

impl<T> PrintWriter<T> {
    fn gather(&mut self, row: &T) -> Result<(), BoxError> {
        self.gathered.extend_from_slice(self.prefix.as_bytes());
        (self.show)(row, &mut self.gathered)?;
        self.gathered.push(b'\n');
        Ok(())
    }

    fn print(&mut self) -> Result<(), BoxError> {
        let (name, result) = match self.stream {
            Stream::Out => {
                let mut out = std::io::stdout().lock();
                (
                    "output",
                    out.write_all(&self.gathered).and_then(|()| out.flush()),
                )
            }
            Stream::Err => (
                "error output",
                std::io::stderr().lock().write_all(&self.gathered),
            ),
        };
        self.gathered.clear();
        result.map_err(|error| format!("printing to the standard {name}: {error}").into())
    }
}

impl<T: Row> SinkWriter<T> for PrintWriter<T> {
    fn write(&mut self, row: T, _timestamp: Millis) -> Result<(), BoxError> {
        self.gather(&row)?;
        self.print()
    }

    fn write_batch(&mut self, rows: &mut Cursor<T>) -> Result<(), BoxError> {
        while let Some((row, _)) = rows.next() {
            self.gather(&row)?;
            if self.gathered.len() >= GATHER {
                self.print()?;
            }
        }
        self.print()
    }

    fn flush(&mut self, _end: bool) -> Result<(), BoxError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_those_of_flink() {
        let place = |subtask, parallelism| Place {
            operator: "print".to_owned(),
            subtask,
            parallelism,
        };
        assert_eq!(prefix(None, &place(0, 1)), "");
        assert_eq!(prefix(None, &place(1, 4)), "2> ");
        assert_eq!(prefix(Some("late"), &place(0, 1)), "late> ");
        assert_eq!(prefix(Some("late"), &place(3, 4)), "late:4> ");
    }

    #[test]
    fn strings_are_shown_bare_and_tuples_as_lists() {
        let show = |row: &(String, i64)| {
            let mut out = Vec::new();
            show_json(row, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(show(&("a \"b\"".to_owned(), 2)), r#"["a \"b\"",2]"#);
        let mut out = Vec::new();
        show_json(&"a \"b\"".to_owned(), &mut out).unwrap();
        assert_eq!(out, b"a \"b\"");
    }
}
