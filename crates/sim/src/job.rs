//! The job: a keyed count with timers, windows and sessions behind it, a join with broadcast rules, and
//! a table for each output.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rheos::prelude::*;
use rheos_runtime::deploy::program::Program;

use crate::chaos::Chaos;
use crate::scenario::Scenario;
use crate::source::{Event, Splits};
use crate::table::Table;

/// A timer is due at the end of each of these, in milliseconds.
pub const BUCKET: Millis = 25;
/// The length of a window.
pub const WINDOW: Millis = 40;
/// The gap of a session.
pub const GAP: Millis = 15;

/// An event that has passed the keyed operator, as which of its key.
#[derive(Row, Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Passed {
    /// It.
    pub event: Event,
    /// From 1.
    pub nth: u64,
}

/// How many events of a key a timer, a window or a session has found.
#[derive(Row, Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The key.
    pub key: u32,
    /// Where it begins.
    pub from: Millis,
    /// How many.
    pub count: u64,
}

/// An event, and the rule that held for it.
#[derive(Row, Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Judged {
    /// The event.
    pub event: Event,
    /// The number of the last rule that had begun by then; none before the first.
    pub rule: Option<u64>,
}

/// The outputs.
pub struct Tables {
    /// Every event.
    pub passed: Table<Passed>,
    /// What timers found.
    pub timers: Table<Found>,
    /// What windows found.
    pub windows: Table<Found>,
    /// What was late for its window.
    pub late: Table<Passed>,
    /// What sessions found.
    pub sessions: Table<Found>,
    /// Events late for their session.
    pub late_for_session: Table<Passed>,
    /// Every event, with its rule.
    pub judged: Table<Judged>,
}

impl Tables {
    /// Empty ones.
    pub fn new(chaos: &Chaos) -> Self {
        Self {
            passed: Table::new("passed", chaos.clone()),
            timers: Table::new("timers", chaos.clone()),
            windows: Table::new("windows", chaos.clone()),
            late: Table::new("late", chaos.clone()),
            sessions: Table::new("sessions", chaos.clone()),
            late_for_session: Table::new("late for session", chaos.clone()),
            judged: Table::new("judged", chaos.clone()),
        }
    }
}

/// What functions have seen that must not be.
#[derive(Debug, Clone, Default)]
pub struct Suspicions {
    first: Arc<Mutex<Option<String>>>,
    any: Arc<AtomicBool>,
}

impl Suspicions {
    fn tell(&self, what: impl FnOnce() -> String) {
        if !self.any.swap(true, Ordering::Relaxed) {
            let first = self.first.lock();
            *first.unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(what());
        }
    }

    /// The first of them.
    pub fn first(&self) -> Option<String> {
        let first = self.first.lock();
        first
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .clone()
    }
}

struct Counting {
    nth: ValueState<u64>,
    /// Events of buckets whose timer is not due.
    buckets: MapState<Millis, u64>,
    found: SideOutput<Found>,
    watermark: Millis,
    suspicions: Suspicions,
}

impl Counting {
    fn look(&mut self, watermark: Millis) {
        let before = self.watermark;
        if watermark < before {
            let tell = || format!("the watermark went back from {before} to {watermark}");
            self.suspicions.tell(tell);
        }
        self.watermark = watermark;
    }
}

impl KeyedProcessFunction<u32, Event, Passed> for Counting {
    fn process(
        &mut self,
        event: Event,
        context: &KeyedContext<'_, u32>,
        out: &mut Collector<'_, Passed>,
    ) -> Result<(), BoxError> {
        self.look(context.watermark());
        let nth = self.nth.get().unwrap_or(0) + 1;
        self.nth.update(nth);
        let end = event.at.div_euclid(BUCKET) * BUCKET + BUCKET - 1;
        let count = self.buckets.get(&end).unwrap_or(0);
        self.buckets.insert(end, count + 1);
        context.register_event_time_timer(end);
        out.collect(Passed { event, nth });
        Ok(())
    }

    fn on_timer(
        &mut self,
        timestamp: Millis,
        _domain: TimeDomain,
        context: &KeyedContext<'_, u32>,
        _out: &mut Collector<'_, Passed>,
    ) -> Result<(), BoxError> {
        self.look(context.watermark());
        let key = *context.key();
        let Some(count) = self.buckets.get(&timestamp) else {
            self.suspicions
                .tell(|| format!("a timer of key {key} for {timestamp} found nothing"));
            return Ok(());
        };
        self.buckets.remove(&timestamp);
        let found = Found {
            key,
            from: timestamp + 1 - BUCKET,
            count,
        };
        self.found.emit(found, timestamp);
        Ok(())
    }
}

/// Lets each event wait until both streams have come to its time: every rule that had begun by then is
/// known, however the streams interleave.
struct Judge {
    rules: BroadcastHandle<Millis, u64>,
    waiting: ListState<Event>,
}

impl KeyedBroadcastProcessFunction<u32, Event, Event, Judged> for Judge {
    fn process(
        &mut self,
        event: Event,
        context: &KeyedReadOnlyContext<'_, u32>,
        _out: &mut Collector<'_, Judged>,
    ) -> Result<(), BoxError> {
        context.register_event_time_timer(event.at);
        self.waiting.add(event);
        Ok(())
    }

