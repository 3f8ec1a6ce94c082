//! Samples as the text that Prometheus reads (format 0.0.4), as Flink's reporter writes it: counters,
//! gauges and meters as gauges, histograms as summaries.
//!
//! Whatever the samples are, the text is one that Prometheus takes: a name has one type, and a series
//! is written once. Of two metrics that would be one to Prometheus the first is written.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use super::metric::{Kind, Metric, Scope};
use super::sample::{Sample, Value};
use super::user::{QUANTILES, Summary};

/// The type of the text, for the header `Content-Type`.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is the same for every series of a process.
#[derive(Debug, Clone)]
pub struct ProcessLabels {
    /// `host`.
    pub host: String,
    /// `tm_id`, of what is a TaskManager's.
    pub tm_id: String,
    /// Whether whatever is not a letter, a digit, `_` or `:` becomes `_` in values of labels, as is
    /// Flink's way unless told otherwise.
    pub filter_values: bool,
}

struct Family {
    help: String,
    summary: bool,
    lines: String,
    seen: HashSet<String>,
}

/// The text of samples.
pub fn render(samples: &[Sample], process: &ProcessLabels) -> String {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for sample in samples {
        let name = sample.prometheus_name();
        let labels = labels(sample, process);
        match &sample.value {
            Value::Integer(value) => {
                number(&mut families, sample, name, &labels, *value as f64);
            }
            Value::Number(value) => number(&mut families, sample, name, &labels, *value),
            Value::Distribution(summary) => {
                if sample.name == Metric::Latency.name() && sample.scope == Scope::Job {
                    // Boards that were made for other reporters ask for these.
                    for (quantile, value) in QUANTILES.iter().zip(summary.quantiles) {
                        if [0.95, 0.99].contains(quantile) {
                            let name = format!("{name}_p{:.0}", quantile * 100.0);
                            number(&mut families, sample, name, &labels, value);
                        }
                    }
                }
                distribution(&mut families, sample, name, &labels, summary);
            }
        }
    }
    let mut text = String::new();
    for (name, family) in families {
        let kind = if family.summary { "summary" } else { "gauge" };
        // Writing to a string can't fail.
        let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", family.help);
        text.push_str(&family.lines);
    }
    text
}

/// The family of a name, if the series may still be written to it.
fn open<'a>(
    families: &'a mut BTreeMap<String, Family>,
    sample: &Sample,
    name: &str,
    labels: &str,
    summary: bool,
) -> Option<&'a mut Family> {
    let family = match families.entry(name.to_owned()) {
        Entry::Occupied(family) => family.into_mut(),
        Entry::Vacant(entry) => entry.insert(Family {
            help: help(sample),
            summary,
            lines: String::new(),
            seen: HashSet::new(),
        }),
    };
    (family.summary == summary && family.seen.insert(labels.to_owned())).then_some(family)
}

fn number(
    families: &mut BTreeMap<String, Family>,
    sample: &Sample,
    name: String,
    labels: &str,
    value: f64,
) {
    if let Some(family) = open(families, sample, &name, labels, false) {
        let value = show(value);
        let _ = writeln!(family.lines, "{name}{{{labels}}} {value}");
    }
}

fn distribution(
    families: &mut BTreeMap<String, Family>,
    sample: &Sample,
    name: String,
    labels: &str,
    summary: &Summary,
) {
    let Some(family) = open(families, sample, &name, labels, true) else {
        return;
    };
    let comma = if labels.is_empty() { "" } else { "," };
    for (quantile, value) in QUANTILES.iter().zip(summary.quantiles) {
        let value = show(value);
        let _ = writeln!(
            family.lines,
            "{name}{{{labels}{comma}quantile=\"{quantile}\"}} {value}"
        );
    }
    let _ = writeln!(family.lines, "{name}_count{{{labels}}} {}", summary.count);
}

fn help(sample: &Sample) -> String {
    let own = Metric::ALL.iter().map(|metric| metric.description());
    let own = own
        .filter(|metric| metric.name == sample.name && metric.scopes.contains(&sample.scope))
        .find(|metric| metric.kind == sample.kind);
    let text = own.map_or(sample.name.as_str(), |metric| metric.meaning);
    let kind = match sample.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Meter => "meter",
        Kind::Histogram => "histogram",
    };
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    format!("{text} ({kind})")
}

