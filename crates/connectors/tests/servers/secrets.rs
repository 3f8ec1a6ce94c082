//! Secrets never show: not in a plan, not in the log, not in an error, whatever becomes of the job.
//!
//! Every connector is given a secret wherever it takes one, by its name and in the clear, and is then
//! put before a port that nobody listens on, one that hangs up at once, and one that answers nonsense.

use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rheos::command::draw;
use rheos::core::config::Configuration;
use rheos::execute::start;
use rheos::prelude::*;
use rheos_connectors::avro::RegistrySettings;
use rheos_connectors::kafka::{AvroRecords, KafkaSink, KafkaSource, OutRecord, Values};
use rheos_connectors::{
    BlackholeSink, CollectionSource, ElasticsearchSink, HttpLookup, JsonLines, PostgresLookup,
    PostgresOptions, PostgresSink, RedisSink, Retries,
};

/// What must not show. No password that stands for itself is in the text of a job.
const PLANTED: &str = "hunter2-planted";
const BY_NAME: &str = "${file:SECRET}";
/// Of the user `me`, as a header has it.
const BASIC: &str = "bWU6aHVudGVyMi1wbGFudGVk";

#[derive(Row, Clone, Debug, PartialEq)]
struct Word {
    word: String,
}

/// What the process logs, from all threads.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// How a server treats those who come.
#[derive(Debug, Clone, Copy)]
enum Server {
    Absent,
    HangsUp,
    TalksNonsense,
    SaysNothing,
}

/// A port with such a server behind it, for as long as the process lives.
fn port(server: Server) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    if matches!(server, Server::Absent) {
        return port;
    }
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if matches!(server, Server::SaysNothing) {
                kept.push(stream);
                continue;
            }
            if matches!(server, Server::TalksNonsense) {
                let _asked = stream.read(&mut [0; 4096]);
                let _told = stream.write_all(b"E\0\0\0\x20 no server that you know of\r\n\r\n");
            }
        }
    });
    port
}

fn words(env: &StreamEnv) -> DataStream<Word> {
    let words = [Word {
        word: "a".to_owned(),
    }];
    let source = CollectionSource::from(words.to_vec());
    env.from_source(source, WatermarkStrategy::no_watermarks(), "words")
}

const ONCE: Retries = Retries {
    initial_backoff: Duration::from_millis(10),
    max_backoff: Duration::from_millis(10),
    max_retries: Some(1),
};

/// Describes a job with one connector; what can't even be described is an error too.
type Describe = fn(&StreamEnv, u16, &str) -> Result<String, BoxError>;

fn shown(what: &impl Debug) -> String {
    format!("{what:?}")
}

