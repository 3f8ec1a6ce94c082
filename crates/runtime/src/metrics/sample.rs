//! One value of one metric at a moment, with the labels that tell whose it is.

use super::metric::{Kind, Scope, prometheus_name};
use super::user::Summary;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of a counter, or a gauge of whole numbers.
    Integer(i64),
    /// Of a gauge or a meter.
    Number(f64),
    /// Of a histogram.
    Distribution(Summary),
}

/// A value of a metric at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric's name: of the engine, or of a user with its groups (`lookup.cache.hits`).
    pub name: String,
    /// How it behaves.
    pub kind: Kind,
    /// Whose it is.
    pub scope: Scope,
    /// Flink's labels and those of users' groups, each once: `job_name`, `task_name` …
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: Value,
}

impl Sample {
    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// Its name for Prometheus, as Flink's reporter makes it.
    pub fn prometheus_name(&self) -> String {
        prometheus_name(self.scope, &self.name)
    }

    /// The value as one number; none for a distribution.
    pub fn number(&self) -> Option<f64> {
        match self.value {
            Value::Integer(value) => Some(value as f64),
            Value::Number(value) => Some(value),
            Value::Distribution(_) => None,
        }
    }
}
