//! Metrics of users: counters, gauges, meters and histograms that a function makes when it opens.
//!
//! A handle is cheap to clone and to count with, from any thread. Handles of one name in one operator
//! and subtask are one metric; a name that is taken by another kind, or one beyond
//! [`MAX_USER_METRICS`], gives a handle that counts but is not shown, and says so once: a mistake
//! in a metric ends no job, and a name made of data can't fill the memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use hdrhistogram::Histogram as Distribution;

/// Metrics that the functions of one operator may make in one subtask.
pub const MAX_USER_METRICS: usize = 1_000;

/// Counts something.
#[derive(Debug, Clone, Default)]
pub struct Counter {
    count: Arc<AtomicI64>,
}

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.inc_by(1);
    }

    /// So many more.
    pub fn inc_by(&self, count: i64) {
        self.count.fetch_add(count, Ordering::Relaxed);
    }

    /// One less.
    pub fn dec(&self) {
        self.inc_by(-1);
    }

    /// The count.
    pub fn count(&self) -> i64 {
        self.count.load(Ordering::Relaxed)
    }
}

/// Shows a value that is set.
#[derive(Debug, Clone, Default)]
pub struct Gauge {
    bits: Arc<AtomicU64>,
}

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: f64) {
        self.bits.store(value.to_bits(), Ordering::Relaxed);
    }

    /// What it was set to last; 0 before.
    pub fn value(&self) -> f64 {
        f64::from_bits(self.bits.load(Ordering::Relaxed))
    }
}

/// Shows how often something happens in a second.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    count: Arc<AtomicU64>,
}

impl Meter {
    /// It happened.
    pub fn mark(&self) {
        self.mark_by(1);
    }

    /// It happened so often.
    pub fn mark_by(&self, count: u64) {
        self.count.fetch_add(count, Ordering::Relaxed);
    }

    /// How often it has happened since the task started.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

/// Shows how values are distributed, to three digits.
#[derive(Debug, Clone)]
pub struct Histogram {
    /// None if the system could not give it memory: it then records nothing.
    values: Option<Arc<Mutex<Distribution<u64>>>>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            values: Distribution::new(3)
                .ok()
                .map(|values| Arc::new(Mutex::new(values))),
        }
    }
}

impl Histogram {
    /// Records a value.
    pub fn update(&self, value: u64) {
        if let Some(values) = &self.values {
            values
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner())
                .saturating_record(value);
        }
    }

    /// How many values were recorded, and how they are distributed.
    pub fn summary(&self) -> Summary {
        self.values
            .as_ref()
            .map_or_else(Summary::default, |values| {
                Summary::of(
                    &values
                        .lock()
                        .unwrap_or_else(|poisoned| poisoned.into_inner()),
                    1.0,
                )
            })
    }
}

/// The quantiles that Flink shows of a histogram.
pub const QUANTILES: [f64; 6] = [0.5, 0.75, 0.95, 0.98, 0.99, 0.999];

/// A distribution in a few numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Summary {
    /// Values recorded.
    pub count: u64,
    /// The least of them.
    pub min: f64,
    /// Their mean.
    pub mean: f64,
    /// The greatest of them.
    pub max: f64,
    /// Their quantiles, as [`QUANTILES`].
    pub quantiles: [f64; 6],
}

impl Summary {
    /// Of recorded values, each divided by `unit`.
    pub fn of(values: &Distribution<u64>, unit: f64) -> Self {
        if values.is_empty() {
            return Self::default();
        }
        Self {
            count: values.len(),
            min: values.min() as f64 / unit,
            mean: values.mean() / unit,
            max: values.max() as f64 / unit,
            quantiles: QUANTILES.map(|q| values.value_at_quantile(q) as f64 / unit),
        }
    }
}

/// A gauge's value, read when somebody looks.
type Reading = Arc<dyn Fn() -> f64 + Send + Sync>;

/// A metric of a user.
#[derive(Clone)]
pub enum UserMetric {
    /// See [`Counter`].
    Counter(Counter),
    /// See [`Gauge`].
    Gauge(Gauge),
    /// A gauge by a function.
    Reading(Reading),
    /// See [`Meter`].
    Meter(Meter),
    /// See [`Histogram`].
    Histogram(Histogram),
}

/// The name of a user's metric: its groups and its own, and the variables of its groups.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserName {
    /// Groups and name, joined by dots.
    pub path: String,
    /// Labels from groups with a key and a value.
    pub variables: Vec<(String, String)>,
}

/// The metrics of users of one operator in one subtask.
#[derive(Default)]
pub struct UserMetrics {
    metrics: Mutex<BTreeMap<UserName, UserMetric>>,
    refused: AtomicBool,
}

impl std::fmt::Debug for UserMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.all().iter().map(|(name, _)| name))
            .finish()
    }
}

impl UserMetrics {
    /// All of them, by name.
    pub fn all(&self) -> Vec<(UserName, UserMetric)> {
        let metrics = self
            .metrics
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        metrics
            .iter()
            .map(|(name, metric)| (name.clone(), metric.clone()))
            .collect()
    }

