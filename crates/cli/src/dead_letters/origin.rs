//! Where dead letters are kept, and a reader that gives them in portions of a bounded size.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;
use rheos::runtime::BoxError;
use rheos_connectors::kafka::KafkaError;
use rheos_connectors::kafka::client::{Cluster, PartitionScan};
use rheos_connectors::{PostgresLookup, PostgresOptions};

use super::letter::Letter;
use super::servers::Servers;

/// Letters of a portion, of files and tables; of a topic it is an answer of the broker.
const PORTION: usize = 1_000;

/// Where the dead letters are: one of these.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Origin {
    /// Files of JSON lines, or folders with `dead_letter*.jsonl` in them.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    files: Vec<PathBuf>,
    /// A Kafka topic of dead letters.
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// A table of PostgreSQL with the columns of a dead letter.
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
}

impl Origin {
    pub async fn open(&self, servers: &Servers) -> Result<Letters, BoxError> {
        if let Some(topic) = &self.topic {
            return Letters::of_topic(topic, servers).await;
        }
        if let Some(table) = &self.table {
            let url = servers
                .postgres
                .as_deref()
                .ok_or("--table: say where PostgreSQL is, by --postgres URL")?;
            return Letters::of_table(table, url);
        }
        let mut files = Vec::new();
        for path in &self.files {
            files.extend(files_of(path)?);
        }
        Ok(Letters::Files(Files {
            files: files.into(),
            open: None,
        }))
    }
}

