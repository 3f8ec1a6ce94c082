//! Passwords and TLS against real servers: who may write writes, and who is not trusted, or does not
//! trust, is told so at once. Kafka's are in `tests/kafka/source.rs`.

use crate::common;

use std::process::Command;
use std::str::FromStr;

use common::http::{Scripted, certificates, request};
use common::own::Own;
use common::{part, unique};
use rheos::execute::start;
use rheos::prelude::*;
use rheos_connectors::{
    CollectSink, CollectionSource, ElasticsearchSink, HttpLookup, PostgresLookup, PostgresOptions,
    PostgresSink, RedisOptions, RedisSink, Trust,
};

#[derive(Row, Clone)]
struct Numbered {
    n: u64,
}

fn run(sink: impl Sink<Numbered>) -> Result<(), String> {
    let env = StreamEnv::default();
    env.from_source(
        CollectionSource::from_elements((0..100).map(|n| Numbered { n })),
        WatermarkStrategy::no_watermarks(),
        "numbers",
    )
    .sink_to(sink)
    .name("secure-sink");
    let job = start(&env.program().unwrap(), env.configuration()).unwrap();
    job.wait().map(drop).map_err(|error| error.to_string())
}

/// The job ends at once with an error that says all of this, and never a password.
fn refused(sink: impl Sink<Numbered>, says: &[&str]) {
    let error = run(sink).unwrap_err();
    for text in says.iter().chain(&["secure-sink", "rows from 1 on"]) {
        assert!(error.contains(text), "'{text}' in {error}");
    }
    assert!(!error.contains("wr0ng"), "{error}");
}

fn trusted(file: &str) -> Trust {
    Trust::Pem(std::fs::read(file).unwrap())
}

