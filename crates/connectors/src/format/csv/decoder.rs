//! CSV records to rows.

use std::marker::PhantomData;

use rheos_core::Row;
use rheos_core::row::{FieldNames, FieldSource, RowError, mismatch};

use super::record::{Cell, Cells, frame};
use super::{Columns, Csv};
use crate::format::text::TextSource;
use crate::format::{Decoder, Frame, line};

/// Of the columns, which field of a record each is; by the address of the record's names.
#[derive(Debug, Default)]
struct Table {
    names: usize,
    fields: Vec<Option<usize>>,
}

/// Decodes [`Csv`].
#[derive(Debug)]
pub struct CsvDecoder<T> {
    csv: Csv,
    /// Known once the header has been read.
    header: Option<Result<Vec<String>, String>>,
    cells: Cells,
    table: Table,
    row: PhantomData<fn() -> T>,
}

impl<T> CsvDecoder<T> {
    pub(super) fn new(csv: Csv) -> Self {
        let header = match &csv.columns {
            Columns::Header => None,
            Columns::Named(names) => Some(Ok(names.clone())),
            Columns::Positional => Some(Ok(Vec::new())),
        };
        Self {
            csv,
            header,
            cells: Cells::default(),
            table: Table::default(),
            row: PhantomData,
        }
    }

    fn read_header(&mut self, record: &[u8]) -> Result<Vec<String>, RowError> {
        let text = line::utf8(record)?;
        self.cells.split(&self.csv, text)?;
        let mut names: Vec<String> = Vec::with_capacity(self.cells.cells.len());
        for cell in &self.cells.cells {
            let name = self.cells.text(text, cell).trim();
            if names.iter().any(|other| other == name) && !name.is_empty() {
                return Err(RowError::mismatch(format!(
                    "column {name:?} is there twice"
                )));
            }
            names.push(name.to_owned());
        }
        Ok(names)
    }
}

impl<T: Row> Decoder<T> for CsvDecoder<T> {
    fn frame(&mut self, data: &[u8], end: bool) -> Frame {
        frame(&self.csv, data, end)
    }

    fn decode(&mut self, record: &[u8], emit: impl FnMut(T)) -> Result<(), RowError> {
        if record.is_empty() {
            return Ok(());
        }
        let names = match &self.header {
            None => {
                let header = self.read_header(record);
                let message = |error: &RowError| format!("the header: {error}");
                self.header = Some(header.as_ref().cloned().map_err(message));
                return match header {
                    Ok(_) => Ok(()),
                    Err(error) => Err(RowError::corrupt(message(&error))),
                };
            }
            Some(Err(message)) => return Err(RowError::corrupt(message.clone())),
            Some(Ok(names)) => names,
        };
        let text = line::utf8(record)?;
        self.cells.split(&self.csv, text)?;
        let cells = self.cells.cells.len();
        let positional = self.csv.columns == Columns::Positional;
        if !positional && !self.csv.ragged && cells != names.len() {
            return Err(RowError::mismatch(format!(
                "the record has {cells} cells, and there are {} columns",
                names.len()
            )));
        }
        let mut source = RecordSource {
            csv: &self.csv,
            names,
            positional,
            text,
            cells: &self.cells,
            table: &mut self.table,
            one: None,
        };
        T::from_source(&mut source).map(emit)
    }

    fn has_header(&self) -> bool {
        self.csv.columns == Columns::Header
    }
}

/// A record as the source of a row.
struct RecordSource<'a> {
    csv: &'a Csv,
    names: &'a [String],
    positional: bool,
    text: &'a str,
    cells: &'a Cells,
    table: &'a mut Table,
    /// The only cell, once the row has turned out to be one value.
    one: Option<TextSource<'a>>,
}

impl<'a> RecordSource<'a> {
    fn cell(&self, cell: &Cell) -> TextSource<'a> {
        let text = self.cells.text(self.text, cell);
        let stands_for_null = |value: &String| value == text;
        let null =
            !cell.quoted && (text.is_empty() || self.csv.null_values.iter().any(stands_for_null));
        TextSource::cell(text, null)
    }

    /// For rows that are one value.
    fn one(&mut self) -> Result<&mut TextSource<'a>, RowError> {
        match self.cells.cells.as_slice() {
            [cell] => {
                let source = self.cell(cell);
                Ok(self.one.insert(source))
            }
            cells => Err(mismatch(
                "a record of one cell",
                format!("{} cells", cells.len()),
            )),
        }
    }

    /// Fills the table of columns for a record's names.
    fn look_up(&mut self, names: &'static FieldNames) {
        let address = std::ptr::from_ref(names).addr();
        if self.table.names == address {
            return;
        }
        self.table.names = address;
        self.table.fields.clear();
        let columns = self.names.iter().enumerate();
        self.table
            .fields
            .extend(columns.map(|(guess, name)| names.position(name, guess)));
    }
}

impl FieldSource for RecordSource<'_> {
    fn is_null(&mut self) -> bool {
        self.one().is_ok_and(TextSource::is_null)
    }

    fn bool(&mut self) -> Result<bool, RowError> {
        self.one()?.bool()
    }

    fn i64(&mut self) -> Result<i64, RowError> {
        self.one()?.i64()
    }

    fn u64(&mut self) -> Result<u64, RowError> {
        self.one()?.u64()
    }

    fn f64(&mut self) -> Result<f64, RowError> {
        self.one()?.f64()
    }

    fn str(&mut self) -> Result<&str, RowError> {
        self.one()?.str()
    }

    fn bytes(&mut self) -> Result<&[u8], RowError> {
        self.one()?.bytes()
    }

    fn record(
        &mut self,
        names: &'static FieldNames,
        field: &mut dyn FnMut(usize, &mut dyn FieldSource) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        if self.positional || names.positional {
            let fields = names.fields.len();
            if self.cells.cells.len() > fields && !self.csv.ragged {
                return Err(RowError::mismatch(format!(
                    "the record has {} cells, and {} has {fields} fields",
                    self.cells.cells.len(),
                    names.owner
                )));
            }
            for (position, cell) in self.cells.cells.iter().take(fields).enumerate() {
                field(position, &mut self.cell(cell))?;
            }
            return Ok(());
        }
        self.look_up(names);
        for (position, cell) in self.table.fields.iter().zip(&self.cells.cells) {
            if let Some(position) = position {
                field(*position, &mut self.cell(cell))?;
            }
        }
        Ok(())
    }

    fn variant(
        &mut self,
        names: &'static FieldNames,
        variant: &mut dyn FnMut(usize, Option<&mut dyn FieldSource>) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        self.one()?.variant(names, variant)
    }

    fn list(
        &mut self,
        item: &mut dyn FnMut(&mut dyn FieldSource) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        for cell in &self.cells.cells {
            item(&mut self.cell(cell))?;
        }
        Ok(())
    }

    fn map(
        &mut self,
        entry: &mut dyn FnMut(&mut dyn FieldSource, &mut dyn FieldSource) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        if self.positional {
            return Err(mismatch(
                "columns with names for a map",
                "a file without header",
            ));
        }
        for (name, cell) in self.names.iter().zip(&self.cells.cells) {
            entry(&mut TextSource::key(name), &mut self.cell(cell))?;
        }
        Ok(())
    }
}
