//! Tumbling and sliding windows: each row is in one window, or in several that overlap.
//!
//! Flink: `TumblingEventTimeWindows.of(Time.minutes(10))` and
//! `SlidingEventTimeWindows.of(Time.minutes(10), Time.minutes(5))`. The work a row makes does not
//! grow with the overlap: windows that need nothing else are gathered in panes as long as the slide,
//! which are added up when a window fires.

use std::process::ExitCode;

use rheos::prelude::*;
use rheos_connectors::{CollectionSource, PrintSink};

const MINUTE: Millis = 60_000;

#[derive(Row, Clone)]
struct Sale {
    shop: String,
    minute: i64,
    cents: i64,
}

#[derive(Row, Clone)]
struct Turnover {
    shop: String,
    from_minute: i64,
    to_minute: i64,
    cents: i64,
}

fn sales() -> Vec<Sale> {
    [
        ("Oslo", 1, 500),
        ("Bergen", 2, 250),
        ("Oslo", 6, 700),
        ("Oslo", 12, 100),
        ("Bergen", 14, 90),
    ]
    .map(|(shop, minute, cents)| Sale {
        shop: shop.into(),
        minute,
        cents,
    })
    .to_vec()
}

/// Adds up the sales of each shop in windows of any kind.
fn turnover<A>(sales: &DataStream<Sale>, windows: A) -> DataStream<Turnover>
where
    A: WindowAssigner<Sale, Window = TimeWindow>,
{
    sales
        .key_by(|sale| sale.shop.clone())
        .window(windows)
        .reduce_apply(
            |sum, sale| sum.cents += sale.cents,
            |shop, window, sum, _context, out| {
                out.collect(Turnover {
                    shop: shop.clone(),
                    from_minute: window.start / MINUTE,
                    to_minute: window.end / MINUTE,
                    cents: sum.cents,
                });
                Ok(())
            },
        )
}

fn main() -> ExitCode {
    rheos::main(|env| {
        let time = WatermarkStrategy::for_monotonous_timestamps()
            .with_timestamp_assigner(|sale: &Sale, _| sale.minute * MINUTE);
        let sales = env.from_source(CollectionSource::from(sales()), time, "sales");
        let (size, slide) = (Duration::from_mins(10), Duration::from_mins(5));
        turnover(&sales, TumblingEventTimeWindows::of(size))
            .name("tumbling")
            .sink_to(PrintSink::new().identifier("tumbling"))
            .parallelism(1);
        turnover(&sales, SlidingEventTimeWindows::of(size, slide))
            .name("sliding")
            .sink_to(PrintSink::new().identifier("sliding"))
            .parallelism(1);
        Ok(())
    })
}
