//! The Elasticsearch sink exactly once, against a real server: epochs that are applied again, late or in
//! part, documents that are refused, ways that are cut, and whole jobs that fail, stop and go on.

use crate::common;
use crate::staged;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use common::proxy::Proxy;
use common::{part, unique};
use rheos::prelude::*;
use rheos_connectors::{BadRecords, BatchLimits, DeliveryGuarantee, ElasticsearchSink, Retries};
use serde_json::{Value, json};
use staged::{Staged, commit_while_cut, run_rows_through_trouble};

#[derive(Row, Clone, Debug, PartialEq)]
struct Numbered {
    n: u64,
    of: String,
}

fn numbered(n: u64) -> Numbered {
    Numbered {
        n,
        of: String::new(),
    }
}

const MAPPING: &str = r#"{"settings":{"number_of_shards":1,"number_of_replicas":0},"mappings":
    {"properties":{"n":{"type":"integer"},"of":{"type":"keyword"}}}}"#;

/// Documents without an id: what is written twice would be there twice.
fn sink(url: &str, index: &str) -> ElasticsearchSink<Numbered> {
    ElasticsearchSink::new([url], index)
        .create_index(MAPPING)
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

fn ask(url: &str, path: &str, body: &str) -> Value {
    let host = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "POST /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 200 "), "{path}: {answer}");
    let body = match head.to_lowercase().contains("transfer-encoding: chunked") {
        true => body.split("\r\n").skip(1).step_by(2).collect::<String>(),
        false => body.to_owned(),
    };
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {path}"))
}

fn hits(url: &str, index: &str) -> Vec<Value> {
    ask(url, &format!("{index}/_refresh"), "");
    let query = json!({"size": 10_000, "query": {"match_all": {}}, "version": true});
    let answer = ask(url, &format!("{index}/_search"), &query.to_string());
    answer["hits"]["hits"].as_array().unwrap().clone()
}

fn numbers(url: &str, index: &str) -> Vec<u64> {
    let hits = hits(url, index).into_iter();
    let mut numbers: Vec<u64> = hits
        .map(|hit| hit["_source"]["n"].as_u64().unwrap())
        .collect();
    numbers.sort_unstable();
    numbers
}

fn rows(number: u64) -> impl Iterator<Item = Numbered> {
    (number * 100..(number + 1) * 100).map(numbered)
}

fn check(url: &str, index: &str, epochs: u64) {
    let expected: Vec<u64> = (0..epochs * 100).collect();
    assert_eq!(numbers(url, index), expected);
}

#[test]
fn an_epoch_that_is_applied_again_changes_nothing() {
    let Some(url) = part("RHEOS_SEARCH") else {
        return;
    };
    let (staged, index) = (Staged::new(), unique("once"));
    let sink = sink(&url, &index);
    let epoch = |number| staged.epoch(&sink, number, rows(number));
    let mut committer = staged.committer(&sink).unwrap();
    committer.commit(&[epoch(0)]).unwrap();
    // One that died after it had applied the epoch, and before that was known.
    let versions = |hits: Vec<Value>| {
        let mut versions: Vec<(String, u64)> = hits
            .iter()
            .map(|hit| {
                let id = hit["_id"].as_str().unwrap().to_owned();
                (id, hit["_version"].as_u64().unwrap())
            })
            .collect();
        versions.sort();
        versions
    };
    let before = versions(hits(&url, &index));
    let mut next = staged.committer(&sink).unwrap();
    next.commit(&[epoch(0), epoch(1)]).unwrap();
    let after = versions(hits(&url, &index));
    assert!(before.iter().all(|document| after.contains(document)));
    // And the one thought dead comes late.
    committer.commit(&[epoch(0), epoch(1)]).unwrap();
    assert_eq!(versions(hits(&url, &index)), after);
    check(&url, &index, 2);
}