    fn register<H: Clone>(
        &self,
        name: UserName,
        handle: H,
        wrap: impl FnOnce(H) -> UserMetric,
        same: impl FnOnce(&UserMetric) -> Option<H>,
    ) -> H {
        let mut metrics = self
            .metrics
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(taken) = metrics.get(&name) {
            return same(taken).unwrap_or_else(|| {
                self.refuse(&name.path, "another metric of the operator has that name");
                handle
            });
        }
        if metrics.len() >= MAX_USER_METRICS {
            self.refuse(
                &name.path,
                "the operator has 1,000 metrics of its own: is its name data?",
            );
            return handle;
        }
        metrics.insert(name, wrap(handle.clone()));
        handle
    }

    fn refuse(&self, name: &str, why: &str) {
        if !self.refused.swap(true, Ordering::Relaxed) {
            tracing::warn!("metric '{name}' counts but is not shown: {why}");
        }
    }
}

/// Makes metrics. Flink's `MetricGroup`.
#[derive(Debug, Clone)]
pub struct MetricGroup {
    metrics: Arc<UserMetrics>,
    prefix: String,
    variables: Vec<(String, String)>,
}

impl MetricGroup {
    /// The group of an operator.
    pub fn new(metrics: Arc<UserMetrics>) -> Self {
        Self {
            metrics,
            prefix: String::new(),
            variables: Vec::new(),
        }
    }

    fn named(&self, name: &str) -> UserName {
        UserName {
            path: format!("{}{name}", self.prefix),
            variables: self.variables.clone(),
        }
    }

    /// A group within this one: its name comes before those of its metrics.
    pub fn group(&self, name: &str) -> Self {
        Self {
            prefix: format!("{}{name}.", self.prefix),
            ..self.clone()
        }
    }

    /// A group within this one whose metrics are told apart by a label.
    pub fn group_of(&self, key: &str, value: &str) -> Self {
        let mut group = self.group(key);
        group.variables.push((key.to_owned(), value.to_owned()));
        group
    }

    /// A counter.
    pub fn counter(&self, name: &str) -> Counter {
        self.metrics.register(
            self.named(name),
            Counter::default(),
            UserMetric::Counter,
            |taken| match taken {
                UserMetric::Counter(counter) => Some(counter.clone()),
                _ => None,
            },
        )
    }

    /// A gauge that is set.
    pub fn gauge(&self, name: &str) -> Gauge {
        self.metrics.register(
            self.named(name),
            Gauge::default(),
            UserMetric::Gauge,
            |taken| match taken {
                UserMetric::Gauge(gauge) => Some(gauge.clone()),
                _ => None,
            },
        )
    }

    /// A gauge that is asked when somebody looks, on a thread of the one who does: `read` must be
    /// quick. The first of a name stays.
    pub fn gauge_of(&self, name: &str, read: impl Fn() -> f64 + Send + Sync + 'static) {
        let read: Reading = Arc::new(read);
        self.metrics.register(
            self.named(name),
            read,
            UserMetric::Reading,
            |taken| match taken {
                UserMetric::Reading(read) => Some(read.clone()),
                _ => None,
            },
        );
    }

    /// A meter.
    pub fn meter(&self, name: &str) -> Meter {
        self.metrics.register(
            self.named(name),
            Meter::default(),
            UserMetric::Meter,
            |taken| match taken {
                UserMetric::Meter(meter) => Some(meter.clone()),
                _ => None,
            },
        )
    }

    /// A histogram.
    pub fn histogram(&self, name: &str) -> Histogram {
        self.metrics.register(
            self.named(name),
            Histogram::default(),
            UserMetric::Histogram,
            |taken| match taken {
                UserMetric::Histogram(histogram) => Some(histogram.clone()),
                _ => None,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> (Arc<UserMetrics>, MetricGroup) {
        let metrics = Arc::new(UserMetrics::default());
        (metrics.clone(), MetricGroup::new(metrics))
    }

    #[test]
    fn handles_of_one_name_are_one_metric() {
        let (metrics, group) = group();
        group.counter("invalid").inc();
        group.counter("invalid").inc_by(2);
        assert_eq!(group.counter("invalid").count(), 3);
        assert_eq!(metrics.all().len(), 1);
    }

    #[test]
    fn a_name_of_another_kind_counts_but_is_not_shown() {
        let (metrics, group) = group();
        group.counter("x").inc();
        let meter = group.meter("x");
        meter.mark_by(7);
        assert_eq!(meter.count(), 7);
        assert!(matches!(
            metrics.all().as_slice(),
            [(_, UserMetric::Counter(_))]
        ));
    }

    #[test]
    fn names_made_of_data_stay_bounded() {
        let (metrics, group) = group();
        for user in 0..3 * MAX_USER_METRICS {
            group.counter(&format!("user-{user}")).inc();
        }
        assert_eq!(metrics.all().len(), MAX_USER_METRICS);
    }

    #[test]
    fn groups_name_and_label() {
        let (metrics, group) = group();
        group
            .group("lookup")
            .group_of("table", "planes")
            .gauge("size")
            .set(2.5);
        let all = metrics.all();
        let (name, _) = all.first().unwrap();
        assert_eq!(name.path, "lookup.table.size");
        assert_eq!(name.variables, [("table".to_owned(), "planes".to_owned())]);
    }

    #[test]
    fn a_histogram_gives_its_quantiles() {
        let (_, group) = group();
        let histogram = group.histogram("bytes");
        for value in 1..=1_000 {
            histogram.update(value);
        }
        let summary = histogram.summary();
        assert_eq!(
            (summary.count, summary.min, summary.max),
            (1_000, 1.0, 1_000.0)
        );
        assert_eq!(summary.quantiles.first(), Some(&500.0));
    }
}
