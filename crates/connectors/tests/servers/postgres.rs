//! The PostgreSQL sink and look-up against a real server: what is written, what is refused, and what
//! happens when the way to the server is cut or stopped.

use crate::common;

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::proxy::Proxy;
use common::{part, unique};
use rheos::execute::{RunningJob, start};
use rheos::prelude::*;
use rheos_connectors::{
    BadRecords, BatchLimits, CollectSink, CollectionSource, DataGeneratorSource, DeadLetter, Json,
    PostgresLookup, PostgresOptions, PostgresSink, Retries, Timestamp, dead_letters,
};
use tokio_postgres::{Config, NoTls};

#[derive(Row, Clone, Debug, PartialEq)]
struct Reading {
    sensor: String,
    at: i64,
    value: Option<f64>,
    count: u32,
    raw: Vec<u8>,
    ok: bool,
}

fn reading(k: u64) -> Reading {
    Reading {
        sensor: format!("sensor {}\t\"'\\", k % 50),
        at: 1_370_000_000_000 + (k as i64 % 100) * 1_000,
        value: (!k.is_multiple_of(7)).then_some(k as f64 / 4.0),
        count: k as u32,
        raw: vec![0, (k % 256) as u8, 255],
        ok: k.is_multiple_of(2),
    }
}

fn sink(url: &str, table: &str) -> PostgresSink<Reading> {
    PostgresSink::new(url, table)
        .prepare(format!(
            "CREATE TABLE IF NOT EXISTS {table} (sensor varchar(40), at timestamptz, value float8, \
             count integer CHECK (count < 1000000), raw bytea, ok boolean, note jsonb, \
             PRIMARY KEY (sensor, at))"
        ))
        .column("sensor", |r: &Reading| r.sensor.clone())
        .column("at", |r: &Reading| Timestamp(r.at))
        .column("value", |r: &Reading| r.value)
        .column("count", |r: &Reading| r.count)
        .column("raw", |r: &Reading| r.raw.clone())
        .column("ok", |r: &Reading| r.ok)
        .column("note", |r: &Reading| {
            Json(format!("{{\"k\": {}}}", r.count))
        })
}

/// Asks the server itself.
fn ask(url: &str, sql: &str) -> Vec<tokio_postgres::Row> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (client, connection) = Config::from_str(url).unwrap().connect(NoTls).await.unwrap();
        let asked = async { client.query(sql, &[]).await.unwrap() };
        tokio::select! {
            rows = asked => rows,
            _ = connection => panic!("the connection ended"),
        }
    })
}

fn count(url: &str, table: &str) -> i64 {
    ask(url, &format!("SELECT count(*) FROM {table}"))[0].get(0)
}

fn run(rows: Vec<Reading>, sink: PostgresSink<Reading>) -> Result<(), ApiError> {
    let env = StreamEnv::default();
    env.from_source(
        CollectionSource::from_elements(rows),
        WatermarkStrategy::no_watermarks(),
        "readings",
    )
    .sink_to(sink)
    .name("postgres-sink");
    start(&env.program()?, env.configuration())?
        .wait()
        .map(|_| ())
}

/// The address by another way.
fn by(url: &str, proxy: &Proxy) -> String {
    let (head, rest) = url.split_once('@').unwrap();
    let (_, path) = rest.split_once('/').unwrap();
    format!("{head}@{}/{path}", proxy.address())
}

fn server(url: &str) -> &str {
    url.split_once('@').unwrap().1.split_once('/').unwrap().0
}

