//! Files in and out: CSV to JSON lines, and flags of the job's own.
//!
//! Flink: `FileSource` and `FileSink` with a `CsvReaderFormat` and an encoder. A format fills the
//! row's fields by their names: there is no schema to be written beside the type. A record that
//! can't be read ends the job, is skipped or becomes a dead letter, as one likes; a file of the sink
//! appears under its name when it is complete.
//!
//! ```text
//! cargo run -p gallery --bin files_in_and_out -- --from examples/gallery/data/readings.csv --to out
//! ```

use std::path::PathBuf;
use std::process::ExitCode;

use rheos::prelude::*;
use rheos_connectors::{BadRecords, Csv, FileSink, FileSource, JsonLines, PrintSink, dead_letters};

/// These join the flags that every job has (`--parallelism`, `--conf`, `-D` …).
#[derive(clap::Args)]
struct Arguments {
    /// A file, a folder or a glob of CSV files; compressed ones end in .gz or .zst.
    #[arg(long)]
    from: PathBuf,
    /// The folder to write to.
    #[arg(long)]
    to: PathBuf,
}

#[derive(Row, Clone)]
struct Reading {
    station: String,
    at: Millis,
    /// Empty cells and `NA` are null.
    celsius: Option<f64>,
}

#[derive(Row, Clone)]
struct Fahrenheit {
    station: String,
    at: Millis,
    fahrenheit: f64,
}

fn main() -> ExitCode {
    rheos::main_with(|env, arguments: Arguments| {
        let source = FileSource::new(Csv::new().null_value("NA"), arguments.from)
            .bad_records(BadRecords::DeadLetter);
        let time = WatermarkStrategy::for_monotonous_timestamps()
            .with_timestamp_assigner(|reading: &Reading, _| reading.at);
        let readings = env.from_source(source, time, "readings");
        readings
            .side_output(&dead_letters())
            .map(|bad| format!("line {}: {}", bad.line, String::from_utf8_lossy(&bad.bytes)))
            .sink_to(PrintSink::new().identifier("bad"))
            .parallelism(1);
        readings
            .flat_map(|reading| {
                let Reading {
                    station,
                    at,
                    celsius,
                } = reading;
                celsius.map(|celsius| Fahrenheit {
                    station,
                    at,
                    fahrenheit: celsius * 1.8 + 32.0,
                })
            })
            .name("convert")
            .sink_to(FileSink::new(JsonLines, arguments.to).prefix("fahrenheit"))
            .name("files")
            .parallelism(1);
        Ok(())
    })
}
