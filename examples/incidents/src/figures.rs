//! Figures over time, as lines with commas.

use std::path::Path;

use rheos::prelude::BoxError;
use rheos::runtime::metrics::metric::Metric;
use rheos::runtime::metrics::sample::Sample;

/// The sum of a metric over everything that has it; none if nothing has.
pub fn sum(samples: &[Sample], metric: Metric) -> Option<f64> {
    let named = samples.iter().filter(|s| s.name == metric.name());
    let numbers: Vec<f64> = named.filter_map(Sample::number).collect();
    (!numbers.is_empty()).then(|| numbers.iter().sum())
}

/// A table of figures: a row a moment.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// The columns' names; the first is `seconds`.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<f64>>,
}

impl Figures {
    /// An empty table.
    pub fn new(columns: &[&str]) -> Self {
        Self {
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// A column against the first one, without what was not there.
    pub fn series(&self, column: &str) -> Vec<(f64, f64)> {
        let Some(index) = self.columns.iter().position(|name| name == column) else {
            return Vec::new();
        };
        let pairs = self.rows.iter().filter_map(|row| {
            let (x, y) = (*row.first()?, *row.get(index)?);
            y.is_finite().then_some((x, y))
        });
        pairs.collect()
    }

    /// The greatest value of a column.
    pub fn most(&self, column: &str) -> f64 {
        self.series(column).iter().fold(0.0, |m, (_, y)| y.max(m))
    }

    /// The last value of a column.
    pub fn last(&self, column: &str) -> f64 {
        self.series(column).last().map_or(0.0, |(_, y)| *y)
    }

    /// As text; what was not there is empty.
    pub fn to_csv(&self) -> String {
        let mut text = self.columns.join(",");
        for row in &self.rows {
            let cells: Vec<String> = row
                .iter()
                .map(|value| {
                    if value.is_finite() {
                        format!("{value:.1}")
                    } else {
                        String::new()
                    }
                })
                .collect();
            text.push('\n');
            text.push_str(&cells.join(","));
        }
        text.push('\n');
        text
    }

    /// From what [`Figures::to_csv`] wrote.
    ///
    /// # Errors
    /// If it is something else.
    pub fn of_csv(text: &str) -> Result<Self, BoxError> {
        let mut lines = text.lines();
        let columns = lines.next().ok_or("an empty table")?.split(',');
        let columns: Vec<String> = columns.map(str::to_owned).collect();
        let mut rows = Vec::new();
        for line in lines {
            let cell = |cell: &str| match cell {
                "" => Ok(f64::NAN),
                number => number.parse::<f64>(),
            };
            rows.push(line.split(',').map(cell).collect::<Result<_, _>>()?);
        }
        Ok(Self { columns, rows })
    }

    /// Writes it to a file.
    ///
    /// # Errors
    /// What the system says.
    pub fn save(&self, path: &Path) -> Result<(), BoxError> {
        let told = |error| format!("{}: {error}", path.display());
        Ok(std::fs::write(path, self.to_csv()).map_err(told)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let mut figures = Figures::new(&["seconds", "lag", "left"]);
        figures.rows.push(vec![0.0, 5.0, f64::NAN]);
        figures.rows.push(vec![0.5, 7.0, 3.0]);
        let read = Figures::of_csv(&figures.to_csv()).unwrap();
        assert_eq!(read.series("lag"), [(0.0, 5.0), (0.5, 7.0)]);
        assert_eq!(read.series("left"), [(0.5, 3.0)]);
        assert_eq!((read.most("lag"), read.last("left")), (7.0, 3.0));
        assert_eq!(read.to_csv(), figures.to_csv());
    }
}
