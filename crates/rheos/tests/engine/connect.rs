//! Connected and broadcast streams through the harness.

use rheos::harness::{Harness, HarnessError};
use rheos::prelude::*;

type Tested = Result<(), HarnessError>;

#[test]
fn both_streams_are_mapped_into_one() -> Tested {
    let harness = Harness::new();
    let (mut numbers, first) = harness.input::<i64>("numbers");
    let (mut words, second) = harness.input::<String>("words");
    let output = harness.output(&first.connect(&second).map(|n| n.to_string(), |word| word));
    let mut job = harness.start()?;
    numbers.push(1, 10);
    words.push("one".into(), 20);
    job.settle()?;
    let mut rows = output.take();
    rows.sort();
    assert_eq!(rows, [("1".to_owned(), 10), ("one".to_owned(), 20)]);
    Ok(())
}

#[test]
fn a_row_may_become_more_rows_than_fit_anywhere() -> Tested {
    let harness = Harness::new();
    let (mut left, first) = harness.input::<u64>("left");
    let (mut right, second) = harness.input::<u64>("right");
    let both = first.connect(&second).flat_map(|n| 0..n, |n| (0..n).rev());
    let output = harness.output(&both.rebalance().map(|n| n).parallelism(2));
    let mut job = harness.start()?;
    left.push(100_000, 0);
    left.push(2, 0);
    right.push(100_000, 0);
    job.settle()?;
    // The barrier can only pass once the rows before it have left.
    let checkpoint = job.trigger_barrier();
    left.push(3, 0);
    job.settle()?;
    assert!(!job.passed(checkpoint).is_empty());
    let rows = output.take_rows();
    assert_eq!(rows.len(), 200_005);
    assert_eq!(rows.iter().sum::<u64>(), 2 * (99_999 * 100_000 / 2) + 1 + 3);
    Ok(())
}

/// Matches orders with payments; what has no partner by its time-out goes to a side output.
struct Match {
    order: ValueState<i64>,
    payment: ValueState<i64>,
    alone: SideOutput<String>,
}

impl KeyedCoProcessFunction<u64, (u64, i64), (u64, i64), String> for Match {
    fn process1(
        &mut self,
        row: (u64, i64),
        context: &KeyedContext<'_, u64>,
        out: &mut Collector<'_, String>,
    ) -> Result<(), BoxError> {
        let timestamp = context.timestamp().unwrap_or(0);
        if let Some(payment) = self.payment.take() {
            context.delete_event_time_timer(payment + 100);
            out.collect(format!(
                "{} order {timestamp} after payment {payment}",
                row.0
            ));
        } else {
            self.order.update(timestamp);
            context.register_event_time_timer(timestamp + 100);
        }
        Ok(())
    }

    fn process2(
        &mut self,
        row: (u64, i64),
        context: &KeyedContext<'_, u64>,
        out: &mut Collector<'_, String>,
    ) -> Result<(), BoxError> {
        let timestamp = context.timestamp().unwrap_or(0);
        if let Some(order) = self.order.take() {
            context.delete_event_time_timer(order + 100);
            out.collect(format!("{} payment {timestamp} after order {order}", row.0));
        } else {
            self.payment.update(timestamp);
            context.register_event_time_timer(timestamp + 100);
        }
        Ok(())
    }

    fn on_timer(
        &mut self,
        timestamp: Millis,
        domain: TimeDomain,
        context: &KeyedContext<'_, u64>,
        out: &mut Collector<'_, String>,
    ) -> Result<(), BoxError> {
        if domain == TimeDomain::ProcessingTime {
            out.collect("tick".to_owned());
            return Ok(());
        }
        let what = if self.order.take().is_some() {
            "order"
        } else {
            "payment"
        };
        self.payment.clear();
        self.alone
            .emit(format!("{} {what} alone", context.key()), timestamp);
        context.register_processing_time_timer(context.processing_time() + 5);
        Ok(())
    }
}

#[test]
fn keyed_streams_share_state_and_timers_at_any_parallelism() -> Tested {
    for parallelism in [1, 3] {
        let harness = Harness::new();
        let (mut orders, first) = harness.input::<(u64, i64)>("orders");
        let (mut payments, second) = harness.input::<(u64, i64)>("payments");
        let alone = OutputTag::<String>::new("alone");
        let tag = alone.clone();
        let matched = first
            .connect(&second)
            .key_by(|order| order.0, |payment| payment.0)
            .process(move |open| {
                Ok(Match {
                    order: open.value_state("order")?,
                    payment: open.value_state("payment")?,
                    alone: open.side_output(&tag)?,
                })
            })
            .parallelism(parallelism);
        let output = harness.output(&matched);
        let left = harness.output(&matched.side_output(&alone));
        let mut job = harness.start()?;
        for key in 0..20 {
            orders.push((key, 0), 10);
        }
        job.settle()?;
        for key in 0..10 {
            payments.push((key, 0), 20);
        }
        payments.push((99, 0), 50);
        job.settle()?;
        assert_eq!(output.take_rows().len(), 10);
        orders.watermark(1000);
        payments.watermark(120);
        job.settle()?;
        assert_eq!(
            left.take().len(),
            10,
            "the watermark is that of the slower stream"
        );
        payments.watermark(150);
        job.settle()?;
        assert_eq!(left.take(), [("99 payment alone".to_owned(), 150)]);
        job.advance(5)?;
        assert_eq!(output.take_rows().len(), 11);
        orders.end();
        payments.end();
        job.settle()?;
        assert!(job.is_finished());
    }
    Ok(())
}

