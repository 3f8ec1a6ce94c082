//! Incident 2: state for keys that never come again.
//!
//! Every row has a session of its own, and the state of sessions is kept: without a time-to-live for
//! ever, with one for some seconds. The process may have so much memory; the job ends in good order
//! when it has no more.

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
use rheos_connectors::BlackholeSink;

use crate::arrivals::Arrivals;
use crate::figures::{Figures, sum};
use crate::running::Watched;

/// How long it runs, and on how much.
#[derive(Debug, Clone)]
pub struct Course {
    /// Rows a second, each of a new session.
    pub arriving: u64,
    /// `taskmanager.memory.process.size`.
    pub memory: String,
    /// How long a session's state is kept, if not for ever.
    pub ttl: Option<Duration>,
    /// How long the run takes, in seconds.
    pub until: f64,
    /// Between two figures.
    pub every: f64,
}

/// What is kept of a session.
#[derive(Row, Clone, Default)]
struct Session {
    events: u64,
    last_page: String,
}

struct Sessions {
    session: ValueState<Session>,
}

impl KeyedProcessFunction<u64, u64, u64> for Sessions {
    fn process(
        &mut self,
        row: u64,
        _context: &KeyedContext<'_, u64>,
        out: &mut Collector<'_, u64>,
    ) -> Result<(), BoxError> {
        let mut session = self.session.get().unwrap_or_default();
        session.events += 1;
        session.last_page = format!("/articles/2023/08/a-page-with-a-long-name-{row:020}");
        out.collect(session.events);
        self.session.update(session);
        Ok(())
    }
}

/// Runs it; the figures, what the display said last of growth, and how the job ended if by itself.
///
/// # Errors
/// If something can't be started.
pub fn run(course: &Course) -> Result<(Figures, Option<String>, Option<String>), BoxError> {
    let clock = SystemClock::shared();
    let arrivals = Arrivals {
        per_second: course.arriving,
        from_micros: clock.monotonic_micros(),
    };
    let mut configuration = Configuration::new();
    configuration.set("taskmanager.memory.process.size", &course.memory);
    let env = StreamEnv::new(configuration);
    let mut descriptor = ValueStateDescriptor::new("session");
    if let Some(ttl) = course.ttl {
        descriptor = descriptor.ttl(StateTtlConfig::new(ttl));
    }
    env.from_source(
        arrivals.clone(),
        WatermarkStrategy::no_watermarks(),
        "arrivals",
    )
    .key_by(|row| *row)
    .process(move |open| {
        Ok(Sessions {
            session: open.value_state(descriptor.clone())?,
        })
    })
    .name("session-aggregation")
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
        "state_mib",
        "keys",
        "forecast_seconds",
        "resident_mib",
    ];
    let mut figures = Figures::new(&columns);
    let mut growth = None;
    loop {
        if let Some(ended) = job.pause(Duration::from_secs_f64(course.every)) {
            let how = ended.err().map(|error| error.to_string());
            return Ok((figures, growth, how));
        }
        let samples = registry.snapshot();
        let seconds = (clock.monotonic_micros() - arrivals.from_micros) as f64 / 1e6;
        let mebibytes = |bytes: f64| bytes / 1_048_576.0;
        figures.rows.push(vec![
            seconds,
            mebibytes(sum(&samples, Metric::StateSize).unwrap_or(0.0)),
            sum(&samples, Metric::StateKeyCount).unwrap_or(0.0),
            sum(&samples, Metric::StateSecondsToLimit).unwrap_or(f64::NAN),
            mebibytes(resident().unwrap_or(f64::NAN)),
        ]);
        if let Some(told) = viewer.look().growth {
            growth.get_or_insert(told);
        }
        if seconds >= course.until {
            job.cancel();
            return Ok((figures, growth, None));
        }
    }
}

/// Bytes that this process has in memory.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}
