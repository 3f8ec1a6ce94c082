//! Windows beyond what is recorded of Flink: processing time, a user's own trigger and assigner,
//! state of windows and keys, what is refused before a job starts.

use std::time::Duration;

use rheos::harness::{Harness, HarnessError};
use rheos::prelude::*;

/// Key and value.
type Event = (String, i64);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn event(key: &str, value: i64) -> Event {
    (key.to_owned(), value)
}

fn add(into: &mut Event, other: Event) {
    into.1 += other.1;
}

#[test]
fn tumbling_windows_of_processing_time_fire_by_the_clock() {
    let harness = Harness::new();
    let (mut input, stream) = harness.input::<Event>("input");
    let summed = stream
        .key_by(|event| event.0.clone())
        .window(TumblingProcessingTimeWindows::of(millis(10)))
        .reduce(add);
    let output = harness.output(&summed);
    let mut job = harness.start().unwrap();
    input.push(event("a", 1), 0);
    input.push(event("a", 2), 0);
    job.settle().unwrap();
    job.advance(8).unwrap();
    assert_eq!(output.take(), []);
    job.advance(1).unwrap();
    assert_eq!(output.take(), [(event("a", 3), 9)]);
    job.advance(1).unwrap();
    input.push(event("a", 4), 0);
    job.settle().unwrap();
    job.advance(25).unwrap();
    assert_eq!(output.take(), [(event("a", 4), 19)]);
}

#[test]
fn sessions_of_processing_time_end_when_nothing_came_for_the_gap() {
    let harness = Harness::new();
    let (mut input, stream) = harness.input::<Event>("input");
    let sessions = stream
        .key_by(|event| event.0.clone())
        .window(ProcessingTimeSessionWindows::with_gap(millis(10)))
        .apply(|_, window, rows: &[Event], _, out| {
            out.collect((window.start, window.end, rows.len() as i64));
            Ok(())
        });
    let output = harness.output(&sessions);
    let mut job = harness.start().unwrap();
    for _ in 0..3 {
        input.push(event("a", 1), 0);
        job.settle().unwrap();
        job.advance(7).unwrap();
    }
    assert_eq!(output.take_rows(), []);
    job.advance(3).unwrap();
    assert_eq!(output.take_rows(), [(0, 24, 3)]);
}

#[test]
fn a_continuous_trigger_of_processing_time_fires_while_the_window_is_open() {
    let harness = Harness::new();
    let (mut input, stream) = harness.input::<Event>("input");
    let summed = stream
        .key_by(|event| event.0.clone())
        .window(GlobalWindows::create())
        .trigger(ContinuousProcessingTimeTrigger::of(millis(5)))
        .reduce(add);
    let output = harness.output(&summed);
    let mut job = harness.start().unwrap();
    job.advance(3).unwrap();
    input.push(event("a", 1), 0);
    job.settle().unwrap();
    job.advance(2).unwrap();
    input.push(event("a", 2), 0);
    job.settle().unwrap();
    job.advance(5).unwrap();
    assert_eq!(output.take_rows(), [event("a", 1), event("a", 3)]);
}

/// Fires once the values of a window add up to a limit; merges.
#[derive(Clone)]
struct SumTrigger {
    limit: i64,
}

impl<W: Window> Trigger<Event, W> for SumTrigger {
    type State = i64;

    fn on_element(
        &self,
        row: &Event,
        _timestamp: Millis,
        _window: &W,
        sum: &mut Option<i64>,
        _context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        let total = sum.unwrap_or(0) + row.1;
        if total < self.limit {
            *sum = Some(total);
            return Ok(TriggerResult::Continue);
        }
        *sum = None;
        Ok(TriggerResult::FireAndPurge)
    }

    fn can_merge(&self) -> bool {
        true
    }

    fn on_merge(
        &self,
        _window: &W,
        sum: &mut Option<i64>,
        merged: Vec<i64>,
        _context: &TriggerContext<'_>,
    ) -> Result<(), BoxError> {
        *sum = Some(sum.unwrap_or(0) + merged.iter().sum::<i64>());
        Ok(())
    }
}

