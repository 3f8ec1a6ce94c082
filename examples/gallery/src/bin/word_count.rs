//! Counts words as they come: split lines, divide by word, add up.
//!
//! Flink: `lines.flatMap(new Tokenizer()).keyBy(w -> w.word).reduce((a, b) -> …)`. As there, a keyed
//! `reduce` emits the new sum for every row; over a bounded input the last line of a word is its
//! count.
//!
//! ```text
//! cargo run -p gallery --bin word_count
//! cargo run -p gallery --bin word_count -- plan
//! ```

use std::process::ExitCode;

use rheos::prelude::*;
use rheos_connectors::{CollectionSource, PrintSink};

// One derive makes a type a row: it can cross threads and processes, lie in state, be a key, and be
// read from and written to JSON, CSV and Avro.
#[derive(Row, Clone)]
struct WordCount {
    word: String,
    count: u64,
}

const LINES: [&str; 3] = [
    "to be or not to be",
    "that is the question",
    "whether it is nobler in the mind to suffer",
];

fn words(line: String) -> Vec<WordCount> {
    line.split_whitespace()
        .map(|word| WordCount {
            word: word.to_owned(),
            count: 1,
        })
        .collect()
}

fn main() -> ExitCode {
    rheos::main(|env| {
        let source = CollectionSource::from(LINES.map(String::from).to_vec());
        let lines = env.from_source(source, WatermarkStrategy::no_watermarks(), "lines");
        lines
            .flat_map(words)
            .name("split")
            .key_by(|row| row.word.clone())
            .reduce(|sum, row| sum.count += row.count)
            .name("count")
            .sink_to(PrintSink::new())
            .name("print")
            .parallelism(1);
        Ok(())
    })
}
