//! Many values as a few.

use serde_json::{Map, Value, json};

/// An object of these fields.
pub(super) fn object<K: Into<String>>(
    fields: impl IntoIterator<Item = (K, Value)>,
) -> Map<String, Value> {
    fields
        .into_iter()
        .map(|(key, value)| (key.into(), value))
        .collect()
}

/// Of whole numbers, as Flink tells them of the subtasks of a vertex.
pub(super) struct Statistics {
    /// In order.
    values: Vec<i64>,
}

impl Statistics {
    pub(super) fn of(mut values: Vec<i64>) -> Self {
        values.sort_unstable();
        Self { values }
    }

    fn sum(&self) -> i64 {
        self.values
            .iter()
            .fold(0, |sum: i64, v| sum.saturating_add(*v))
    }

    /// Between the two values that it lies between, as Flink's library has it.
    fn quantile(&self, share: f64) -> f64 {
        let count = self.values.len();
        let position = share * (count as f64 + 1.0);
        let below = position.floor();
        let at = |index: f64| {
            let index = (index as usize).min(count.saturating_sub(1));
            self.values.get(index).map_or(0.0, |value| *value as f64)
        };
        if below < 1.0 {
            return at(0.0);
        }
        let (low, high) = (at(below - 1.0), at(below));
        low + (position - below) * (high - low)
    }

    pub(super) fn min(&self) -> i64 {
        self.values.first().copied().unwrap_or(0)
    }

    pub(super) fn max(&self) -> i64 {
        self.values.last().copied().unwrap_or(0)
    }

    pub(super) fn avg(&self) -> i64 {
        let count = i64::try_from(self.values.len()).unwrap_or(i64::MAX).max(1);
        self.sum() / count
    }

    /// As Flink tells them of checkpoints, with a least, a greatest and a mean of their own. Quantiles of
    /// nothing are no numbers.
    pub(super) fn summary(&self, min: i64, max: i64, avg: i64) -> Value {
        let mut fields = object([
            ("min", min.into()),
            ("max", max.into()),
            ("avg", avg.into()),
        ]);
        for (name, share) in [
            ("p50", 0.5),
            ("p90", 0.9),
            ("p95", 0.95),
            ("p99", 0.99),
            ("p999", 0.999),
        ] {
            let quantile = match self.values.is_empty() {
                true => "NaN".into(),
                false => self.quantile(share).into(),
            };
            fields.insert(name.to_owned(), quantile);
        }
        Value::Object(fields)
    }

    pub(super) fn json(&self) -> Value {
        let whole = |share| self.quantile(share) as i64;
        json!({
            "min": self.min(),
            "max": self.max(),
            "avg": self.avg(),
            "sum": self.sum(),
            "median": whole(0.5),
            "p25": whole(0.25),
            "p75": whole(0.75),
            "p95": whole(0.95),
        })
    }
}

/// Of metrics, over tasks or jobs.
pub(super) fn aggregated(id: &str, values: &[f64], wanted: &[&str]) -> Value {
    let mut fields = object([("id", Value::from(id))]);
    let sum: f64 = values.iter().sum();
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let all = [
        ("min", least),
        ("max", most),
        ("avg", sum / values.len().max(1) as f64),
        ("sum", sum),
    ];
    for (name, value) in all {
        if wanted.is_empty() || wanted.contains(&name) {
            fields.insert(name.to_owned(), Value::from(value));
        }
    }
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As recorded of Flink.
    #[test]
    fn two_subtasks_have_flink_s_statistics() {
        assert_eq!(
            Statistics::of(vec![11_954, 11_933]).json(),
            json!({"p25": 11933, "min": 11933, "avg": 11943, "median": 11943, "max": 11954,
                   "sum": 23887, "p95": 11954, "p75": 11954})
        );
        let of_none = Statistics::of(Vec::new()).json();
        assert_eq!(of_none["avg"], 0);
        let of_many = Statistics::of((1..=9).collect()).json();
        assert_eq!(
            (&of_many["p25"], &of_many["median"]),
            (&json!(2), &json!(5))
        );
    }

    #[test]
    fn metrics_are_aggregated_as_wanted() {
        let all = aggregated("numRecordsIn", &[11_933.0, 11_954.0], &[]);
        assert_eq!(
            all,
            json!({"id": "numRecordsIn", "min": 11933.0, "max": 11954.0, "avg": 11943.5,
                   "sum": 23887.0})
        );
        assert_eq!(
            aggregated("a", &[1.0], &["max"]),
            json!({"id": "a", "max": 1.0})
        );
    }
}