#[test]
fn what_a_later_epoch_has_changed_stays_when_an_older_one_comes_late() {
    let Some(url) = part("RHEOS_SEARCH") else {
        return;
    };
    let (staged, index) = (Staged::new(), unique("late"));
    let sink = sink(&url, &index)
        .id(|row: &Numbered| (row.n % 1_000).to_string())
        .delete_if(|row: &Numbered| row.of == "gone");
    let of = |number: u64, thousands: u64, of: &str| {
        let rows = (0..10).map(|n| Numbered {
            n: thousands * 1_000 + n,
            of: of.to_owned(),
        });
        staged.epoch(&sink, number, rows)
    };
    let mut committer = staged.committer(&sink).unwrap();
    let (first, second, third) = (of(1, 1, ""), of(2, 2, ""), of(3, 3, "gone"));
    let expected: Vec<u64> = (2_000..2_010).collect();
    for epochs in [
        vec![first.clone(), second.clone()],
        vec![first.clone()],
        vec![first.clone(), second.clone()],
    ] {
        committer.commit(&epochs).unwrap();
        assert_eq!(numbers(&url, &index), expected);
    }
    committer.commit(&[third]).unwrap();
    committer.commit(&[first, second]).unwrap();
    assert_eq!(numbers(&url, &index), Vec::<u64>::new());
}

#[test]
fn two_documents_of_an_id_in_an_epoch_leave_the_later_one() {
    let Some(url) = part("RHEOS_SEARCH") else {
        return;
    };
    let (staged, index) = (Staged::new(), unique("twice"));
    let sink = sink(&url, &index).id(|row: &Numbered| (row.n % 10).to_string());
    // Batches are of 40 rows: some meet within one, some in another.
    let epoch = staged.epoch(&sink, 1, (0..100).map(numbered));
    staged.committer(&sink).unwrap().commit(&[epoch]).unwrap();
    assert_eq!(numbers(&url, &index), (90..100).collect::<Vec<_>>());
}

#[test]
fn a_way_that_is_cut_again_and_again_loses_and_doubles_nothing() {
    let Some(url) = part("RHEOS_SEARCH") else {
        return;
    };
    let proxy = Proxy::to(url.trim_start_matches("http://"));
    let by = format!("http://{}", proxy.address());
    let (staged, index) = (Staged::new(), unique("cut"));
    let sink = sink(&by, &index);
    let committer = staged.committer(&sink).unwrap();
    let epochs: Vec<_> = (0..60)
        .map(|number| staged.epoch(&sink, number, rows(number)))
        .collect();
    commit_while_cut(committer, epochs, &proxy, (40, 9_000, 15_000));
    check(&url, &index, 60);
}

#[test]
fn a_document_that_is_refused_fails_its_epoch_or_is_left_out_alone() {
    let Some(url) = part("RHEOS_SEARCH") else {
        return;
    };
    let (staged, index) = (Staged::new(), unique("refused"));
    let sink = sink(&url, &index);
    // An integer has 32 bits.
    let wrong = (0..100).map(|n| numbered(if n == 70 { 1 << 40 } else { n }));
    let epoch = staged.epoch(&sink, 1, wrong);
    let mut strict = staged.committer(&sink).unwrap();
    let error = strict
        .commit(std::slice::from_ref(&epoch))
        .unwrap_err()
        .to_string();
    for says in [&*index, "status 400", "bad records skipped"] {
        assert!(error.contains(says), "'{says}' in {error}");
    }
    let lenient = sink.clone().bad_records(BadRecords::Skip);
    staged
        .committer(&lenient)
        .unwrap()
        .commit(&[epoch])
        .unwrap();
    assert_eq!(numbers(&url, &index).len(), 99);
    assert_eq!(staged.metrics.records_out_errors(), 1);
    let letters = sink.bad_records(BadRecords::DeadLetter);
    let error = staged.committer(&letters).err().unwrap().to_string();
    assert!(error.contains("too late"), "{error}");
}

#[test]
fn a_job_that_fails_and_stops_and_changes_its_parallelism_writes_each_row_once() {
    let Some(url) = part("RHEOS_SEARCH") else {
        return;
    };
    let index = unique("job");
    run_rows_through_trouble(numbered, || sink(&url, &index), 9_000, |_| {});
    check(&url, &index, 90);
}
