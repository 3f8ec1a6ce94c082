//! The Elasticsearch sink: against Elasticsearch and OpenSearch, and against a server that answers as it
//! is told, where it matters what exactly is asked.

use crate::common;

use std::time::{Duration, Instant};

use common::http::{Asked, Scripted, request};
use common::proxy::Proxy;
use common::{part, unique};
use rheos::execute::start;
use rheos::prelude::*;
use rheos_connectors::{
    BadRecords, BatchLimits, CollectSink, CollectionSource, DataGeneratorSource, DeadLetter,
    ElasticsearchSink, HttpLookup, Retries, dead_letters,
};
use serde_json::{Value, json};

#[derive(Row, Clone, Debug, PartialEq)]
struct Window {
    category: String,
    start: i64,
    sum: f64,
    note: Option<String>,
}

fn window(k: u64) -> Window {
    Window {
        category: format!("c \"{}\"", k % 10),
        start: k as i64 / 10,
        sum: k as f64 / 4.0,
        note: k.is_multiple_of(3).then(|| "ü\n".to_owned()),
    }
}

const MAPPING: &str = r#"{"settings":{"number_of_shards":1,"number_of_replicas":0},"mappings":
    {"properties":{"category":{"type":"keyword"},"start":{"type":"long"},"sum":{"type":"double"},
    "note":{"type":"keyword"}}}}"#;

fn sink(url: &str, index: &str) -> ElasticsearchSink<Window> {
    ElasticsearchSink::new([url], index)
        .create_index(MAPPING)
        .id(|w: &Window| format!("{}-{}", w.category, w.start))
        .retries(Retries {
            initial_backoff: Duration::from_millis(5),
            max_backoff: Duration::from_millis(100),
            max_retries: None,
        })
}

fn of<T: Row>(rows: Vec<T>, sink: ElasticsearchSink<T>) -> Result<Vec<DeadLetter>, ApiError> {
    let env = StreamEnv::default();
    let letters = CollectSink::new();
    let written = env
        .from_source(
            CollectionSource::from_elements(rows),
            WatermarkStrategy::no_watermarks(),
            "rows",
        )
        .sink_to(sink)
        .name("elasticsearch-sink");
    let bad: DataStream<DeadLetter> = written.side_output(&dead_letters());
    bad.sink_to(letters.clone());
    start(&env.program()?, env.configuration())?.wait()?;
    Ok(letters.take())
}

