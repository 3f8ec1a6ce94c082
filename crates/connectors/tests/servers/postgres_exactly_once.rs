//! The PostgreSQL sink exactly once, against a real server: ways that are cut, committers that die or
//! come twice, rows that are refused, and whole jobs that fail, stop and go on.

use crate::common;
use crate::staged;

use std::str::FromStr;
use std::time::Duration;

use common::proxy::Proxy;
use common::{part, unique, wait_until};
use rheos_connectors::{BadRecords, BatchLimits, DeliveryGuarantee, PostgresSink, Retries};
use staged::{OPERATOR, Staged, commit_by_two, commit_while_cut, run_through_trouble};
use tokio_postgres::{Client, Config, NoTls};

/// A connection of the test's own.
struct Server {
    io: tokio::runtime::Runtime,
    client: Client,
}

impl Server {
    fn new(url: &str) -> Self {
        let io = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let connecting = async { Config::from_str(url).unwrap().connect(NoTls).await };
        let (client, connection) = io.block_on(connecting).unwrap();
        io.spawn(connection);
        Self { io, client }
    }

    fn run(&self, sql: &str) {
        self.io.block_on(self.client.batch_execute(sql)).unwrap();
    }

    fn number(&self, sql: &str) -> i64 {
        let asked = self.io.block_on(self.client.query_one(sql, &[]));
        asked.unwrap().get(0)
    }

