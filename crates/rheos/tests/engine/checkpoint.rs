//! What a job remembers at a checkpoint, and goes on from: operators one by one, in the harness.

use rheos::harness::{Harness, TestCheckpoint, TestInput, TestOutput};
use rheos::prelude::*;

type Keyed = (u32, i64);

/// What goes into a job, one step after the other.
#[derive(Clone, Copy)]
enum Step {
    Row(u32, i64, i64),
    Watermark(i64),
}

/// A job of one input and one output, made anew for each life.
struct Life<T> {
    input: TestInput<Keyed>,
    output: TestOutput<T>,
    harness: Harness,
}

fn life<T: Row>(
    parallelism: u32,
    describe: &dyn Fn(&DataStream<Keyed>, u32) -> DataStream<T>,
) -> Life<T> {
    let harness = Harness::new();
    let (input, stream) = harness.input::<Keyed>("in");
    let output = harness.output(&describe(&stream, parallelism));
    Life {
        input,
        output,
        harness,
    }
}

fn feed(input: &mut TestInput<Keyed>, step: Step) {
    match step {
        Step::Row(key, value, at) => input.push((key, value), at),
        Step::Watermark(at) => input.watermark(at),
    }
}

fn sorted<T: Ord>(mut rows: Vec<T>) -> Vec<T> {
    rows.sort();
    rows
}

/// Runs the steps straight through, and again with a crash after each of them, restored each time with
/// the next of these parallelisms; both must give the same.
fn check<T: Row + Ord + std::fmt::Debug>(
    steps: &[Step],
    parallelisms: &[u32],
    describe: &dyn Fn(&DataStream<Keyed>, u32) -> DataStream<T>,
) -> Vec<T> {
    let mut straight = life(parallelisms[0], describe);
    let mut job = straight.harness.start().unwrap();
    for step in steps {
        feed(&mut straight.input, *step);
        job.settle().unwrap();
    }
    straight.input.end();
    job.settle().unwrap();
    assert!(job.is_finished());
    let expected = sorted(straight.output.take_rows());

    let mut got = Vec::new();
    let mut kept: Option<TestCheckpoint> = None;
    for crash in 0..=steps.len() {
        let mut now = life(parallelisms[crash % parallelisms.len()], describe);
        let read = (crash + 1).min(steps.len());
        steps[..read]
            .iter()
            .for_each(|step| feed(&mut now.input, *step));
        let mut job = match &kept {
            Some(checkpoint) => now.harness.restore(checkpoint).unwrap(),
            None => now.harness.start().unwrap(),
        };
        job.settle().unwrap();
        if crash == steps.len() {
            now.input.end();
            job.settle().unwrap();
            assert!(job.is_finished());
        } else {
            kept = Some(job.checkpoint().unwrap());
        }
        got.extend(now.output.take_rows());
    }
    assert_eq!(sorted(got), expected, "at {parallelisms:?}");
    expected
}

/// As [`check`], with barriers that overtake what the source has made of each step: it is in flight when
/// the job crashes.
fn check_in_flight<T: Row + Ord + std::fmt::Debug>(
    steps: &[Step],
    parallelism: u32,
    describe: &dyn Fn(&DataStream<Keyed>, u32) -> DataStream<T>,
    expected: &[T],
) {
    let mut got = Vec::new();
    let mut kept: Option<TestCheckpoint> = None;
    for crash in 0..=steps.len() {
        let mut now = life(parallelism, describe);
        let read = (crash + 1).min(steps.len());
        steps[..read]
            .iter()
            .for_each(|step| feed(&mut now.input, *step));
        let mut job = match &kept {
            Some(checkpoint) => now.harness.restore(checkpoint).unwrap(),
            None => now.harness.start().unwrap(),
        };
        if crash == steps.len() {
            now.input.end();
            job.settle().unwrap();
            assert!(job.is_finished());
            got.extend(now.output.take_rows());
        } else {
            job.step_sources().unwrap();
            kept = Some(job.unaligned_checkpoint().unwrap());
            got.extend(now.output.take_before(1));
        }
    }
    assert_eq!(sorted(got), expected, "in flight at {parallelism}");
}