#[test]
fn a_trigger_of_ones_own_keeps_state_a_window_which_merges() {
    let harness = Harness::new();
    let (mut input, stream) = harness.input::<Event>("input");
    let fired = stream
        .key_by(|event| event.0.clone())
        .window(EventTimeSessionWindows::with_gap(millis(10)))
        .trigger(SumTrigger { limit: 10 })
        .apply(|key: &String, window, rows: &[Event], _, out| {
            let values: Vec<i64> = rows.iter().map(|row| row.1).collect();
            out.collect((key.clone(), (window.start, window.end), values));
            Ok(())
        });
    let output = harness.output(&fired);
    let mut job = harness.start().unwrap();
    input.push(event("a", 4), 0);
    input.push(event("b", 4), 0);
    input.push(event("a", 5), 15);
    job.settle().unwrap();
    assert_eq!(output.take_rows(), []);
    // Joins both sessions of a, whose sums are 4 and 5.
    input.push(event("a", 1), 8);
    job.settle().unwrap();
    assert_eq!(
        output.take_rows(),
        [("a".to_owned(), (0, 25), vec![4, 5, 1])]
    );
    // What was purged does not count again.
    input.push(event("a", 9), 20);
    job.settle().unwrap();
    assert_eq!(output.take_rows(), []);
    input.push(event("a", 1), 21);
    job.settle().unwrap();
    assert_eq!(output.take_rows(), [("a".to_owned(), (0, 31), vec![9, 1])]);
}

/// Windows of a size that the row tells: their numbers say nothing of their end.
struct OwnSize;

impl WindowAssigner<Event> for OwnSize {
    type Window = TimeWindow;

    fn assign(
        &self,
        row: &Event,
        context: AssignContext,
        windows: &mut Vec<TimeWindow>,
    ) -> Result<(), BoxError> {
        let start = context.timestamp - context.timestamp.rem_euclid(row.1);
        windows.push(TimeWindow::of(start, row.1));
        Ok(())
    }

    fn default_trigger(&self) -> DefaultTrigger {
        DefaultTrigger::EventTime
    }

    fn is_event_time(&self) -> bool {
        true
    }
}

#[test]
fn windows_of_an_assigner_of_ones_own_are_told_apart() {
    let harness = Harness::new();
    let (mut input, stream) = harness.input::<Event>("input");
    let counted = stream
        .key_by(|event| event.0.clone())
        .window(OwnSize)
        .apply(|_, window, rows: &[Event], _, out| {
            out.collect((window.start, window.end, rows.len() as i64));
            Ok(())
        });
    let output = harness.output(&counted);
    let mut job = harness.start().unwrap();
    for size in [5, 10, 5, 10, 10] {
        input.push(event("a", size), 1);
    }
    input.watermark(4);
    job.settle().unwrap();
    assert_eq!(output.take_rows(), [(0, 5, 2)]);
    input.watermark(9);
    job.settle().unwrap();
    assert_eq!(output.take_rows(), [(0, 10, 3)]);
}

/// Emits how often a window has fired, and how many windows of the key have.
struct Firings {
    of_window: ValueState<i64>,
    of_key: ValueState<i64>,
    notes: SideOutput<String>,
}

impl WindowFunction<String, TimeWindow, Event, (i64, i64)> for Firings {
    fn apply(
        &mut self,
        key: &String,
        window: &TimeWindow,
        _sum: Event,
        context: &WindowContext<'_>,
        out: &mut Collector<'_, (i64, i64)>,
    ) -> Result<(), BoxError> {
        let of_window = self.of_window.get().unwrap_or(0) + 1;
        self.of_window.update(of_window);
        let of_key = self.of_key.get().unwrap_or(0) + 1;
        self.of_key.update(of_key);
        out.collect((of_window, of_key));
        let note = format!("{key} {} at {}", window.start, context.watermark());
        self.notes.emit(note, window.end);
        Ok(())
    }

    fn clear(
        &mut self,
        key: &String,
        window: &TimeWindow,
        _context: &WindowContext<'_>,
    ) -> Result<(), BoxError> {
        self.notes
            .emit(format!("{key} {} cleared", window.start), window.end);
        Ok(())
    }
}

