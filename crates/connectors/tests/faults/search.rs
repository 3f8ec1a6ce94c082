//! A search server that is busy, and one that is killed.

use std::time::Duration;

use rheos::execute::start;
use rheos::prelude::*;
use rheos_connectors::{BatchLimits, CollectSink, DataGeneratorSource, ElasticsearchSink, Retries};
use serde_json::{Value, json};

use crate::common::endless::Endless;
use crate::common::http::{Scripted, request};
use crate::common::own::Own;
use crate::common::unique;

#[derive(Row, Clone, Debug)]
struct Document {
    n: u64,
    text: String,
}

const INDEX: &str = r#"{"settings": {"number_of_shards": 1, "number_of_replicas": 0}, "mappings":
    {"properties": {"n": {"type": "long"}, "text": {"type": "text"}}}}"#;

/// The server: the variable that tells of one, the part, and the place of its port.
const SERVERS: [(&str, &str, u16); 2] = [
    ("RHEOS_SEARCH", "search", 50),
    ("RHEOS_OPENSEARCH", "opensearch", 54),
];

fn count(host: &str, index: &str) -> usize {
    let refresh = format!("POST /{index}/_refresh");
    request(host, &refresh, "application/json", "");
    let query = json!({"size": 0, "track_total_hits": true}).to_string();
    let line = format!("POST /{index}/_search");
    let (status, body) = request(host, &line, "application/json", &query);
    if status != 200 {
        return 0;
    }
    let answer: Value = serde_json::from_str(&body).unwrap();
    answer["hits"]["total"]["value"].as_u64().unwrap() as usize
}

fn sink(url: &str, index: &str, rows: usize) -> ElasticsearchSink<Document> {
    ElasticsearchSink::new([url], index)
        .create_index(INDEX)
        .id(|document: &Document| document.n.to_string())
        .batches(BatchLimits {
            max_rows: rows,
            max_bytes: 8 << 20,
            interval: Duration::from_millis(50),
        })
        .request_timeout(Duration::from_secs(30))
        .retries(Retries {
            initial_backoff: Duration::from_millis(20),
            max_backoff: Duration::from_millis(300),
            max_retries: None,
        })
}

/// Forwards to a server, and counts what it refused: whole requests, and items of others.
fn watched(host: String) -> (Scripted, std::sync::Arc<std::sync::Mutex<[usize; 2]>>) {
    let refused: std::sync::Arc<std::sync::Mutex<[usize; 2]>> = Default::default();
    let counts = refused.clone();
    let server = Scripted::new(move |_, asked| {
        let line = asked.line.trim_end_matches(" HTTP/1.1");
        let content_type = match line.ends_with("_bulk") {
            true => "application/x-ndjson",
            false => "application/json",
        };
        let (status, body) = request(&host, line, content_type, &asked.body);
        let answer: Value = serde_json::from_str(&body).unwrap_or_default();
        let items = answer["items"].as_array().into_iter().flatten();
        let mut counts = counts.lock().unwrap();
        counts[0] += usize::from(status == 429);
        counts[1] += items.filter(|item| item["index"]["status"] == 429).count();
        (status, body)
    });
    (server, refused)
}

/// Many writers, whose documents must all be there in the end, though some were refused in this shape.
fn overrun(settings: &str, shape: usize, writers: u32, documents: u64, rows: usize, bytes: usize) {
    for (variable, part, port) in SERVERS {
        let own = Own::up(variable, &[part], &[("RHEOS_SEARCH_SETTINGS", settings)]);
        let Some(own) = own else { continue };
        let host = own.address(port);
        let (server, refused) = watched(host.clone());
        // How busy it gets is chance: until it was, with ever new indices.
        for _ in 0..40 {
            let index = unique("busy");
            let env = StreamEnv::default();
            let source = DataGeneratorSource::new(
                move |n| Document {
                    n,
                    text: "x".repeat(bytes),
                },
                documents,
            );
            let seen = CollectSink::new();
            let rows_of = env.from_source(
                source.strided(),
                WatermarkStrategy::no_watermarks(),
                "numbers",
            );
            rows_of
                .rebalance()
                .sink_to(sink(&server.url, &index, rows))
                .parallelism(writers);
            rows_of
                .map(|document: Document| document.n)
                .sink_to(seen.clone());
            let job = start(&env.program().unwrap(), env.configuration()).unwrap();
            job.wait().unwrap();
            assert_eq!(seen.take().len() as u64, documents);
            assert_eq!(count(&host, &index) as u64, documents, "{part}");
            if refused.lock().unwrap()[shape] > 0 {
                break;
            }
        }
        assert!(refused.lock().unwrap()[shape] > 0, "{part} was never busy");
    }
}

#[test]
fn a_server_that_refuses_whole_requests_gets_every_document_in_the_end() {
    overrun("indexing_pressure.memory.limit=100kb", 0, 8, 400, 10, 4_000);
}

#[test]
fn a_server_that_is_killed_and_comes_back_has_every_document() {
    for (variable, part, port) in SERVERS {
        let Some(own) = Own::up(variable, &[part], &[]) else {
            continue;
        };
        let (host, index) = (own.address(port), unique("killed"));
        let make = |n| Document {
            n,
            text: "x".to_owned(),
        };
        let sink = sink(&format!("http://{host}"), &index, 400);
        let job = Endless::start(make, 1_000.0, sink, "elasticsearch-sink");
        job.wait_until_it_goes_on("documents arrive", || count(&host, &index));
        own.services(&["kill", part]);
        job.wait_until_held_up();
        own.services(&["up", part]);
        job.wait_until_it_goes_on("documents arrive again", || count(&host, &index));
        let emitted = job.stop();
        assert_eq!(count(&host, &index), emitted, "{part}");
    }
}
