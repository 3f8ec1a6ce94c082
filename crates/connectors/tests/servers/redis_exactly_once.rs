//! The Redis sink exactly once, against a real server and a real cluster: messages, of which each that
//! is published twice is heard twice, under ways that are cut, committers that come late, rows that are
//! refused, a server that is killed, and whole jobs that fail, stop and go on.

use crate::common;
use crate::staged;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::own::Own;
use common::proxy::Proxy;
use common::{part, unique, wait_until};
use rheos::prelude::Row;
use rheos_connectors::{
    BadRecords, BatchLimits, DeliveryGuarantee, RedisOptions, RedisSink, Retries,
};
use staged::{OPERATOR, Staged, commit_by_two, commit_while_cut, run_through_trouble};

fn host(url: &str) -> &str {
    let (_, hosts) = url.split_once("://").unwrap();
    hosts.split(',').next().unwrap()
}

/// Asks the server itself; a cluster whoever of it has the key.
fn ask(host: &str, command: &[&str]) -> String {
    let (name, port) = host.split_once(':').unwrap();
    let output = Command::new("redis-cli")
        .args(["-c", "-h", name, "-p", port])
        .args(command)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim_end_matches('\n').to_owned()
}

/// What is heard on a channel from now on.
struct Subscriber {
    process: Child,
    heard: Arc<Mutex<Vec<u64>>>,
}

impl Subscriber {
    fn of(host: &str, channel: &str) -> Self {
        let (name, port) = host.split_once(':').unwrap();
        let mut process = Command::new("redis-cli")
            .args(["-h", name, "-p", port, "SUBSCRIBE", channel])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        // "subscribe", the channel, and how many it is now.
        (0..3).for_each(|_| drop(lines.next().unwrap().unwrap()));
        let heard: Arc<Mutex<Vec<u64>>> = Arc::default();
        let told = heard.clone();
        std::thread::spawn(move || {
            let mut at = 0;
            while let Some(Ok(line)) = lines.next() {
                at += 1;
                if at % 3 == 0 {
                    told.lock().unwrap().push(line.parse().unwrap());
                }
            }
        });
        Self { process, heard }
    }

