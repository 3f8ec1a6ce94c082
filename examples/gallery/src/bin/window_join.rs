//! A window join: pairs of rows that have a key and a window in common.
//!
//! Flink: `clicks.join(buys).where(…).equalTo(…).window(…).apply(…)`. A pair whose rows lie on two
//! sides of a window's edge is no pair, however near they are: `interval_join` is for those.

use std::process::ExitCode;

use rheos::prelude::*;
use rheos_connectors::{CollectionSource, PrintSink};

const MINUTE: Millis = 60_000;

#[derive(Row, Clone)]
struct Click {
    user: String,
    minute: i64,
    advert: String,
}

#[derive(Row, Clone)]
struct Sale {
    user: String,
    minute: i64,
    cents: i64,
}

#[derive(Row, Clone)]
struct Attributed {
    advert: String,
    cents: i64,
}

fn main() -> ExitCode {
    rheos::main(|env| {
        // Bob's click and sale are two minutes apart, with the full hour between them.
        let clicks = [
            ("ann", 5, "shoes"),
            ("ann", 20, "boots"),
            ("bob", 59, "hats"),
        ]
        .map(|(user, minute, advert)| Click {
            user: user.into(),
            minute,
            advert: advert.into(),
        });
        let sales = [("ann", 30, 9_900), ("bob", 61, 4_000), ("cid", 10, 100)].map(
            |(user, minute, cents)| Sale {
                user: user.into(),
                minute,
                cents,
            },
        );
        let clicks = env.from_source(
            CollectionSource::from(clicks.to_vec()),
            WatermarkStrategy::for_monotonous_timestamps()
                .with_timestamp_assigner(|click: &Click, _| click.minute * MINUTE),
            "clicks",
        );
        let sales = env.from_source(
            CollectionSource::from(sales.to_vec()),
            WatermarkStrategy::for_bounded_out_of_orderness(Duration::from_hours(1))
                .with_timestamp_assigner(|sale: &Sale, _| sale.minute * MINUTE),
            "sales",
        );
        clicks
            .join(&sales)
            .where_key(|click| click.user.clone())
            .equal_to(|sale| sale.user.clone())
            .window(TumblingEventTimeWindows::of(Duration::from_hours(1)))
            .apply(|click, sale| Attributed {
                advert: click.advert.clone(),
                cents: sale.cents,
            })
            .name("attributed")
            .sink_to(PrintSink::new())
            .parallelism(1);
        Ok(())
    })
}
