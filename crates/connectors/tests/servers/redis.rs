//! The Redis sink against a real server and a real cluster: what is written, what is refused, and what
//! happens when the way is cut, slots move, and a master is killed.

use crate::common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::own::Own;
use common::proxy::Proxy;
use common::{kill, part, unique};
use rheos::execute::{RunningJob, start};
use rheos::prelude::*;
use rheos_connectors::{
    BadRecords, BatchLimits, CollectSink, CollectionSource, DataGeneratorSource, DeadLetter,
    RedisOptions, RedisSink, Retries, dead_letters,
};

#[derive(Row, Clone, Debug, PartialEq)]
struct Window {
    category: String,
    window_start: i64,
    events: i64,
}

fn window(category: &str, window_start: i64, events: i64) -> Window {
    Window {
        category: category.to_owned(),
        window_start,
        events,
    }
}

fn document(of: &Window) -> String {
    let category = serde_json::Value::from(of.category.as_str());
    format!(
        "{{\"category\":{category},\"window_start\":{},\"events\":{}}}",
        of.window_start, of.events
    )
}

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

fn run(rows: Vec<Window>, sink: RedisSink<Window>) -> Result<(), ApiError> {
    let env = StreamEnv::default();
    let source = CollectionSource::from_elements(rows);
    env.from_source(source, WatermarkStrategy::no_watermarks(), "windows")
        .sink_to(sink)
        .name("redis-sink");
    start(&env.program()?, env.configuration())?
        .wait()
        .map(|_| ())
}

fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(90);
    while !reached() {
        assert!(Instant::now() < end, "not within 90 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What is published on a channel from now on.
struct Subscriber {
    process: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Subscriber {
    fn of(host: &str, channel: &str) -> Self {
        let (name, port) = host.split_once(':').unwrap();
        let mut process = Command::new("redis-cli")
            .args(["-h", name, "-p", port, "SUBSCRIBE", channel])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        let mut subscriber = Self { process, lines };
        // "subscribe", the channel, and how many it is now.
        assert_eq!(subscriber.lines(3)[0], "subscribe");
        subscriber
    }

    fn lines(&mut self, count: usize) -> Vec<String> {
        let lines = self.lines.by_ref().lines().take(count);
        lines.map(Result::unwrap).collect()
    }

    fn messages(&mut self, count: usize) -> Vec<String> {
        let lines = self.lines(count * 3);
        lines.chunks(3).map(|lines| lines[2].clone()).collect()
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn strings_hashes_and_messages_arrive_and_expire_when_told() {
    for variable in ["RHEOS_REDIS", "RHEOS_REDIS_CLUSTER"] {
        let Some(url) = part(variable) else { return };
        let (host, name) = (host(&url), unique("kinds"));
        let mut subscriber = Subscriber::of(host, &name);
        let (of_string, of_hash, channel) = (name.clone(), name.clone(), name.clone());
        let sink = RedisSink::new(url.as_str())
            .set(
                move |row: &Window| format!("{of_string}:{}", row.category),
                |row| row.events.to_string(),
            )
            .hash(
                move |_| format!("{of_hash}:hash"),
                |row| vec![(row.category.clone(), row.events.to_string())],
            )
            .expire(Duration::from_secs(1_000))
            .publish_json(move |_| channel.clone());
        let rows: Vec<Window> = (0..500)
            .map(|k| window(&format!("c {k}\r\n"), k, k * 7))
            .collect();
        run(rows.clone(), sink).unwrap();
        for row in rows.iter().step_by(50) {
            let key = format!("{name}:{}", row.category);
            assert_eq!(ask(host, &["GET", &key]), row.events.to_string());
            let field = ["HGET", &format!("{name}:hash"), &row.category];
            assert_eq!(ask(host, &field), row.events.to_string());
        }
        for key in [format!("{name}:c 0\r\n"), format!("{name}:hash")] {
            let left: i64 = ask(host, &["TTL", &key]).parse().unwrap();
            assert!((900..=1_000).contains(&left), "{left}");
        }
        let told: BTreeSet<String> = subscriber.messages(500).into_iter().collect();
        assert_eq!(told, rows.iter().map(document).collect());
    }
}

#[test]
fn of_several_documents_the_newest_stays_and_of_its_firings_the_last() {
    for variable in ["RHEOS_REDIS", "RHEOS_REDIS_CLUSTER"] {
        let Some(url) = part(variable) else { return };
        let (host, name) = (host(&url), unique("newest"));
        let mut rows = Vec::new();
        let mut expected = BTreeMap::new();
        for k in 0..4_000_i64 {
            // Windows come out of order, and fire several times with more events.
            let category = ["", "a", "{b}", "}c{", "d {}", "ü\"\\"][(k % 6) as usize];
            let row = window(category, (k * 7_919) % 101, k);
            let newest = expected.entry(category).or_insert_with(|| row.clone());
            if row.window_start >= newest.window_start {
                *newest = row.clone();
            }
            rows.push(row);
        }
        // What is no such document is replaced.
        ask(host, &["SET", &format!("{name}:a:latest"), "[1,"]);
        let key = name.clone();
        let sink = RedisSink::new(url.as_str())
            .set_newest(
                move |row: &Window| format!("{key}:{}:latest", row.category),
                ["window_start"],
            )
            .batches(BatchLimits {
                max_rows: 300,
                max_bytes: 1 << 20,
                interval: Duration::from_millis(100),
            });
        run(rows, sink).unwrap();
        for (category, row) in expected {
            let key = format!("{name}:{category}:latest");
            assert_eq!(ask(host, &["GET", &key]), document(&row), "{variable}");
        }
    }
}

/// Rows into strings, of which a few keys hold a list.
fn with_two_wrong(url: &str, name: &str) -> (Vec<Window>, RedisSink<Window>) {
    for wrong in [17, 90] {
        ask(host(url), &["RPUSH", &format!("{name}:{wrong}"), "x"]);
    }
    let key = name.to_owned();
    let sink = RedisSink::new(url).hash(
        move |row: &Window| format!("{key}:{}", row.events),
        |row| vec![("start", row.window_start.to_string())],
    );
    ((0..100).map(|k| window("c", k, k)).collect(), sink)
}

#[test]
fn rows_that_redis_does_not_take_are_bad_records_and_the_rest_is_written() {
    for variable in ["RHEOS_REDIS", "RHEOS_REDIS_CLUSTER"] {
        let Some(url) = part(variable) else { return };
        let name = unique("typed");
        let (rows, sink) = with_two_wrong(&url, &name);
        let env = StreamEnv::default();
        let letters = CollectSink::new();
        let source = CollectionSource::from_elements(rows.clone());
        let written = env
            .from_source(source, WatermarkStrategy::no_watermarks(), "windows")
            .sink_to(sink.bad_records(BadRecords::DeadLetter));
        let bad: DataStream<DeadLetter> = written.side_output(&dead_letters());
        bad.sink_to(letters.clone());
        let job = start(&env.program().unwrap(), env.configuration()).unwrap();
        job.wait().unwrap();
        let mut letters: Vec<DeadLetter> = letters.take();
        letters.sort_by_key(|letter| letter.line);
        let lines: Vec<u64> = letters.iter().map(|letter| letter.line).collect();
        assert_eq!(lines, [18, 91]);
        assert!(letters[0].error.contains("WRONGTYPE"), "{letters:?}");
        let mut reader = rheos::core::row::Reader::new(&letters[0].bytes);
        assert_eq!(Window::decode(&mut reader).unwrap(), rows[17]);
        for there in [0, 16, 18, 99] {
            let field = ["HGET", &format!("{name}:{there}"), "start"];
            assert_eq!(ask(host(&url), &field), there.to_string());
        }
        // Unless told otherwise the first ends the job.
        let (rows, sink) = with_two_wrong(&url, &unique("strict"));
        let error = run(rows, sink).unwrap_err().to_string();
        for says in ["redis-sink", "row 18", "WRONGTYPE"] {
            assert!(error.contains(says), "'{says}' in {error}");
        }
    }
}

#[test]
fn who_may_write_writes_and_what_will_not_pass_ends_the_job() {
    let Some(url) = part("RHEOS_REDIS") else {
        return;
    };
    let host = host(&url);
    let user = unique("user");
    ask(
        host,
        &[
            "ACL",
            "SETUSER",
            &user,
            "on",
            ">hunter/2",
            "~*",
            "&*",
            "+@all",
        ],
    );
    let (rows, _) = with_two_wrong(&url, &unique("unused"));
    let key = unique("by-user");
    let to = key.clone();
    let sink = |url: &str| {
        let to = to.clone();
        RedisSink::new(url).set(move |_: &Window| to.clone(), |row| row.events.to_string())
    };
    run(
        rows.clone(),
        sink(&format!("redis://{user}:hunter%2F2@{host}/3")),
    )
    .unwrap();
    assert_eq!(ask(host, &["-n", "3", "GET", &key]), "99");
    let error = run(
        rows.clone(),
        sink(&format!("redis://{user}:hunter3@{host}")),
    );
    let error = error.unwrap_err().to_string();
    for says in ["WRONGPASS", host, "redis-sink", "rows from 1 on"] {
        assert!(error.contains(says), "'{says}' in {error}");
    }
    assert!(!error.contains("hunter"), "{error}");
    ask(host, &["ACL", "DELUSER", &user]);
    let Some(cluster) = part("RHEOS_REDIS_CLUSTER") else {
        return;
    };
    let alone = cluster.replace("redis-cluster", "redis");
    let alone = alone.split(',').next().unwrap();
    let many = (0..50).map(|k| window("c", k, k)).collect();
    let sink = RedisSink::new(alone).set_json(|row: &Window| format!("k{}", row.events));
    let error = run(many, sink).unwrap_err().to_string();
    assert!(error.contains("redis-cluster://"), "{error}");
}

/// A job that writes rows with numbers from 0 on, a few thousand a second, until it is stopped.
fn endless(sink: RedisSink<Window>, emitted: &Arc<AtomicUsize>) -> RunningJob {
    let env = StreamEnv::default();
    env.parallelism(1);
    let emitted = emitted.clone();
    let source = DataGeneratorSource::unbounded(|k| window("c", k as i64, k as i64));
    env.from_source_with_rate(
        source,
        WatermarkStrategy::no_watermarks(),
        "numbers",
        3_000.0,
    )
    .map(move |row: Window| {
        emitted.fetch_add(1, Ordering::SeqCst);
        row
    })
    .sink_to(sink)
    .name("redis-sink");
    start(&env.program().unwrap(), env.configuration()).unwrap()
}

/// A hundred keys, and a key that each row sets.
fn impatient(options: RedisOptions, name: &str) -> RedisSink<Window> {
    let (spread, last) = (name.to_owned(), format!("{name}:last"));
    RedisSink::with(options)
        .hash(
            move |row: &Window| format!("{spread}:{}", row.events % 100),
            |row| vec![(row.events.to_string(), "1")],
        )
        .set(move |_| last.clone(), |row| row.events.to_string())
        .batches(BatchLimits {
            max_rows: 500,
            max_bytes: 1 << 20,
            interval: Duration::from_millis(50),
        })
        .retries(Retries {
            initial_backoff: Duration::from_millis(20),
            max_backoff: Duration::from_millis(200),
            max_retries: None,
        })
}

fn quick(url: &str) -> RedisOptions {
    let mut options = RedisOptions::new(url);
    options.request_timeout = Duration::from_millis(1_000);
    options.connect_timeout = Duration::from_millis(1_000);
    options
}

fn last(host: &str, name: &str) -> i64 {
    let last = ask(host, &["GET", &format!("{name}:last")]);
    last.parse().unwrap_or(-1)
}

/// Stops a job, and counts what it has written.
fn all_there(job: RunningJob, host: &str, name: &str, emitted: &AtomicUsize) {
    job.handle.control().stop(true);
    job.wait().unwrap();
    let emitted = emitted.load(Ordering::SeqCst);
    let lengths = (0..100).map(|k| ask(host, &["HLEN", &format!("{name}:{k}")]));
    let there: usize = lengths.map(|length| length.parse::<usize>().unwrap()).sum();
    assert_eq!(there, emitted);
    assert_eq!(last(host, name), emitted as i64 - 1);
}

#[test]
fn a_way_that_is_cut_or_stopped_loses_nothing() {
    let Some(url) = part("RHEOS_REDIS") else {
        return;
    };
    let (host, name) = (host(&url), unique("faults"));
    let proxy = Proxy::to(host);
    let emitted = Arc::new(AtomicUsize::new(0));
    let options = quick(&format!("redis://{}", proxy.address()));
    let job = endless(impatient(options, &name), &emitted);
    until("rows arrive", || last(host, &name) > 1_000);
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
        let before = last(host, &name);
        proxy.mend();
        until("rows arrive again", || last(host, &name) > before + 1_000);
    }
    all_there(job, host, &name, &emitted);
}

#[test]
fn retries_that_are_bounded_end_the_job() {
    let Some(url) = part("RHEOS_REDIS") else {
        return;
    };
    let proxy = Proxy::to(host(&url));
    proxy.cut();
    let options = quick(&format!("redis://{}", proxy.address()));
    let sink = impatient(options, "nowhere").retries(Retries {
        initial_backoff: Duration::from_millis(1),
        max_backoff: Duration::from_millis(2),
        max_retries: Some(3),
    });
    let error = run(vec![window("c", 0, 0)], sink).unwrap_err().to_string();
    assert!(
        error.contains("in 4 attempts") && error.contains("rows from 1 on"),
        "{error}"
    );
}

#[test]
fn slots_that_move_and_a_master_that_is_killed_lose_nothing_that_a_replica_must_have() {
    let replicas = [("RHEOS_REDIS_REPLICAS", "1")];
    let Some(own) = Own::up("RHEOS_REDIS_CLUSTER", &["redis-cluster"], &replicas) else {
        return;
    };
    let node = |k: u16| own.address(40 + k);
    let (killed, other) = (node(0), node(1));
    let name = unique("moved");
    let emitted = Arc::new(AtomicUsize::new(0));
    let mut options = quick(&format!("redis-cluster://{killed},{other}"));
    options.replicas = 1;
    let job = endless(impatient(options, &name), &emitted);
    let written = |host: &str| {
        let sizes = (0..100).map(|k| ask(host, &["HLEN", &format!("{name}:{k}")]));
        sizes
            .map(|size| size.parse::<usize>().unwrap_or(0))
            .sum::<usize>()
    };
    until("rows arrive", || written(&other) > 1_000);
    let id = |host: &str| ask(host, &["CLUSTER", "MYID"]);
    let (from, to) = (id(&killed), id(&other));
    let resharded = Command::new("redis-cli")
        .args([
            "--cluster",
            "reshard",
            &other,
            "--cluster-from",
            &from,
            "--cluster-to",
            &to,
        ])
        .args(["--cluster-slots", "1500", "--cluster-yes"])
        .stdout(Stdio::null())
        .status();
    assert!(resharded.unwrap().success());
    let before = written(&other);
    until("rows arrive after slots moved", || {
        written(&other) > before + 1_000
    });
    let info = ask(&killed, &["INFO", "server"]);
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("process_id:"));
    kill("-KILL", line.unwrap().trim());
    let promoted = || {
        let slots = ask(&other, &["CLUSTER", "SLOTS"]);
        let state = ask(&other, &["CLUSTER", "INFO"]);
        state.contains("cluster_state:ok") && !slots.lines().any(|line| line == from)
    };
    until("a replica takes over", promoted);
    // The old master comes back as the replica that batches wait for.
    own.services(&["up", "redis-cluster"]);
    let before = written(&other);
    until("rows arrive after the fail-over", || {
        written(&other) > before + 1_000
    });
    all_there(job, &other, &name, &emitted);
}
