//! State that was written as one type and is declared as another: read by defaults, by a hook, or refused
//! by name.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rheos_core::Row;
use rheos_core::key_group::KEY_GROUPS;
use rheos_core::row::Value;
use rheos_state::evolution::{Fit, fit};
use rheos_state::{
    KeyedBackend, KeyedImage, ListState, ListStateDescriptor, MapState, MapStateDescriptor,
    ReducingState, ReducingStateDescriptor, StateError, ValueState, ValueStateDescriptor,
};

mod before {
    #[derive(rheos_core::Row, Clone, Debug, PartialEq)]
    pub struct Account {
        pub owner: String,
        pub balance: i32,
        pub old: bool,
    }
}

mod after {
    /// A field is new, one is wider, one has another name, one is gone.
    #[derive(rheos_core::Row, Clone, Debug, PartialEq)]
    pub struct Account {
        #[row(default = "EUR")]
        pub currency: String,
        #[row(alias = "owner")]
        pub holder: String,
        pub balance: i64,
    }
}

const KEYS: u64 = 50;

fn each(backend: &mut KeyedBackend<u64>, mut act: impl FnMut(u64)) {
    let keys: Vec<u64> = (0..KEYS).collect();
    let hashes: Vec<u64> = keys.iter().map(Row::key_hash).collect();
    let mut slots = Vec::new();
    backend.resolve_batch(&hashes, &keys, &mut slots);
    backend.check_store().unwrap();
    for ((slot, hash), key) in slots.iter().zip(&hashes).zip(&keys) {
        backend.set_current(*slot, *hash);
        act(*key);
    }
    backend.end_batch();
    backend.check_store().unwrap();
}

fn account(key: u64) -> before::Account {
    before::Account {
        owner: format!("k{key}"),
        balance: key as i32 - 7,
        old: true,
    }
}

fn expected(key: u64) -> after::Account {
    after::Account {
        currency: "EUR".into(),
        holder: format!("k{key}"),
        balance: key as i64 - 7,
    }
}

struct Old {
    value: ValueState<before::Account>,
    list: ListState<before::Account>,
    map: MapState<String, before::Account>,
    reduced: ReducingState<before::Account>,
    text: ValueState<String>,
}

impl Old {
    fn declare(backend: &mut KeyedBackend<u64>) -> Self {
        let last = |into: &mut before::Account, value| *into = value;
        Self {
            value: backend.value(&ValueStateDescriptor::new("value")).unwrap(),
            list: backend.list(&ListStateDescriptor::new("list")).unwrap(),
            map: backend.map(&MapStateDescriptor::new("map")).unwrap(),
            reduced: backend
                .reducing(&ReducingStateDescriptor::new("reduced", last))
                .unwrap(),
            text: backend.value(&ValueStateDescriptor::new("text")).unwrap(),
        }
    }

    fn fill(&self, backend: &mut KeyedBackend<u64>) {
        each(backend, |key| {
            self.value.update(account(key));
            self.list.add(account(key));
            self.list.add(account(key + 1));
            self.map.insert(format!("m{key}"), account(key));
            self.reduced.add(account(key));
            self.text.update(format!("{key} EUR"));
        });
    }
}

fn fill(backend: &mut KeyedBackend<u64>) {
    Old::declare(backend).fill(backend);
}

fn image(backend: &mut KeyedBackend<u64>) -> KeyedImage {
    let (mut image, ()) = backend.freeze_image(|_| Ok(())).unwrap();
    let mut body = Vec::new();
    while !backend.write_image(&mut body).unwrap() {}
    image.body = body;
    image
}

struct Now {
    value: ValueState<after::Account>,
    list: ListState<after::Account>,
    map: MapState<String, after::Account>,
    reduced: ReducingState<after::Account>,
    text: ValueState<i64>,
}

