//! As much of HTTP/1.1 as a registry needs: one request a connection, JSON in and out.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::net::{self, ConnectOptions, Tls};

/// Bytes of the longest answer that is taken.
const MAX_RESPONSE: u64 = 16 << 20;

/// Where requests go.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub host: String,
    pub port: u16,
    /// What comes in front of every path; without a slash at its end.
    pub base: String,
    pub tls: Option<Tls>,
    /// The value of the header `Authorization`.
    pub authorization: Option<String>,
    pub options: ConnectOptions,
}

/// A status and the body.
pub(super) struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

impl Endpoint {
    /// Asks, and reads the whole answer.
    pub async fn ask(&self, method: &str, path: &str, body: &str) -> io::Result<Answer> {
        let asking = async {
            let mut stream =
                net::connect(&self.host, self.port, self.tls.as_ref(), &self.options).await?;
            let mut request = format!(
                "{method} {}{path} HTTP/1.1\r\nHost: {}:{}\r\nConnection: close\r\n\
                 Accept: application/vnd.schemaregistry.v1+json, application/json\r\n",
                self.base, self.host, self.port
            );
            if let Some(authorization) = &self.authorization {
                request.push_str(&format!("Authorization: {authorization}\r\n"));
            }
            if !body.is_empty() {
                request.push_str(&format!(
                    "Content-Type: application/vnd.schemaregistry.v1+json\r\nContent-Length: {}\r\n",
                    body.len()
                ));
            }
            request.push_str("\r\n");
            request.push_str(body);
            stream.write_all(request.as_bytes()).await?;
            stream.flush().await?;
            let mut answer = Vec::new();
            // Some servers end TLS without saying so; whether all came is known by the lengths.
            match stream.take(MAX_RESPONSE).read_to_end(&mut answer).await {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(error) => return Err(error),
            }
            parse(&answer)
        };
        match self.options.timeout {
            Some(timeout) => tokio::time::timeout(timeout * 2, asking)
                .await
                .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))?,
            None => asking.await,
        }
    }
}

fn parse(answer: &[u8]) -> io::Result<Answer> {
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or_else(|| broken("an answer that is cut off"))?;
    let (head, body) = answer.split_at(end);
    let body = body.get(4..).unwrap_or_default();
    let head = std::str::from_utf8(head).map_err(|_| broken("a header that is no text"))?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .filter(|line| line.starts_with("HTTP/1."))
        .and_then(|line| line.split(' ').nth(1)?.parse().ok())
        .ok_or_else(|| broken("no HTTP"))?;
    let mut length = None;
    let mut chunked = false;
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.parse::<usize>().map_err(|_| broken("a length"))?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = value.eq_ignore_ascii_case("chunked");
        }
    }
    let body = if chunked {
        unchunk(body)?
    } else {
        match length {
            Some(length) => body
                .get(..length)
                .ok_or_else(|| broken("an answer that is cut off"))?
                .to_vec(),
            None => body.to_vec(),
        }
    };
    Ok(Answer { status, body })
}

fn unchunk(mut rest: &[u8]) -> io::Result<Vec<u8>> {
    let cut = || broken("an answer that is cut off");
    let mut body = Vec::new();
    loop {
        let line = rest
            .windows(2)
            .position(|window| window == b"\r\n")
            .ok_or_else(cut)?;
        let (size, after) = rest.split_at(line);
        let size = std::str::from_utf8(size).unwrap_or_default();
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| broken("a chunk's length"))?;
        let after = after.get(2..).unwrap_or_default();
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(after.get(..size).ok_or_else(cut)?);
        rest = after.get(size + 2..).ok_or_else(cut)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_by_length_by_chunks_and_to_the_end() {
        let body = |text: &str| parse(text.as_bytes()).map(|answer| (answer.status, answer.body));
        let plain = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}rest";
        assert_eq!(body(plain).unwrap(), (200, b"{}".to_vec()));
        let chunked = "HTTP/1.1 404 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n";
        assert_eq!(body(chunked).unwrap(), (404, b"abcd".to_vec()));
        assert_eq!(
            body("HTTP/1.0 200 OK\r\n\r\nall").unwrap(),
            (200, b"all".to_vec())
        );
        for cut in [
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}",
            "SSH-2.0\r\n\r\n",
        ] {
            assert!(body(cut).is_err(), "{cut}");
        }
        for end in 0..chunked.len() - 4 {
            let _ = body(&chunked[..end]);
        }
    }
}
