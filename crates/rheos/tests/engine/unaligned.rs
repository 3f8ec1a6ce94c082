//! Unaligned checkpoints of whole jobs: whatever is in flight, wherever the job crashes, and at what
//! parallelism it goes on, each row is processed once, and those of a channel in their order.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rheos::core::barrier::Alignment;
use rheos::harness::{Harness, TestCheckpoint, TestInput, TestJob, TestOutput};
use rheos::prelude::*;

/// Key, and a number that rises with each row of the input.
type Keyed = (u32, u64);
/// Key, which row of the key it is, and its number.
type Counted = (u32, u64, u64);

struct Counting {
    count: ValueState<u64>,
}

impl KeyedProcessFunction<u32, Keyed, Counted> for Counting {
    fn process(
        &mut self,
        row: Keyed,
        _context: &KeyedContext<'_, u32>,
        out: &mut Collector<'_, Counted>,
    ) -> Result<(), BoxError> {
        let count = self.count.get().unwrap_or(0) + 1;
        self.count.update(count);
        out.collect((row.0, count, row.1));
        Ok(())
    }
}

struct Life {
    input: TestInput<Keyed>,
    output: TestOutput<Counted>,
    harness: Harness,
}

/// A keyed count, a map at another parallelism with a row that becomes several and one again, and a
/// second keyed exchange before the sink.
fn life(parallelism: u32, credit: usize) -> Life {
    let harness = Harness::new().with_credit(credit);
    let (input, stream) = harness.input::<Keyed>("in");
    let counted = stream
        .key_by(|row: &Keyed| row.0)
        .process(|open| {
            Ok(Counting {
                count: open.value_state("count")?,
            })
        })
        .parallelism(parallelism);
    let copied = counted
        .rebalance()
        .flat_map(|row: Counted| [row, row])
        .parallelism(parallelism % 3 + 1);
    let merged = copied
        .key_by(|row: &Counted| row.0)
        .process(|open| {
            Ok(Pairs {
                seen: open.map_state("seen")?,
            })
        })
        .parallelism(parallelism);
    let output = harness.output(&merged);
    Life {
        input,
        output,
        harness,
    }
}

/// Lets a row through when it comes for the second time.
struct Pairs {
    seen: MapState<u64, u64>,
}

impl KeyedProcessFunction<u32, Counted, Counted> for Pairs {
    fn process(
        &mut self,
        row: Counted,
        _context: &KeyedContext<'_, u32>,
        out: &mut Collector<'_, Counted>,
    ) -> Result<(), BoxError> {
        match self.seen.get(&row.2) {
            None => self.seen.insert(row.2, 1),
            Some(times) => {
                self.seen.insert(row.2, times + 1);
                out.collect((row.0, row.1, row.2 + (times - 1) * 1_000_000));
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone)]
enum Op {
    Push(u64),
    Step(usize),
    Begin { aligned: bool },
    Crash(u32),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (1..20u64).prop_map(Op::Push),
        12 => (0..16usize).prop_map(Op::Step),
        4 => prop::bool::weighted(0.2).prop_map(|aligned| Op::Begin { aligned }),
        1 => (1..5u32).prop_map(Op::Crash),
    ]
}

struct World {
    credit: usize,
    rows: Vec<Keyed>,
    life: Life,
    job: TestJob,
    kept: Option<TestCheckpoint>,
    /// Checkpoints that this life has completed.
    completed: u64,
    under_way: bool,
    committed: Vec<Counted>,
}

impl World {
    fn new(credit: usize) -> Self {
        let life = life(2, credit);
        let job = life.harness.start().unwrap();
        Self {
            credit,
            rows: Vec::new(),
            life,
            job,
            kept: None,
            completed: 0,
            under_way: false,
            committed: Vec::new(),
        }
    }