/// Emits the watermarks that it sees, by a timer at each of some times.
struct Watermarks;

impl KeyedCoProcessFunction<(), i64, i64, i64> for Watermarks {
    fn process1(
        &mut self,
        row: i64,
        context: &KeyedContext<'_, ()>,
        _out: &mut Collector<'_, i64>,
    ) -> Result<(), BoxError> {
        context.register_event_time_timer(row);
        Ok(())
    }

    fn process2(
        &mut self,
        row: i64,
        context: &KeyedContext<'_, ()>,
        out: &mut Collector<'_, i64>,
    ) -> Result<(), BoxError> {
        self.process1(row, context, out)
    }

    fn on_timer(
        &mut self,
        _timestamp: Millis,
        _domain: TimeDomain,
        context: &KeyedContext<'_, ()>,
        out: &mut Collector<'_, i64>,
    ) -> Result<(), BoxError> {
        out.collect(context.watermark());
        Ok(())
    }
}

#[test]
fn an_idle_input_holds_nothing_back_until_its_next_watermark() -> Tested {
    let harness = Harness::new();
    let (mut left, first) = harness.input::<i64>("left");
    let (mut right, second) = harness.input::<i64>("right");
    let seen = first
        .connect(&second)
        .key_by(|_| (), |_| ())
        .process(|_| Ok(Watermarks));
    // A second operator behind an exchange: it must not overlook a watermark after idleness.
    let again = seen
        .rebalance()
        .key_by(|_| ())
        .process(|_| Ok(Again))
        .parallelism(1);
    let (output, downstream) = (harness.output(&seen), harness.output(&again));
    let mut job = harness.start()?;
    for at in [10, 20, 30, 40, 50] {
        left.push(at, 0);
    }
    left.watermark(15);
    job.settle()?;
    assert_eq!(output.take_rows(), [0i64; 0]);
    right.idle();
    job.settle()?;
    assert_eq!(output.take_rows(), [15]);
    left.watermark(20);
    job.settle()?;
    assert_eq!(output.take_rows(), [20]);
    left.idle();
    job.settle()?;
    // All idle: the greatest watermark of all, which has been seen.
    assert_eq!(output.take_rows(), [0i64; 0]);
    // A watermark makes its input active again, and is itself seen downstream.
    right.watermark(30);
    job.settle()?;
    assert_eq!(output.take_rows(), [30]);
    assert_eq!(downstream.take_rows(), [15, 20, 30]);
    left.watermark(50);
    job.settle()?;
    assert_eq!(output.take_rows(), [0i64; 0]);
    right.end();
    left.end();
    job.settle()?;
    assert_eq!(output.take_rows(), [50, 50]);
    Ok(())
}

/// Emits each row once the watermark has reached it.
struct Again;

impl KeyedProcessFunction<(), i64, i64> for Again {
    fn process(
        &mut self,
        row: i64,
        context: &KeyedContext<'_, ()>,
        _out: &mut Collector<'_, i64>,
    ) -> Result<(), BoxError> {
        context.register_event_time_timer(row);
        Ok(())
    }

    fn on_timer(
        &mut self,
        timestamp: Millis,
        _domain: TimeDomain,
        _context: &KeyedContext<'_, ()>,
        out: &mut Collector<'_, i64>,
    ) -> Result<(), BoxError> {
        out.collect(timestamp);
        Ok(())
    }
}

/// Passes words with a rule for their length; counts by key, and tells the counts when asked.
struct Ruled {
    rules: BroadcastHandle<u32, String>,
    asked: BroadcastHandle<(), u32>,
    count: ValueState<i64>,
}

impl KeyedBroadcastProcessFunction<String, String, (u32, String), String> for Ruled {
    fn process(
        &mut self,
        word: String,
        context: &KeyedReadOnlyContext<'_, String>,
        out: &mut Collector<'_, String>,
    ) -> Result<(), BoxError> {
        *self.count.get_or_insert_with(|| 0) += 1;
        context.register_event_time_timer(100);
        let rule = context
            .broadcast_state(&self.rules)
            .get(&(word.len() as u32));
        if let Some(rule) = rule {
            out.collect(format!("{rule} {word}"));
        }
        Ok(())
    }

