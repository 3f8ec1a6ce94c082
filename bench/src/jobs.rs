//! The jobs of the benchmark, operator for operator those of the peer.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rheos::prelude::*;

use crate::measure::{MeasureSink, Measured};
use crate::source::{EventSource, OUT_OF_ORDERNESS, Triggers, WINDOW};
use crate::stream::{Enriched, Event, enrich, regions};

/// A job to measure.
pub struct Spec {
    pub source: EventSource,
    pub gap_ms: i64,
    pub latency: bool,
    pub warm_up_millis: i64,
    pub triggers: Arc<Triggers>,
}

/// The sinks of a job, by name.
pub type Outputs = Vec<(&'static str, Arc<Measured>)>;

/// The stream, with its watermarks.
pub fn events(env: &StreamEnv, spec: &Spec) -> DataStream<Event> {
    let bound = Duration::from_millis(OUT_OF_ORDERNESS as u64);
    let strategy = WatermarkStrategy::for_bounded_out_of_orderness(bound)
        .with_timestamp_assigner(|event: &Event, _| event.ts);
    env.from_source(spec.source.clone(), strategy, "gen")
}

fn enriched(env: &StreamEnv, spec: &Spec) -> DataStream<Enriched> {
    events(env, spec)
        .filter(|event| event.kind != 0)
        .map_with(|_| {
            let regions = regions();
            Ok(move |event| Ok(enrich(event, &regions)))
        })
}

/// Ends a stream in a sink that measures.
pub fn sink<T: Row>(
    stream: &DataStream<T>,
    name: &str,
    spec: &Spec,
    look: impl Fn(&T) -> (f64, Option<i64>) + Send + Sync + 'static,
) -> Arc<Measured> {
    let measured = Arc::new(Measured::default());
    let sink = MeasureSink {
        measured: measured.clone(),
        look: Arc::new(look),
        warm_up_millis: spec.warm_up_millis,
    };
    stream.sink_to(sink).name(&format!("sink-{name}"));
    measured
}

/// source → filter → map → key by user → sink.
pub fn shuffle(env: &StreamEnv, spec: &Spec) -> Outputs {
    let latency = spec.latency;
    let kept = enriched(env, spec)
        .key_by(|event| event.user_id)
        .rows()
        .filter(|event| event.user_id >= 0)
        .name("kept");
    let measured = sink(&kept, "shuffle", spec, move |event| {
        (event.amount_eur, latency.then_some(event.emit_ns))
    });
    vec![("records", measured)]
}

/// source → filter → map → sink, in one chain.
pub fn generate(env: &StreamEnv, spec: &Spec) -> Outputs {
    let measured = sink(&enriched(env, spec), "gen", spec, |event| {
        (event.amount_eur, None)
    });
    vec![("records", measured)]
}

/// A user's session.
#[derive(Row, Clone, Debug, Default)]
struct Session {
    start: i64,
    last: i64,
    count: i64,
    amount: f64,
    timer: i64,
}

/// What is left of a session.
#[derive(Row, Clone, Debug)]
pub struct SessionSummary {
    pub user_id: i64,
    pub start: i64,
    pub end: i64,
    pub count: i64,
    pub amount: f64,
    pub categories: i32,
}

struct Sessions {
    gap: i64,
    session: ValueState<Session>,
    categories: MapState<i32, i64>,
    summaries: SideOutput<SessionSummary>,
}

impl KeyedProcessFunction<i64, Enriched, Enriched> for Sessions {
    fn process(
        &mut self,
        mut event: Enriched,
        context: &KeyedContext<'_, i64>,
        out: &mut Collector<'_, Enriched>,
    ) -> Result<(), BoxError> {
        let start = event.ts;
        let mut session = self.session.get_or_insert_with(|| Session {
            start,
            ..Session::default()
        });
        session.count += 1;
        session.amount += event.amount_eur;
        session.last = session.last.max(event.ts);
        if session.timer == 0 {
            session.timer = session.last + self.gap;
            context.register_event_time_timer(session.timer);
        }
        event.sess_count = session.count;
        event.sess_amount = session.amount;
        drop(session);
        event.cat_count = self.categories.upsert(event.category, 0, |count| {
            *count += 1;
            *count
        });
        out.collect(event);
        Ok(())
    }

    fn on_timer(
        &mut self,
        timestamp: i64,
        _domain: TimeDomain,
        context: &KeyedContext<'_, i64>,
        _out: &mut Collector<'_, Enriched>,
    ) -> Result<(), BoxError> {
        let gap = self.gap;
        let ended = self.session.modify(|session| {
            let session = session.as_mut()?;
            if session.last + gap > timestamp {
                session.timer = session.last + gap;
                context.register_event_time_timer(session.timer);
                return None;
            }
            Some(session.clone())
        });
        let Some(ended) = ended else { return Ok(()) };
        let summary = SessionSummary {
            user_id: *context.key(),
            start: ended.start,
            end: ended.last,
            count: ended.count,
            amount: ended.amount,
            categories: self.categories.len() as i32,
        };
        self.summaries.emit(summary, timestamp);
        self.session.clear();
        self.categories.clear();
        Ok(())
    }
}

/// What a window adds up.
#[derive(Row, Clone, Debug)]
pub struct Stats {
    pub count: i64,
    pub sum: f64,
    pub min: f64,
    pub max: f64,
}

struct StatsOf;

impl AggregateFunction for StatsOf {
    type In = Enriched;
    type Acc = Stats;
    type Out = Stats;

    fn create_accumulator(&self) -> Stats {
        Stats {
            count: 0,
            sum: 0.0,
            min: f64::MAX,
            max: f64::MIN,
        }
    }

    fn add(&self, stats: &mut Stats, event: Enriched) {
        stats.count += 1;
        stats.sum += event.amount_eur;
        stats.min = stats.min.min(event.amount_eur);
        stats.max = stats.max.max(event.amount_eur);
    }

    fn get_result(&self, stats: &Stats) -> Stats {
        stats.clone()
    }

    fn merge(&self, into: &mut Stats, from: Stats) {
        into.count += from.count;
        into.sum += from.sum;
        into.min = into.min.min(from.min);
        into.max = into.max.max(from.max);
    }
}

/// A window that fired.
#[derive(Row, Clone, Debug)]
pub struct WindowStats {
    pub category: i32,
    pub end: i64,
    pub stats: Stats,
}

/// source → filter → map → sessions by user → five-minute windows by category, late events aside.
pub fn pipe(env: &StreamEnv, spec: &Spec) -> Outputs {
    let gap = spec.gap_ms;
    let summaries = OutputTag::<SessionSummary>::new("sessions");
    let late = OutputTag::<Enriched>::new("late");
    let side = summaries.clone();
    let sessions = enriched(env, spec)
        .key_by(|event| event.user_id)
        .process(move |open| {
            Ok(Sessions {
                gap,
                session: open.value_state("session")?,
                categories: open.map_state("cats")?,
                summaries: open.side_output(&side)?,
            })
        })
        .name("sessions");
    let mut outputs = Outputs::new();
    if spec.latency {
        let records = sink(&sessions, "record-latency", spec, |event| {
            (event.amount_eur, Some(event.emit_ns))
        });
        outputs.push(("records", records));
    }
    let ended = sessions.side_output(&summaries);
    outputs.push((
        "sessions",
        sink(&ended, "sessions", spec, |s| (s.count as f64, None)),
    ));
    let windows = sessions
        .key_by(|event| event.category)
        .window(TumblingEventTimeWindows::of(Duration::from_millis(
            WINDOW as u64,
        )))
        .allowed_lateness(Duration::from_secs(60))
        .side_output_late_data(&late)
        .aggregate_apply(StatsOf, |category, window: &TimeWindow, stats, _, out| {
            out.collect(WindowStats {
                category: *category,
                end: window.end,
                stats,
            });
            Ok(())
        })
        .name("windows");
    outputs.push(("windows", window_sink(&windows, spec)));
    outputs.push((
        "late",
        sink(&windows.side_output(&late), "late", spec, |_| (1.0, None)),
    ));
    outputs
}

/// Adds up the counts; of each window's first firing keeps how long after the event that made it due.
fn window_sink(windows: &DataStream<WindowStats>, spec: &Spec) -> Arc<Measured> {
    let triggers = spec.triggers.clone();
    let latency = spec.latency;
    let fired = Mutex::new(BTreeSet::new());
    sink(windows, "windows", spec, move |window| {
        let due = latency
            .then(|| triggers.of(window.end))
            .flatten()
            .filter(|_| {
                let mut fired = fired
                    .lock()
                    .unwrap_or_else(|poisoned| poisoned.into_inner());
                fired.insert((window.end, window.category))
            });
        (window.stats.count as f64, due)
    })
}

/// Events of a user in a window.
#[derive(Row, Clone, Debug)]
pub struct UserCount {
    pub user_id: i64,
    pub end: i64,
    pub count: i64,
}

struct Count;

impl AggregateFunction for Count {
    type In = Event;
    type Acc = i64;
    type Out = i64;

    fn create_accumulator(&self) -> i64 {
        0
    }

    fn add(&self, count: &mut i64, _event: Event) {
        *count += 1;
    }

    fn get_result(&self, count: &i64) -> i64 {
        *count
    }

    fn merge(&self, into: &mut i64, from: i64) {
        *into += from;
    }
}

/// source → five-minute counts by user.
pub fn count(env: &StreamEnv, spec: &Spec) -> Outputs {
    let counts = events(env, spec)
        .key_by(|event| event.user_id)
        .window(TumblingEventTimeWindows::of(Duration::from_millis(
            WINDOW as u64,
        )))
        .aggregate_apply(Count, |user_id, window: &TimeWindow, count, _, out| {
            out.collect(UserCount {
                user_id: *user_id,
                end: window.end,
                count,
            });
            Ok(())
        })
        .name("counts");
    vec![(
        "counts",
        sink(&counts, "count", spec, |count| (count.count as f64, None)),
    )]
}