/// The files that a path means; it must mean some.
fn files_of(path: &Path) -> Result<Vec<PathBuf>, BoxError> {
    let refused = |error: std::io::Error| format!("{}: {error}", path.display());
    if !path.is_dir() {
        File::open(path).map_err(refused)?;
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(refused)? {
        let entry = entry.map_err(refused)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("dead_letter") && name.ends_with(".jsonl") {
            found.push(entry.path());
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(format!("{}: no dead_letter*.jsonl in it", path.display()).into());
    }
    Ok(found)
}

/// Letters, from the first that there is to the last that there was at the start.
pub(super) enum Letters {
    Files(Files),
    Topic {
        cluster: Box<Cluster>,
        scans: VecDeque<PartitionScan>,
    },
    Table {
        table: String,
        asked: PostgresLookup,
        after: Option<(String, i32, i64)>,
    },
}

impl Letters {
    async fn of_topic(topic: &str, servers: &Servers) -> Result<Self, BoxError> {
        let mut cluster = Cluster::new(servers.kafka()?);
        let metadata = cluster.metadata(Some(vec![topic.to_owned()])).await?;
        let found = metadata
            .topics
            .into_iter()
            .find(|found| found.name == topic);
        let found = found.ok_or_else(|| format!("the brokers know no topic '{topic}'"))?;
        found
            .error
            .check()
            .map_err(|code| KafkaError::broker(format!("the topic '{topic}'"), code))?;
        let mut partitions: Vec<i32> = found.partitions.iter().map(|p| p.index).collect();
        partitions.sort_unstable();
        let mut scans = VecDeque::new();
        for partition in partitions {
            scans.push_back(PartitionScan::open(&mut cluster, topic, partition).await?);
        }
        Ok(Self::Topic {
            cluster: Box::new(cluster),
            scans,
        })
    }

    fn of_table(table: &str, url: &str) -> Result<Self, BoxError> {
        let known = |c: char| c.is_alphanumeric() || "_.\"$".contains(c);
        if !table.chars().all(known) {
            return Err(format!("--table: '{table}' is no name of a table").into());
        }
        // Columns that are not there are null, whatever else the table has beside them.
        let sql = format!(
            "SELECT to_jsonb(t)::text, t.topic, t.partition::int4, t.\"offset\"::int8 FROM {table} t \
             WHERE (t.topic, t.partition, t.\"offset\") > ($1::text, $2::int4, $3::int8) \
             ORDER BY t.topic, t.partition, t.\"offset\" LIMIT {PORTION}"
        );
        Ok(Self::Table {
            table: table.to_owned(),
            asked: PostgresLookup::new(PostgresOptions::new(url), sql, 1)?,
            after: Some((String::new(), -1, -1)),
        })
    }

    /// The next letters; none once there are no more.
    pub async fn next(&mut self) -> Result<Option<Vec<Letter>>, BoxError> {
        match self {
            Self::Files(files) => files.next(),
            Self::Topic { cluster, scans } => {
                while let Some(scan) = scans.front_mut() {
                    let mut letters = Vec::new();
                    let more = scan
                        .step(cluster, &mut |record| {
                            let letter = Letter::of_record(&record);
                            let letter = letter.map_err(|what| {
                                KafkaError::setting(format!(
                                    "offset {}: no dead letter: {what}",
                                    record.offset
                                ))
                            })?;
                            letters.push(letter);
                            Ok(())
                        })
                        .await?;
                    if !more {
                        scans.pop_front();
                    }
                    if !letters.is_empty() {
                        return Ok(Some(letters));
                    }
                }
                Ok(None)
            }
            Self::Table {
                table,
                asked,
                after,
            } => {
                let Some((topic, partition, offset)) = after.take() else {
                    return Ok(None);
                };
                let rows = asked.ask(&[&topic, &partition, &offset]).await?;
                let mut letters = Vec::new();
                for row in &rows {
                    let letter = Letter::of_row(&row.try_get::<_, String>(0)?);
                    let letter = letter.map_err(|what| format!("a row of {table}: {what}"))?;
                    letters.push(letter);
                }
                if let Some(last) = rows.last() {
                    *after = Some((last.try_get(1)?, last.try_get(2)?, last.try_get(3)?));
                }
                Ok((!letters.is_empty()).then_some(letters))
            }
        }
    }
}

/// Files that are read one after the other.
pub(super) struct Files {
    files: VecDeque<PathBuf>,
    open: Option<(PathBuf, BufReader<File>, u64)>,
}

impl Files {
    fn next(&mut self) -> Result<Option<Vec<Letter>>, BoxError> {
        let mut letters = Vec::new();
        while letters.len() < PORTION {
            let (path, reader, number) = match &mut self.open {
                Some(open) => open,
                None => match self.files.pop_front() {
                    Some(path) => {
                        let file = File::open(&path);
                        let file = file.map_err(|e| format!("{}: {e}", path.display()))?;
                        self.open.insert((path, BufReader::new(file), 0))
                    }
                    None => break,
                },
            };
            let mut line = String::new();
            let told = |what: String, at: u64| format!("{}, line {at}: {what}", path.display());
            *number += 1;
            let read = reader.read_line(&mut line);
            let read = read.map_err(|error| told(error.to_string(), *number))?;
            if read == 0 {
                self.open = None;
            } else if !line.trim().is_empty() {
                let letter = Letter::of_line(&line);
                letters.push(letter.map_err(|what| told(what, *number))?);
            }
        }
        Ok((!letters.is_empty()).then_some(letters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_means_its_dead_letters_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let line = |offset| {
            format!("{{\"topic\":\"t\",\"offset\":{offset},\"value\":\"\",\"error\":\"x\"}}\n")
        };
        std::fs::write(folder.path().join("dead_letter-1-0.jsonl"), line(2)).unwrap();
        let many: String = (10..2_010).map(line).collect();
        std::fs::write(folder.path().join("dead_letter-0-0.jsonl"), many).unwrap();
        std::fs::write(folder.path().join("late-0-0.jsonl"), "not read\n").unwrap();
        let files = files_of(folder.path()).unwrap();
        let mut files = Files {
            files: files.into(),
            open: None,
        };
        let mut offsets = Vec::new();
        while let Some(letters) = files.next().unwrap() {
            assert!(letters.len() <= PORTION);
            offsets.extend(letters.iter().map(|letter| letter.offset));
        }
        let expected: Vec<i64> = (10..2_010).chain([2]).collect();
        assert_eq!(offsets, expected);
    }

    #[test]
    fn what_is_no_letter_is_told_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        assert!(files_of(folder.path()).is_err());
        let path = folder.path().join("dead_letter-0.jsonl");
        std::fs::write(&path, "\n{}\n").unwrap();
        let mut files = Files {
            files: vec![path].into(),
            open: None,
        };
        let error = files.next().unwrap_err().to_string();
        assert!(
            error.contains("dead_letter-0.jsonl, line 2: it has no"),
            "{error}"
        );
    }
}
