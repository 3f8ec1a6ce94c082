//! Look-ups in trouble: a server that takes ten seconds, and one that is not there, until it is again.

use std::time::{Duration, Instant};

use rheos::cluster::deploy::JobMetrics;
use rheos::execute::start;
use rheos::prelude::*;
use rheos::runtime::metrics::async_io::AsyncIoMetrics;
use rheos_connectors::{
    CollectSink, CollectionSource, DataGeneratorSource, PostgresLookup, PostgresOptions,
};

use crate::common::proxy::Proxy;
use crate::common::{part, wait_until};

fn server(url: &str) -> &str {
    url.split_once('@').unwrap().1.split_once('/').unwrap().0
}

type Options = AsyncOptions<i64, (i64, i64)>;

/// Twice each number, as the server says; −1 in place of what it does not say.
fn twice(
    rows: &DataStream<i64>,
    lookup: PostgresLookup,
    options: Options,
) -> DataStream<(i64, i64)> {
    let ask = move |n: i64| {
        let lookup = lookup.clone();
        async move {
            let rows = lookup.ask(&[&n]).await?;
            let row = rows.first().ok_or("no row")?;
            Ok([(n, row.get::<_, i64>(0))])
        }
    };
    rows.async_wait_unordered(ask, options).name("look-up")
}

#[test]
fn an_answer_that_takes_ten_seconds_is_not_waited_for() {
    let Some(url) = part("RHEOS_POSTGRES") else {
        return;
    };
    let slow = "SELECT $1::bigint * 2 FROM (SELECT pg_sleep(CASE WHEN $1::bigint % 10 = 7 THEN 10 ELSE 0 END)) AS s";
    let run = |options: Options| {
        let options = options.timeout(Duration::from_millis(1_500));
        let lookup = PostgresLookup::new(PostgresOptions::new(url.as_str()), slow, 4).unwrap();
        let env = StreamEnv::default();
        let numbers = env.from_source(
            CollectionSource::from_elements(0..20_i64),
            WatermarkStrategy::no_watermarks(),
            "numbers",
        );
        let answers = CollectSink::new();
        twice(&numbers, lookup, options).sink_to(answers.clone());
        let began = Instant::now();
        let job = start(&env.program().unwrap(), env.configuration()).unwrap();
        let ended = job.wait().map(drop).map_err(|error| error.to_string());
        let mut answers: Vec<(i64, i64)> = answers.take();
        answers.sort_unstable();
        (ended, answers, began.elapsed())
    };
    // Without a fallback the row's time-out ends the job, and says where.
    let (ended, ..) = run(AsyncOptions::new());
    let error = ended.unwrap_err();
    for says in ["look-up", "1500 ms"] {
        assert!(error.contains(says), "'{says}' in {error}");
    }
    let (ended, answers, _) = run(AsyncOptions::new().fallback(|n, _| (n, -1)));
    ended.unwrap();
    let expected = (0..20).map(|n| (n, if n % 10 == 7 { -1 } else { n * 2 }));
    assert_eq!(answers, expected.collect::<Vec<_>>());
}

fn with_breaker<R>(metrics: &JobMetrics, look: impl Fn(&AsyncIoMetrics) -> R) -> R {
    let operators = metrics.tasks.iter().flat_map(|task| &task.operators);
    let mut found = operators.filter_map(|operator| operator.metrics.async_io());
    look(found.next().unwrap())
}

#[test]
fn a_server_that_is_away_opens_the_breaker_and_one_that_is_back_closes_it() {
    let Some(url) = part("RHEOS_POSTGRES") else {
        return;
    };
    let proxy = Proxy::to(server(&url));
    let by_proxy = url.replace(server(&url), &proxy.address());
    let mut options = PostgresOptions::new(by_proxy);
    options.connect_timeout = Duration::from_millis(500);
    options.request_timeout = Duration::from_millis(500);
    let lookup = PostgresLookup::new(options, "SELECT $1::bigint * 2", 4).unwrap();
    let env = StreamEnv::default();
    env.parallelism(1);
    let numbers = env.from_source_with_rate(
        DataGeneratorSource::unbounded(|n| n as i64),
        WatermarkStrategy::no_watermarks(),
        "numbers",
        200.0,
    );
    let breaker = CircuitBreaker::consecutive_failures(5)
        .open_for(Duration::from_millis(500))
        .half_open_permits(1);
    let options = AsyncOptions::new()
        .timeout(Duration::from_secs(20))
        .circuit_breaker(breaker)
        .fallback(|n, _| (n, -1));
    let answers = CollectSink::new();
    twice(&numbers, lookup, options).sink_to(answers.clone());
    let job = start(&env.program().unwrap(), env.configuration()).unwrap();
    let (control, metrics) = (job.handle.control(), job.handle.metrics().clone());
    let ending = std::thread::spawn(move || job.wait().map(drop).map_err(|e| e.to_string()));
    let mut seen: Vec<(i64, i64)> = Vec::new();
    let mut until = |what: &str, answered: &dyn Fn(i64) -> bool, enough: usize| {
        let begin = seen.len();
        wait_until(what, || {
            seen.extend(answers.take());
            let new = seen[begin..].iter();
            new.filter(|(n, twice)| answered(twice - n)).count() >= enough
        });
    };
    // −1 − n of the fallback is below zero, 2n − n of the server is not.
    let (answer, fallback): (&dyn Fn(i64) -> bool, &dyn Fn(i64) -> bool) =
        (&|d| d >= 0, &|d| d < 0);
    until("nothing is answered", answer, 20);
    assert_eq!(with_breaker(&metrics, AsyncIoMetrics::breaker_state), 0);
    proxy.cut();
    until("the fallback does not answer", fallback, 100);
    wait_until("the breaker does not open", || {
        with_breaker(&metrics, AsyncIoMetrics::breaker_rejected) > 20
    });
    // Trials that fail open it again: of a second's rows next to none are asked about.
    let transitions = with_breaker(&metrics, AsyncIoMetrics::breaker_transitions);
    wait_until("there is no trial", || {
        with_breaker(&metrics, AsyncIoMetrics::breaker_transitions) >= transitions + 2
    });
    let (failures, fallbacks) = with_breaker(&metrics, |io| (io.failures(), io.fallbacks()));
    assert!(
        failures < fallbacks,
        "{failures} of {fallbacks} were asked about"
    );
    proxy.mend();
    until("nothing is answered again", answer, 100);
    wait_until("the breaker does not close", || {
        with_breaker(&metrics, AsyncIoMetrics::breaker_state) == 0
    });
    control.stop(true);
    ending.join().unwrap().unwrap();
    seen.extend(answers.take());
    // Each number has one answer.
    let mut numbers: Vec<i64> = seen.iter().map(|(n, _)| *n).collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(0..numbers.len() as i64));
}
