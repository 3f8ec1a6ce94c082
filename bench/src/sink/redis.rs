//! A hash a row in Redis. By hand: a pipeline of as many commands as a batch has rows, whose answers are
//! read before the next.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use rheos::prelude::*;
use rheos_connectors::RedisSink;

use super::{Sale, Spec, Target, batches, limits, put};

pub struct Hashes {
    spec: Spec,
    stream: BufReader<TcpStream>,
}

impl Hashes {
    pub fn open(spec: &Spec) -> Result<Self, BoxError> {
        let stream = TcpStream::connect(spec.url.trim_start_matches("redis://"))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            spec: spec.clone(),
            stream: BufReader::new(stream),
        })
    }

    /// An answer of one line.
    fn answer(&mut self) -> Result<String, BoxError> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let line = line.trim_end();
        match line.strip_prefix('-') {
            Some(error) => Err(error.into()),
            None => Ok(line.to_owned()),
        }
    }

    fn ask(&mut self, command: &str) -> Result<String, BoxError> {
        let line = format!("{command}\r\n");
        self.stream.get_mut().write_all(line.as_bytes())?;
        self.answer()
    }
}

fn fields(row: &Sale) -> [(&'static str, String); 4] {
    [
        ("user_id", row.user_id.to_string()),
        ("category", row.category.clone()),
        ("amount", row.amount.to_string()),
        ("at", row.at.to_string()),
    ]
}

impl Target for Hashes {
    fn clear(&mut self) -> Result<(), BoxError> {
        self.ask("FLUSHDB")?;
        Ok(())
    }

    fn describe(&self, rows: &DataStream<Sale>) {
        let sink = RedisSink::new(&self.spec.url)
            .hash(
                |row: &Sale| format!("sale:{}", row.id),
                |row| fields(row).into(),
            )
            .batches(limits(&self.spec));
        rows.sink_to(sink);
    }

    fn by_hand(&mut self, rows: &mut dyn Iterator<Item = Sale>) -> Result<(), BoxError> {
        let mut commands = Vec::new();
        batches(rows, self.spec.batch, |batch| {
            commands.clear();
            for row in batch {
                let key = format!("sale:{}", row.id);
                put(
                    &mut commands,
                    format_args!("*10\r\n$4\r\nHSET\r\n${}\r\n{key}\r\n", key.len()),
                );
                for (name, value) in fields(row) {
                    put(
                        &mut commands,
                        format_args!(
                            "${}\r\n{name}\r\n${}\r\n{value}\r\n",
                            name.len(),
                            value.len()
                        ),
                    );
                }
            }
            self.stream.get_mut().write_all(&commands)?;
            for _ in batch {
                self.answer()?;
            }
            Ok(())
        })
    }

    fn count(&mut self) -> Result<u64, BoxError> {
        Ok(self.ask("DBSIZE")?.trim_start_matches(':').parse()?)
    }
}
