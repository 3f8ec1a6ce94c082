//! Values of columns, and batches of them: a vector a column, sent as an array.

use std::error::Error;
use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};
use rheos_core::Row;
use rheos_core::row::Str;
use rheos_core::time::Millis;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// A point in time, in milliseconds since 1970: a `timestamptz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub Millis);

/// A text that is JSON: a `jsonb`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json(pub String);

/// What a column is sent as. The server assigns it to the column's own type, which may be another:
/// `numeric`, `varchar(20)`, `integer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named after PostgreSQL's type")]
pub enum CellType {
    Boolean,
    Bigint,
    Double,
    Text,
    Bytea,
    Timestamptz,
    Jsonb,
}

impl CellType {
    /// Its name, and how a value of it is taken from an array of the first.
    pub(super) fn names(self) -> (&'static str, &'static str) {
        match self {
            CellType::Boolean => ("boolean", ""),
            CellType::Bigint => ("bigint", ""),
            CellType::Double => ("double precision", ""),
            CellType::Text => ("text", ""),
            CellType::Bytea => ("bytea", ""),
            CellType::Timestamptz => ("timestamptz", ""),
            CellType::Jsonb => ("text", "::jsonb"),
        }
    }
}

/// A value of a column.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each is named after its type")]
pub enum Cell {
    Null,
    Boolean(bool),
    Bigint(i64),
    Double(f64),
    Text(String),
    Bytea(Vec<u8>),
    Timestamptz(Millis),
}

/// What a column can be read as. Implemented for numbers, strings, bytes, [`Timestamp`], [`Json`] and
/// options of them.
pub trait IntoCell {
    /// What the column is sent as.
    const TYPE: CellType;

    /// The value.
    fn into_cell(self) -> Cell;
}

macro_rules! cells {
    ($($of:ty => $kind:ident, $value:ident -> $cell:expr;)*) => {$(
        impl IntoCell for $of {
            const TYPE: CellType = CellType::$kind;
            fn into_cell(self) -> Cell {
                let $value = self;
                $cell
            }
        }
    )*};
}

cells! {
    bool => Boolean, v -> Cell::Boolean(v);
    i8 => Bigint, v -> Cell::Bigint(i64::from(v));
    i16 => Bigint, v -> Cell::Bigint(i64::from(v));
    i32 => Bigint, v -> Cell::Bigint(i64::from(v));
    i64 => Bigint, v -> Cell::Bigint(v);
    u8 => Bigint, v -> Cell::Bigint(i64::from(v));
    u16 => Bigint, v -> Cell::Bigint(i64::from(v));
    u32 => Bigint, v -> Cell::Bigint(i64::from(v));
    f32 => Double, v -> Cell::Double(f64::from(v));
    f64 => Double, v -> Cell::Double(v);
    String => Text, v -> Cell::Text(v);
    Str => Text, v -> Cell::Text(v.as_str().to_owned());
    Vec<u8> => Bytea, v -> Cell::Bytea(v);
    Timestamp => Timestamptz, v -> Cell::Timestamptz(v.0);
    Json => Jsonb, v -> Cell::Text(v.0);
}

impl<V: IntoCell> IntoCell for Option<V> {
    const TYPE: CellType = V::TYPE;

    fn into_cell(self) -> Cell {
        self.map_or(Cell::Null, IntoCell::into_cell)
    }
}

/// Microseconds since 2000, as PostgreSQL counts.
#[derive(Row, Debug, Clone, Copy, PartialEq)]
pub(super) struct PgMicros(i64);

/// Milliseconds from 1970 to 2000.
const EPOCH_2000: Millis = 946_684_800_000;
/// 4714-11-24 BC, PostgreSQL's first day, and the first it does not have, 294277-01-01.
const FIRST: Millis = -210_866_803_200_000;
const END: Millis = 9_224_318_016_000_000;

