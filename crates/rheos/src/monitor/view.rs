//! A job at a moment, as people want to know it. Pure data, made from counters and a clock.

use rheos_cluster::bottleneck::{Bottleneck, TaskLoad, bottleneck};
use rheos_cluster::deploy::{JobMetrics, TaskHandle};
use rheos_cluster::embedded::JobHandle;
use rheos_cluster::memory::soonest;
use rheos_core::clock::SharedClock;
use rheos_core::time::{MAX_WATERMARK, MIN_TIMESTAMP, Millis};
use rheos_runtime::metrics::sampler::{Sampler, TaskRates};

/// What an operator is called that emits results of windows.
const WINDOW_KIND: &str = "Window";

/// How far event time has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventTime {
    /// No watermark yet, or the job has none.
    Unknown,
    /// All rows up to then are processed.
    At(Millis),
    /// The input has ended.
    Ended,
}

/// One chain.
#[derive(Debug, Clone, PartialEq)]
pub struct VertexView {
    /// Its name.
    pub name: String,
    /// Its subtasks.
    pub parallelism: u32,
    /// Share of the time that its subtasks worked, 0 to 1.
    pub busy: f64,
    /// Share of the time that they waited for output.
    pub back_pressured: f64,
    /// Rows a second that they took.
    pub rows_per_second: f64,
}

/// A job at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Its name.
    pub job: String,
    /// How long it has run.
    pub seconds: f64,
    /// Rows a second at the sources.
    pub rows_per_second: f64,
    /// Rows read.
    pub read: u64,
    /// The least watermark that an operator has passed on.
    pub event_time: EventTime,
    /// Results of windows; none if the job has no windows.
    pub windows: Option<u64>,
    /// Late rows: dropped, and in side outputs.
    pub late: u64,
    /// The chains, upstream first.
    pub vertices: Vec<VertexView>,
    /// What holds it up.
    pub bottleneck: Option<Bottleneck>,
    /// Which state will have no room, and when, if one grows towards that.
    pub growth: Option<String>,
}

/// Totals that need one look only.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Totals {
    pub read: u64,
    pub late: u64,
    pub windows: Option<u64>,
    pub event_time: EventTime,
}

impl Totals {
    pub fn of(metrics: &JobMetrics) -> Self {
        let mut totals = Self {
            read: 0,
            late: 0,
            windows: None,
            event_time: EventTime::Unknown,
        };
        let mut least = MAX_WATERMARK;
        for operator in metrics.tasks.iter().flat_map(|task| &task.operators) {
            let counted = &operator.metrics;
            if operator.is_source {
                totals.read += counted.records_in();
            }
            totals.late += counted.late_dropped() + counted.late_to_side();
            let node = metrics.graph.operators.get(operator.index);
            if node.is_some_and(|node| is_window(&node.kind)) {
                totals.windows = Some(totals.windows.unwrap_or(0) + counted.records_out());
            }
            least = least.min(counted.output_watermark());
        }
        totals.event_time = match least {
            MIN_TIMESTAMP => EventTime::Unknown,
            MAX_WATERMARK => EventTime::Ended,
            at => EventTime::At(at),
        };
        totals
    }
}

fn is_window(kind: &str) -> bool {
    kind == WINDOW_KIND || kind.contains("Windows")
}

/// Looks at a job again and again.
pub struct Viewer {
    job: JobHandle,
    metrics: JobMetrics,
    clock: SharedClock,
    sampler: Sampler,
    started_micros: i64,
}

impl Viewer {
    /// A viewer of a job that has just started.
    pub fn new(job: JobHandle) -> Self {
        let (metrics, clock) = (job.metrics(), job.clock());
        let now = clock.monotonic_micros();
        let sampler = Sampler::new(&metrics.tasks, 1, now);
        Self {
            job,
            metrics,
            clock,
            sampler,
            started_micros: now,
        }
    }

    /// The job now; rates are those since the look before.
    pub fn look(&mut self) -> View {
        let now = self.clock.monotonic_micros();
        let metrics = self.job.metrics();
        if metrics.tasks.len() != self.metrics.tasks.len() {
            // It was rescaled: these are other tasks.
            self.sampler = Sampler::new(&metrics.tasks, 1, now);
        }
        self.metrics = metrics;
        let tasks = &self.metrics.tasks;
        let rates = self.sampler.sample(tasks, now);
        let loads: Vec<TaskLoad> = tasks
            .iter()
            .zip(rates)
            .map(|(task, rates)| TaskLoad::of(task, rates))
            .collect();
        let graph = &self.metrics.graph;
        let vertices = graph.vertices.iter().enumerate().map(|(index, vertex)| {
            let of_vertex = loads.iter().filter(move |load| load.vertex == index);
            let subtasks = f64::from(vertex.parallelism.max(1));
            let sum = of_vertex.fold((0.0, 0.0, 0.0), |sum, load| {
                (
                    sum.0 + load.busy,
                    sum.1 + load.back_pressured,
                    sum.2 + load.rows,
                )
            });
            VertexView {
                name: vertex.name.clone(),
                parallelism: vertex.parallelism,
                busy: sum.0 / subtasks / 1000.0,
                back_pressured: sum.1 / subtasks / 1000.0,
                rows_per_second: sum.2,
            }
        });
        let totals = Totals::of(&self.metrics);
        View {
            job: graph.name.clone(),
            seconds: (now - self.started_micros) as f64 / 1e6,
            rows_per_second: tasks
                .iter()
                .zip(rates)
                .map(|(t, r)| source_rate(t, r))
                .sum(),
            read: totals.read,
            event_time: totals.event_time,
            windows: totals.windows,
            late: totals.late,
            vertices: vertices.collect(),
            bottleneck: bottleneck(graph, &loads),
            growth: soonest(&self.metrics.growth.get()),
        }
    }
}

fn source_rate(task: &TaskHandle, rates: &TaskRates) -> f64 {
    match task.operators.first() {
        Some(head) if head.is_source => rates.records_in,
        _ => 0.0,
    }
}
