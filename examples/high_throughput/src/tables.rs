//! The tables that events are enriched from and categories are looked up in.

use std::collections::HashMap;
use std::path::Path;

use rheos::prelude::*;

/// Planes by tail number: manufacturer and model.
pub type Planes = HashMap<Str, (Str, Str)>;
/// Airlines by carrier code.
pub type Airlines = HashMap<Str, Str>;

fn records(path: &Path) -> Result<csv::Reader<std::fs::File>, BoxError> {
    csv::Reader::from_path(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn field(record: &csv::StringRecord, index: usize) -> Str {
    Str::from(record.get(index).unwrap_or_default())
}

/// Reads `planes.csv`: tail number, year, type, manufacturer, model …
pub fn planes(path: &Path) -> Result<Planes, BoxError> {
    let mut planes = Planes::new();
    for record in records(path)?.records() {
        let record = record?;
        planes.insert(field(&record, 0), (field(&record, 3), field(&record, 4)));
    }
    Ok(planes)
}

/// Reads `airlines.csv`: carrier, name.
pub fn airlines(path: &Path) -> Result<Airlines, BoxError> {
    let mut airlines = Airlines::new();
    for record in records(path)?.records() {
        let record = record?;
        airlines.insert(field(&record, 0), field(&record, 1));
    }
    Ok(airlines)
}