    fn run(&mut self, op: &Op) {
        match *op {
            Op::Push(rows) => {
                for _ in 0..rows {
                    let number = self.rows.len() as u64;
                    let row = ((number * number % 11) as u32, number);
                    self.rows.push(row);
                    self.life.input.push(row, number as i64);
                }
            }
            Op::Step(task) => {
                let tasks = self.job.tasks();
                self.job.step_task(task % tasks).unwrap();
            }
            Op::Begin { aligned } if !self.under_way => {
                let alignment = match aligned {
                    true => Alignment::Aligned,
                    false => Alignment::Unaligned { after_millis: 0 },
                };
                self.job.begin_checkpoint(alignment).unwrap();
                self.under_way = true;
            }
            Op::Begin { .. } => {}
            Op::Crash(parallelism) => self.crash(parallelism),
        }
        if self.under_way && self.job.checkpoint_is_taken() {
            self.kept = Some(self.job.end_checkpoint().unwrap());
            self.under_way = false;
            self.completed += 1;
            self.committed
                .extend(self.life.output.take_before(self.completed));
        }
    }

    fn crash(&mut self, parallelism: u32) {
        let mut life = life(parallelism, self.credit);
        for row in &self.rows {
            life.input.push(*row, row.1 as i64);
        }
        self.job = match &self.kept {
            Some(kept) => life.harness.restore(kept).unwrap(),
            None => life.harness.start().unwrap(),
        };
        self.life = life;
        self.completed = 0;
        self.under_way = false;
    }

