//! `rheos dead-letters` as people use it: on files, on a real topic and on a real table.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rheos::prelude::*;
use rheos_connectors::kafka::{
    KafkaDeadLetter, KafkaRecord, KafkaSink, KafkaSource, Offsets, RecordDecoder, RecordFormat,
    dead_letter_headers, dead_letter_records,
};
use rheos_connectors::{CollectSink, CollectionSource, PostgresSink};

/// As in the tests of the connectors: the address of a part, or the test is skipped by name.
fn part(variable: &str) -> Option<String> {
    if let Some(address) = std::env::var(variable).ok().filter(|a| !a.is_empty()) {
        return Some(address);
    }
    let test = std::thread::current()
        .name()
        .unwrap_or("unnamed")
        .to_owned();
    assert!(
        std::env::var("RHEOS_REQUIRE_SERVICES").as_deref() != Ok("1"),
        "{test} needs {variable}, and RHEOS_REQUIRE_SERVICES=1 forbids to skip it"
    );
    let line = format!("skipped test {test}: {variable} is not set, see `scripts/services`\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    None
}

fn unique(what: &str) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    format!("{what}-{}-{}", std::process::id(), now.as_nanos())
}

fn rheos(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rheos"))
        .arg("dead-letters")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn said(arguments: &[&str]) -> String {
    let output = rheos(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn letter(topic: &str, number: i64) -> KafkaDeadLetter {
    KafkaDeadLetter {
        topic: topic.into(),
        partition: i32::try_from(number % 2).unwrap(),
        offset: number,
        timestamp: 1_000 + number,
        key: (number % 3 > 0).then(|| format!("key {number}").into_bytes()),
        value: (number % 5 > 0).then(|| vec![0, 255, u8::try_from(number).unwrap()]),
        headers: (number % 2 > 0).then(|| "[[\"trace\",\"MQ==\"]]".to_owned()),
        error: format!("schema {number} is unknown"),
    }
}

fn run(env: &StreamEnv) {
    let program = env.program().unwrap();
    let job = rheos::execute::start(&program, env.configuration()).unwrap();
    job.wait().unwrap();
}

fn topic(name: &str, partitions: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/services");
    let made = Command::new(script)
        .args(["topic", name, partitions])
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}

/// What lies in a topic, as a dead letter shows it: only that nothing is wrong with it.
#[derive(Clone)]
struct AsItIs;

impl RecordFormat<KafkaDeadLetter> for AsItIs {
    type Decoder = Self;

    fn decoder(&self, _context: &ReaderContext) -> Result<Self, BoxError> {
        Ok(Self)
    }
}

impl RecordDecoder<KafkaDeadLetter> for AsItIs {
    fn decode(
        &mut self,
        record: &KafkaRecord<'_>,
        mut emit: impl FnMut(KafkaDeadLetter),
    ) -> Result<rheos_connectors::kafka::Decoded, rheos::core::row::RowError> {
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, value) in record.headers.iter() {
            let value = String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
            headers.push((name.into_owned(), value));
        }
        emit(KafkaDeadLetter {
            topic: record.topic.into(),
            partition: record.partition,
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: Some(serde_json::json!(headers).to_string()),
            error: String::new(),
        });
        Ok(rheos_connectors::kafka::Decoded::Done)
    }

    fn takes_tombstones(&self) -> bool {
        true
    }
}

fn read(brokers: &str, topic: &str) -> Vec<KafkaDeadLetter> {
    let env = StreamEnv::default();
    let sink = CollectSink::new();
    let source = KafkaSource::new(AsItIs)
        .bootstrap_servers(brokers)
        .topics([topic])
        .group_id("test")
        .property("isolation.level", "read_committed")
        .starting_offsets(Offsets::Earliest)
        .bounded(Offsets::Latest);
    let records: DataStream<KafkaDeadLetter> =
        env.from_source(source, WatermarkStrategy::no_watermarks(), "read");
    records.sink_to(sink.clone());
    run(&env);
    sink.take()
}

#[test]
fn files_are_listed_by_kind_and_shown_with_their_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let lines: String = (0..3)
        .map(|n| {
            format!(
                "{{\"topic\":\"events\",\"partition\":0,\"offset\":{n},\"timestamp\":{},\"key_base64\":null,\
                 \"value_base64\":\"AAEC\",\"error\":\"schema {n} is unknown\"}}\n",
                n * 1_000
            )
        })
        .collect();
    std::fs::write(folder.path().join("dead_letter-0-0.jsonl"), lines).unwrap();
    let path = folder.path().to_str().unwrap();
    let list = said(&["list", "--files", path]);
    assert_eq!(
        list,
        "         3  events: schema # is unknown\n3 of 3 dead letters\n"
    );
    let one = said(&[
        "list",
        "--each",
        "--files",
        path,
        "--since",
        "1000",
        "--until",
        "1970-01-01T00:00:02Z",
    ]);
    assert!(one.starts_with("events/0/1 "), "{one}");
    assert!(one.ends_with("1 of 3 dead letters\n"), "{one}");
    let shown = said(&["show", "--id", "events/0/2", "--files", path]);
    assert!(
        shown.contains("00 01 02") && shown.contains("schema 2 is unknown"),
        "{shown}"
    );
    // What it prints as JSON it reads again.
    let json = said(&["list", "--json", "--files", path]);
    let again = folder.path().join("again.json");
    std::fs::write(&again, json).unwrap();
    assert_eq!(said(&["list", "--files", again.to_str().unwrap()]), list);
    let refused = rheos(&["replay", "--files", path]);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && error.contains("--kafka HOST:PORT"),
        "{error}"
    );
}

