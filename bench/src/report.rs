//! What a run comes to: one JSON line.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::jobs::Outputs;
use crate::measure::Latency;
use crate::pause::Pauses;

/// The figures of one run.
#[derive(Debug, Serialize)]
pub struct Report {
    job: String,
    events: u64,
    seconds: f64,
    events_per_s: f64,
    cpu_us_per_event: f64,
    max_rss_mb: f64,
    latency_ms: BTreeMap<&'static str, Latency>,
    outputs: BTreeMap<String, f64>,
    /// Of the job `pause`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pauses: Option<Pauses>,
}

impl Report {
    pub fn new(
        job: String,
        events: u64,
        run_micros: i64,
        cpu_micros: f64,
        sinks: Outputs,
        pauses: Option<Pauses>,
    ) -> Self {
        let seconds = run_micros as f64 / 1e6;
        let mut latency_ms = BTreeMap::new();
        let mut outputs = BTreeMap::new();
        for (name, measured) in sinks {
            if let Some(latency) = measured.latency() {
                latency_ms.insert(
                    if name == "records" {
                        "record"
                    } else {
                        "window"
                    },
                    latency,
                );
            }
            outputs.insert(name.to_owned(), measured.rows() as f64);
            outputs.insert(format!("{name}_sum"), measured.checksum());
        }
        Self {
            job,
            events,
            seconds,
            events_per_s: events as f64 / seconds,
            cpu_us_per_event: cpu_micros / events as f64,
            max_rss_mb: status_kib("VmHWM:") / 1024.0,
            latency_ms,
            outputs,
            pauses,
        }
    }

    /// The JSON line.
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// A sentence.
    pub fn for_people(&self) -> String {
        format!(
            "{}: {:.2} M events/s ({} events in {:.2} s), {:.0} ns CPU an event, {:.0} MB at most",
            self.job,
            self.events_per_s / 1e6,
            self.events,
            self.seconds,
            self.cpu_us_per_event * 1e3,
            self.max_rss_mb
        )
    }
}

/// A figure of `/proc/self/status`, in KiB.
pub fn status_kib(key: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0.0)
}

/// CPU time that the process has used, in microseconds. Linux counts in hundredths of a second.
pub fn cpu_micros() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |index: usize| -> f64 {
        fields
            .get(index)
            .and_then(|field| field.parse().ok())
            .unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) * 10_000.0
}
