//! HTTP as tests need it: a question to a server, and a server that answers as it is told, over TLS
//! too, so that it can stand in front of a real one and ask who comes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Asks a server at `HOST:PORT`; status and body.
pub fn request(host: &str, line: &str, content_type: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {content_type}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    if head.to_lowercase().contains("transfer-encoding: chunked") {
        return (status, whole(body));
    }
    (status, body.to_owned())
}

/// A body that comes in chunks.
fn whole(mut chunks: &str) -> String {
    let mut body = String::new();
    loop {
        let (length, rest) = chunks.split_once("\r\n").unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return body;
        }
        body.push_str(&rest[..length]);
        chunks = &rest[length + 2..];
    }
}

/// A request that came in.
#[derive(Debug, Clone)]
pub struct Asked {
    pub line: String,
    pub authorization: String,
    pub body: String,
}

/// A server that answers as it is told, and keeps what it was asked.
pub struct Scripted {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

trait Answer: Fn(usize, &Asked) -> (u16, String) + Send + Sync + 'static {}
impl<F: Fn(usize, &Asked) -> (u16, String) + Send + Sync + 'static> Answer for F {}

impl Scripted {
    /// Answers the question of this number, from 1, with a status and a body.
    pub fn new(answer: impl Fn(usize, &Asked) -> (u16, String) + Send + Sync + 'static) -> Self {
        Self::open(None, answer)
    }

    /// As [`Scripted::new`], over TLS with the certificate in this folder.
    pub fn tls(
        certificates: &Path,
        answer: impl Fn(usize, &Asked) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        let pem = std::fs::read(certificates.join("server.pem")).unwrap();
        let chain = CertificateDer::pem_slice_iter(&pem).map(Result::unwrap);
        let key = PrivateKeyDer::from_pem_slice(&pem).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.collect(), key)
            .unwrap();
        Self::open(Some(Arc::new(config)), answer)
    }

    fn open(tls: Option<Arc<ServerConfig>>, answer: impl Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (kept, answer) = (asked.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (kept, answer, tls) = (kept.clone(), answer.clone(), tls.clone());
                std::thread::spawn(move || {
                    let stream = stream.unwrap();
                    match tls {
                        None => serve(stream, &kept, &*answer),
                        Some(config) => {
                            let session = ServerConnection::new(config).unwrap();
                            serve(StreamOwned::new(session, stream), &kept, &*answer);
                        }
                    }
                });
            }
        });
        Self { url, asked }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(stream: impl Read + Write, kept: &Mutex<Vec<Asked>>, answer: &impl Answer) {
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read_request(&mut reader) {
        let number = {
            let mut all = kept.lock().unwrap();
            all.push(asked.clone());
            all.len()
        };
        let (status, body) = answer(number, &asked);
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let stream = reader.get_mut();
        if stream.write_all((head + &body).as_bytes()).is_err() || stream.flush().is_err() {
            return;
        }
    }
}

fn read_request(reader: &mut impl BufRead) -> Option<Asked> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let (mut length, mut authorization) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim_end();
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(": ")?;
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => authorization = value.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked {
        line: line.trim_end().to_owned(),
        authorization,
        body: String::from_utf8(body).unwrap(),
    })
}

/// Makes a certificate authority (`ca.pem`) and a server's certificate in a folder.
pub fn certificates() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/services");
    let status = Command::new(script)
        .arg("certificates")
        .arg(folder.path())
        .status()
        .unwrap();
    assert!(status.success(), "scripts/services certificates");
    folder
}
