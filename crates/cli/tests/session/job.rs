//! The job that the tests of sessions submit: numbers, counted by key, into files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rheos::prelude::*;
use rheos_connectors::{DataGeneratorSource, FileSink, JsonLines};

#[derive(clap::Args)]
struct Flags {
    #[arg(long)]
    out: PathBuf,
    #[arg(long)]
    count: u64,
    /// Rows a second.
    #[arg(long)]
    rate: f64,
    /// Every attempt panics at the first number from here on.
    #[arg(long, default_value_t = u64::MAX)]
    panic_at: u64,
    /// Bytes that are kept of each number.
    #[arg(long, default_value_t = 0)]
    hoard: usize,
}

#[derive(Row, Clone, Debug, PartialEq)]
struct Counted {
    number: u64,
    /// Which of its key.
    place: u64,
}

const KEYS: u64 = 13;

struct Count {
    place: ValueState<u64>,
    hoard: ListState<Vec<u8>>,
    panic_at: u64,
    bytes: usize,
}

impl KeyedProcessFunction<u64, u64, Counted> for Count {
    fn process(
        &mut self,
        number: u64,
        _context: &KeyedContext<'_, u64>,
        out: &mut Collector<'_, Counted>,
    ) -> Result<(), BoxError> {
        assert!(number < self.panic_at, "number {number} is one too many");
        let mut place = self.place.get_or_insert_with(|| 0);
        *place += 1;
        if self.bytes > 0 {
            self.hoard.add(vec![number as u8; self.bytes]);
        }
        out.collect(Counted {
            number,
            place: *place,
        });
        Ok(())
    }
}

fn describe(env: &StreamEnv, flags: Flags) -> Result<(), BoxError> {
    env.name("counting");
    let source = DataGeneratorSource::new(|k| k, flags.count).strided();
    let (panic_at, bytes) = (flags.panic_at, flags.hoard);
    env.from_source_with_rate(
        source,
        WatermarkStrategy::no_watermarks(),
        "numbers",
        flags.rate,
    )
    .key_by(|number: &u64| number % KEYS)
    .process(move |open| {
        Ok(Count {
            place: open.value_state("place")?,
            hoard: open.list_state("hoard")?,
            panic_at,
            bytes,
        })
    })
    .name("count")
    .sink_to(FileSink::new(JsonLines, flags.out));
    Ok(())
}

pub fn main() -> ExitCode {
    rheos::main_with(describe)
}

/// What the files hold that show: number and place.
fn rows(out: &Path) -> Vec<(u64, u64)> {
    let mut rows = Vec::new();
    for file in std::fs::read_dir(out).into_iter().flatten() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with('.') {
            continue;
        }
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let field = |name: &str| row[name].as_u64().unwrap();
            rows.push((field("number"), field("place")));
        }
    }
    rows
}

/// How many rows are there.
pub fn written(out: &Path) -> usize {
    rows(out).len()
}

/// Each number once, and each place of each key once.
pub fn check(out: &Path, count: u64) {
    let rows = rows(out);
    let mut numbers: Vec<u64> = rows.iter().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    assert!(
        numbers == (0..count).collect::<Vec<_>>(),
        "{} rows of {count} numbers",
        numbers.len()
    );
    let mut places: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (number, place) in rows {
        places.entry(number % KEYS).or_default().push(place);
    }
    for (key, mut places) in places {
        places.sort_unstable();
        let expected: Vec<u64> = (1..=places.len() as u64).collect();
        assert!(places == expected, "places of key {key}");
    }
}
