//! The storage's files. What is read by name is what is there; what is listed may be what was there a
//! while ago.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// A request that changes something.
#[derive(Debug, Clone)]
pub enum Write {
    /// A file, whatever was there.
    Put(String, Vec<u8>),
    /// A file, if there is none.
    PutIfAbsent(String, Vec<u8>),
    /// No file.
    Delete(String),
}

struct File {
    bytes: Vec<u8>,
    since: i64,
}

/// See the [module](self). Times are in microseconds.
#[derive(Default)]
pub struct Files {
    there: BTreeMap<String, File>,
    /// What is gone: since when it was there, and until when.
    gone: Vec<(String, i64, i64)>,
}

/// For how long it is remembered what is gone.
const REMEMBERED: i64 = 10_000_000;

impl Files {
    /// Carries a request out; whether it has changed anything.
    pub fn write(&mut self, write: &Write, now: i64) -> bool {
        match write {
            Write::Put(name, bytes) => self.put(name, bytes, now),
            Write::PutIfAbsent(name, _) if self.there.contains_key(name) => return false,
            Write::PutIfAbsent(name, bytes) => self.put(name, bytes, now),
            Write::Delete(name) => {
                let Some(file) = self.there.remove(name) else {
                    return false;
                };
                self.gone.retain(|(_, _, until)| *until > now - REMEMBERED);
                self.gone.push((name.clone(), file.since, now));
            }
        }
        true
    }

    fn put(&mut self, name: &str, bytes: &[u8], now: i64) {
        let since = self.there.get(name).map_or(now, |file| file.since);
        let bytes = bytes.to_vec();
        self.there.insert(name.to_owned(), File { bytes, since });
    }

    /// A file.
    pub fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.there.get(name).map(|file| file.bytes.clone())
    }

    /// The names in a folder and below at a time that has passed.
    pub fn list(&self, folder: &str, at: i64) -> Vec<String> {
        let prefix = match folder {
            "" => String::new(),
            folder => format!("{folder}/"),
        };
        let there = self.there.iter();
        let there = there.filter(|(_, file)| file.since <= at);
        let gone = self.gone.iter();
        let gone = gone.filter(|(_, since, until)| *since <= at && at < *until);
        let names = there.map(|(name, _)| name);
        let names = names.chain(gone.map(|(name, _, _)| name));
        let names: BTreeSet<&String> = names.filter(|name| name.starts_with(&prefix)).collect();
        names.into_iter().cloned().collect()
    }
}
