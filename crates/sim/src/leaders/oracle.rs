//! What must hold. It is told of what JobManagers believe, at the moment that they come to: that a
//! generation is theirs, that a checkpoint is complete (which sinks act on), that they lead; and of what is
//! deleted.

use std::collections::BTreeMap;

use rheos_cluster::checkpoint::log::Record;

/// A generation, as who began it knows it.
#[derive(Debug, Clone, Copy)]
struct Begun {
    life: usize,
    /// The checkpoint that it goes on from; 0 is none.
    from: u64,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Oracle {
    generations: BTreeMap<u64, Begun>,
    /// Complete checkpoints, and the generations that completed them.
    complete: BTreeMap<u64, u64>,
    /// Records of complete checkpoints in the log, by their places: generation and number.
    recorded: BTreeMap<u64, (u64, u64)>,
    violation: Option<String>,
}

impl Oracle {
    fn violated(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    /// The first thing that did not hold.
    pub fn violation(&self) -> Option<&String> {
        self.violation.as_ref()
    }

    /// For what is found elsewhere.
    pub fn violate(&mut self, what: String) {
        self.violated(what);
    }

    /// How many generations have begun, and how many checkpoints are complete.
    pub fn counts(&self) -> (u64, u64) {
        (self.generations.len() as u64, self.complete.len() as u64)
    }

    /// A life has begun a generation from a checkpoint; 0 is none.
    pub fn begun(&mut self, life: usize, generation: u64, from: u64) {
        if let Some(other) = self.generations.get(&generation) {
            let other = other.life;
            return self.violated(format!(
                "generation {generation} is owned twice: by life {other} and life {life}"
            ));
        }
        self.generations.insert(generation, Begun { life, from });
        let mut before = self.complete.iter();
        let forgotten = before.find(|(number, of)| **of < generation && **number > from);
        if let Some((number, of)) = forgotten {
            self.violated(format!(
                "generation {generation} goes on from checkpoint {from}, behind checkpoint {number} that \
                 generation {of} had completed"
            ));
        }
    }

    /// A life has completed a checkpoint.
    pub fn completed(&mut self, life: usize, generation: u64, number: u64) {
        let Some(begun) = self.generations.get(&generation).copied() else {
            return self.violated(format!(
                "generation {generation} completes checkpoint {number}, and nobody has begun it"
            ));
        };
        if begun.life != life {
            let owner = begun.life;
            return self.violated(format!(
                "life {life} completes checkpoint {number} of generation {generation} of life {owner}"
            ));
        }
        if begun.from >= number {
            let from = begun.from;
            return self.violated(format!(
                "generation {generation} goes on from checkpoint {from}, and completes {number}"
            ));
        }
        if let Some(other) = self.complete.insert(number, generation) {
            return self.violated(format!(
                "checkpoint {number} is completed twice: by generations {other} and {generation}"
            ));
        }
        // A newer generation may have begun before the answer was there, if it goes on from here.
        let newer = self.generations.range(generation + 1..);
        let newer = newer.map(|(newer, begun)| (*newer, begun.from));
        if let Some((newer, from)) = newer.clone().find(|(_, from)| *from < number) {
            self.violated(format!(
                "generation {generation} completes checkpoint {number}, though generation {newer} has \
                 begun from checkpoint {from}"
            ));
        }
    }

    /// A file is there that was not.
    pub fn created(&mut self, name: &str, bytes: &[u8]) {
        let number = name
            .strip_prefix("log/")
            .and_then(|n| n.strip_suffix(".json"));
        let number = number.and_then(|number| number.parse().ok());
        if let (Some(number), Ok(Record::Checkpoint(record))) =
            (number, serde_json::from_slice(bytes))
        {
            let recorded = (record.generation, record.checkpoint);
            self.recorded.insert(number, recorded);
        }
    }

    /// A file is deleted.
    pub fn deleted(&mut self, name: &str) {
        let newest = self.recorded.last_key_value();
        if newest.is_some_and(|(_, newest)| manifest(name) == Some(*newest)) {
            self.violated(format!(
                "{name} is deleted: of the newest checkpoint in the log"
            ));
        }
    }
}

/// Which checkpoint a manifest is of.
fn manifest(name: &str) -> Option<(u64, u64)> {
    let (generation, rest) = name.strip_prefix('g')?.split_once("/chk-")?;
    let number = rest.strip_suffix("/manifest.json")?;
    Some((generation.parse().ok()?, number.parse().ok()?))
}
