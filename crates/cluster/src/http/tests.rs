//! A server and clients over TLS: who is answered, and what is said to who isn't.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test, on real time"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::client::{AskError, Question, Site, ask};
use super::*;
use crate::tls::tests::{Authority, configuration};
use crate::tls::{of_rest, to_rest};

const ON: (&str, &str) = ("security.ssl.rest.enabled", "true");
const ASKS: (&str, &str) = ("security.ssl.rest.authentication-enabled", "true");
const KEYSTORE: &str = "security.ssl.rest.keystore";
const TRUSTSTORE: &str = "security.ssl.rest.truststore";
const LIMITS: ServerLimits = ServerLimits {
    connections: 64,
    body: 1024,
};

struct Echo;

impl Service for Echo {
    fn answer(&self, request: Request) -> Answering {
        at_once(Response::new(StatusCode::OK, "text/plain", request.path))
    }
}

struct Asked {
    server: Server,
    io: Runtime,
}

impl Asked {
    fn new(pairs: &[(&str, &str)]) -> Self {
        let io = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let security = of_rest(&configuration(pairs)).unwrap();
        let listener = listen("127.0.0.1", &[0]).unwrap();
        let secured = (LIMITS, security);
        let server = Server::start(listener, "a test", secured, Arc::new(Echo), io.handle());
        Self {
            server: server.unwrap(),
            io,
        }
    }

    fn port(&self) -> u16 {
        self.server.address().port()
    }

    /// What a client is told that calls the server by this host, and is configured so.
    fn told(&self, host: &str, pairs: &[(&str, &str)]) -> Result<String, AskError> {
        self.told_by(Site {
            address: format!("{host}:{}", self.port()),
            security: to_rest(&configuration(pairs)).unwrap(),
        })
    }

    fn told_by(&self, site: Site) -> Result<String, AskError> {
        let question = Question {
            method: Method::GET,
            path: "/who".to_owned(),
            headers: HeaderMap::new(),
            body: Default::default(),
        };
        let asked = ask(&site, question, Duration::from_secs(30));
        let answer = self.io.block_on(asked)?;
        Ok(String::from_utf8(answer.body.to_vec()).unwrap())
    }

    fn refused(&self, host: &str, pairs: &[(&str, &str)]) -> String {
        self.told(host, pairs).unwrap_err().to_string()
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.server.address()).unwrap()
    }
}

#[test]
fn who_trusts_the_server_s_authority_is_answered_by_its_names() {
    let authority = Authority::new();
    let own = authority.keystore("rest", &["localhost", "127.0.0.1"]);
    let trust = authority.truststore();
    let asked = Asked::new(&[ON, (KEYSTORE, &own)]);
    for host in ["localhost", "127.0.0.1"] {
        assert_eq!(asked.told(host, &[(TRUSTSTORE, &trust)]).unwrap(), "/who");
    }

    let other = Authority::new();
    let told = asked.refused("localhost", &[(TRUSTSTORE, &other.truststore())]);
    let wanted = "by an authority that is not in security.ssl.rest.truststore";
    assert!(
        told.starts_with("https://localhost:") && told.contains(wanted),
        "{told}"
    );
}

#[test]
fn a_name_that_is_not_the_certificate_s_and_a_time_that_is_over_are_told() {
    let authority = Authority::new();
    let trust = authority.truststore();
    let own = authority.keystore("rest", &["rest.example"]);
    let asked = Asked::new(&[ON, (KEYSTORE, &own)]);
    let told = asked.refused("localhost", &[(TRUSTSTORE, &trust)]);
    let wanted = "its certificate is not for localhost but for rest.example";
    assert!(told.contains(wanted), "{told}");

    let own = authority.expired(&["localhost"]);
    let asked = Asked::new(&[ON, (KEYSTORE, &own)]);
    let told = asked.refused("localhost", &[(TRUSTSTORE, &trust)]);
    assert!(told.contains("its certificate has expired"), "{told}");
}

#[test]
fn where_clients_show_certificates_nobody_else_is_answered() {
    let (authority, theirs) = (Authority::new(), Authority::new());
    let own = authority.keystore("rest", &["localhost"]);
    let trust = authority.truststore();
    let asked = Asked::new(&[ON, ASKS, (KEYSTORE, &own), (TRUSTSTORE, &trust)]);
    let client = authority.keystore("client", &["somebody"]);
    let stranger = theirs.keystore("stranger", &["somebody"]);
    // What refuses it comes while it asks: it must not be lost.
    for _ in 0..20 {
        let told = asked.refused("localhost", &[(TRUSTSTORE, &trust)]);
        let wanted = "set security.ssl.rest.authentication-enabled";
        assert!(told.contains(wanted), "{told}");
        let pairs = [ASKS, (TRUSTSTORE, &*trust), (KEYSTORE, &*stranger)];
        let told = asked.refused("localhost", &pairs);
        let wanted = "it does not trust the certificate of security.ssl.rest.keystore";
        assert!(told.contains(wanted), "{told}");
    }
    let pairs = [ASKS, (TRUSTSTORE, &*trust), (KEYSTORE, &*client)];
    assert_eq!(asked.told("localhost", &pairs).unwrap(), "/who");
}

#[test]
fn who_speaks_http_where_tls_is_spoken_is_told_so_and_the_other_way_round() {
    let authority = Authority::new();
    let own = authority.keystore("rest", &["localhost"]);
    let trust = authority.truststore();
    let asked = Asked::new(&[ON, (KEYSTORE, &own)]);
    let mut stream = asked.connect();
    write!(stream, "PATCH /who HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.ends_with("ask at https://"), "{answer}");

    let plain = Asked::new(&[]);
    let told = plain.refused("localhost", &[(TRUSTSTORE, &trust)]);
    let wanted = "it does not speak TLS: ask at http://";
    assert!(told.contains(wanted), "{told}");
    let site = Site::plain(format!("localhost:{}", plain.port()));
    assert_eq!(plain.told_by(site).unwrap(), "/who");
}

#[test]
fn who_is_silent_holds_nobody_up_and_is_hung_up_on() {
    let authority = Authority::new();
    let own = authority.keystore("rest", &["localhost"]);
    let trust = authority.truststore();
    let asked = Asked::new(&[ON, (KEYSTORE, &own)]);
    let since = Instant::now();
    let mut silent: Vec<TcpStream> = (0..LIMITS.connections - 4)
        .map(|_| asked.connect())
        .collect();
    // One of them begins to speak TLS, and goes no further.
    silent[0].write_all(&[22, 3, 1]).unwrap();
    for _ in 0..10 {
        assert_eq!(
            asked.told("localhost", &[(TRUSTSTORE, &trust)]).unwrap(),
            "/who"
        );
    }
    assert!(
        since.elapsed() < Duration::from_secs(5),
        "they were waited for"
    );
    for stream in &mut silent {
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut said = Vec::new();
        stream.read_to_end(&mut said).unwrap();
        assert!(said.is_empty());
    }
    let waited = since.elapsed();
    assert!(waited >= Duration::from_secs(9), "{waited:?}");
}