impl PgMicros {
    fn of(millis: Millis) -> Option<Self> {
        (FIRST..END)
            .contains(&millis)
            .then(|| Self((millis - EPOCH_2000) * 1_000))
    }
}

impl ToSql for PgMicros {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_i64(self.0);
        Ok(IsNull::No)
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}

/// A column of a batch.
#[derive(Row, Debug, Clone, PartialEq)]
pub(super) enum Column {
    Boolean(Vec<Option<bool>>),
    Bigint(Vec<Option<i64>>),
    Double(Vec<Option<f64>>),
    Text(Vec<Option<String>>),
    Bytea(Vec<Option<Vec<u8>>>),
    Timestamptz(Vec<Option<PgMicros>>),
}

/// Each kind of column alike.
macro_rules! each {
    ($column:expr, $values:ident => $do:expr) => {
        match $column {
            Column::Boolean($values) => $do,
            Column::Bigint($values) => $do,
            Column::Double($values) => $do,
            Column::Text($values) => $do,
            Column::Bytea($values) => $do,
            Column::Timestamptz($values) => $do,
        }
    };
}

fn put<V>(values: &mut Vec<Option<V>>, place: usize, value: Option<V>) {
    match values.get_mut(place) {
        Some(old) => *old = value,
        None => values.push(value),
    }
}

impl Column {
    pub fn of(kind: CellType) -> Self {
        match kind {
            CellType::Boolean => Column::Boolean(Vec::new()),
            CellType::Bigint => Column::Bigint(Vec::new()),
            CellType::Double => Column::Double(Vec::new()),
            CellType::Text | CellType::Jsonb => Column::Text(Vec::new()),
            CellType::Bytea => Column::Bytea(Vec::new()),
            CellType::Timestamptz => Column::Timestamptz(Vec::new()),
        }
    }

    /// Puts a value at a place: one that is there, or the next. A value of another type than the
    /// column's can't be: both come from [`IntoCell`].
    pub fn put(&mut self, place: usize, cell: Cell) -> Result<(), String> {
        match (self, cell) {
            (column, Cell::Null) => each!(column, values => put(values, place, None)),
            (Column::Boolean(values), Cell::Boolean(value)) => put(values, place, Some(value)),
            (Column::Bigint(values), Cell::Bigint(value)) => put(values, place, Some(value)),
            (Column::Double(values), Cell::Double(value)) => put(values, place, Some(value)),
            (Column::Text(values), Cell::Text(value)) => put(values, place, Some(value)),
            (Column::Bytea(values), Cell::Bytea(value)) => put(values, place, Some(value)),
            (Column::Timestamptz(values), Cell::Timestamptz(value)) => {
                put(values, place, PgMicros::of(value));
            }
            (_, cell) => return Err(format!("{cell:?} is not of the column's type")),
        }
        Ok(())
    }

    /// The values of some rows, as an array.
    pub fn slice(&self, from: usize, to: usize) -> Box<dyn ToSql + Sync + Send + '_> {
        each!(self, values => Box::new(values.get(from..to).unwrap_or(&[])))
    }

    /// Appends a value as text for `COPY`.
    pub fn copy(&self, row: usize, out: &mut String) {
        // Writing to a string can't fail.
        let _ = match self {
            Column::Boolean(values) => copied(values, row, out, |v, out| write!(out, "{v}")),
            Column::Bigint(values) => copied(values, row, out, |v, out| write!(out, "{v}")),
            Column::Double(values) => copied(values, row, out, |v, out| {
                if v.is_infinite() {
                    out.write_str(if *v > 0.0 { "Infinity" } else { "-Infinity" })
                } else {
                    write!(out, "{v:?}")
                }
            }),
            Column::Text(values) => copied(values, row, out, |v, out| {
                for c in v.chars() {
                    match c {
                        '\\' => out.push_str("\\\\"),
                        '\n' => out.push_str("\\n"),
                        '\r' => out.push_str("\\r"),
                        '\t' => out.push_str("\\t"),
                        c => out.push(c),
                    }
                }
                Ok(())
            }),
            Column::Bytea(values) => copied(values, row, out, |v, out| {
                out.push_str("\\\\x");
                v.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
            }),
            Column::Timestamptz(values) => copied(values, row, out, |v, out| instant(v.0, out)),
        };
    }
}

