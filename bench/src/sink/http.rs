//! As little of HTTP as a loop by hand needs: one connection, answers by their length or in chunks.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use rheos::prelude::BoxError;

pub struct Http {
    host: String,
    stream: BufReader<TcpStream>,
}

impl Http {
    /// To `HOST:PORT`.
    pub fn open(host: &str) -> Result<Self, BoxError> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            host: host.to_owned(),
            stream: BufReader::new(stream),
        })
    }

    /// Status and body.
    pub fn ask(&mut self, line: &str, kind: &str, body: &[u8]) -> Result<(u16, Vec<u8>), BoxError> {
        let head = format!(
            "{line} HTTP/1.1\r\nHost: {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            self.host,
            body.len()
        );
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let first = self.line()?;
        let status = first.split(' ').nth(1).unwrap_or_default().parse()?;
        let (mut length, mut chunked) = (0, false);
        loop {
            let header = self.line()?.to_ascii_lowercase();
            match header.split_once(": ") {
                Some(("content-length", value)) => length = value.parse()?,
                Some(("transfer-encoding", value)) => chunked = value == "chunked",
                Some(_) => {}
                None => break,
            }
        }
        let mut body = Vec::new();
        if !chunked {
            self.bytes(length, &mut body)?;
            return Ok((status, body));
        }
        loop {
            let length = usize::from_str_radix(&self.line()?, 16)?;
            self.bytes(length, &mut body)?;
            self.line()?;
            if length == 0 {
                return Ok((status, body));
            }
        }
    }

    fn line(&mut self) -> Result<String, BoxError> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn bytes(&mut self, count: usize, out: &mut Vec<u8>) -> Result<(), BoxError> {
        (&mut self.stream).take(count as u64).read_to_end(out)?;
        Ok(())
    }
}
