//! Rows into a real server: by a sink in a job, and the same rows written by hand in the same process, in
//! turn. By hand means what one would write for these rows alone: one connection, batches of the same
//! size, each acknowledged before the next, no job around it.

mod elasticsearch;
mod http;
mod postgres;
mod redis;

use std::io::Write as _;
use std::time::Duration;

use clap::ValueEnum;
use rheos::core::clock::SystemClock;
use rheos::prelude::*;
use rheos_connectors::{BatchLimits, DataGeneratorSource};
use serde::Serialize;

use crate::report::cpu_micros;

/// What is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Server {
    /// A table, by multi-row upsert.
    Postgres,
    /// A table without a key, by `COPY`.
    PostgresCopy,
    /// Documents with ids, by `_bulk`.
    Elasticsearch,
    /// A hash a row, pipelined.
    Redis,
}

/// What is written, and where to.
#[derive(Debug, Clone)]
pub struct Spec {
    pub server: Server,
    /// PostgreSQL's and Redis' URL, or the search server's.
    pub url: String,
    pub rows: u64,
    /// Rows a batch.
    pub batch: usize,
    /// How often each way is measured.
    pub runs: usize,
}

/// A row.
#[derive(Row, Clone, Debug)]
pub struct Sale {
    pub id: i64,
    pub user_id: i64,
    pub category: String,
    pub amount: f64,
    pub at: i64,
}

pub fn sale(number: u64) -> Sale {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    Sale {
        id: number as i64,
        user_id: (mixed % 100_000) as i64,
        category: format!("category-{:02}", mixed % 50),
        amount: (mixed % 100_000) as f64 / 100.0,
        at: 1_700_000_000_000 + number as i64 * 10,
    }
}

/// Figures of one run.
#[derive(Debug, Clone, Copy, Serialize)]
struct Run {
    rows_per_s: f64,
    cpu_us_per_row: f64,
}

/// The JSON line: the medians, and all runs.
#[derive(Debug, Serialize)]
pub struct Report {
    job: String,
    rows: u64,
    batch: usize,
    sink: Run,
    by_hand: Run,
    /// Of the medians of rows a second.
    ratio: f64,
    sink_runs: Vec<Run>,
    by_hand_runs: Vec<Run>,
}

/// One kind of server.
trait Target {
    /// Takes away what earlier runs have written.
    fn clear(&mut self) -> Result<(), BoxError>;

    /// Ends a stream in the sink.
    fn describe(&self, rows: &DataStream<Sale>);

    /// Writes rows by hand, a batch of the spec's size at a time.
    fn by_hand(&mut self, rows: &mut dyn Iterator<Item = Sale>) -> Result<(), BoxError>;

    /// Rows that are there.
    fn count(&mut self) -> Result<u64, BoxError>;
}

/// When batches are sent: by rows alone.
fn limits(spec: &Spec) -> BatchLimits {
    BatchLimits {
        max_rows: spec.batch,
        max_bytes: 64 << 20,
        interval: Duration::from_secs(1),
    }
}

fn measured(rows: u64, write: impl FnOnce() -> Result<(), BoxError>) -> Result<Run, BoxError> {
    let clock = SystemClock::shared();
    let (began, cpu) = (clock.monotonic_micros(), cpu_micros());
    write()?;
    let micros = (clock.monotonic_micros() - began) as f64;
    Ok(Run {
        rows_per_s: rows as f64 / micros * 1e6,
        cpu_us_per_row: (cpu_micros() - cpu) / rows as f64,
    })
}

fn in_a_job(spec: &Spec, target: &dyn Target) -> Result<(), BoxError> {
    let env = StreamEnv::default();
    env.parallelism(1);
    let source = DataGeneratorSource::new(sale, spec.rows);
    let rows = env.from_source(source, WatermarkStrategy::no_watermarks(), "sales");
    target.describe(&rows);
    let job = rheos::execute::start(&env.program()?, env.configuration())?;
    job.wait()?;
    Ok(())
}

fn median(runs: &[Run], of: impl Fn(&Run) -> f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn medians(runs: &[Run]) -> Run {
    Run {
        rows_per_s: median(runs, |run| run.rows_per_s),
        cpu_us_per_row: median(runs, |run| run.cpu_us_per_row),
    }
}

/// Measures both ways in turn.
pub fn measure(spec: &Spec) -> Result<Report, BoxError> {
    let mut target: Box<dyn Target> = match spec.server {
        Server::Postgres => Box::new(postgres::Table::open(spec, false)?),
        Server::PostgresCopy => Box::new(postgres::Table::open(spec, true)?),
        Server::Elasticsearch => Box::new(elasticsearch::Index::open(spec)?),
        Server::Redis => Box::new(redis::Hashes::open(spec)?),
    };
    let (mut sink_runs, mut by_hand_runs) = (Vec::new(), Vec::new());
    for run in 0..spec.runs {
        // Whoever comes first finds caches cold: they take turns.
        let order = if run % 2 == 0 {
            [true, false]
        } else {
            [false, true]
        };
        for by_hand in order {
            target.clear()?;
            let figures = if by_hand {
                measured(spec.rows, || target.by_hand(&mut (0..spec.rows).map(sale)))?
            } else {
                measured(spec.rows, || in_a_job(spec, &*target))?
            };
            let there = target.count()?;
            if there != spec.rows {
                return Err(format!("{there} rows are there, of {}", spec.rows).into());
            }
            if by_hand {
                by_hand_runs.push(figures);
            } else {
                sink_runs.push(figures);
            }
        }
    }
    let (sink, by_hand) = (medians(&sink_runs), medians(&by_hand_runs));
    Ok(Report {
        job: format!("sink {:?}", spec.server).to_lowercase(),
        rows: spec.rows,
        batch: spec.batch,
        ratio: sink.rows_per_s / by_hand.rows_per_s,
        sink,
        by_hand,
        sink_runs,
        by_hand_runs,
    })
}

impl Report {
    /// The JSON line.
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// A sentence.
    pub fn for_people(&self) -> String {
        let one = |run: &Run| {
            format!(
                "{:.0} k rows/s, {:.2} us CPU a row",
                run.rows_per_s / 1e3,
                run.cpu_us_per_row
            )
        };
        format!(
            "{}: {}; by hand {}; ratio {:.2}",
            self.job,
            one(&self.sink),
            one(&self.by_hand),
            self.ratio
        )
    }
}

/// The rows of an iterator in batches.
fn batches(
    rows: &mut dyn Iterator<Item = Sale>,
    size: usize,
    mut write: impl FnMut(&[Sale]) -> Result<(), BoxError>,
) -> Result<(), BoxError> {
    let mut batch = Vec::with_capacity(size);
    loop {
        batch.clear();
        batch.extend(rows.take(size));
        if batch.is_empty() {
            return Ok(());
        }
        write(&batch)?;
    }
}

/// Appends formatted text to bytes.
fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to memory does not fail.
    let _ = out.write_fmt(text);
}