#[test]
fn messages_go_back_as_they_were_and_once() {
    let Some(brokers) = part("RHEOS_KAFKA") else {
        return;
    };
    let (origin, letters, ledger) = (unique("origin"), unique("letters"), unique("ledger"));
    topic(&origin, "2");
    topic(&letters, "3");
    let env = StreamEnv::default();
    let all: Vec<KafkaDeadLetter> = (0..40).map(|number| letter(&origin, number)).collect();
    let source = CollectionSource::from(all.clone());
    let stream: DataStream<KafkaDeadLetter> =
        env.from_source(source, WatermarkStrategy::no_watermarks(), "letters");
    stream.sink_to(
        KafkaSink::new(dead_letter_records(letters.as_str())).bootstrap_servers(brokers.as_str()),
    );
    run(&env);
    let common = [
        "--topic", &letters, "--kafka", &brokers, "--ledger", &ledger,
    ];
    let replay = |further: &[&str]| {
        let mut arguments = vec!["replay"];
        arguments.extend(common);
        arguments.extend(further);
        said(&arguments)
    };
    assert!(replay(&["--dry-run"]).ends_with("40 would be sent back\n"));
    assert!(read(&brokers, &origin).is_empty());
    // Nobody is there to be asked.
    let mut unasked = vec!["replay"];
    unasked.extend(common);
    assert!(!rheos(&unasked).status.success());
    // Some by a filter, some by a limit, then the rest in small portions.
    let ten = replay(&["--yes", "--error", "SCHEMA 1"]);
    assert!(ten.ends_with("11 sent back\n"), "{ten}");
    assert!(replay(&["--yes", "--limit", "4"]).ends_with("4 sent back\n"));
    let rest = replay(&["--yes", "--portion", "7"]);
    assert!(rest.contains("15 sent back before"), "{rest}");
    assert!(rest.ends_with("25 sent back\n"), "{rest}");
    assert!(replay(&["--yes"]).ends_with("0 sent back\n"));

    let mut due: BTreeMap<String, KafkaDeadLetter> = all
        .into_iter()
        .map(|letter| {
            (
                format!("{origin}/{}/{}", letter.partition, letter.offset),
                letter,
            )
        })
        .collect();
    for message in read(&brokers, &origin) {
        let headers = message.headers.unwrap();
        let headers: Vec<(String, String)> = serde_json::from_str(&headers).unwrap();
        let of = |name: &str| {
            headers
                .iter()
                .find(|(found, _)| found == name)
                .map(|(_, v)| v.clone())
        };
        let letter = due
            .remove(&of("rheos-replayed-from").unwrap())
            .expect("once");
        assert_eq!(message.partition, letter.partition);
        assert_eq!(message.timestamp, letter.timestamp);
        assert_eq!((&message.key, &message.value), (&letter.key, &letter.value));
        let own = letter
            .headers
            .as_deref()
            .and_then(dead_letter_headers)
            .unwrap_or_default();
        assert_eq!(of("trace").is_some(), !own.is_empty());
        assert!(of("rheos-replayed-at").is_some());
    }
    assert!(due.is_empty(), "{} were not sent", due.len());
}