    fn process_broadcast(
        &mut self,
        rule: Event,
        context: &KeyedBroadcastContext<'_, u32>,
        _out: &mut Collector<'_, Judged>,
    ) -> Result<(), BoxError> {
        let rules = context.broadcast_state(&self.rules);
        rules.insert(rule.at, rule.number);
        Ok(())
    }

    fn on_timer(
        &mut self,
        timestamp: Millis,
        _domain: TimeDomain,
        context: &KeyedReadOnlyContext<'_, u32>,
        out: &mut Collector<'_, Judged>,
    ) -> Result<(), BoxError> {
        let rules = context.broadcast_state(&self.rules).entries();
        let rule = rules.iter().rev().find(|(from, _)| *from <= timestamp);
        let rule = rule.map(|(_, number)| *number);
        for event in self.waiting.get() {
            if event.at == timestamp {
                out.collect(Judged { event, rule });
            }
        }
        self.waiting.retain(|event| event.at > timestamp);
        Ok(())
    }
}

/// Counts.
struct Count;

impl AggregateFunction for Count {
    type In = Passed;
    type Acc = u64;
    type Out = u64;

    fn create_accumulator(&self) -> u64 {
        0
    }

    fn add(&self, count: &mut u64, _row: Passed) {
        *count += 1;
    }

    fn get_result(&self, count: &u64) -> u64 {
        *count
    }

    fn merge(&self, into: &mut u64, from: u64) {
        *into += from;
    }
}

/// The program at this parallelism of source, keyed operator, windows and sinks.
///
/// # Errors
/// If it is not sound.
pub fn program(
    scenario: &Scenario,
    parallelism: [u32; 4],
    (input, rules): (&Splits, &Splits),
    tables: &Tables,
    suspicions: &Suspicions,
) -> Result<Program, ApiError> {
    let [sources, keyed, windowed, sinks] = parallelism;
    let env = StreamEnv::new(Configuration::default());
    env.name("simulated").parallelism(1);
    let time =
        WatermarkStrategy::for_bounded_out_of_orderness(Duration::from_millis(scenario.disorder));
    let found = OutputTag::<Found>::new("timers");
    let (late, late_for_session) = (
        OutputTag::<Passed>::new("late"),
        OutputTag::<Passed>::new("late-for-session"),
    );
    let events = env
        .from_source(input.clone(), time.clone(), "events")
        .uid("events")
        .parallelism(sources);
    let rules = env
        .from_source(rules.clone(), time, "rules")
        .uid("rules")
        .parallelism(1);
    let state = BroadcastStateDescriptor::new("rules");
    events
        .key_by(|event: &Event| event.key)
        .connect_broadcast(&rules.broadcast_state(&[&state]))
        .process(move |open| {
            Ok(Judge {
                rules: open.broadcast_state(&state)?,
                waiting: open.list_state("waiting")?,
            })
        })
        .name("judge")
        .uid("judge")
        .parallelism(windowed)
        .sink_to(tables.judged.clone())
        .uid("judged")
        .parallelism(sinks);
    let counted = events
        .key_by(|event: &Event| event.key)
        .process({
            let (found, suspicions) = (found.clone(), suspicions.clone());
            move |open| {
                Ok(Counting {
                    nth: open.value_state("nth")?,
                    buckets: open.map_state("buckets")?,
                    found: open.side_output(&found)?,
                    watermark: MIN_TIMESTAMP,
                    suspicions: suspicions.clone(),
                })
            }
        })
        .name("counting")
        .uid("counting")
        .parallelism(keyed);
    let windows = counted
        .rebalance()
        .flat_map(|row: Passed| [row])
        .name("spread")
        .uid("spread")
        .parallelism(sinks)
        .key_by(|row: &Passed| row.event.key % 3)
        .window(TumblingEventTimeWindows::of(Duration::from_millis(
            WINDOW as u64,
        )))
        .side_output_late_data(&late)
        .aggregate_apply(Count, |key, window, count, _context, out| {
            out.collect(Found {
                key: *key,
                from: window.start,
                count,
            });
            Ok(())
        })
        .name("windows")
        .uid("windows")
        .parallelism(windowed);
    let sessions = counted
        .key_by(|row: &Passed| row.event.key)
        .window(EventTimeSessionWindows::with_gap(Duration::from_millis(
            GAP as u64,
        )))
        .side_output_late_data(&late_for_session)
        .aggregate_apply(Count, |key, window, count, _context, out| {
            out.collect(Found {
                key: *key,
                from: window.start,
                count,
            });
            Ok(())
        })
        .name("sessions")
        .uid("sessions")
        .parallelism(windowed);
    counted
        .sink_to(tables.passed.clone())
        .uid("passed")
        .parallelism(sinks);
    counted
        .side_output(&found)
        .sink_to(tables.timers.clone())
        .uid("timers")
        .parallelism(sinks);
    windows
        .side_output(&late)
        .sink_to(tables.late.clone())
        .uid("late")
        .parallelism(1);
    windows
        .sink_to(tables.windows.clone())
        .uid("windowed")
        .parallelism(sinks);
    sessions
        .side_output(&late_for_session)
        .sink_to(tables.late_for_session.clone())
        .uid("late-for-session")
        .parallelism(1);
    sessions
        .sink_to(tables.sessions.clone())
        .uid("sessioned")
        .parallelism(1);
    env.program()
}
