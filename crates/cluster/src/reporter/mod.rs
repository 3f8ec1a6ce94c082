//! Shows a process's metrics to the world, as Flink's reporters do: today to Prometheus.
//!
//! Life of a reporter: [`Settings::of`] a configuration → [`Reporter::start`] binds its port, or says
//! why it can't → it answers scrapes, each with the values of that moment → it ends when it is dropped.

mod cpu;
pub(crate) mod process;
mod server;
mod settings;

pub use server::Reporter;
pub use settings::Settings;

/// Why metrics can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum ReporterError {
    /// The configuration can't be used: mend it.
    #[error("{0}")]
    Configuration(String),
    /// No port of those that are configured can be had: free one, or give others.
    #[error(
        "metrics.reporter.prom.port: none of {host}:{ports} can be listened on: {error}; give \
         another port, or a range such as 9249-9260"
    )]
    Port {
        /// Where it should listen.
        host: String,
        /// The ports, as configured.
        ports: String,
        /// What the system said of the last of them.
        error: std::io::Error,
    },
}
