//! An interval join: orders with the payments that come in within an hour.
//!
//! Flink: `orders.keyBy(…).intervalJoin(payments.keyBy(…)).between(Time.minutes(0),
//! Time.hours(1)).process(…)`. Each side is kept only as long as the other may still have a partner
//! for it, as the watermark tells; unlike a window join, no pair is lost to the edge of a window.

use std::process::ExitCode;

use rheos::prelude::*;
use rheos_connectors::{CollectionSource, PrintSink};

const MINUTE: Millis = 60_000;

#[derive(Row, Clone)]
struct Order {
    id: u64,
    minute: i64,
    item: String,
}

#[derive(Row, Clone)]
struct Payment {
    order: u64,
    minute: i64,
    cents: i64,
}

#[derive(Row, Clone)]
struct Paid {
    order: u64,
    item: String,
    cents: i64,
    after_minutes: i64,
}

fn main() -> ExitCode {
    rheos::main(|env| {
        let orders =
            [(1, 0, "lamp"), (2, 10, "chair"), (3, 20, "table")].map(|(id, minute, item)| Order {
                id,
                minute,
                item: item.into(),
            });
        // Order 1 is paid in two parts, 2 after more than an hour, 3 right on the bound.
        let payments = [(1, 5, 500), (1, 59, 700), (2, 80, 9_000), (3, 80, 100)].map(
            |(order, minute, cents)| Payment {
                order,
                minute,
                cents,
            },
        );
        let orders = env.from_source(
            CollectionSource::from(orders.to_vec()),
            WatermarkStrategy::for_monotonous_timestamps()
                .with_timestamp_assigner(|order: &Order, _| order.minute * MINUTE),
            "orders",
        );
        let payments = env.from_source(
            CollectionSource::from(payments.to_vec()),
            WatermarkStrategy::for_monotonous_timestamps()
                .with_timestamp_assigner(|payment: &Payment, _| payment.minute * MINUTE),
            "payments",
        );
        orders
            .key_by(|order| order.id)
            .interval_join(&payments.key_by(|payment| payment.order))
            .between(0, 60 * MINUTE)
            .process(|order, payment, _context, out| {
                out.collect(Paid {
                    order: order.id,
                    item: order.item.clone(),
                    cents: payment.cents,
                    after_minutes: payment.minute - order.minute,
                });
                Ok(())
            })
            .name("paid")
            .sink_to(PrintSink::new())
            .parallelism(1);
        Ok(())
    })
}
