//! Counts the views of each page by the minute in which they happened: the job of the README.
//!
//! Flink: `keyBy(…).window(TumblingEventTimeWindows.of(Duration.ofMinutes(1))).reduce(…)`.

// [readme]
use rheos::prelude::*;
use rheos_connectors::{CollectionSource, PrintSink};

#[derive(Row, Clone)]
struct Views {
    page: String,
    at: i64, // milliseconds
    count: u64,
}

fn main() -> std::process::ExitCode {
    rheos::main(|env| {
        let views = [("/", 0), ("/buy", 59_000), ("/", 31_000), ("/", 61_000)];
        let views = views.map(|(page, at)| Views {
            page: page.into(),
            at,
            count: 1,
        });
        let time = WatermarkStrategy::for_bounded_out_of_orderness(Duration::from_secs(5))
            .with_timestamp_assigner(|view: &Views, _| view.at);
        env.from_source(CollectionSource::from(views.to_vec()), time, "views")
            .key_by(|view| view.page.clone())
            .window(TumblingEventTimeWindows::of(Duration::from_mins(1)))
            .reduce(|sum, view| sum.count += view.count)
            .sink_to(PrintSink::new())
            .parallelism(1);
        Ok(())
    })
}