#[test]
fn what_was_sent_back_and_is_bad_again_is_left_alone_until_told() {
    let Some(brokers) = part("RHEOS_KAFKA") else {
        return;
    };
    let (origin, ledger) = (unique("origin"), unique("ledger"));
    topic(&origin, "2");
    let mut again = letter(&origin, 1);
    again.headers = Some("[[\"rheos-replayed-from\",\"eA==\"],[\"trace\",\"MQ==\"]]".to_owned());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead_letter-0.jsonl");
    let line = serde_json::json!({
        "topic": origin, "partition": 1, "offset": 1, "timestamp": 5, "key_base64": null,
        "value_base64": "AA==", "headers": again.headers, "error": "x",
    });
    std::fs::write(&path, format!("{line}\n")).unwrap();
    let common = [
        "--files",
        path.to_str().unwrap(),
        "--kafka",
        &brokers,
        "--ledger",
        &ledger,
        "--yes",
    ];
    let replay = |further: &[&str]| {
        let mut arguments = vec!["replay"];
        arguments.extend(common);
        arguments.extend(further);
        said(&arguments)
    };
    let left = replay(&[]);
    assert!(
        left.contains("1 bad again") && left.ends_with("0 sent back\n"),
        "{left}"
    );
    assert!(replay(&["--again", "--to", &origin]).ends_with("1 sent back\n"));
    // Readers of committed records see it once the broker has marked it, after the commit was answered.
    let [message] = (0..100)
        .map(|_| read(&brokers, &origin))
        .find(|read| !read.is_empty())
        .unwrap_or_default()
        .try_into()
        .unwrap();
    let headers: Vec<(String, String)> = serde_json::from_str(&message.headers.unwrap()).unwrap();
    let from: Vec<&str> = headers
        .iter()
        .filter(|(name, _)| name == "rheos-replayed-from")
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(from, [format!("{origin}/1/1")]);
}

#[test]
fn a_topic_that_is_gone_is_told_and_nothing_is_sent() {
    let Some(brokers) = part("RHEOS_KAFKA") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead_letter-0.jsonl");
    let gone = unique("gone");
    let line =
        format!("{{\"topic\":\"{gone}\",\"offset\":1,\"value\":\"AA==\",\"error\":\"x\"}}\n");
    std::fs::write(&path, line).unwrap();
    let ledger = unique("ledger");
    let path = path.to_str().unwrap();
    let refused = rheos(&[
        "replay", "--files", path, "--kafka", &brokers, "--ledger", &ledger, "--yes",
    ]);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success(), "{error}");
    assert!(
        error.contains(&gone) && error.contains("--to names"),
        "{error}"
    );
}

#[test]
fn letters_lie_in_a_table_as_well() {
    let Some(url) = part("RHEOS_POSTGRES") else {
        return;
    };
    let table = unique("letters").replace('-', "_");
    let env = StreamEnv::default();
    let all: Vec<KafkaDeadLetter> = (0..40).map(|number| letter("events", number)).collect();
    let stream: DataStream<KafkaDeadLetter> = env.from_source(
        CollectionSource::from(all),
        WatermarkStrategy::no_watermarks(),
        "letters",
    );
    let create = format!(
        "CREATE TABLE {table} (topic text, partition int, \"offset\" bigint, \"timestamp\" bigint, \
         key bytea, value bytea, headers text, error text, PRIMARY KEY (topic, partition, \"offset\"))"
    );
    stream.sink_to(
        PostgresSink::new(url.as_str(), table.as_str())
            .prepare(create)
            .column("topic", |l: &KafkaDeadLetter| l.topic.to_string())
            .column("partition", |l: &KafkaDeadLetter| l.partition)
            .column("offset", |l: &KafkaDeadLetter| l.offset)
            .column("timestamp", |l: &KafkaDeadLetter| l.timestamp)
            .column("key", |l: &KafkaDeadLetter| l.key.clone())
            .column("value", |l: &KafkaDeadLetter| l.value.clone())
            .column("headers", |l: &KafkaDeadLetter| l.headers.clone())
            .column("error", |l: &KafkaDeadLetter| l.error.clone())
            .key(["topic", "partition", "offset"]),
    );
    run(&env);
    let list = said(&["list", "--table", &table, "--postgres", &url]);
    assert!(list.ends_with("40 of 40 dead letters\n"), "{list}");
    let shown = said(&[
        "show",
        "--id",
        "events/1/7",
        "--table",
        &table,
        "--postgres",
        &url,
    ]);
    assert!(
        shown.contains("header trace: 1") && shown.contains("00 ff 07"),
        "{shown}"
    );
}