impl Now {
    fn declare(backend: &mut KeyedBackend<u64>) -> Self {
        let last = |into: &mut after::Account, value| *into = value;
        let text = ValueStateDescriptor::new("text").migrate(|written| match written {
            Value::String(text) => {
                let number = text.as_str().trim_end_matches(" EUR");
                number.parse::<i64>().map_err(|error| error.to_string())
            }
            other => Err(format!("{other} is no text")),
        });
        Self {
            value: backend.value(&ValueStateDescriptor::new("value")).unwrap(),
            list: backend.list(&ListStateDescriptor::new("list")).unwrap(),
            map: backend.map(&MapStateDescriptor::new("map")).unwrap(),
            reduced: backend
                .reducing(&ReducingStateDescriptor::new("reduced", last))
                .unwrap(),
            text: backend.value(&text).unwrap(),
        }
    }

    fn check(&self, key: u64) {
        assert_eq!(self.value.get(), Some(expected(key)));
        assert_eq!(self.list.get(), [expected(key), expected(key + 1)]);
        assert_eq!(self.map.get(&format!("m{key}")), Some(expected(key)));
        assert_eq!(self.reduced.get(), Some(expected(key)));
        assert_eq!(self.text.get(), Some(key as i64));
    }
}

fn nothing_of_its_own(_: rheos_state::OwnEntry<'_>) -> Result<(), StateError> {
    Ok(())
}

#[test]
fn an_image_is_read_as_what_is_declared_now() {
    let mut old = KeyedBackend::new();
    fill(&mut old);
    let image = image(&mut old);
    let mut backend = KeyedBackend::new();
    let now = Now::declare(&mut backend);
    backend
        .restore_image(&image, &(0..KEY_GROUPS), &[], nothing_of_its_own)
        .unwrap();
    each(&mut backend, |key| now.check(key));
}

#[test]
fn what_can_not_be_read_is_refused_by_name() {
    let mut old = KeyedBackend::new();
    fill(&mut old);
    let image = image(&mut old);
    let refused = |declare: &dyn Fn(&mut KeyedBackend<u64>)| {
        let mut backend = KeyedBackend::new();
        declare(&mut backend);
        let restored = backend.restore_image(&image, &(0..KEY_GROUPS), &[], nothing_of_its_own);
        restored.unwrap_err().to_string()
    };
    let error = refused(&|backend| {
        backend
            .value(&ValueStateDescriptor::<bool>::new("value"))
            .unwrap();
    });
    assert!(
        error.contains("`value`") && error.contains("migrate"),
        "{error}"
    );
    let error = refused(&|backend| {
        backend
            .list(&ListStateDescriptor::<after::Account>::new("value"))
            .unwrap();
    });
    assert!(error.contains("`value` (value)"), "{error}");
    // A hook that refuses a value says so.
    let error = refused(&|backend| {
        backend.drop_undeclared(true);
        let refuses = ValueStateDescriptor::<i64>::new("text").migrate(|_| Err("not this".into()));
        backend.value(&refuses).unwrap();
    });
    assert!(
        error.contains("`text`") && error.contains("not this"),
        "{error}"
    );
}

#[test]
fn states_that_are_gone_are_refused_or_dropped() {
    let mut old = KeyedBackend::new();
    fill(&mut old);
    let image = image(&mut old);
    for drops in [false, true] {
        let mut backend = KeyedBackend::new();
        let value: ValueState<before::Account> =
            backend.value(&ValueStateDescriptor::new("value")).unwrap();
        backend.drop_undeclared(drops);
        let restored = backend.restore_image(&image, &(0..KEY_GROUPS), &[], nothing_of_its_own);
        assert_eq!(restored.is_ok(), drops);
        if drops {
            each(&mut backend, |key| {
                assert_eq!(value.get(), Some(account(key)))
            });
        }
    }
}

#[test]
fn a_fit_is_told_without_values() {
    let mut old = KeyedBackend::new();
    fill(&mut old);
    let written = image(&mut old);
    let mut backend = KeyedBackend::new();
    Now::declare(&mut backend);
    let declared = image(&mut backend);
    let of = |name: &str, migrates| {
        let header = |image: &KeyedImage| {
            let found = image.states.iter().find(|state| state.name == name);
            found.unwrap().clone()
        };
        fit(&header(&written), &header(&declared), migrates)
    };
    assert_eq!(of("value", false), Fit::Converted(Vec::new()));
    assert_eq!(of("text", true), Fit::Migrated);
    assert!(matches!(of("text", false), Fit::Incompatible(_)));
    let same = &written.states[0];
    assert_eq!(fit(same, same, false), Fit::Kept);
    let mut other = same.clone();
    other.kind = "list".into();
    assert!(matches!(fit(same, &other, true), Fit::Incompatible(_)));
}