    fn numbers(&self, table: &str) -> Vec<i64> {
        let sql = format!("SELECT n FROM {table} ORDER BY n");
        let rows = self.io.block_on(self.client.query(&sql, &[])).unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

/// Rows are but added: what is written twice is there twice.
fn sink(url: &str, table: &str) -> PostgresSink<u64> {
    PostgresSink::new(url, table)
        .prepare(format!(
            "CREATE TABLE IF NOT EXISTS {table} (n bigint CHECK (n < 1000000))"
        ))
        .column("n", |n: &u64| *n as i64)
        .batches(BatchLimits {
            max_rows: 40,
            max_bytes: 1 << 20,
            interval: Duration::from_secs(1),
        })
        .retries(Retries {
            initial_backoff: Duration::from_millis(5),
            max_backoff: Duration::from_millis(20),
            max_retries: None,
        })
        .delivery_guarantee(DeliveryGuarantee::ExactlyOnce)
}

fn table() -> String {
    unique("once").replace('-', "_")
}

/// The hundred rows of an epoch.
fn rows(number: u64) -> std::ops::Range<u64> {
    number * 100..(number + 1) * 100
}

fn check(server: &Server, table: &str, epochs: u64) {
    let expected: Vec<i64> = (0..epochs as i64 * 100).collect();
    assert_eq!(server.numbers(table), expected);
}

#[test]
fn a_committer_that_died_before_or_after_its_commit_is_followed_by_one_that_applies_the_epoch_once()
{
    let Some(url) = part("RHEOS_POSTGRES") else {
        return;
    };
    let (staged, table, server) = (Staged::new(), table(), Server::new(&url));
    let sink = sink(&url, &table);
    let epoch = |number| staged.epoch(&sink, number, rows(number));
    staged
        .committer(&sink)
        .unwrap()
        .commit(&[epoch(0)])
        .unwrap();
    // One that is still at work holds the fence: it is waited for.
    let fence = format!(
        "lineage = '{}' AND sink = '{OPERATOR}' AND writer = 0",
        staged.lineage
    );
    for (number, end) in [(1, "ROLLBACK"), (2, "COMMIT")] {
        let other = Server::new(&url);
        other.run(&format!(
            "BEGIN; SELECT epoch FROM rheos_fences WHERE {fence} FOR UPDATE; \
             INSERT INTO {table} SELECT generate_series({}, {}); \
             UPDATE rheos_fences SET epoch = {number} WHERE {fence}",
            number * 100,
            number * 100 + 99
        ));
        let mut committer = staged.committer(&sink).unwrap();
        let epochs = [epoch(number - 1), epoch(number)];
        let waiting = std::thread::spawn(move || committer.commit(&epochs).unwrap());
        wait_until("nobody waits for the fence", || {
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND \
                       query LIKE '%rheos_fences%' AND application_name = 'rheos'";
            server.number(sql) > 0
        });
        other.run(end);
        waiting.join().unwrap();
        check(&server, &table, number + 1);
    }
    // One that died takes its transaction with it.
    let other = Server::new(&url);
    other.run(&format!(
        "BEGIN; SELECT epoch FROM rheos_fences WHERE {fence} FOR UPDATE; INSERT INTO {table} VALUES (0)"
    ));
    drop(other);
    staged
        .committer(&sink)
        .unwrap()
        .commit(&[epoch(3)])
        .unwrap();
    check(&server, &table, 4);
}

#[test]
fn a_way_that_is_cut_again_and_again_loses_and_doubles_nothing() {
    let Some(url) = part("RHEOS_POSTGRES") else {
        return;
    };
    let (head, rest) = url.split_once('@').unwrap();
    let (address, path) = rest.split_once('/').unwrap();
    let proxy = Proxy::to(address);
    let by = format!("{head}@{}/{path}", proxy.address());
    let (staged, table, server) = (Staged::new(), table(), Server::new(&url));
    let sink = sink(&by, &table);
    let committer = staged.committer(&sink).unwrap();
    let epochs: Vec<_> = (0..200)
        .map(|number| staged.epoch(&sink, number, rows(number)))
        .collect();
    commit_while_cut(committer, epochs, &proxy, (60, 7_000, 9_000));
    check(&server, &table, 200);
}

#[test]
fn two_committers_of_one_place_apply_each_epoch_once() {
    let Some(url) = part("RHEOS_POSTGRES") else {
        return;
    };
    let (staged, table, server) = (Staged::new(), table(), Server::new(&url));
    let sink = sink(&url, &table).copy();
    commit_by_two(&staged, &sink, || {
        (0..50)
            .map(|number| staged.epoch(&sink, number, rows(number)))
            .collect()
    });
    check(&server, &table, 50);
}

#[test]
fn a_row_that_the_table_refuses_fails_its_epoch_or_is_left_out_alone() {
    let Some(url) = part("RHEOS_POSTGRES") else {
        return;
    };
    let (staged, table, server) = (Staged::new(), table(), Server::new(&url));
    let sink = sink(&url, &table);
    let wrong = || (0..100).map(|n| if n == 70 { 1_000_000 } else { n });
    let epoch = staged.epoch(&sink, 1, wrong());
    let mut strict = staged.committer(&sink).unwrap();
    let error = strict
        .commit(std::slice::from_ref(&epoch))
        .unwrap_err()
        .to_string();
    for says in [&*table, "23514", "n_check", "bad records skipped"] {
        assert!(error.contains(says), "'{says}' in {error}");
    }
    assert_eq!(server.numbers(&table), Vec::<i64>::new());
    let lenient = sink.clone().bad_records(BadRecords::Skip);
    staged
        .committer(&lenient)
        .unwrap()
        .commit(&[epoch])
        .unwrap();
    assert_eq!(server.numbers(&table).len(), 99);
    assert_eq!(staged.metrics.records_out_errors(), 1);
    let letters = sink.bad_records(BadRecords::DeadLetter);
    let error = staged.committer(&letters).err().unwrap().to_string();
    assert!(error.contains("too late"), "{error}");
}

#[test]
fn a_table_that_is_missing_is_told_before_anything_runs() {
    let Some(url) = part("RHEOS_POSTGRES") else {
        return;
    };
    let sink = PostgresSink::new(url.as_str(), "not_there")
        .column("n", |n: &u64| *n as i64)
        .delivery_guarantee(DeliveryGuarantee::ExactlyOnce);
    let error = Staged::new().committer(&sink).err().unwrap().to_string();
    assert!(
        error.contains("not_there") && error.contains("42P01"),
        "{error}"
    );
}

#[test]
fn a_job_that_fails_and_stops_and_changes_its_parallelism_writes_each_row_once() {
    let Some(url) = part("RHEOS_POSTGRES") else {
        return;
    };
    let table = table();
    run_through_trouble(|| sink(&url, &table), 12_000, |_| {});
    check(&Server::new(&url), &table, 120);
}