/// At the same parallelism, with rows in flight and without, and with one change after the other.
fn check_all<T: Row + Ord + std::fmt::Debug>(
    steps: &[Step],
    describe: &dyn Fn(&DataStream<Keyed>, u32) -> DataStream<T>,
) -> Vec<T> {
    for parallelism in [1, 3] {
        let expected = check(steps, &[parallelism], describe);
        check_in_flight(steps, parallelism, describe, &expected);
    }
    check(steps, &[2, 3, 1, 5], describe)
}

/// Rows of many keys, out of order, with watermarks among them: some rows are late.
fn steps() -> Vec<Step> {
    let mut steps = Vec::new();
    let mut number = 1u64;
    for round in 0..12i64 {
        for _ in 0..6 {
            number = number
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let key = (number >> 33) % 7;
            let at = round * 1000 + ((number >> 40) % 4500) as i64 - 3500;
            steps.push(Step::Row(key as u32, (number >> 50) as i64, at.max(0)));
        }
        steps.push(Step::Watermark(round * 1000));
    }
    steps
}

struct Sum;

impl AggregateFunction for Sum {
    type In = Keyed;
    type Acc = i64;
    type Out = i64;

    fn create_accumulator(&self) -> i64 {
        0
    }

    fn add(&self, sum: &mut i64, row: Keyed) {
        *sum += row.1;
    }

    fn get_result(&self, sum: &i64) -> i64 {
        *sum
    }

    fn merge(&self, into: &mut i64, from: i64) {
        *into += from;
    }
}

/// Counts the rows of a key, and says how many there were a second after each of them.
struct Counting {
    count: ValueState<i64>,
    seen: MapState<i64, i64>,
}

impl KeyedProcessFunction<u32, Keyed, (u32, i64, i64)> for Counting {
    fn process(
        &mut self,
        row: Keyed,
        context: &KeyedContext<'_, u32>,
        _out: &mut Collector<'_, (u32, i64, i64)>,
    ) -> Result<(), BoxError> {
        self.count.update(self.count.get().unwrap_or(0) + 1);
        self.seen
            .insert(row.1 % 5, context.timestamp().unwrap_or(0));
        context.register_event_time_timer(context.timestamp().unwrap_or(0) + 1000);
        Ok(())
    }

    fn on_timer(
        &mut self,
        timestamp: i64,
        _domain: TimeDomain,
        context: &KeyedContext<'_, u32>,
        out: &mut Collector<'_, (u32, i64, i64)>,
    ) -> Result<(), BoxError> {
        let seen: i64 = self.seen.entries().iter().map(|(key, at)| key + at).sum();
        out.collect((
            *context.key(),
            timestamp,
            self.count.get().unwrap_or(0) * 1_000_000 + seen,
        ));
        Ok(())
    }
}

fn counting(stream: &DataStream<Keyed>, parallelism: u32) -> DataStream<(u32, i64, i64)> {
    stream
        .key_by(|row: &Keyed| row.0)
        .process(|open| {
            Ok(Counting {
                count: open.value_state("count")?,
                seen: open.map_state("seen")?,
            })
        })
        .parallelism(parallelism)
}

#[test]
fn values_maps_and_timers_outlive_crashes_and_rescaling() {
    let rows = check_all(&steps(), &counting);
    assert!(rows.len() > 40);
}

fn windows_of<A>(
    assigner: A,
    slicing: bool,
) -> impl Fn(&DataStream<Keyed>, u32) -> DataStream<(u32, i64, i64)>
where
    A: rheos::runtime::window::assigner::WindowAssigner<Keyed, Window = TimeWindow> + Clone,
{
    move |stream, parallelism| {
        let late: OutputTag<Keyed> = OutputTag::new("late");
        let mut windows = stream.key_by(|row: &Keyed| row.0).window(assigner.clone());
        if !slicing {
            windows = windows.without_slicing();
        }
        let windows = windows
            .allowed_lateness(Duration::from_millis(700))
            .side_output_late_data(&late)
            .aggregate_apply(
                Sum,
                |key: &u32,
                 window: &TimeWindow,
                 sum: i64,
                 _: &WindowContext<'_>,
                 out: &mut Collector<'_, (u32, i64, i64)>| {
                    out.collect((*key, window.start, sum));
                    Ok(())
                },
            )
            .parallelism(parallelism);
        let late = windows
            .side_output(&late)
            .map(|row: Keyed| (row.0, -1, row.1));
        windows.union(&late)
    }
}

