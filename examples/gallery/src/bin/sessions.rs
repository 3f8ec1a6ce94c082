//! Sessions: what a user does until nothing has come for half an hour.
//!
//! Flink: `clicks.keyBy(c -> c.user).window(EventTimeSessionWindows.withGap(Time.minutes(30)))`.
//! Each click opens a window of its own, and windows of a user that touch become one; so clicks may
//! come in any order, as long as the watermark waits for them.

use std::process::ExitCode;

use rheos::prelude::*;
use rheos_connectors::{CollectionSource, PrintSink};

const MINUTE: Millis = 60_000;

#[derive(Row, Clone)]
struct Click {
    user: String,
    page: String,
    at: Millis,
}

#[derive(Row, Clone)]
struct Session {
    user: String,
    from_minute: i64,
    to_minute: i64,
    pages: Vec<String>,
}

fn clicks() -> Vec<Click> {
    [
        ("ann", "home", 0),
        ("bob", "home", 1),
        ("ann", "shoes", 25),
        // Out of order: it joins the two clicks around it to one session.
        ("ann", "cart", 70),
        ("ann", "boots", 45),
        ("bob", "home", 90),
        ("bob", "help", 95),
    ]
    .map(|(user, page, minute)| Click {
        user: user.into(),
        page: page.into(),
        at: minute * MINUTE,
    })
    .to_vec()
}

fn main() -> ExitCode {
    rheos::main(|env| {
        // Clicks are at most an hour late, so the watermark is an hour behind the newest one.
        let time = WatermarkStrategy::for_bounded_out_of_orderness(Duration::from_hours(1))
            .with_timestamp_assigner(|click: &Click, _| click.at);
        env.from_source(CollectionSource::from(clicks()), time, "clicks")
            .key_by(|click| click.user.clone())
            .window(EventTimeSessionWindows::with_gap(Duration::from_mins(30)))
            .apply(|user, window, clicks, _context, out| {
                let mut clicks = clicks.to_vec();
                clicks.sort_by_key(|click| click.at);
                out.collect(Session {
                    user: user.clone(),
                    from_minute: window.start / MINUTE,
                    to_minute: window.end / MINUTE,
                    pages: clicks.into_iter().map(|click| click.page).collect(),
                });
                Ok(())
            })
            .name("sessions")
            .sink_to(PrintSink::new())
            .parallelism(1);
        Ok(())
    })
}