fn until(what: &str, reached: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !reached() {
        assert!(Instant::now() < end, "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn rows_of_a_key_are_replaced_and_all_types_arrive() {
    let Some(url) = part("RHEOS_POSTGRES") else {
        return;
    };
    let table = unique("readings").replace('-', "_");
    let rows: Vec<Reading> = (0..5_000).map(reading).collect();
    let limits = BatchLimits {
        max_rows: 700,
        max_bytes: 1 << 20,
        interval: Duration::from_secs(1),
    };
    run(
        rows.clone(),
        sink(&url, &table).key(["sensor", "at"]).batches(limits),
    )
    .unwrap();
    let mut expected = std::collections::BTreeMap::new();
    for row in rows {
        expected.insert((row.sensor.clone(), row.at), row);
    }
    let sql = format!(
        "SELECT sensor, (extract(epoch FROM at) * 1000)::bigint, value, count, raw, ok, \
         (note->>'k')::int FROM {table}"
    );
    let found = ask(&url, &sql);
    assert_eq!(found.len(), expected.len());
    for row in found {
        let note: i32 = row.get(6);
        let got = Reading {
            sensor: row.get(0),
            at: row.get(1),
            value: row.get(2),
            count: row.get::<_, i32>(3) as u32,
            raw: row.get(4),
            ok: row.get(5),
        };
        assert_eq!(note, got.count as i32);
        assert_eq!(got, expected[&(got.sensor.clone(), got.at)]);
    }
}

#[test]
fn copy_adds_rows_of_all_types() {
    let Some(url) = part("RHEOS_POSTGRES") else {
        return;
    };
    let table = unique("copied").replace('-', "_");
    let rows: Vec<Reading> = (0..50).map(reading).collect();
    run(rows.clone(), sink(&url, &table).copy()).unwrap();
    let sql = format!(
        "SELECT sensor, (extract(epoch FROM at) * 1000)::bigint, value, count, raw, ok FROM {table} \
         ORDER BY count"
    );
    let found = ask(&url, &sql).into_iter().map(|row| Reading {
        sensor: row.get(0),
        at: row.get(1),
        value: row.get(2),
        count: row.get::<_, i32>(3) as u32,
        raw: row.get(4),
        ok: row.get(5),
    });
    assert_eq!(found.collect::<Vec<_>>(), rows);
}

/// Of a thousand rows three are wrong, each in another way.
fn with_three_wrong() -> Vec<Reading> {
    let mut rows: Vec<Reading> = (0..1_000)
        .map(|k| Reading {
            sensor: format!("s{k}"),
            ..reading(k)
        })
        .collect();
    rows[17].count = 2_000_000;
    rows[500].sensor = "x".repeat(41);
    rows[999].sensor = "a\0b".to_owned();
    rows
}

#[test]
fn rows_that_the_table_does_not_take_are_bad_records_and_the_rest_is_written() {
    let Some(url) = part("RHEOS_POSTGRES") else {
        return;
    };
    for mode in ["insert", "copy"] {
        let table = unique("constrained").replace('-', "_");
        let into = sink(&url, &table).bad_records(BadRecords::DeadLetter);
        let into = match mode {
            "copy" => into.copy(),
            _ => into.key(["sensor", "at"]),
        };
        let env = StreamEnv::default();
        let letters = CollectSink::new();
        let written = env
            .from_source(
                CollectionSource::from_elements(with_three_wrong()),
                WatermarkStrategy::no_watermarks(),
                "readings",
            )
            .sink_to(into)
            .name("postgres-sink");
        let bad: DataStream<DeadLetter> = written.side_output(&dead_letters());
        bad.sink_to(letters.clone());
        start(&env.program().unwrap(), env.configuration())
            .unwrap()
            .wait()
            .unwrap();
        assert_eq!(count(&url, &table), 997, "{mode}");
        let mut letters: Vec<DeadLetter> = letters.take();
        letters.sort_by_key(|letter| letter.line);
        let lines: Vec<u64> = letters.iter().map(|letter| letter.line).collect();
        assert_eq!(lines, [18, 501, 1_000], "{mode}: {letters:?}");
        for (letter, says) in letters.iter().zip(["count_check", "varying(40)", "U+0000"]) {
            assert!(letter.error.contains(says), "{letter:?}");
            assert!(letter.source.as_str().contains(&table), "{letter:?}");
        }
        let mut reader = rheos::core::row::Reader::new(&letters[0].bytes);
        assert_eq!(
            Reading::decode(&mut reader).unwrap(),
            with_three_wrong()[17]
        );
    }
}

#[test]
fn the_first_bad_row_ends_the_job_unless_told_otherwise() {
    let Some(url) = part("RHEOS_POSTGRES") else {
        return;
    };
    let table = unique("strict").replace('-', "_");
    let mut rows = with_three_wrong();
    rows.truncate(400);
    let error = run(rows, sink(&url, &table)).unwrap_err().to_string();
    for says in ["postgres-sink", &table, "row 18", "count_check", "23514"] {
        assert!(error.contains(says), "'{says}' in {error}");
    }
}

#[test]
fn what_will_not_pass_ends_the_job_and_says_what_and_where() {
    let Some(url) = part("RHEOS_POSTGRES") else {
        return;
    };
    let rows = vec![reading(1)];
    let missing =
        PostgresSink::new(url.as_str(), "no_such_table").column("a", |r: &Reading| r.count);
    let error = run(rows.clone(), missing).unwrap_err().to_string();
    for says in ["postgres-sink", "no_such_table", "42P01", "rows from 1 on"] {
        assert!(error.contains(says), "'{says}' in {error}");
    }
    let secret = url.replace("postgres@", "nobody:hunter2@");
    let error = run(rows, sink(&secret, "t")).unwrap_err().to_string();
    assert!(
        error.contains("nobody") && !error.contains("hunter2"),
        "{error}"
    );
}

/// A job that writes rows with numbers from 0 on, a few thousand a second, until it is stopped.
fn endless(sink: PostgresSink<Reading>, emitted: &Arc<AtomicUsize>) -> RunningJob {
    let env = StreamEnv::default();
    env.parallelism(1);
    let emitted = emitted.clone();
    let source = DataGeneratorSource::unbounded(|k| Reading {
        sensor: format!("s{k}"),
        at: 0,
        count: (k % 1_000_000) as u32,
        ..reading(k)
    });
    env.from_source_with_rate(
        source,
        WatermarkStrategy::no_watermarks(),
        "numbers",
        3_000.0,
    )
    .map(move |row: Reading| {
        emitted.fetch_add(1, Ordering::SeqCst);
        row
    })
    .sink_to(sink)
    .name("postgres-sink");
    start(&env.program().unwrap(), env.configuration()).unwrap()
}

fn impatient(url: &str, table: &str) -> PostgresSink<Reading> {
    let mut options = PostgresOptions::new(url);
    options.request_timeout = Duration::from_millis(500);
    options.connect_timeout = Duration::from_millis(500);
    let limits = BatchLimits {
        max_rows: 500,
        max_bytes: 1 << 20,
        interval: Duration::from_millis(50),
    };
    let described = sink(url, table).key(["sensor", "at"]).batches(limits);
    described.connection(options).retries(Retries {
        initial_backoff: Duration::from_millis(20),
        max_backoff: Duration::from_millis(200),
        max_retries: None,
    })
}

#[test]
fn a_way_that_is_cut_or_stopped_loses_nothing() {
    let Some(url) = part("RHEOS_POSTGRES") else {
        return;
    };
    let proxy = Proxy::to(server(&url));
    let table = unique("faults").replace('-', "_");
    let emitted = Arc::new(AtomicUsize::new(0));
    let job = endless(impatient(&by(&url, &proxy), &table), &emitted);
    let there = || {
        let sql = format!("SELECT to_regclass('{table}') IS NOT NULL");
        ask(&url, &sql)[0].get::<_, bool>(0)
    };
    until("the table is made", there);
    until("rows arrive", || count(&url, &table) > 1_000);
    for fault in ["cut", "stop"] {
        match fault {
            "cut" => proxy.cut(),
            _ => proxy.stop(),
        }
        // The sink holds its job up rather than losing rows: nothing is taken any more.
        let still = || {
            let before = emitted.load(Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(400));
            emitted.load(Ordering::SeqCst) == before
        };
        until("the source is held up", still);
        let before = count(&url, &table);
        proxy.mend();
        until("rows arrive again", || count(&url, &table) > before + 1_000);
    }
    // Sessions that an administrator ends are made anew.
    let ended = ask(
        &url,
        &format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE application_name = 'rheos' AND query LIKE '%{table}%'"
        ),
    );
    assert!(!ended.is_empty());
    let before = count(&url, &table);
    until("rows arrive after that", || {
        count(&url, &table) > before + 1_000
    });
    job.handle.control().stop(true);
    job.wait().unwrap();
    assert_eq!(count(&url, &table), emitted.load(Ordering::SeqCst) as i64);
}

#[test]
fn a_job_that_waits_for_the_server_can_be_cancelled() {
    let Some(url) = part("RHEOS_POSTGRES") else {
        return;
    };
    let proxy = Proxy::to(server(&url));
    proxy.cut();
    let emitted = Arc::new(AtomicUsize::new(0));
    let job = endless(impatient(&by(&url, &proxy), "nowhere"), &emitted);
    until("rows wait", || emitted.load(Ordering::SeqCst) > 0);
    let began = Instant::now();
    job.handle.control().cancel();
    assert!(job.wait().unwrap_err().to_string().contains("cancelled"));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn retries_that_are_bounded_end_the_job() {
    let Some(url) = part("RHEOS_POSTGRES") else {
        return;
    };
    let proxy = Proxy::to(server(&url));
    proxy.cut();
    let sink = impatient(&by(&url, &proxy), "nowhere").retries(Retries {
        initial_backoff: Duration::from_millis(1),
        max_backoff: Duration::from_millis(2),
        max_retries: Some(3),
    });
    let error = run(vec![reading(0)], sink).unwrap_err().to_string();
    assert!(
        error.contains("in 4 attempts") && error.contains("rows from 1 on"),
        "{error}"
    );
}

#[test]
fn look_ups_share_a_few_connections() {
    let Some(url) = part("RHEOS_POSTGRES") else {
        return;
    };
    let sql = "SELECT $1::bigint * 2, pg_backend_pid()";
    let lookup = PostgresLookup::new(PostgresOptions::new(url.as_str()), sql, 3).unwrap();
    let env = StreamEnv::default();
    let answers = CollectSink::new();
    let ask = move |n: i64| {
        let lookup = lookup.clone();
        async move {
            let rows = lookup.ask(&[&n]).await?;
            let row = rows.first().ok_or("no row")?;
            Ok([(n, row.get::<_, i64>(0), row.get::<_, i32>(1))])
        }
    };
    env.from_source(
        CollectionSource::from_elements(0..500_i64),
        WatermarkStrategy::no_watermarks(),
        "numbers",
    )
    .async_wait_unordered(ask, AsyncOptions::new().timeout(Duration::from_secs(30)))
    .sink_to(answers.clone());
    start(&env.program().unwrap(), env.configuration())
        .unwrap()
        .wait()
        .unwrap();
    let answers: Vec<(i64, i64, i32)> = answers.take();
    assert_eq!(answers.len(), 500);
    assert!(answers.iter().all(|(n, twice, _)| *twice == n * 2));
    let sessions: std::collections::BTreeSet<i32> = answers.iter().map(|a| a.2).collect();
    assert!((1..=3).contains(&sessions.len()), "{sessions:?}");
}
