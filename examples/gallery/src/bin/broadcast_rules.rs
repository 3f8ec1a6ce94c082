//! Rules that change while the job runs: one stream broadcast to every subtask of another.
//!
//! Flink: `orders.keyBy(…).connect(rules.broadcast(descriptor)).process(new
//! KeyedBroadcastProcessFunction…)`. Two streams come in no order between them, so an order could be
//! judged before the rule that holds for it has come in. Here each order waits for the watermark of
//! *both* streams to pass its time, in keyed state and by a timer: from then on every rule of that
//! time is known. The result is the same however the streams interleave, and at any parallelism.

use std::process::ExitCode;

use rheos::prelude::*;
use rheos_connectors::{CollectionSource, PrintSink};

#[derive(Row, Clone)]
struct Order {
    customer: String,
    at: Millis,
    total: i64,
}

/// From this time on, orders above this total are to be looked at by a person.
#[derive(Row, Clone)]
struct Limit {
    from: Millis,
    total: i64,
}

struct Judge {
    limits: BroadcastHandle<Millis, i64>,
    waiting: ListState<Order>,
}

impl KeyedBroadcastProcessFunction<String, Order, Limit, String> for Judge {
    fn process(
        &mut self,
        order: Order,
        context: &KeyedReadOnlyContext<'_, String>,
        _out: &mut Collector<'_, String>,
    ) -> Result<(), BoxError> {
        context.register_event_time_timer(order.at);
        self.waiting.add(order);
        Ok(())
    }

    /// Every subtask sees every rule, and keeps the same: only this side may write the state.
    fn process_broadcast(
        &mut self,
        limit: Limit,
        context: &KeyedBroadcastContext<'_, String>,
        _out: &mut Collector<'_, String>,
    ) -> Result<(), BoxError> {
        context
            .broadcast_state(&self.limits)
            .insert(limit.from, limit.total);
        Ok(())
    }

    fn on_timer(
        &mut self,
        timestamp: Millis,
        _domain: TimeDomain,
        context: &KeyedReadOnlyContext<'_, String>,
        out: &mut Collector<'_, String>,
    ) -> Result<(), BoxError> {
        let limits = context.broadcast_state(&self.limits).entries();
        // Entries are in the order of their keys: the last that has begun is the one that holds.
        let holds = limits.iter().rev().find(|(from, _)| *from <= timestamp);
        for order in self
            .waiting
            .get()
            .iter()
            .filter(|order| order.at == timestamp)
        {
            let verdict = match holds {
                Some((_, limit)) if order.total > *limit => format!("to check, limit {limit}"),
                Some(_) => "passed".to_owned(),
                None => "passed, no limit yet".to_owned(),
            };
            out.collect(format!(
                "{} {} at {timestamp}: {verdict}",
                order.customer, order.total
            ));
        }
        self.waiting.retain(|order| order.at > timestamp);
        Ok(())
    }
}

fn main() -> ExitCode {
    rheos::main(|env| {
        let orders = [
            ("ann", 10, 900),
            ("bob", 20, 900),
            ("ann", 30, 400),
            ("bob", 40, 400),
        ]
        .map(|(customer, at, total)| Order {
            customer: customer.into(),
            at,
            total,
        });
        let limits = [
            Limit {
                from: 15,
                total: 500,
            },
            Limit {
                from: 35,
                total: 300,
            },
        ];
        let orders = env.from_source(
            CollectionSource::from(orders.to_vec()),
            WatermarkStrategy::for_monotonous_timestamps()
                .with_timestamp_assigner(|order: &Order, _| order.at),
            "orders",
        );
        let limits = env.from_source(
            CollectionSource::from(limits.to_vec()),
            WatermarkStrategy::for_monotonous_timestamps()
                .with_timestamp_assigner(|limit: &Limit, _| limit.from),
            "limits",
        );
        let state = BroadcastStateDescriptor::new("limits");
        orders
            .key_by(|order| order.customer.clone())
            .connect_broadcast(&limits.broadcast_state(&[&state]))
            .process(move |open| {
                let (limits, waiting) =
                    (open.broadcast_state(&state)?, open.list_state("waiting")?);
                Ok(Judge { limits, waiting })
            })
            .name("judge")
            .sink_to(PrintSink::new())
            .parallelism(1);
        Ok(())
    })
}