fn labels(sample: &Sample, process: &ProcessLabels) -> String {
    let manager = matches!(sample.scope, Scope::JobManager | Scope::JobManagerJob);
    let constant = [
        Some(("host", process.host.as_str())),
        (!manager).then_some(("tm_id", process.tm_id.as_str())),
    ];
    let own = sample.labels.iter().map(|(k, v)| (k.as_str(), v.as_str()));
    let mut text = String::new();
    let mut keys: HashSet<String> = HashSet::new();
    for (key, value) in constant.into_iter().flatten().chain(own) {
        let key = label_name(key);
        // The engine's go first: a user's group can't take the place of a label of the engine.
        if !keys.insert(key.clone()) {
            continue;
        }
        if !text.is_empty() {
            text.push(',');
        }
        let _ = write!(text, "{key}=\"");
        for c in value.chars() {
            match c {
                c if c.is_ascii_alphanumeric() || c == ':' || c == '_' => text.push(c),
                _ if process.filter_values => text.push('_'),
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                c => text.push(c),
            }
        }
        text.push('"');
    }
    text
}

/// A label's name has no `:` and does not begin with a digit, nor, for a user's, with `__`.
fn label_name(key: &str) -> String {
    let filtered: String = key
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let trimmed = filtered.trim_start_matches('_');
    if trimmed.starts_with(|c: char| c.is_ascii_alphabetic()) {
        trimmed.to_owned()
    } else {
        format!("label_{trimmed}")
    }
}

fn show(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        format!("{value}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(filter_values: bool) -> ProcessLabels {
        ProcessLabels {
            host: "localhost".into(),
            tm_id: "embedded".into(),
            filter_values,
        }
    }

    fn sample(name: &str, kind: Kind, scope: Scope, value: Value) -> Sample {
        Sample {
            name: name.into(),
            kind,
            scope,
            labels: vec![("task_name".into(), "a -> \"b\"\\".into())],
            value,
        }
    }

    #[test]
    fn a_counter_is_a_gauge_with_flink_s_labels() {
        let counter = sample(
            "numRecordsIn",
            Kind::Counter,
            Scope::Task,
            Value::Integer(1_500),
        );
        let text = render(std::slice::from_ref(&counter), &process(true));
        assert!(
            text.contains("# TYPE flink_taskmanager_job_task_numRecordsIn gauge\n"),
            "{text}"
        );
        assert!(
            text.ends_with(
                "flink_taskmanager_job_task_numRecordsIn{host=\"localhost\",tm_id=\"embedded\",\
                 task_name=\"a_____b__\"} 1500\n"
            ),
            "{text}"
        );
        let text = render(&[counter], &process(false));
        assert!(text.contains(r#"task_name="a -> \"b\"\\""#), "{text}");
    }

    #[test]
    fn a_histogram_is_a_summary_and_latency_has_its_quantiles_beside() {
        let mut summary = Summary {
            count: 3,
            ..Summary::default()
        };
        summary.quantiles = [1.0, 2.0, 3.0, 4.0, 5.5, 6.0];
        let latency = sample(
            "latency",
            Kind::Histogram,
            Scope::Job,
            Value::Distribution(summary),
        );
        let text = render(&[latency], &process(true));
        let name =
            "flink_taskmanager_job_latency_source_id_operator_id_operator_subtask_index_latency";
        for line in [
            format!("# TYPE {name} summary"),
            format!("# TYPE {name}_p99 gauge"),
            format!(
                "{name}_p95{{host=\"localhost\",tm_id=\"embedded\",task_name=\"a_____b__\"}} 3"
            ),
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
        assert!(text.contains("quantile=\"0.999\"} 6\n"), "{text}");
        assert!(text.contains(&format!("{name}_count{{")), "{text}");
    }

    #[test]
    fn a_series_is_written_once_and_a_name_has_one_type() {
        let samples = [
            sample("a.b", Kind::Counter, Scope::Operator, Value::Integer(1)),
            sample("a-b", Kind::Counter, Scope::Operator, Value::Integer(2)),
            sample(
                "a_b",
                Kind::Histogram,
                Scope::Operator,
                Value::Distribution(Summary::default()),
            ),
        ];
        let text = render(&samples, &process(true));
        let series: Vec<&str> = text.lines().filter(|l| !l.starts_with('#')).collect();
        assert_eq!(series.len(), 1, "{text}");
        assert!(series.iter().all(|line| line.ends_with(" 1")), "{text}");
    }

    #[test]
    fn names_of_labels_are_ones_that_prometheus_takes() {
        assert_eq!(label_name("my-key"), "my_key");
        assert_eq!(label_name("__name__"), "name__");
        assert_eq!(label_name("1st"), "label_1st");
        assert_eq!(show(f64::INFINITY), "+Inf");
        assert_eq!(show(-9.223372036854776e18), "-9223372036854776000");
    }
}