#[test]
fn a_window_function_has_state_of_windows_and_of_keys_and_is_told_when_a_window_goes() {
    let harness = Harness::new();
    let (mut input, stream) = harness.input::<Event>("input");
    let tag = OutputTag::<String>::new("notes");
    let side = tag.clone();
    let fired = stream
        .key_by(|event| event.0.clone())
        .window(TumblingEventTimeWindows::of(millis(10)))
        .allowed_lateness(millis(5))
        .reduce_with(add, move |open| {
            Ok(Firings {
                of_window: open.window_value_state("of-window")?,
                of_key: open.value_state("of-key")?,
                notes: open.side_output(&side)?,
            })
        });
    let output = harness.output(&fired);
    let notes = harness.output(&fired.side_output(&tag));
    let mut job = harness.start().unwrap();
    input.push(event("a", 1), 0);
    input.watermark(9);
    input.push(event("a", 1), 1);
    input.push(event("a", 1), 12);
    input.watermark(30);
    job.settle().unwrap();
    assert_eq!(output.take(), [((1, 1), 9), ((2, 2), 9), ((1, 3), 19)]);
    assert_eq!(
        notes.take_rows(),
        [
            "a 0 at 9",
            "a 0 at 9",
            "a 0 cleared",
            "a 10 at 30",
            "a 10 cleared"
        ]
    );
}

#[test]
fn late_rows_that_nobody_takes_are_counted() {
    let harness = Harness::new();
    let (mut input, stream) = harness.input::<Event>("input");
    let windowed = stream
        .key_by(|event| event.0.clone())
        .window(TumblingEventTimeWindows::of(millis(10)));
    let by_pane = windowed.clone().reduce(add).name("by-pane");
    let general = windowed.without_slicing().reduce(add).name("general");
    harness.output(&by_pane);
    harness.output(&general);
    let mut job = harness.start().unwrap();
    input.watermark(20);
    input.push(event("a", 1), 3);
    input.push(event("a", 1), 19);
    input.push(event("a", 1), 21);
    job.settle().unwrap();
    for name in ["by-pane", "general"] {
        let operators = job.metrics().tasks.iter().flat_map(|task| &task.operators);
        let late: Vec<u64> = operators
            .filter(|operator| operator.name == name)
            .map(|operator| operator.metrics.late_dropped())
            .collect();
        assert_eq!(late, [2], "{name}");
    }
}

#[test]
fn a_window_over_all_rows_runs_in_one_subtask() {
    let harness = Harness::new();
    let (mut input, stream) = harness.input::<Event>("input");
    let spread = stream.rebalance().map(|event| event).parallelism(3);
    let output = harness.output(
        &spread
            .window_all(TumblingEventTimeWindows::of(millis(10)))
            .reduce(add),
    );
    let mut job = harness.start().unwrap();
    for value in 0..100 {
        input.push(event("a", value), value / 10);
    }
    input.end();
    job.settle().unwrap();
    assert_eq!(output.take_rows(), [event("a", 4950)]);
    assert!(job.is_finished());
}

fn problem(describe: impl FnOnce(DataStream<Event>)) -> String {
    let harness = Harness::new();
    let (_input, stream) = harness.input::<Event>("input");
    describe(stream);
    match harness.start() {
        Err(HarnessError::Job(error)) => error.to_string(),
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("the job starts"),
    }
}