/// Asks the server itself.
fn ask(url: &str, path: &str, body: Value) -> Value {
    let host = url.trim_start_matches("http://");
    // Some questions may have no body at all.
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let (status, answer) = request(host, &format!("POST /{path}"), "application/json", &body);
    assert_eq!(status, 200, "{path}: {answer}");
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

/// Elasticsearch and OpenSearch, as far as they are there.
fn servers() -> impl Iterator<Item = String> {
    ["RHEOS_SEARCH", "RHEOS_OPENSEARCH"]
        .into_iter()
        .filter_map(part)
}

fn documents(url: &str, index: &str) -> Vec<Value> {
    ask(url, &format!("{index}/_refresh"), Value::Null);
    let query = json!({"size": 10_000, "query": {"match_all": {}}, "version": true});
    let answer = ask(url, &format!("{index}/_search"), query);
    answer["hits"]["hits"].as_array().unwrap().clone()
}

fn count(url: &str, index: &str) -> usize {
    ask(url, &format!("{index}/_refresh"), Value::Null);
    let answer = ask(
        url,
        &format!("{index}/_search"),
        json!({"size": 0, "track_total_hits": true}),
    );
    answer["hits"]["total"]["value"].as_u64().unwrap_or(0) as usize
}

#[test]
fn documents_of_an_id_are_replaced() {
    for url in servers() {
        let index = unique("windows");
        let mut rows: Vec<Window> = (0..2_000).map(window).collect();
        rows.extend((0..500).map(|k| Window {
            sum: -1.0,
            ..window(k)
        }));
        let limits = BatchLimits {
            max_rows: 300,
            max_bytes: 1 << 20,
            interval: Duration::from_secs(1),
        };
        of(rows, sink(&url, &index).batches(limits)).unwrap();
        let found = documents(&url, &index);
        assert_eq!(found.len(), 2_000);
        for hit in found {
            let source = &hit["_source"];
            let k = source["start"].as_u64().unwrap() * 10
                + (0..10)
                    .find(|c| source["category"] == format!("c \"{c}\""))
                    .unwrap();
            let sum = if k < 500 { -1.0 } else { k as f64 / 4.0 };
            assert_eq!(source["sum"].as_f64().unwrap(), sum, "{hit}");
            assert_eq!(
                source["note"].as_str(),
                k.is_multiple_of(3).then_some("ü\n")
            );
        }
    }
}

#[test]
fn an_older_version_changes_nothing_and_rows_can_delete() {
    for url in servers() {
        let index = unique("versions");
        let row = |sum: f64, start: i64| Window {
            category: "c".to_owned(),
            start,
            sum,
            note: None,
        };
        let versioned = || {
            ElasticsearchSink::new([url.as_str()], index.as_str())
                .create_index(MAPPING)
                .id(|w: &Window| format!("id-{}", w.start))
                .version(|w: &Window| w.sum as u64)
        };
        let rows = vec![
            row(5.0, 1),
            row(3.0, 1),
            row(7.0, 2),
            row(9.0, 2),
            row(2.0, 2),
        ];
        assert_eq!(of(rows, versioned()).unwrap(), []);
        let sums = |found: &[Value]| {
            let mut sums: Vec<f64> = found
                .iter()
                .map(|hit| hit["_source"]["sum"].as_f64().unwrap())
                .collect();
            sums.sort_by(f64::total_cmp);
            sums
        };
        assert_eq!(sums(&documents(&url, &index)), [5.0, 9.0]);
        let deleting = ElasticsearchSink::new([url.as_str()], index.as_str())
            .id(|w: &Window| format!("id-{}", w.start))
            .delete_if(|w: &Window| w.sum == 0.0);
        // The second is not there, which is as well.
        of(vec![row(0.0, 1), row(0.0, 77)], deleting).unwrap();
        assert_eq!(sums(&documents(&url, &index)), [9.0]);
    }
}

/// A row whose `start` is a text, which a `long` does not take.
#[derive(Row, Clone, Debug)]
struct Odd {
    id: String,
    start: String,
}

#[test]
fn documents_that_the_index_does_not_take_are_bad_records() {
    for url in servers() {
        let index = unique("odd");
        let rows: Vec<Odd> = (0..100)
            .map(|k| Odd {
                id: if k == 80 {
                    "x".repeat(513)
                } else {
                    format!("id{k}")
                },
                start: if k == 41 {
                    "soon".to_owned()
                } else {
                    k.to_string()
                },
            })
            .collect();
        let into = || {
            ElasticsearchSink::new([url.as_str()], index.as_str())
                .create_index(MAPPING)
                .id(|odd: &Odd| odd.id.clone())
        };
        let letters = of(rows.clone(), into().bad_records(BadRecords::DeadLetter)).unwrap();
        let mut lines: Vec<u64> = letters.iter().map(|letter| letter.line).collect();
        lines.sort_unstable();
        assert_eq!(lines, [42, 81], "{letters:?}");
        assert!(
            letters.iter().any(|l| l.error.contains("status 400")),
            "{letters:?}"
        );
        assert!(
            letters.iter().any(|l| l.error.contains("513 bytes")),
            "{letters:?}"
        );
        assert_eq!(count(&url, &index), 98);
        let error = of(rows, into()).unwrap_err().to_string();
        for says in ["elasticsearch-sink", "row 42", "status 400"] {
            assert!(
                error.contains(says) || error.contains("row 81"),
                "'{says}' in {error}"
            );
        }
    }
}

#[test]
fn a_way_that_is_cut_or_stopped_loses_nothing() {
    servers().for_each(|url| cut_and_stop_the_way_to(&url));
}

fn cut_and_stop_the_way_to(url: &str) {
    let index = unique("faults");
    let proxy = Proxy::to(url.trim_start_matches("http://"));
    let env = StreamEnv::default();
    env.parallelism(1);
    let source = DataGeneratorSource::unbounded(|k| Window {
        category: "c".to_owned(),
        start: k as i64,
        sum: 1.0,
        note: None,
    });
    let limits = BatchLimits {
        max_rows: 200,
        max_bytes: 1 << 20,
        interval: Duration::from_millis(50),
    };
    let into = sink(&format!("http://{}", proxy.address()), &index)
        .batches(limits)
        .request_timeout(Duration::from_millis(700));
    env.from_source_with_rate(
        source,
        WatermarkStrategy::no_watermarks(),
        "numbers",
        2_000.0,
    )
    .sink_to(into)
    .name("elasticsearch-sink");
    let job = start(&env.program().unwrap(), env.configuration()).unwrap();
    let metrics = job.handle.metrics().clone();
    let until = |what: &str, reached: &dyn Fn() -> bool| {
        let end = Instant::now() + Duration::from_secs(60);
        while !reached() {
            assert!(Instant::now() < end, "not within a minute: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let taken = || -> u64 { metrics.tasks.iter().map(|task| task.records_in()).sum() };
    until("rows are taken", &|| taken() > 1_000);
    for fault in ["cut", "stop"] {
        match fault {
            "cut" => proxy.cut(),
            _ => proxy.stop(),
        }
        until("the source is held up", &|| {
            let before = taken();
            std::thread::sleep(Duration::from_millis(400));
            taken() == before
        });
        let before = taken();
        proxy.mend();
        until("rows are taken again", &|| taken() > before + 1_000);
    }
    job.handle.control().stop(true);
    job.wait().unwrap();
    assert_eq!(count(url, &index) as u64, taken());
}

/// Ids of the actions of a request.
fn ids(asked: &Asked) -> Vec<String> {
    let lines = asked.body.lines().step_by(2);
    lines
        .map(|line| {
            let action: Value = serde_json::from_str(line).unwrap();
            action["index"]["_id"].as_str().unwrap().to_owned()
        })
        .collect()
}

fn outcomes(statuses: impl Iterator<Item = u16>) -> String {
    let items: Vec<Value> = statuses.map(|s| json!({"index": {"status": s}})).collect();
    json!({"errors": true, "items": items}).to_string()
}

fn ten() -> Vec<Window> {
    (0..10)
        .map(|k| Window {
            category: "c".to_owned(),
            start: k,
            sum: 0.0,
            note: None,
        })
        .collect()
}

fn plain(url: &str) -> ElasticsearchSink<Window> {
    ElasticsearchSink::new([url], "i")
        .id(|w: &Window| w.start.to_string())
        .retries(Retries {
            initial_backoff: Duration::from_millis(1),
            max_backoff: Duration::from_millis(5),
            max_retries: None,
        })
}

#[test]
fn a_busy_server_is_asked_again_for_what_it_did_not_take() {
    let server = Scripted::new(|number, asked| match number {
        1 => (
            429,
            "{\"error\":{\"type\":\"es_rejected_execution_exception\"}}".to_owned(),
        ),
        // Every other document is taken.
        2 => {
            let statuses = (0..ids(asked).len()).map(|at| if at % 2 == 0 { 201 } else { 429 });
            (200, outcomes(statuses))
        }
        _ => (200, outcomes(ids(asked).iter().map(|_| 201))),
    });
    of(ten(), plain(&server.url)).unwrap();
    let asked: Vec<Vec<String>> = server.asked().iter().map(ids).collect();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert_eq!(asked[0].len(), 10);
    assert_eq!(asked[0], asked[1]);
    assert_eq!(asked[2], ["1", "3", "5", "7", "9"]);
}

#[test]
fn a_request_that_is_too_large_is_divided() {
    let server = Scripted::new(|_, asked| {
        let ids = ids(asked);
        // One document is too large by itself.
        if ids.len() > 3 || ids.iter().any(|id| id == "7") {
            (413, String::new())
        } else {
            (200, outcomes(ids.iter().map(|_| 201)))
        }
    });
    let letters = of(
        ten(),
        plain(&server.url).bad_records(BadRecords::DeadLetter),
    )
    .unwrap();
    let lines: Vec<u64> = letters.iter().map(|letter| letter.line).collect();
    assert_eq!(lines, [8], "{letters:?}");
    assert!(
        letters[0].error.contains("max_content_length"),
        "{letters:?}"
    );
    let mut written: Vec<String> = server
        .asked()
        .iter()
        .map(ids)
        .filter(|ids| ids.len() <= 3 && !ids.contains(&"7".to_owned()))
        .flatten()
        .collect();
    written.sort();
    assert_eq!(written, ["0", "1", "2", "3", "4", "5", "6", "8", "9"]);
}

#[test]
fn who_asks_is_told_in_the_header_and_a_refusal_ends_the_job() {
    let server = Scripted::new(|_, asked| {
        if asked.authorization == "Basic cmhlb3M6cGFzcw==" || asked.authorization == "ApiKey k3y" {
            (200, outcomes(ids(asked).iter().map(|_| 201)))
        } else {
            (
                401,
                "{\"error\":{\"type\":\"security_exception\",\"reason\":\"who?\"}}".to_owned(),
            )
        }
    });
    of(ten(), plain(&server.url).basic_auth("rheos", "pass")).unwrap();
    of(ten(), plain(&server.url).api_key("k3y")).unwrap();
    let error = of(ten(), plain(&server.url).basic_auth("rheos", "wr0ng")).unwrap_err();
    let error = error.to_string();
    for says in ["HTTP 401", "security_exception: who?", "rows from 1 on"] {
        assert!(error.contains(says), "'{says}' in {error}");
    }
    assert!(!error.contains("wr0ng"), "{error}");
    assert!(
        server
            .asked()
            .iter()
            .all(|asked| asked.line == "POST /_bulk HTTP/1.1")
    );
}

#[test]
fn an_api_is_asked_over_http() {
    let server = Scripted::new(|_, asked| match asked.line.split(' ').nth(1) {
        Some("/v1/a%20b") => (200, format!("for {}", asked.authorization)),
        Some("/v1/none") => (404, String::new()),
        _ => (500, "broken".to_owned()),
    });
    let api = HttpLookup::new(format!("{}/v1/", server.url)).unwrap();
    let api = api.bearer("t0ken").unwrap();
    let env = StreamEnv::default();
    let answers = CollectSink::new();
    let ask = move |name: String| {
        let api = api.clone();
        async move {
            let answer = api.get(&name).await?;
            Ok([(answer.status, String::from_utf8(answer.body)?)])
        }
    };
    let names = ["a b", "none", "broken"].map(str::to_owned);
    let options = AsyncOptions::new()
        .timeout(Duration::from_secs(30))
        .fallback(|_, error: &AsyncError| (0, error.to_string()));
    env.from_source(
        CollectionSource::from_elements(names),
        WatermarkStrategy::no_watermarks(),
        "names",
    )
    .async_wait_ordered(ask, options)
    .sink_to(answers.clone());
    start(&env.program().unwrap(), env.configuration())
        .unwrap()
        .wait()
        .unwrap();
    let answers: Vec<(u16, String)> = answers.take();
    assert_eq!(answers[0], (200, "for Bearer t0ken".to_owned()));
    assert_eq!(answers[1].0, 404);
    assert!(answers[2].1.contains("HTTP 500: broken"), "{answers:?}");
}