const JOBS: &[(&str, Describe)] = &[
    ("postgres sink", |env, port, secret| {
        let options = PostgresOptions {
            password: Some(secret.into()),
            connect_timeout: Duration::from_secs(1),
            ..PostgresOptions::new(format!("postgres://me@127.0.0.1:{port}/db?sslmode=disable"))
        };
        let said = shown(&options);
        words(env).sink_to(
            PostgresSink::with(options, "words")
                .column("word", |word: &Word| word.word.clone())
                .retries(ONCE),
        );
        Ok(said)
    }),
    ("postgres sink by its address", |env, port, secret| {
        let url = format!("postgres://me:{secret}@127.0.0.1:{port}/db?sslmode=disable");
        words(env).sink_to(
            PostgresSink::new(url, "words")
                .column("word", |word: &Word| word.word.clone())
                .retries(ONCE),
        );
        Ok(String::new())
    }),
    ("postgres look-up", |env, port, secret| {
        let url = format!("postgres://me:{secret}@127.0.0.1:{port}/db?sslmode=disable");
        let lookup = PostgresLookup::new(PostgresOptions::new(url), "SELECT $1::text", 1)?;
        words(env)
            .async_wait_ordered(
                move |word| {
                    let lookup = lookup.clone();
                    async move {
                        lookup.ask(&[&word.word]).await?;
                        Ok::<_, BoxError>([word])
                    }
                },
                AsyncOptions::new(),
            )
            .sink_to(BlackholeSink);
        Ok(String::new())
    }),
    ("elasticsearch sink", |env, port, secret| {
        let sink = ElasticsearchSink::new([format!("http://127.0.0.1:{port}")], "words");
        words(env).sink_to(sink.basic_auth("me", secret).retries(ONCE));
        Ok(String::new())
    }),
    ("elasticsearch sink with a key", |env, port, secret| {
        let sink = ElasticsearchSink::new([format!("http://127.0.0.1:{port}")], "words");
        words(env).sink_to(sink.api_key(secret).retries(ONCE));
        Ok(String::new())
    }),
    ("elasticsearch sink by its address", |env, port, secret| {
        let host = format!("http://me:{secret}@127.0.0.1:{port}");
        words(env).sink_to(ElasticsearchSink::new([host], "words").retries(ONCE));
        Ok(String::new())
    }),
    ("http look-up by its address", |env, port, secret| {
        let lookup = HttpLookup::new(format!("http://me:{secret}@127.0.0.1:{port}/words/"))?;
        words(env)
            .async_wait_ordered(
                move |word| {
                    let lookup = lookup.clone();
                    async move {
                        lookup.get(&word.word).await?;
                        Ok::<_, BoxError>([word])
                    }
                },
                AsyncOptions::new(),
            )
            .sink_to(BlackholeSink);
        Ok(String::new())
    }),
    ("redis sink", |env, port, secret| {
        let sink = RedisSink::new(format!("redis://me:{secret}@127.0.0.1:{port}"));
        words(env).sink_to(sink.set_json(|word: &Word| word.word.clone()).retries(ONCE));
        Ok(String::new())
    }),
    ("http look-up", |env, port, secret| {
        let lookup = HttpLookup::new(format!("http://127.0.0.1:{port}/words/"))?;
        let lookup = lookup.bearer(secret)?.header("x-api-key", secret)?;
        words(env)
            .async_wait_ordered(
                move |word| {
                    let lookup = lookup.clone();
                    async move {
                        lookup.get(&word.word).await?;
                        Ok::<_, BoxError>([word])
                    }
                },
                AsyncOptions::new(),
            )
            .sink_to(BlackholeSink);
        Ok(String::new())
    }),
    ("kafka source", |env, port, secret| {
        let source = KafkaSource::new(Values(JsonLines))
            .bootstrap_servers(format!("127.0.0.1:{port}"))
            .topics(["words"])
            .group_id("g")
            .property("security.protocol", "SASL_PLAINTEXT")
            .property("sasl.mechanism", "PLAIN")
            .property("sasl.username", "me")
            .property("sasl.password", secret)
            .property("default.api.timeout.ms", "300");
        let words: DataStream<Word> =
            env.from_source(source, WatermarkStrategy::no_watermarks(), "words");
        words.sink_to(BlackholeSink);
        Ok(String::new())
    }),
    ("kafka sink by JAAS", |env, port, secret| {
        let module = "org.apache.kafka.common.security.scram.ScramLoginModule";
        let jaas = format!("{module} required username=\"me\" password=\"{secret}\";");
        let sink = KafkaSink::new(|word: &Word| OutRecord {
            topic: "words".to_owned(),
            value: Some(word.word.clone().into_bytes()),
            ..OutRecord::default()
        })
        .bootstrap_servers(format!("127.0.0.1:{port}"))
        .property("security.protocol", "SASL_PLAINTEXT")
        .property("sasl.mechanism", "SCRAM-SHA-256")
        .property("sasl.jaas.config", jaas)
        .property("delivery.timeout.ms", "300")
        .property("request.timeout.ms", "200")
        .property("default.api.timeout.ms", "300");
        words(env).sink_to(sink);
        Ok(String::new())
    }),
    ("schema registry", |env, port, secret| {
        let registry = RegistrySettings::new(format!("http://127.0.0.1:{port}"));
        let registry = registry.basic_auth("me", secret);
        let said = shown(&registry);
        let sink = KafkaSink::new(AvroRecords::<Word>::new("words", registry))
            .bootstrap_servers(format!("127.0.0.1:{port}"));
        words(env).sink_to(sink);
        Ok(said)
    }),
];

