//! Where a bounded source ends, and the file that keeps it.
//!
//! A line a partition: its offset, its number, its topic. The file is there whole or not at all, and is
//! never written again: what it says holds for as long as it is there.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use super::offsets::{Offsets, PartitionOffsets};
use crate::kafka::client::Cluster;
use crate::kafka::error::KafkaError;

/// Where a bounded source ends.
#[derive(Debug, Clone)]
pub(super) struct Stops {
    offsets: Offsets,
    file: Option<PathBuf>,
}

impl Stops {
    pub fn new(offsets: Offsets, file: Option<PathBuf>) -> Self {
        Self { offsets, file }
    }

    /// As [`Offsets::resolve`]; what the file says goes before what is asked of the brokers.
    pub async fn resolve(
        &self,
        cluster: &mut Cluster,
        read_committed: bool,
        group: Option<&str>,
        reset: Option<i64>,
        partitions: &[(String, i32)],
    ) -> Result<PartitionOffsets, KafkaError> {
        if let Some(mut kept) = self.read()? {
            kept.retain(|partition, _| partitions.contains(partition));
            // Partitions that came later hold nothing that the job is to read.
            for partition in partitions {
                kept.entry(partition.clone()).or_insert(0);
            }
            return Ok(kept);
        }
        let stops = self
            .offsets
            .resolve(cluster, read_committed, group, reset, partitions)
            .await?;
        self.write(&stops)?;
        Ok(stops)
    }

    fn refused(&self, what: &str, error: &dyn std::fmt::Display) -> KafkaError {
        let file = self.file.as_deref().unwrap_or_else(|| "".as_ref());
        KafkaError::setting(format!(
            "{what} {}, where the source is to end: {error}",
            file.display()
        ))
    }

    fn read(&self) -> Result<Option<PartitionOffsets>, KafkaError> {
        let Some(file) = &self.file else {
            return Ok(None);
        };
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.refused("reading", &error)),
        };
        let stops = text.lines().map(|line| {
            let (offset, rest) = line.split_once(' ')?;
            let (partition, topic) = rest.split_once(' ')?;
            Some((
                (topic.to_owned(), partition.parse().ok()?),
                offset.parse().ok()?,
            ))
        });
        let stops: Option<PartitionOffsets> = stops.collect();
        stops.map(Some).ok_or_else(|| {
            self.refused(
                "reading",
                &"not lines of offset, partition and topic; mend or remove it",
            )
        })
    }

    fn write(&self, stops: &PartitionOffsets) -> Result<(), KafkaError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let mut text = String::new();
        for ((topic, partition), offset) in stops {
            text.push_str(&format!("{offset} {partition} {topic}\n"));
        }
        let folder = file.parent().unwrap_or_else(|| ".".as_ref());
        let part = file.with_extension("part");
        let written = fs::create_dir_all(folder).and_then(|()| {
            let mut out = fs::File::create(&part)?;
            out.write_all(text.as_bytes())?;
            out.sync_all()?;
            fs::rename(&part, file)?;
            fs::File::open(folder)?.sync_all()
        });
        written.map_err(|error| self.refused("writing", &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_read_back_and_what_was_broken_is_told() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("job/stops");
        let stops = Stops::new(Offsets::Latest, Some(file.clone()));
        assert_eq!(stops.read().unwrap(), None);
        let ends: PartitionOffsets =
            [(("a topic".to_owned(), 0), 7), (("b".to_owned(), 11), 0)].into();
        stops.write(&ends).unwrap();
        assert_eq!(stops.read().unwrap(), Some(ends));
        fs::write(&file, "7 zero a\n").unwrap();
        let error = stops.read().unwrap_err().to_string();
        assert!(error.contains("job/stops"), "{error}");
    }
}