#[test]
fn a_window_that_was_purged_is_not_opened_anew_and_none_fires_twice() {
    let rows = check_all(
        &steps(),
        &windows_of(TumblingEventTimeWindows::of(Duration::from_secs(1)), true),
    );
    assert!(rows.iter().any(|row| row.1 < 0), "some rows are late");
}

#[test]
fn sliding_windows_go_on() {
    check_all(
        &steps(),
        &windows_of(
            SlidingEventTimeWindows::of(Duration::from_secs(3), Duration::from_secs(1)),
            true,
        ),
    );
}

#[test]
fn sessions_go_on() {
    check_all(
        &steps(),
        &windows_of(
            EventTimeSessionWindows::with_gap(Duration::from_millis(400)),
            true,
        ),
    );
}

#[test]
fn windows_that_are_kept_one_by_one_go_on() {
    let tumbling = TumblingEventTimeWindows::of(Duration::from_secs(1));
    check_all(&steps(), &windows_of(tumbling, false));
}

#[test]
fn an_interval_join_keeps_both_sides() {
    let rows = check_all(&steps(), &|stream, parallelism| {
        let doubled = stream.map(|row: Keyed| (row.0, row.1 * 2));
        stream
            .key_by(|row: &Keyed| row.0)
            .interval_join(&doubled.key_by(|row: &Keyed| row.0))
            .between(-600, 300)
            .process(
                |left: &Keyed,
                 right: &Keyed,
                 context: &JoinContext<'_>,
                 out: &mut Collector<'_, (u32, i64, i64)>| {
                    out.collect((left.0, context.timestamp(), left.1 + right.1));
                    Ok(())
                },
            )
            .parallelism(parallelism)
    });
    assert!(rows.len() > 40);
}

/// A row a key, then another one of every key behind the barrier: what the checkpoint holds of a key
/// must be what the first has left, however far its state is written when the second comes.
fn half_written<T: Row + Ord + std::fmt::Debug>(
    parallelism: u32,
    describe: &dyn Fn(&DataStream<Keyed>, u32) -> DataStream<T>,
) {
    const KEYS: u32 = 30_000;
    let first = |input: &mut TestInput<Keyed>| {
        for key in 0..KEYS {
            input.push((key, 1), i64::from(key % 50 * 20));
        }
        input.watermark(500);
    };
    let second = |input: &mut TestInput<Keyed>| {
        for key in 0..KEYS {
            input.push((key * 7 % KEYS, 10), i64::from(1_000 + key % 50 * 20));
        }
        input.watermark(2_500);
        for key in 0..KEYS {
            input.push((KEYS - key, 100), i64::from(1_500 + key % 50 * 20));
        }
    };
    let mut straight = life(parallelism, describe);
    let mut job = straight.harness.start().unwrap();
    first(&mut straight.input);
    second(&mut straight.input);
    straight.input.end();
    job.settle().unwrap();
    let expected = sorted(straight.output.take_rows());

    let mut before = life(parallelism, describe);
    let mut job = before.harness.start().unwrap();
    first(&mut before.input);
    job.settle().unwrap();
    let mut got = before.output.take_rows();
    let checkpoint = job.checkpoint_before(|| second(&mut before.input)).unwrap();
    drop(job);
    let mut after = life(parallelism, describe);
    first(&mut after.input);
    second(&mut after.input);
    after.input.end();
    let mut job = after.harness.restore(&checkpoint).unwrap();
    job.settle().unwrap();
    got.extend(after.output.take_rows());
    assert_eq!(sorted(got), expected, "at {parallelism}");
}

#[test]
fn a_snapshot_is_of_the_barrier_though_everything_changes_while_it_is_written() {
    let second = Duration::from_secs(1);
    let tumbling = TumblingEventTimeWindows::of(second);
    let sliding = SlidingEventTimeWindows::of(Duration::from_secs(3), second);
    let sessions = EventTimeSessionWindows::with_gap(Duration::from_millis(1_300));
    for parallelism in [1, 3] {
        half_written(parallelism, &counting);
        half_written(parallelism, &windows_of(tumbling, true));
        half_written(parallelism, &windows_of(tumbling, false));
        half_written(parallelism, &windows_of(sliding, true));
        half_written(parallelism, &windows_of(sessions, true));
    }
}
