//! Where a row's event timestamp comes from.

use std::fmt;
use std::sync::Arc;

use rheos_core::time::Millis;

type AssignBatch<T> = Arc<dyn Fn(&[T], &mut [Millis]) + Send + Sync>;

/// Gives the rows of a source their timestamps, a batch at a time.
pub struct TimestampAssigner<T> {
    rule: Rule<T>,
}

enum Rule<T> {
    Recorded,
    Row(AssignBatch<T>),
    Ingestion,
}

impl<T: 'static> TimestampAssigner<T> {
    /// The timestamps that the source's system recorded with the rows.
    pub fn recorded() -> Self {
        Self {
            rule: Rule::Recorded,
        }
    }

    /// What the function gives for a row and its recorded timestamp. The loop over a batch is
    /// compiled together with the function.
    pub fn of_row(function: impl Fn(&T, Millis) -> Millis + Send + Sync + 'static) -> Self {
        Self {
            rule: Rule::Row(Arc::new(move |rows, timestamps| {
                for (row, timestamp) in rows.iter().zip(timestamps) {
                    *timestamp = function(row, *timestamp);
                }
            })),
        }
    }

    /// The processing time at which the rows are read.
    pub fn ingestion() -> Self {
        Self {
            rule: Rule::Ingestion,
        }
    }

    /// Replaces the recorded `timestamps` of `rows`, of which there are as many. `now_millis` is
    /// processing time, and never goes back: the caller passes the greatest it has seen.
    #[inline]
    pub fn assign(&self, rows: &[T], timestamps: &mut [Millis], now_millis: Millis) {
        match &self.rule {
            Rule::Recorded => {}
            Rule::Row(assign) => assign(rows, timestamps),
            Rule::Ingestion => timestamps.fill(now_millis),
        }
    }
}

impl<T> Clone for TimestampAssigner<T> {
    fn clone(&self) -> Self {
        let rule = match &self.rule {
            Rule::Recorded => Rule::Recorded,
            Rule::Row(assign) => Rule::Row(Arc::clone(assign)),
            Rule::Ingestion => Rule::Ingestion,
        };
        Self { rule }
    }
}

impl<T> fmt::Debug for TimestampAssigner<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.rule {
            Rule::Recorded => "recorded timestamps",
            Rule::Row(_) => "timestamps of rows",
            Rule::Ingestion => "ingestion time",
        })
    }
}