/// Everything that a person could see of a job with this connector.
fn everything(describe: Describe, port: u16, secret: &str) -> String {
    let mut configuration = Configuration::new();
    configuration.set("restart-strategy.type", "none");
    let env = StreamEnv::new(configuration);
    let mut said = match describe(&env, port, secret) {
        Ok(said) => said,
        Err(error) => return format!("{error} {error:?}"),
    };
    let program = match env.program() {
        Ok(program) => program,
        Err(error) => return format!("{said} {error} {error:?}"),
    };
    said.push_str(&draw(&program.graph));
    said.push_str(&format!("{:?}", program.graph));
    match start(&program, env.configuration()) {
        Err(error) => said.push_str(&format!("{error} {error:?}")),
        Ok(job) => {
            let control = job.handle.control();
            // Whoever waits for a server without end is told to leave off.
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_secs(2));
                control.cancel();
            });
            match job.wait() {
                Ok(report) => said.push_str(&format!("{report:?}")),
                Err(error) => said.push_str(&format!("{error} {error:?}")),
            }
        }
    }
    said
}

#[test]
fn a_planted_secret_shows_nowhere() {
    let log = Log::default();
    let written = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || written.clone())
        .init();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, format!("{PLANTED}\n")).unwrap();
    let by_name = BY_NAME.replace("SECRET", file.to_str().unwrap());
    // Base64 is how headers hold them.
    let hidden = [
        PLANTED.to_owned(),
        "aHVudGVyMi1wbGFudGVk".to_owned(),
        BASIC.to_owned(),
    ];
    let mut told = 0;
    for (name, describe) in JOBS {
        for server in [Server::Absent, Server::HangsUp, Server::TalksNonsense] {
            for secret in [by_name.as_str(), PLANTED] {
                let said = everything(*describe, port(server), secret);
                for hidden in &hidden {
                    assert!(!said.contains(hidden), "{name}, {server:?}: {said}");
                }
                assert!(
                    !said.is_empty(),
                    "{name}: nothing was said, so nothing was tried"
                );
                told += 1;
            }
        }
    }
    assert_eq!(told, JOBS.len() * 6);
    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(log.lines().count() > 10, "the log is read: {log}");
    for (at, line) in log.lines().enumerate() {
        for hidden in &hidden {
            assert!(!line.contains(hidden), "line {at} of the log: {line}");
        }
    }
}

#[test]
fn what_a_secret_names_reaches_the_server() {
    for (job, expected) in [
        ("http look-up", format!("Bearer {PLANTED}")),
        ("http look-up by its address", format!("Basic {BASIC}")),
        (
            "elasticsearch sink by its address",
            format!("Basic {BASIC}"),
        ),
        ("schema registry", format!("Basic {BASIC}")),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut read = [0; 4096];
            let count = stream.read(&mut read).unwrap();
            String::from_utf8_lossy(read.get(..count).unwrap()).into_owned()
        });
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, PLANTED).unwrap();
        let secret = BY_NAME.replace("SECRET", file.to_str().unwrap());
        let (_, describe) = JOBS.iter().find(|(name, _)| *name == job).unwrap();
        let said = everything(*describe, port, &secret);
        let asked = asked.join().unwrap();
        assert!(asked.contains(&expected), "{job}: {asked}");
        // What is sent as authorization is not in the request's first line or its host as well.
        assert!(!asked.contains("me:"), "{job}: {asked}");
        assert!(!said.contains(PLANTED), "{job}: {said}");
    }
}

/// Nothing but the registry is asked before a value can be made, so no broker is needed here.
#[test]
fn a_sink_that_waits_for_its_registry_is_cancelled_at_once() {
    let (_, describe) = JOBS
        .iter()
        .find(|(name, _)| *name == "schema registry")
        .unwrap();
    for server in [Server::Absent, Server::SaysNothing] {
        let env = StreamEnv::new(Configuration::new());
        describe(&env, port(server), "secret").unwrap();
        let job = start(&env.program().unwrap(), env.configuration()).unwrap();
        // Long enough for the row to have reached the sink.
        std::thread::sleep(Duration::from_secs(1));
        let began = Instant::now();
        job.handle.control().cancel();
        let error = job.wait().unwrap_err().to_string();
        assert_eq!(error, "the job was cancelled");
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
    }
}