    /// Each of these once.
    fn check(&self, count: u64) {
        let heard = || self.heard.lock().unwrap().clone();
        wait_until("messages are missing", || heard().len() as u64 >= count);
        std::thread::sleep(Duration::from_millis(200));
        let mut numbers = heard();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..count).collect::<Vec<_>>());
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A field a row, of a hundred hashes, and a message a row.
fn sink(url: &str, name: &str) -> RedisSink<u64> {
    let (key, channel) = (name.to_owned(), name.to_owned());
    RedisSink::with(RedisOptions {
        request_timeout: Duration::from_secs(5),
        ..RedisOptions::new(url)
    })
    .hash(
        move |n: &u64| format!("{key}:{}", n % 100),
        |n| vec![(n.to_string(), n.to_string())],
    )
    .publish(move |_| channel.clone(), |n: &u64| n.to_string())
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

fn fields(host: &str, name: &str) -> usize {
    let sizes = (0..100).map(|k| ask(host, &["HLEN", &format!("{name}:{k}")]));
    sizes.map(|size| size.parse::<usize>().unwrap_or(0)).sum()
}

/// The rows of an epoch: more than one call of the script applies, on a server alone.
fn rows(number: u64) -> std::ops::Range<u64> {
    number * 700..(number + 1) * 700
}

#[derive(Row, Clone, Debug, PartialEq)]
struct Timed {
    n: u64,
    time: u64,
}

const SERVERS: [&str; 2] = ["RHEOS_REDIS", "RHEOS_REDIS_CLUSTER"];

#[test]
fn an_epoch_that_is_applied_again_or_late_changes_nothing() {
    for variable in SERVERS {
        let Some(url) = part(variable) else { return };
        let (staged, name) = (Staged::new(), unique("again"));
        let subscriber = Subscriber::of(host(&url), &name);
        let sink = sink(&url, &name);
        let epoch = |number| staged.epoch(&sink, number, rows(number));
        let mut committer = staged.committer(&sink).unwrap();
        committer.commit(&[epoch(0)]).unwrap();
        // One that died after it had applied the epoch, and before that was known.
        let mut next = staged.committer(&sink).unwrap();
        next.commit(&[epoch(0), epoch(1)]).unwrap();
        // And the one thought dead comes late.
        committer.commit(&[epoch(0), epoch(1)]).unwrap();
        next.commit(&[epoch(2)]).unwrap();
        subscriber.check(2_100);
        assert_eq!(fields(host(&url), &name), 2_100);
    }
}

#[test]
fn an_epoch_of_which_a_part_is_applied_goes_on_behind_it() {
    let Some(url) = part("RHEOS_REDIS") else {
        return;
    };
    let (staged, name) = (Staged::new(), unique("part"));
    let sink = sink(&url, &name);
    let mut committer = staged.committer(&sink).unwrap();
    let epoch = staged.epoch(&sink, 1, 0..700);
    committer.commit(std::slice::from_ref(&epoch)).unwrap();
    // As it is when the server has applied two calls of three: 1,000 of 1,400 commands.
    let fence = format!("rheos:fence:{}:{OPERATOR}:0", staged.lineage);
    assert_eq!(ask(host(&url), &["GET", &fence]), "1 1400");
    ask(host(&url), &["SET", &fence, "1 1000"]);
    let subscriber = Subscriber::of(host(&url), &name);
    committer.commit(std::slice::from_ref(&epoch)).unwrap();
    wait_until("the rest is applied", || {
        subscriber.heard.lock().unwrap().len() >= 200
    });
    std::thread::sleep(Duration::from_millis(200));
    let heard = subscriber.heard.lock().unwrap().clone();
    assert_eq!(heard, (500..700).collect::<Vec<_>>());
    assert_eq!(ask(host(&url), &["GET", &fence]), "1 1400");
}

#[test]
fn a_way_that_is_cut_again_and_again_loses_and_doubles_nothing() {
    let Some(url) = part("RHEOS_REDIS") else {
        return;
    };
    let proxy = Proxy::to(host(&url));
    let by = format!("redis://{}", proxy.address());
    let (staged, name) = (Staged::new(), unique("cut"));
    let subscriber = Subscriber::of(host(&url), &name);
    let sink = sink(&by, &name);
    let committer = staged.committer(&sink).unwrap();
    let epochs: Vec<_> = (0..100)
        .map(|number| staged.epoch(&sink, number, rows(number)))
        .collect();
    commit_while_cut(committer, epochs, &proxy, (60, 5_000, 9_000));
    subscriber.check(70_000);
}

#[test]
fn two_committers_of_one_place_apply_each_epoch_once() {
    for variable in SERVERS {
        let Some(url) = part(variable) else { return };
        let (staged, name) = (Staged::new(), unique("both"));
        let subscriber = Subscriber::of(host(&url), &name);
        let sink = sink(&url, &name);
        commit_by_two(&staged, &sink, || {
            (0..20)
                .map(|number| staged.epoch(&sink, number, rows(number)))
                .collect()
        });
        subscriber.check(14_000);
    }
}

#[test]
fn the_newest_document_stays_and_expires_when_told() {
    for variable in SERVERS {
        let Some(url) = part(variable) else { return };
        let (staged, name) = (Staged::new(), unique("newest"));
        let key = name.clone();
        let sink = RedisSink::new(url.as_str())
            .set_newest(move |row: &Timed| format!("{key}:{}", row.n), ["time"])
            .expire(Duration::from_secs(600))
            .delivery_guarantee(DeliveryGuarantee::ExactlyOnce);
        let rows = |times: [u64; 3]| times.map(|time| (0..10).map(move |n| Timed { n, time }));
        let epochs = [(1, rows([5, 9, 7])), (2, rows([3, 8, 2]))];
        let mut committer = staged.committer(&sink).unwrap();
        for (number, rows) in epochs {
            let epoch = staged.epoch(&sink, number, rows.into_iter().flatten());
            committer.commit(&[epoch]).unwrap();
        }
        for n in 0..10 {
            let key = format!("{name}:{n}");
            let there: serde_json::Value =
                serde_json::from_str(&ask(host(&url), &["GET", &key])).unwrap();
            assert_eq!(there["time"], 9, "{there}");
            let left: i64 = ask(host(&url), &["TTL", &key]).parse().unwrap();
            assert!((1..=600).contains(&left), "{left}");
        }
    }
}

#[test]
fn a_row_that_is_refused_fails_its_epoch_or_is_left_out_alone() {
    for variable in SERVERS {
        let Some(url) = part(variable) else { return };
        let (staged, name) = (Staged::new(), unique("refused"));
        // Where row 70 writes a field is a string.
        ask(host(&url), &["SET", &format!("{name}:70"), "x"]);
        let sink = sink(&url, &name);
        let epoch = staged.epoch(&sink, 1, 0..100);
        let mut strict = staged.committer(&sink).unwrap();
        let error = strict
            .commit(std::slice::from_ref(&epoch))
            .unwrap_err()
            .to_string();
        for says in ["WRONGTYPE", "bad records skipped"] {
            assert!(error.contains(says), "'{says}' in {error}");
        }
        let second = staged.epoch(&sink, 2, 0..100);
        let letters = sink.bad_records(BadRecords::DeadLetter);
        let error = staged.committer(&letters).err().unwrap().to_string();
        assert!(error.contains("too late"), "{error}");
        let lenient = letters.bad_records(BadRecords::Skip);
        staged
            .committer(&lenient)
            .unwrap()
            .commit(&[epoch, second])
            .unwrap();
        assert_eq!(fields(host(&url), &name), 99);
        assert_eq!(staged.metrics.records_out_errors(), 2, "one an epoch");
    }
}

#[test]
fn a_job_that_fails_and_stops_and_changes_its_parallelism_writes_each_row_once() {
    for variable in SERVERS {
        let Some(url) = part(variable) else { return };
        let name = unique("job");
        let subscriber = Subscriber::of(host(&url), &name);
        run_through_trouble(|| sink(&url, &name), 9_000, |_| {});
        subscriber.check(9_000);
        assert_eq!(fields(host(&url), &name), 9_000);
    }
}

#[test]
fn a_server_that_is_killed_and_comes_back_has_every_epoch_once() {
    let Some(own) = Own::up("RHEOS_REDIS", &["redis"], &[]) else {
        return;
    };
    let server = own.address(30);
    let (staged, name) = (Staged::new(), unique("killed"));
    let sink = sink(&format!("redis://{server}"), &name);
    let mut committer = staged.committer(&sink).unwrap();
    let epochs: Vec<_> = (0..150)
        .map(|number| staged.epoch(&sink, number, rows(number)))
        .collect();
    let committing = std::thread::spawn(move || {
        for epoch in epochs {
            committer.commit(&[epoch]).unwrap();
        }
    });
    for kill in 0..5u64 {
        std::thread::sleep(Duration::from_millis(20 + kill * 17));
        let info = ask(&server, &["INFO", "server"]);
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("process_id:"));
        common::kill("-KILL", line.unwrap().trim());
        // Until it is gone it would be taken for one that is up.
        wait_until("the server does not come back", || {
            own.services(&["up", "redis"]);
            ask(&server, &["PING"]) == "PONG"
        });
    }
    committing.join().unwrap();
    assert_eq!(fields(&server, &name), 105_000);
    let fence = format!("rheos:fence:{}:{OPERATOR}:0", staged.lineage);
    assert_eq!(ask(&server, &["GET", &fence]), "149 1400");
}