    fn process_broadcast(
        &mut self,
        (length, rule): (u32, String),
        context: &KeyedBroadcastContext<'_, String>,
        out: &mut Collector<'_, String>,
    ) -> Result<(), BoxError> {
        assert_eq!(self.count.get(), None, "no key is at hand");
        if rule == "?" {
            context
                .broadcast_state(&self.asked)
                .upsert((), 0, |asked| *asked += 1);
            context.apply_to_keyed_state(&self.count, |key, count| {
                out.collect(format!("{key}={}", count.take().unwrap_or(0)));
                Ok(())
            })?;
            assert_eq!(self.count.get(), None, "no key is at hand");
        } else if rule == "!" {
            self.count.update(1);
        } else {
            context.broadcast_state(&self.rules).insert(length, rule);
        }
        Ok(())
    }

    fn on_timer(
        &mut self,
        _timestamp: Millis,
        _domain: TimeDomain,
        context: &KeyedReadOnlyContext<'_, String>,
        out: &mut Collector<'_, String>,
    ) -> Result<(), BoxError> {
        let asked = context.broadcast_state(&self.asked).get(&());
        let (key, count) = (context.key(), self.count.get());
        out.collect(format!("{key}: {count:?}, asked {asked:?}"));
        Ok(())
    }
}

fn sorted(mut rows: Vec<String>) -> Vec<String> {
    rows.sort();
    rows
}

#[test]
fn broadcast_rows_reach_all_subtasks_and_the_state_of_all_keys() -> Tested {
    for parallelism in [1, 3] {
        let harness = Harness::new();
        let (mut words, first) = harness.input::<String>("words");
        let (mut rules, second) = harness.input::<(u32, String)>("rules");
        let by_length = BroadcastStateDescriptor::<u32, String>::new("rules");
        let asked = BroadcastStateDescriptor::<(), u32>::new("asked");
        let broadcast = second.broadcast_state(&[&by_length, &asked]);
        let ruled = first
            .key_by(|word| word.clone())
            .connect_broadcast(&broadcast)
            .process(move |open| {
                Ok(Ruled {
                    rules: open.broadcast_state(&by_length)?,
                    asked: open.broadcast_state(&asked)?,
                    count: open.value_state("count")?,
                })
            })
            .parallelism(parallelism);
        let output = harness.output(&ruled);
        let mut job = harness.start()?;
        rules.push((3, "three".into()), 0);
        job.settle()?;
        for word in ["one", "two", "three", "six", "one"] {
            words.push(word.into(), 1);
        }
        job.settle()?;
        assert_eq!(
            sorted(output.take_rows()),
            ["three one", "three one", "three six", "three two"]
        );
        rules.push((0, "?".into()), 0);
        job.settle()?;
        assert_eq!(
            sorted(output.take_rows()),
            ["one=2", "six=1", "three=1", "two=1"]
        );
        words.push("one".into(), 2);
        job.settle()?;
        output.take_rows();
        words.watermark(200);
        rules.watermark(200);
        job.settle()?;
        assert_eq!(
            sorted(output.take_rows()),
            [
                "one: Some(1), asked Some(1)",
                "six: None, asked Some(1)",
                "three: None, asked Some(1)",
                "two: None, asked Some(1)"
            ]
        );
        rules.push((0, "!".into()), 0);
        let error = job.settle().unwrap_err().to_string();
        assert!(error.contains("no key was at hand"), "{error}");
    }
    Ok(())
}

#[test]
fn a_broadcast_state_that_was_not_declared_is_told_when_the_job_opens() {
    let harness = Harness::new();
    let (_words, first) = harness.input::<String>("words");
    let (_rules, second) = harness.input::<u32>("rules");
    struct Nothing(#[allow(dead_code, reason = "opened, not used")] BroadcastHandle<u32, u32>);
    impl BroadcastProcessFunction<String, u32, String> for Nothing {
        fn process(
            &mut self,
            _: String,
            _: &ReadOnlyContext<'_>,
            _: &mut Collector<'_, String>,
        ) -> Result<(), BoxError> {
            Ok(())
        }
        fn process_broadcast(
            &mut self,
            _: u32,
            _: &BroadcastContext<'_>,
            _: &mut Collector<'_, String>,
        ) -> Result<(), BoxError> {
            Ok(())
        }
    }
    let known = BroadcastStateDescriptor::<u32, u32>::new("known");
    let stream = first
        .connect_broadcast(&second.broadcast_state(&[&known]))
        .process(|open| {
            Ok(Nothing(open.broadcast_state(
                &BroadcastStateDescriptor::new("unknown"),
            )?))
        });
    harness.output(&stream);
    let error = harness.start().map(|_| ()).unwrap_err().to_string();
    assert!(
        error.contains("'unknown'") && error.contains("known"),
        "{error}"
    );
}
