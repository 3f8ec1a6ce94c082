//! What a run should come to, made from its input without the engine: its own reader of the file, its
//! own windows, a map and a loop.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use rheos::prelude::*;

use crate::event::Event;
use crate::generator::generated;

/// Milliseconds of a window.
const WINDOW: i64 = 5 * 60 * 1000;

/// Events of a window, and the sum of their values.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// Events, those without a value included.
    pub events: i64,
    /// Of the values there are.
    pub value_sum: f64,
}

/// By category, then by the window's start.
pub type Windows = BTreeMap<String, BTreeMap<i64, Sums>>;

/// Adds an event to its window, which is aligned by floor division.
pub fn add(windows: &mut Windows, category: &str, event_time: i64, value: Option<f64>) {
    if !windows.contains_key(category) {
        windows.insert(category.to_owned(), BTreeMap::new());
    }
    let start = event_time.div_euclid(WINDOW).saturating_mul(WINDOW);
    if let Some(of_category) = windows.get_mut(category) {
        let sums = of_category.entry(start).or_default();
        sums.events += 1;
        sums.value_sum = (sums.value_sum + value.unwrap_or(0.0)).clamp(f64::MIN, f64::MAX);
    }
}

/// What an input comes to.
#[derive(Debug, Default)]
pub struct Recount {
    /// Messages.
    pub read: u64,
    /// Events that are valid.
    pub valid: u64,
    /// Events that are not.
    pub invalid: u64,
    /// Messages that no event can be read from.
    pub bad: u64,
    /// The windows of all valid events, late ones included.
    pub windows: Windows,
}

impl Recount {
    fn take(&mut self, event: Option<&Event>) {
        self.read += 1;
        match event {
            None => self.bad += 1,
            Some(event) if !event.is_valid() => self.invalid += 1,
            Some(event) => {
                self.valid += 1;
                add(
                    &mut self.windows,
                    &event.category,
                    event.event_time,
                    event.value,
                );
            }
        }
    }

    /// Counts the first `limit` records of a flights file.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn of_flights(flights: &Path, limit: u64) -> Result<Self, BoxError> {
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", flights.display());
        let file = File::open(flights).map_err(|error| wrong(&error))?;
        let input: Box<dyn Read> = match flights.extension() {
            Some(ending) if ending == "gz" => Box::new(MultiGzDecoder::new(file)),
            _ => Box::new(file),
        };
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(input);
        let columns = reader.byte_headers().map_err(|error| wrong(&error))?.len();
        let mut recount = Self::default();
        let mut record = csv::ByteRecord::new();
        while recount.read < limit
            && reader
                .read_byte_record(&mut record)
                .map_err(|error| wrong(&error))?
        {
            let event = Some(&record)
                .filter(|record| record.len() == columns)
                .and_then(event);
            recount.take(event.as_ref());
        }
        Ok(recount)
    }

    /// Counts the generator's first events.
    pub fn of_generator(events: u64) -> Self {
        let mut recount = Self::default();
        for k in 0..events {
            recount.take(Some(&generated(k)));
        }
        recount
    }

    /// Everything in which the late events and the rows of windows differ from what they should be:
    /// of every window, the valid events less the late ones, and no other rows.
    pub fn differences(&self, late: &Windows, rows: &Windows) -> Vec<String> {
        let mut due = self.windows.clone();
        let mut differences = Vec::new();
        for (category, windows) in late {
            for (start, sums) in windows {
                let of_category = due.entry(category.clone()).or_default();
                let left = of_category.entry(*start).or_default();
                left.events -= sums.events;
                left.value_sum -= sums.value_sum;
            }
        }
        let mut compare = |category: &str, start: i64, due: Sums, row: Option<Sums>| {
            let differs = match row {
                None => due.events != 0,
                Some(row) => {
                    due.events <= 0
                        || due.events != row.events
                        || !close(due.value_sum, row.value_sum)
                }
            };
            if differs {
                let got = row.map_or("no row".to_owned(), |row| row.to_string());
                differences.push(format!("window {category} {start}: {got}, but {due} due"));
            }
        };
        for (category, windows) in &due {
            for (start, due) in windows {
                let row = rows.get(category).and_then(|rows| rows.get(start));
                compare(category, *start, *due, row.copied());
            }
        }
        for (category, windows) in rows {
            for (start, row) in windows {
                if !due.get(category).is_some_and(|due| due.contains_key(start)) {
                    compare(category, *start, Sums::default(), Some(*row));
                }
            }
        }
        differences
    }
}

impl std::fmt::Display for Sums {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} events of {}", self.events, self.value_sum)
    }
}

/// The event of a record of the flights file, if there is one in it.
fn event(record: &csv::ByteRecord) -> Option<Event> {
    let field = |index: usize| std::str::from_utf8(record.get(index)?).ok();
    // The columns behind the sixth are not looked at but must be text too.
    (6..record.len()).try_for_each(|index| field(index).map(|_| ()))?;
    let value = match field(5)? {
        "" => None,
        text => Some(text.parse().ok()?),
    };
    Some(Event {
        event_id: field(0)?.into(),
        user_id: field(1)?.into(),
        category: field(2)?.into(),
        event_type: field(3)?.into(),
        event_time: field(4)?.parse().ok()?,
        value,
    })
}

/// Whether two sums are the same but for the order of their additions.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(events: &[(&str, i64, f64)]) -> Windows {
        let mut windows = Windows::new();
        for (category, at, value) in events {
            add(&mut windows, category, *at, Some(*value));
        }
        windows
    }

    #[test]
    fn windows_before_1970_are_aligned_by_floor_division() {
        let windows = windows(&[("UA", -1, 1.0), ("UA", -300_000, 2.0), ("UA", 0, 4.0)]);
        let starts: Vec<(i64, f64)> = windows["UA"]
            .iter()
            .map(|(start, sums)| (*start, sums.value_sum))
            .collect();
        assert_eq!(starts, [(-300_000, 3.0), (0, 4.0)]);
    }

    #[test]
    fn every_kind_of_difference_is_seen() {
        let input = [
            ("UA", 1, 1.0),
            ("UA", 2, 2.0),
            ("DL", 3, 3.0),
            ("B6", 4, 4.0),
        ];
        let recount = Recount {
            windows: windows(&input),
            ..Recount::default()
        };
        let late = windows(&[("UA", 2, 2.0), ("B6", 4, 4.0)]);
        let right = windows(&[("UA", 1, 1.0), ("DL", 3, 3.0)]);
        assert_eq!(recount.differences(&late, &right), Vec::<String>::new());
        let no_late = Windows::new();
        assert_eq!(
            recount.differences(&no_late, &right).len(),
            2,
            "an event lost, a row missing"
        );
        let wrong_sum = windows(&[("UA", 1, 1.5), ("DL", 3, 3.0)]);
        assert_eq!(recount.differences(&late, &wrong_sum).len(), 1);
        let wrong_count = windows(&[("UA", 1, 1.0), ("UA", 1, 0.0), ("DL", 3, 3.0)]);
        assert_eq!(recount.differences(&late, &wrong_count).len(), 1);
        let other_row = windows(&[("UA", 1, 1.0), ("DL", 3, 3.0), ("AA", 1, 0.0)]);
        assert_eq!(recount.differences(&late, &other_row).len(), 1);
        let all_late = windows(&[("UA", 1, 1.0), ("DL", 3, 3.0), ("B6", 4, 0.0)]);
        assert_eq!(
            recount.differences(&late, &all_late).len(),
            1,
            "a row of late events alone"
        );
    }
}
