//! Incident 1: an API behind asynchronous look-ups that refuses more than it can take.
//!
//! Rows arrive at an even pace, each is looked up. For a while the API takes a tenth of what it did.
//! *Naive*: a thousand look-ups at a time, each tried again until it has an answer. *Guarded*: a
//! hundred at a time, two attempts apart by a growing pause with jitter, a circuit breaker, and a
//! result without the score where there is none.

use std::sync::Arc;
use std::time::Duration;

use rheos::core::clock::SystemClock;
use rheos::core::config::Configuration;
use rheos::core::spawn::OsSpawner;
use rheos::execute::{StartOptions, start_with};
use rheos::monitor::view::Viewer;
use rheos::prelude::*;
use rheos::runtime::metrics::metric::Metric;
use rheos::runtime::metrics::registry::MetricRegistry;
use rheos_connectors::{BlackholeSink, HttpLookup};

use crate::api::Api;
use crate::arrivals::Arrivals;
use crate::figures::{Figures, sum};
use crate::running::Watched;

/// What happens when, in seconds, and how much.
#[derive(Debug, Clone, Copy)]
pub struct Course {
    /// Rows that arrive a second.
    pub arriving: u64,
    /// Questions a second that the API answers.
    pub limit: u64,
    /// While it is ill.
    pub ill_limit: u64,
    /// From when it is ill.
    pub ill_from: f64,
    /// Until when.
    pub ill_until: f64,
    /// How long the run takes.
    pub until: f64,
    /// Between two figures.
    pub every: f64,
}

impl Default for Course {
    fn default() -> Self {
        Self {
            arriving: 1_000,
            limit: 2_000,
            ill_limit: 200,
            ill_from: 10.0,
            ill_until: 30.0,
            until: 60.0,
            every: 0.5,
        }
    }
}

/// How look-ups are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// Without limits.
    Naive,
    /// With them.
    Guarded,
}

fn options(variant: Variant) -> AsyncOptions<u64, (u64, bool)> {
    match variant {
        Variant::Naive => AsyncOptions::new().no_timeout().capacity(1_000).retry(
            RetryStrategy::fixed_delay(u32::MAX, Duration::from_millis(10)).if_error(|_| true),
        ),
        Variant::Guarded => AsyncOptions::new()
            .timeout(Duration::from_secs(2))
            .capacity(100)
            .retry(
                RetryStrategy::exponential_backoff(
                    2,
                    Duration::from_millis(50),
                    Duration::from_millis(500),
                    2.0,
                )
                .jitter(0.5)
                .if_error(|_| true),
            )
            .circuit_breaker(
                CircuitBreaker::failure_rate(0.5)
                    .over_last_calls(100)
                    .minimum_calls(50)
                    .open_for(Duration::from_secs(1))
                    .half_open_permits(10),
            )
            .fallback(|row, _error| (row, false)),
    }
}

/// Runs it; the figures, and what the display said of the job at the height of it.
///
/// # Errors
/// If something can't be started.
pub fn run(variant: Variant, course: &Course) -> Result<(Figures, String), BoxError> {
    let clock = SystemClock::shared();
    let api = Api::new(clock.clone(), course.limit);
    let io = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let address = io.block_on(api.serve())?;
    let arrivals = Arrivals {
        per_second: course.arriving,
        from_micros: clock.monotonic_micros(),
    };
    let env = StreamEnv::new(Configuration::new());
    let scores = HttpLookup::new(format!("http://{address}/score/"))?;
    let ask = move |row: u64| {
        let scores = scores.clone();
        async move {
            let answer = scores.get(&row.to_string()).await?;
            Ok::<_, BoxError>([(row, answer.status == 200)])
        }
    };
    env.from_source(
        arrivals.clone(),
        WatermarkStrategy::no_watermarks(),
        "arrivals",
    )
    .async_wait_unordered(ask, options(variant))
    .name("score-lookup")
    .disable_chaining()
    .sink_to(BlackholeSink);
    env.parallelism(1);
    let registry = MetricRegistry::default();
    let start = StartOptions {
        spawner: Arc::new(OsSpawner),
        metrics: registry.clone(),
        ..StartOptions::default()
    };
    let job = start_with(&env.program()?, env.configuration(), start)?;
    let mut viewer = Viewer::new(job.handle.clone());
    let job = Watched::new(job)?;
    let columns = [
        "seconds",
        "lag",
        "done",
        "in_flight",
        "refused_per_second",
        "breaker",
        "fallbacks",
    ];
    let mut figures = Figures::new(&columns);
    let mut said = String::new();
    let mut refused_before = 0;
    loop {
        if let Some(ended) = job.pause(Duration::from_secs_f64(course.every)) {
            ended?;
            return Err("the job ended, and its source does not".into());
        }
        let now = clock.monotonic_micros();
        let seconds = (now - arrivals.from_micros) as f64 / 1e6;
        let ill = (course.ill_from..course.ill_until).contains(&seconds);
        api.set_limit(if ill { course.ill_limit } else { course.limit });
        let samples = registry.snapshot();
        let of_lookup: Vec<_> = samples
            .iter()
            .filter(|sample| sample.label("operator_name") == Some("score-lookup"))
            .cloned()
            .collect();
        let value = |metric| sum(&of_lookup, metric).unwrap_or(0.0);
        // What is in flight has been read, but nothing has come of it.
        let done = value(Metric::NumRecordsOut);
        let (_, refused) = api.counts();
        figures.rows.push(vec![
            seconds,
            arrivals.arrived(now) as f64 - done,
            done,
            value(Metric::AsyncInFlight),
            (refused - refused_before) as f64 / course.every,
            value(Metric::CircuitBreakerState),
            value(Metric::AsyncFallbacks),
        ]);
        refused_before = refused;
        let view = viewer.look();
        if ill {
            said = rheos::monitor::render::line(&view);
        }
        if seconds >= course.until {
            break;
        }
    }
    job.cancel();
    io.shutdown_background();
    Ok((figures, said))
}
