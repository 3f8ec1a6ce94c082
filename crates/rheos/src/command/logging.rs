//! Logs: lines for people, or a JSON object a line for a log shipper ([`json_log`](super::json_log)).
//! To stderr, so that stdout is the job's; the end of them is kept, for REST to show.

use std::io::{self, IsTerminal, Write};

use rheos_cluster::rest::LogTail;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::JsonFields;

use super::arguments::LogFormat;
use super::json_log::JsonLines;

/// Writes to stderr, and keeps the end.
struct Kept(LogTail);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(bytes)?;
        io::stderr().write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Installs the log of the process, unless there is one: then it is the program's own, and its end is
/// not kept. `RUST_LOG` says what is in it; else `verbose`, the number of `-v`s.
pub(crate) fn install(format: LogFormat, verbose: u8) -> Option<LogTail> {
    let level = match verbose {
        0 => "info",
        1 => "debug",
        _ => "trace",
    };
    let tail = LogTail::default();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer({
            let tail = tail.clone();
            move || Kept(tail.clone())
        });
    let installed = match format {
        LogFormat::Json => builder
            .fmt_fields(JsonFields::new())
            .event_format(JsonLines)
            .try_init(),
        LogFormat::Text => builder
            .with_target(false)
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
    };
    installed.is_ok().then_some(tail)
}
