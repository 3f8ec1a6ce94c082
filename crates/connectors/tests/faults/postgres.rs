//! PostgreSQL killed, hanging, and out of connections.

use std::str::FromStr;
use std::time::Duration;

use rheos_connectors::{BatchLimits, PostgresOptions, PostgresSink, Retries};
use tokio_postgres::{Client, Config, NoTls};

use crate::common::endless::Endless;
use crate::common::own::Own;

const TABLE: &str = "numbers";

fn own(settings: &[(&str, &str)]) -> Option<(Own, String)> {
    let own = Own::up("RHEOS_POSTGRES", &["postgres"], settings)?;
    let url = own.variable("RHEOS_POSTGRES");
    Some((own, url))
}

/// Rows are but added, so what is written twice is counted twice.
fn sink(url: &str) -> PostgresSink<u64> {
    let mut options = PostgresOptions::new(url);
    options.request_timeout = Duration::from_secs(3);
    options.connect_timeout = Duration::from_secs(3);
    PostgresSink::with(options, TABLE)
        .prepare(format!(
            "CREATE TABLE IF NOT EXISTS {TABLE} (n bigint PRIMARY KEY, seen bigint)"
        ))
        .column("n", |n: &u64| *n as i64)
        .column("seen", |_| 1_i64)
        .key(["n"])
        .batches(BatchLimits {
            max_rows: 400,
            max_bytes: 1 << 20,
            interval: Duration::from_millis(50),
        })
        .retries(Retries {
            initial_backoff: Duration::from_millis(20),
            max_backoff: Duration::from_millis(300),
            max_retries: None,
        })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = Config::from_str(url).unwrap().connect(NoTls).await?;
    tokio::runtime::Handle::current().spawn(connection);
    Ok(client)
}

/// Rows of the table; none while there is no table, or no server that answers.
fn count(url: &str) -> usize {
    let asked = async {
        let client = connect(url).await?;
        let sql = format!("SELECT count(*) FROM {TABLE}");
        client.query_one(&sql, &[]).await
    };
    let asked = async { tokio::time::timeout(Duration::from_secs(10), asked).await };
    match runtime().block_on(asked) {
        Ok(Ok(row)) => usize::try_from(row.get::<_, i64>(0)).unwrap(),
        _ => 0,
    }
}

fn numbers(url: &str) -> Endless {
    Endless::start(|k| k, 3_000.0, sink(url), "postgres-sink")
}

#[test]
fn a_server_that_is_killed_and_comes_back_has_every_row() {
    let Some((own, url)) = own(&[]) else { return };
    let job = numbers(&url);
    job.wait_until_it_goes_on("rows arrive", || count(&url));
    own.services(&["kill", "postgres"]);
    job.wait_until_held_up();
    own.services(&["up", "postgres"]);
    job.wait_until_it_goes_on("rows arrive after the crash", || count(&url));
    let emitted = job.stop();
    assert_eq!(count(&url), emitted);
}

#[test]
fn a_server_that_hangs_is_waited_for_and_what_it_had_begun_does_no_harm() {
    let Some((own, url)) = own(&[]) else { return };
    let job = numbers(&url);
    job.wait_until_it_goes_on("rows arrive", || count(&url));
    for _ in 0..2 {
        own.services(&["pause", "postgres"]);
        job.wait_until_held_up();
        // Longer than the time-out of a request: the batch is tried again meanwhile.
        std::thread::sleep(Duration::from_secs(4));
        own.services(&["resume", "postgres"]);
        job.wait_until_it_goes_on("rows arrive after the server hung", || count(&url));
    }
    let emitted = job.stop();
    assert_eq!(count(&url), emitted);
}

#[test]
fn a_job_that_waits_for_a_server_that_hangs_can_be_cancelled() {
    let Some((own, url)) = own(&[]) else { return };
    let job = numbers(&url);
    job.wait_until_it_goes_on("rows arrive", || count(&url));
    own.services(&["pause", "postgres"]);
    job.wait_until_held_up();
    job.cancel();
    own.services(&["resume", "postgres"]);
}

#[test]
fn connections_that_are_used_up_are_waited_for_or_told() {
    let Some((_own, url)) = own(&[("RHEOS_POSTGRES_CONNECTIONS", "6")]) else {
        return;
    };
    // Somebody else has them all; three are kept for an administrator.
    let somebody = runtime();
    let url = url.replace("postgres@", "ordinary@");
    let administrator = url.replace("ordinary@", "postgres@");
    let clients = somebody.block_on(async {
        let first = connect(&administrator).await.unwrap();
        let sql = "CREATE ROLE ordinary LOGIN; GRANT ALL ON SCHEMA public TO ordinary";
        first.batch_execute(sql).await.unwrap();
        drop(first);
        let mut clients = Vec::new();
        while let Ok(client) = connect(&url).await {
            clients.push(client);
        }
        clients
    });
    assert!(!clients.is_empty());
    let bounded = sink(&url).retries(Retries {
        initial_backoff: Duration::from_millis(10),
        max_backoff: Duration::from_millis(20),
        max_retries: Some(2),
    });
    let error = Endless::start(|k| k, 1_000.0, bounded, "postgres-sink").fails();
    for says in [
        "postgres-sink",
        "53300",
        "in 3 attempts",
        "rows from 1 on",
        TABLE,
    ] {
        assert!(error.contains(says), "'{says}' in {error}");
    }
    let job = numbers(&url);
    job.wait_until_held_up();
    drop(clients);
    drop(somebody);
    job.wait_until_it_goes_on("rows arrive once there is a connection", || {
        count(&administrator)
    });
    let emitted = job.stop();
    assert_eq!(count(&administrator), emitted);
}

#[test]
fn a_constraint_that_is_violated_ends_the_job_with_the_row_and_what_came_before_it_is_written() {
    let Some(url) = crate::common::part("RHEOS_POSTGRES") else {
        return;
    };
    let table = crate::common::unique("strict").replace('-', "_");
    let sink = PostgresSink::new(url.as_str(), table.as_str())
        .prepare(format!("CREATE TABLE {table} (n bigint CHECK (n <> 7777))"))
        .column("n", |n: &u64| *n as i64)
        .batches(BatchLimits {
            max_rows: 500,
            max_bytes: 1 << 20,
            interval: Duration::from_millis(50),
        });
    let error = Endless::start(|k| k, 20_000.0, sink, "postgres-sink").fails();
    for says in [
        "postgres-sink",
        "row 7778",
        "n_check",
        "23514",
        "dead letters",
    ] {
        assert!(error.contains(says), "'{says}' in {error}");
    }
    let below = runtime().block_on(async {
        let sql = format!("SELECT count(*) FROM {table} WHERE n < 7777");
        let client = connect(&url).await.unwrap();
        client.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0)
    });
    assert_eq!(below, 7_777);
}