    fn finish(mut self) -> (Vec<Keyed>, Vec<Counted>) {
        self.life.input.end();
        self.job.settle().unwrap();
        assert!(self.job.is_finished());
        self.committed.extend(self.life.output.take_rows());
        (self.rows, self.committed)
    }
}

/// Each row once; and of each key the n-th row is the n-th of the input.
fn check(rows: &[Keyed], mut committed: Vec<Counted>) {
    committed.sort_unstable_by_key(|row| row.2);
    let numbers: Vec<u64> = committed.iter().map(|row| row.2).collect();
    let expected: Vec<u64> = rows.iter().map(|row| row.1).collect();
    assert_eq!(numbers, expected, "each row once");
    let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
    for (key, count, number) in committed {
        let nth = counts.entry(key).or_default();
        *nth += 1;
        assert_eq!(count, *nth, "row {number} of key {key} is not in its place");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn every_row_is_processed_once_wherever_it_was(
        credit in 32..4_000usize,
        ops in prop::collection::vec(op(), 0..160),
    ) {
        let mut world = World::new(credit);
        for op in &ops {
            world.run(op);
        }
        let (rows, committed) = world.finish();
        check(&rows, committed);
    }
}

/// A job whose last task takes nothing: with the credit used up, an aligned barrier would wait.
#[test]
fn a_barrier_gets_through_without_credit_and_what_it_overtook_comes_again() {
    let pressed = |aligned: bool| {
        let mut world = World::new(64);
        world.run(&Op::Push(500));
        let last = world.job.tasks() - 1;
        let press = |world: &mut World| {
            for _ in 0..20 {
                (0..last).for_each(|task| world.run(&Op::Step(task)));
            }
        };
        press(&mut world);
        world.run(&Op::Begin { aligned });
        press(&mut world);
        assert!(world.under_way, "the last task has not been asked");
        world.run(&Op::Step(last));
        world
    };
    assert!(pressed(true).under_way, "the barrier waits for credit");
    let mut world = pressed(false);
    assert!(!world.under_way, "the barrier waits for nothing");
    world.run(&Op::Crash(3));
    let (rows, committed) = world.finish();
    assert_eq!(rows.len(), 500);
    check(&rows, committed);
}

struct Count;

impl AggregateFunction for Count {
    type In = Keyed;
    type Acc = u64;
    type Out = u64;

    fn create_accumulator(&self) -> u64 {
        0
    }

    fn add(&self, count: &mut u64, _row: Keyed) {
        *count += 1;
    }

    fn get_result(&self, count: &u64) -> u64 {
        *count
    }

    fn merge(&self, into: &mut u64, from: u64) {
        *into += from;
    }
}

/// How many rows are in each window, and those that came too late for it.
fn windowed(parallelism: u32) -> (TestInput<Keyed>, TestOutput<(u32, i64, u64)>, Harness) {
    let harness = Harness::new();
    let (input, stream) = harness.input::<Keyed>("in");
    let late: OutputTag<Keyed> = OutputTag::new("late");
    let windows = stream
        .key_by(|row: &Keyed| row.0)
        .window(TumblingEventTimeWindows::of(Duration::from_millis(10)))
        .side_output_late_data(&late)
        .aggregate_apply(
            Count,
            |key: &u32,
             window: &TimeWindow,
             count: u64,
             _: &WindowContext<'_>,
             out: &mut Collector<'_, (u32, i64, u64)>| {
                out.collect((*key, window.start, count));
                Ok(())
            },
        )
        .parallelism(parallelism);
    let late = windows
        .side_output(&late)
        .map(|row: Keyed| (row.0, -1, row.1));
    let output = harness.output(&windows.union(&late));
    (input, output, harness)
}

/// Rows out of order with watermarks between them, all in flight when the barrier overtakes them: what
/// is late stays late, and nothing else becomes it.
#[test]
fn watermarks_in_flight_keep_their_places() {
    let feed = |input: &mut TestInput<Keyed>| {
        for number in 0..200u64 {
            let at = (number * 7 % 40 + number) as i64;
            input.push(((number % 5) as u32, number), at);
            if number % 9 == 8 {
                input.watermark(number as i64 + 12);
            }
        }
    };
    for parallelism in [1, 3] {
        let (mut input, output, harness) = windowed(parallelism);
        let mut job = harness.start().unwrap();
        feed(&mut input);
        input.end();
        job.settle().unwrap();
        let mut expected = output.take_rows();
        assert!(expected.iter().any(|row| row.1 < 0), "some rows are late");

        let (mut input, output, harness) = windowed(parallelism);
        let mut job = harness.start().unwrap();
        feed(&mut input);
        job.step_sources().unwrap();
        let kept = job.unaligned_checkpoint().unwrap();
        let mut got = output.take_before(1);
        drop(job);
        let mut job = harness.restore(&kept).unwrap();
        input.end();
        job.settle().unwrap();
        got.extend(output.take_rows());
        expected.sort_unstable();
        got.sort_unstable();
        assert_eq!(got, expected, "at parallelism {parallelism}");
    }
}

/// Both sides of the last exchange come to one parallelism and are chained: what was in flight between
/// them comes first to the operator behind it, at whatever parallelism that is.
#[test]
fn rows_in_flight_before_an_exchange_that_is_gone_come_first() {
    fn life(before: u32, behind: u32) -> Life {
        let harness = Harness::new().with_credit(64);
        let (input, stream) = harness.input::<Keyed>("in");
        let spread = stream
            .rebalance()
            .map(|row: Keyed| row)
            .name("before")
            .parallelism(before)
            .map(|row: Keyed| (row.0, 1, row.1))
            .name("behind")
            .parallelism(behind);
        let output = harness.output(&spread.rebalance());
        Life {
            input,
            output,
            harness,
        }
    }
    for (before, behind) in [(1, 1), (2, 2), (3, 3)] {
        let mut first = life(3, 2);
        let rows: Vec<Keyed> = (0..300).map(|number| (0, number)).collect();
        for row in &rows {
            first.input.push(*row, row.1 as i64);
        }
        let mut job = first.harness.start().unwrap();
        // The source and the tasks before the exchange run until its credit is used up.
        let upstream = 1 + 3;
        for _ in 0..50 {
            for task in 0..upstream {
                job.step_task(task).unwrap();
            }
        }
        let alignment = Alignment::Unaligned { after_millis: 0 };
        job.begin_checkpoint(alignment).unwrap();
        while !job.checkpoint_is_taken() {
            for task in 0..job.tasks() {
                job.step_task(task).unwrap();
            }
        }
        let kept = job.end_checkpoint().unwrap();
        let mut committed = first.output.take_before(1);
        let mut second = life(before, behind);
        for row in &rows {
            second.input.push(*row, row.1 as i64);
        }
        second.input.end();
        let mut job = second.harness.restore(&kept).unwrap();
        job.settle().unwrap();
        assert!(job.is_finished());
        committed.extend(second.output.take_rows());
        let mut numbers: Vec<u64> = committed.iter().map(|row| row.2).collect();
        numbers.sort_unstable();
        let expected: Vec<u64> = rows.iter().map(|row| row.1).collect();
        assert_eq!(numbers, expected, "parallelism {before} and {behind}");
    }
}