#[test]
fn windows_that_make_no_sense_are_refused_before_the_job_starts() {
    let keyed = |stream: DataStream<Event>| stream.key_by(|event| event.0.clone());
    let zero = problem(|stream| {
        keyed(stream)
            .window(TumblingEventTimeWindows::of(Duration::ZERO))
            .reduce(add);
    });
    assert!(zero.contains("windows of size 0"), "{zero}");
    let slide = problem(|stream| {
        let windows = SlidingEventTimeWindows::of(millis(5), Duration::from_micros(1500));
        keyed(stream).window(windows).reduce(add);
    });
    assert!(slide.contains("whole milliseconds"), "{slide}");
    let offset = problem(|stream| {
        let windows = TumblingEventTimeWindows::of(millis(5)).offset_millis(-5);
        keyed(stream).window(windows).reduce(add);
    });
    assert!(offset.contains("offset -5 ms"), "{offset}");
    let merging = problem(|stream| {
        keyed(stream)
            .window(EventTimeSessionWindows::with_gap(millis(5)))
            .trigger(DeltaTrigger::of(1.0, |a: &Event, b: &Event| {
                (b.1 - a.1) as f64
            }))
            .reduce(add);
    });
    assert!(merging.contains("a trigger that can't"), "{merging}");
    let lateness = problem(|stream| {
        keyed(stream)
            .window(GlobalWindows::create())
            .allowed_lateness(millis(5))
            .reduce(add);
    });
    assert!(lateness.contains("allowed lateness"), "{lateness}");
    let all = problem(|stream| {
        let windows = TumblingEventTimeWindows::of(millis(5));
        stream.window_all(windows).reduce(add).parallelism(2);
    });
    assert!(all.contains("at most 1"), "{all}");
    let state = Harness::new();
    let (_input, stream) = state.input::<Event>("input");
    keyed(stream)
        .window(EventTimeSessionWindows::with_gap(millis(5)))
        .process(|open| {
            let _count = open.window_value_state::<i64>("count")?;
            Ok(
                |_: &String,
                 _: &TimeWindow,
                 _: &[Event],
                 _: &WindowContext<'_>,
                 _: &mut Collector<'_, i64>| Ok(()),
            )
        });
    let error = state.start().err().unwrap().to_string();
    assert!(error.contains("use state a key"), "{error}");
}

#[test]
fn a_row_without_a_timestamp_fails_a_job_with_windows_of_event_time() {
    for slicing in [true, false] {
        let harness = Harness::new();
        let (mut input, stream) = harness.input::<Event>("input");
        let mut windowed = stream
            .key_by(|event| event.0.clone())
            .window(TumblingEventTimeWindows::of(millis(5)));
        if !slicing {
            windowed = windowed.without_slicing();
        }
        harness.output(&windowed.reduce(add));
        let mut job = harness.start().unwrap();
        input.push(event("a", 1), MIN_TIMESTAMP);
        let error = job.settle().unwrap_err().to_string();
        assert!(error.contains("timestamp assigner"), "{error}");
    }
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

#[test]
fn a_window_of_many_keys_is_drained_in_slices_without_losing_or_repeating_one() {
    let harness = Harness::new();
    let (mut input, stream) = harness.input::<Event>("input");
    let counted = stream
        .key_by(|event| event.1)
        .window(SlidingEventTimeWindows::of(millis(20), millis(10)))
        .aggregate_apply(Count, |key, window, count, _, out| {
            out.collect((*key, window.start, count));
            Ok(())
        });
    let output = harness.output(&counted);
    let mut job = harness.start().unwrap();
    // Keys below 15,000 come in the first pane, those from 5,000 on in the second, and a few that
    // are far apart in the third.
    for key in 0..15_000 {
        input.push(event("", key), 5);
    }
    for key in 5_000..20_000 {
        input.push(event("", key), 15);
    }
    for key in (0..20_000).step_by(1_000) {
        input.push(event("", key), 25);
    }
    input.end();
    job.settle().unwrap();
    let mut rows = output.take_rows();
    rows.sort_unstable();
    let mut expected = Vec::new();
    for key in 0..20_000i64 {
        let panes = [
            i64::from(key < 15_000),
            i64::from(key >= 5_000),
            i64::from(key % 1_000 == 0),
        ];
        let counts = [
            (-10, panes[0]),
            (0, panes[0] + panes[1]),
            (10, panes[1] + panes[2]),
            (20, panes[2]),
        ];
        let held = counts.into_iter().filter(|(_, count)| *count > 0);
        expected.extend(held.map(|(start, count)| (key, start, count)));
    }
    assert!(rows == expected, "{} and {}", rows.len(), expected.len());
}