fn copied<V>(
    values: &[Option<V>],
    row: usize,
    out: &mut String,
    show: impl FnOnce(&V, &mut String) -> std::fmt::Result,
) -> std::fmt::Result {
    match values.get(row).and_then(Option::as_ref) {
        Some(value) => show(value, out),
        None => out.write_str("\\N"),
    }
}

/// A point in time as PostgreSQL reads it, from microseconds since 2000.
fn instant(micros: i64, out: &mut String) -> std::fmt::Result {
    let (days, of_day) = (
        micros.div_euclid(86_400_000_000),
        micros.rem_euclid(86_400_000_000),
    );
    // Howard Hinnant, *chrono-Compatible Low-Level Date Algorithms*: years begin in March.
    let z = days + 10_957 + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    let (year, age) = if year > 0 {
        (year, "")
    } else {
        (1 - year, " BC")
    };
    let seconds = of_day / 1_000_000;
    write!(
        out,
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}.{:06}+00{age}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60,
        of_day % 1_000_000
    )
}

/// What is wrong with a value before it is sent, if anything.
pub(super) fn problem(cell: &Cell) -> Option<String> {
    match cell {
        Cell::Text(text) if text.contains('\0') => {
            Some("the text holds U+0000, which PostgreSQL has not".to_owned())
        }
        Cell::Timestamptz(millis) if PgMicros::of(*millis).is_none() => Some(format!(
            "{millis} ms since 1970 is beyond PostgreSQL's timestamps"
        )),
        _ => None,
    }
}

/// Bytes of a value, about.
pub(super) fn size(cell: &Cell) -> usize {
    match cell {
        Cell::Text(text) => 8 + text.len(),
        Cell::Bytea(bytes) => 8 + bytes.len(),
        _ => 12,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied_instant(millis: Millis) -> String {
        let mut column = Column::of(CellType::Timestamptz);
        column.put(0, Cell::Timestamptz(millis)).unwrap();
        let mut out = String::new();
        column.copy(0, &mut out);
        out
    }

    #[test]
    fn points_in_time_are_written_as_postgresql_reads_them() {
        for (millis, text) in [
            (0, "1970-01-01 00:00:00.000000+00"),
            (951_782_400_123, "2000-02-29 00:00:00.123000+00"),
            (-1, "1969-12-31 23:59:59.999000+00"),
            (253_402_300_799_999, "9999-12-31 23:59:59.999000+00"),
            (-62_135_596_800_000, "0001-01-01 00:00:00.000000+00"),
            (-62_135_596_800_001, "0001-12-31 23:59:59.999000+00 BC"),
        ] {
            assert_eq!(copied_instant(millis), text);
        }
        assert!(problem(&Cell::Timestamptz(i64::MAX)).is_some());
    }

    #[test]
    fn texts_for_copy_are_escaped() {
        let mut column = Column::of(CellType::Text);
        column.put(0, Cell::Text("a\tb\\\n\r".into())).unwrap();
        column.put(1, Cell::Null).unwrap();
        column.put(0, Cell::Text("x\ty".into())).unwrap();
        let mut out = String::new();
        column.copy(0, &mut out);
        column.copy(1, &mut out);
        assert_eq!(out, "x\\ty\\N");
        let mut bytes = Column::of(CellType::Bytea);
        bytes.put(0, Cell::Bytea(vec![0, 255])).unwrap();
        out.clear();
        bytes.copy(0, &mut out);
        assert_eq!(out, "\\\\x00ff");
        assert!(bytes.put(1, Cell::Bigint(1)).is_err());
    }
}