/// As above, of files of RocksDB: they are rewritten when they are taken over.
#[cfg(feature = "rocksdb")]
mod files {
    use std::ops::Range;
    use std::path::Path;
    use std::sync::Arc;

    use rheos_core::config::Configuration;
    use rheos_state::rocks::{RocksBackend, RocksOptions};
    use rheos_state::store::{OriginFile, Sealed, StoreBackend, StoreOrigin, StoreOwner};

    use super::*;

    fn opener(folder: &Path) -> Arc<dyn StoreBackend> {
        let mut conf = Configuration::new();
        conf.set("state.backend.rocksdb.localdir", folder.display());
        let options = RocksOptions::from_configuration(&conf, 8 << 20).unwrap();
        Arc::new(RocksBackend::new(options))
    }

    fn owner(subtask: u32) -> StoreOwner {
        StoreOwner {
            operator: "evolving".to_owned(),
            subtask,
        }
    }

    fn origin(sealed: &Sealed, wanted: Range<u32>) -> StoreOrigin {
        let files = sealed.files.iter();
        let files = files.map(|file| OriginFile {
            name: file.name.clone(),
            path: file.path.clone(),
            kept: None,
        });
        StoreOrigin {
            files: files.collect(),
            held: 0..KEY_GROUPS,
            wanted,
        }
    }

    /// A backend with a store, which goes on from these files.
    fn on(
        opener: &Arc<dyn StoreBackend>,
        declare: impl FnOnce(&mut KeyedBackend<u64>) -> Now,
        sealed: &Sealed,
        wanted: Range<u32>,
    ) -> (KeyedBackend<u64>, Now) {
        let mut backend = KeyedBackend::new();
        let now = declare(&mut backend);
        let origins = [origin(sealed, wanted)];
        backend
            .attach_store(opener.clone(), &owner(1), &origins)
            .unwrap();
        backend.limit_resident_keys(7);
        (backend, now)
    }

    fn sealed(backend: &mut KeyedBackend<u64>) -> Arc<Sealed> {
        backend.freeze_to_store();
        let pending = backend.save_to_store(usize::MAX).unwrap();
        pending.seal().unwrap()
    }

    #[test]
    fn values_in_files_are_read_as_what_is_declared_now() {
        let folder = tempfile::tempdir().unwrap();
        let opener = opener(folder.path());
        // Says as what all of it is written.
        let mut heads = KeyedBackend::new();
        fill(&mut heads);
        let head = image(&mut heads);
        let mut old = KeyedBackend::new();
        let states = Old::declare(&mut old);
        old.attach_store(opener.clone(), &owner(0), &[]).unwrap();
        old.limit_resident_keys(7);
        states.fill(&mut old);
        let files = sealed(&mut old);
        for wanted in [0..KEY_GROUPS, 0..KEY_GROUPS / 2] {
            let (mut backend, now) = on(&opener, Now::declare, &files, wanted.clone());
            backend.convert_store(&head).unwrap();
            let mut there = 0;
            each(&mut backend, |key| {
                if wanted.contains(&rheos_core::key_group::key_group_of(key.key_hash()).into()) {
                    now.check(key);
                    there += 1;
                }
            });
            assert!(there > 10, "{there}");
            // What is written from now on is of the new types: nothing is left to convert.
            let again = sealed(&mut backend);
            let mut heads = KeyedBackend::new();
            Now::declare(&mut heads);
            let head = image(&mut heads);
            let (mut backend, now) = on(&opener, Now::declare, &again, wanted.clone());
            backend.convert_store(&head).unwrap();
            each(&mut backend, |key| {
                if wanted.contains(&rheos_core::key_group::key_group_of(key.key_hash()).into()) {
                    now.check(key);
                }
            });
        }
    }
}
