//! Logs: lines for people, or a JSON object a line for a log shipper ([`json_log`](super::json_log)).
//! To stderr, so that stdout is the job's.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::JsonFields;

use super::arguments::LogFormat;
use super::json_log::JsonLines;

/// Installs the log of the process, unless there is one. `RUST_LOG` says what is in it; else
/// `verbose`, the number of `-v`s.
pub(super) fn install(format: LogFormat, verbose: u8) {
    let level = match verbose {
        0 => "info",
        1 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A log that is there already stays: the program has its own.
    let _installed = match format {
        LogFormat::Json => builder
            .fmt_fields(JsonFields::new())
            .event_format(JsonLines)
            .try_init(),
        LogFormat::Text => builder
            .with_target(false)
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
    };
}