#[test]
fn postgresql_by_scram_over_tls() {
    let (Some(url), Some(ca), Some(plain)) = (
        part("RHEOS_POSTGRES_TLS"),
        part("RHEOS_POSTGRES_CA"),
        part("RHEOS_POSTGRES"),
    ) else {
        return;
    };
    let table = unique("secure").replace('-', "_");
    let sink = |url: &str| {
        PostgresSink::new(url, table.as_str())
            .prepare(format!("CREATE TABLE IF NOT EXISTS {table} (n bigint)"))
            .column("n", |row: &Numbered| row.n as i64)
    };
    run(sink(&url).trust(trusted(&ca))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let count = runtime.block_on(async {
        let config = tokio_postgres::Config::from_str(&plain).unwrap();
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        let sql = format!("SELECT count(*) FROM {table}");
        tokio::select! {
            row = client.query_one(&sql, &[]) => row.unwrap().get::<_, i64>(0),
            _ = connection => panic!("the connection ended"),
        }
    });
    assert_eq!(count, 100);
    // A question over TLS, by a user who is named beside the address.
    let mut options = PostgresOptions::new(url.replace("rheos:rheos@", ""));
    options.username = Some("rheos".into());
    options.password = Some("rheos".into());
    options.trust = trusted(&ca);
    let lookup = PostgresLookup::new(
        options,
        "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
        1,
    );
    let env = StreamEnv::default();
    let answers = CollectSink::new();
    let lookup = lookup.unwrap();
    let ask = move |_: i64| {
        let lookup = lookup.clone();
        async move { Ok([lookup.ask(&[]).await?[0].get::<_, bool>(0)]) }
    };
    env.from_source(
        CollectionSource::from_elements([1_i64]),
        WatermarkStrategy::no_watermarks(),
        "numbers",
    )
    .async_wait_ordered(ask, AsyncOptions::new())
    .sink_to(answers.clone());
    let job = start(&env.program().unwrap(), env.configuration()).unwrap();
    job.wait().unwrap();
    let answers: Vec<bool> = answers.take();
    assert_eq!(answers, [true]);

    let wrong = url.replace("rheos:rheos@", "rheos:wr0ng@");
    refused(sink(&wrong).trust(trusted(&ca)), &["28P01", &table]);
    refused(sink(&url), &["certificate", &table]);
    let open = url.replace("require", "disable");
    refused(sink(&open), &["no encryption", "28000"]);
}

fn redis_cli(arguments: &[&str]) -> String {
    let output = Command::new("redis-cli").args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn into_redis(url: &str, ca: Option<&str>, key: &str) -> RedisSink<Numbered> {
    let mut options = RedisOptions::new(url);
    if let Some(ca) = ca {
        options.trust = trusted(ca);
    }
    let key = key.to_owned();
    RedisSink::with(options).set(
        move |row: &Numbered| format!("{key}:{}", row.n),
        |row| row.n.to_string(),
    )
}

#[test]
fn redis_by_password_over_tls() {
    let (Some(url), Some(ca), Some(plain)) = (
        part("RHEOS_REDIS_TLS"),
        part("RHEOS_REDIS_CA"),
        part("RHEOS_REDIS"),
    ) else {
        return;
    };
    let key = unique("secure");
    run(into_redis(&url, Some(&ca), &key)).unwrap();
    assert_eq!(
        redis_cli(&["-u", &plain, "GET", &format!("{key}:99")]),
        "99"
    );
    let wrong = url.replace("rheos:rheos@", "rheos:wr0ng@");
    refused(into_redis(&wrong, Some(&ca), &key), &["WRONGPASS"]);
    refused(into_redis(&url, None, &key), &["certificate"]);
}

#[test]
fn a_redis_cluster_by_password_over_tls() {
    let settings = [("RHEOS_REDIS_CLUSTER_TLS", "1")];
    let Some(own) = Own::up("RHEOS_REDIS_CLUSTER", &["redis-cluster"], &settings) else {
        return;
    };
    let key = unique("secure");
    let ca = own.variable("RHEOS_REDIS_CLUSTER_CA");
    // The other servers are found by asking this one, and have to be asked over TLS too.
    let url = format!("rediss-cluster://rheos:rheos@{}", own.address(80));
    run(into_redis(&url, Some(&ca), &key)).unwrap();
    let (host, port) = (own.address(40), own.address(40));
    let (host, port) = (
        host.split(':').next().unwrap(),
        port.split(':').nth(1).unwrap(),
    );
    for n in ["0", "7", "42", "99"] {
        let there = redis_cli(&["-c", "-h", host, "-p", port, "GET", &format!("{key}:{n}")]);
        assert_eq!(there, n);
    }
    refused(into_redis(&url, None, &key), &["certificate"]);
}

#[test]
fn a_search_server_behind_tls_that_asks_who_comes() {
    let certificates = certificates();
    let ca = certificates.path().join("ca.pem");
    let ca = ca.to_str().unwrap();
    for variable in ["RHEOS_SEARCH", "RHEOS_OPENSEARCH"] {
        let Some(url) = part(variable) else { continue };
        let host = url.trim_start_matches("http://").to_owned();
        let behind = host.clone();
        // "rheos:pass", and a key.
        let known = ["Basic cmhlb3M6cGFzcw==", "ApiKey a2V5OnMzY3JldA=="];
        let proxy = Scripted::tls(certificates.path(), move |_, asked| {
            if !known.contains(&asked.authorization.as_str()) {
                let error = r#"{"error": {"type": "security_exception", "reason": "who is it?"}}"#;
                return (401, error.to_owned());
            }
            let line = asked.line.trim_end_matches(" HTTP/1.1");
            let content_type = match line.ends_with("_bulk") {
                true => "application/x-ndjson",
                false => "application/json",
            };
            request(&behind, line, content_type, &asked.body)
        });
        let index = unique("secure");
        let sink = |name: &str| {
            ElasticsearchSink::new([proxy.url.as_str()], format!("{index}-{name}"))
                .create_index(r#"{"settings": {"number_of_replicas": 0}}"#)
                .id(|row: &Numbered| row.n.to_string())
                .trust(trusted(ca))
        };
        run(sink("basic").basic_auth("rheos", "pass")).unwrap();
        run(sink("key").api_key("a2V5OnMzY3JldA==")).unwrap();
        for name in ["basic", "key"] {
            request(
                &host,
                &format!("POST /{index}-{name}/_refresh"),
                "application/json",
                "",
            );
            let line = format!("GET /{index}-{name}/_count");
            let (_, body) = request(&host, &line, "application/json", "");
            assert!(body.contains("\"count\":100"), "{variable}: {body}");
        }
        refused(
            sink("basic").basic_auth("rheos", "wr0ng"),
            &["HTTP 401", "who is it?"],
        );
        refused(sink("basic").trust(Trust::System), &["certificate"]);
    }
}

#[test]
fn an_api_over_tls() {
    let certificates = certificates();
    let api = Scripted::tls(certificates.path(), |_, asked| {
        (200, asked.authorization.clone())
    });
    let ca = certificates.path().join("ca.pem");
    let timeout = std::time::Duration::from_secs(20);
    let ask = |trust: Trust| {
        let lookup = HttpLookup::with(api.url.as_str(), &trust, timeout).unwrap();
        let lookup = lookup.bearer("t0ken").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(lookup.get("/x"))
    };
    let answer = ask(trusted(ca.to_str().unwrap())).unwrap();
    assert_eq!(answer.body, b"Bearer t0ken");
    let error = ask(Trust::System).unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");
}
