//! A database from the files of former subtasks.
//!
//! The files that give the most of the key groups wanted become the database, with the other key
//! groups deleted as ranges: that costs nothing but links or copies of files. Rows of what is wanted
//! of other files are written into it.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use rheos_core::key_group::KEY_GROUPS;
use rocksdb::{
    Cache, ColumnFamilyDescriptor, DB, Options, ReadOptions, WriteBatch, WriteBufferManager,
    WriteOptions,
};

use super::backend::OpenCount;
use super::database::{RocksStore, family_name, group_start};
use super::failed;
use super::options::RocksOptions;
use super::ttl_filter::TtlFilterFactory;
use crate::error::StateError;
use crate::local_folder::LocalFolder;
use crate::store::{Family, OriginFile, StoreOrigin};

/// The name of the folder with the database, within its local folder.
const DATABASE: &str = "db";
/// Bytes of a batch of rows that are taken over.
const BATCH: usize = 4 << 20;

/// What a database is opened with.
pub(super) struct Setting<'a> {
    pub(super) options: &'a RocksOptions,
    pub(super) cache: Cache,
    pub(super) manager: Option<&'a WriteBufferManager>,
    pub(super) families: &'a [Family],
}

impl Setting<'_> {
    fn database(&self) -> Options {
        let mut options = self.options.database();
        if let Some(manager) = self.manager {
            options.set_write_buffer_manager(manager);
        }
        options
    }

    fn family(&self, family: Option<&Family>, now: &Arc<AtomicI64>) -> Options {
        let bound = match self.manager {
            Some(manager) => manager.get_buffer_size() / 2,
            None => usize::MAX,
        };
        let mut options = self.options.family(&self.cache, bound);
        if let Some(Family {
            name,
            ttl: Some(ttl),
        }) = family
            && self.options.ttl_filter
        {
            options.set_compaction_filter_factory(TtlFilterFactory {
                ttl: *ttl,
                now: now.clone(),
                name: CString::new(format!("ttl of {}", name.replace('\0', " ")))
                    .unwrap_or_default(),
            });
            if let Some(seconds) = self.options.periodic_seconds() {
                options.set_periodic_compaction_seconds(seconds);
            }
        }
        options
    }
}

/// Puts a file in place: a link where the file system has them, else a copy.
fn place(from: &Path, to: &Path) -> std::io::Result<()> {
    // Files that RocksDB would write to again are copied.
    let immutable = to.extension().is_some_and(|extension| extension == "sst");
    if immutable && fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    fs::copy(from, to).map(drop)
}

fn place_all(origin: &StoreOrigin, into: &Path) -> Result<(), StateError> {
    fs::create_dir_all(into).map_err(|error| failed(into, "making a folder for state", error))?;
    for OriginFile { name, path, .. } in &origin.files {
        let bare = Path::new(name)
            .file_name()
            .filter(|bare| *bare == name.as_str());
        let Some(bare) = bare else {
            return Err(failed(
                into,
                "restoring a file",
                format!("'{name}' is no file's name"),
            ));
        };
        place(path, &into.join(bare))
            .map_err(|error| failed(path, "restoring a file of a checkpoint", error))?;
    }
    Ok(())
}

fn overlap(origin: &StoreOrigin) -> u32 {
    let start = origin.held.start.max(origin.wanted.start);
    origin.held.end.min(origin.wanted.end).saturating_sub(start)
}

/// Opens a database, empty or from files.
pub(super) fn open(
    folder: LocalFolder,
    count: OpenCount,
    setting: &Setting<'_>,
    origins: &[StoreOrigin],
) -> Result<RocksStore, StateError> {
    let path = folder.path().join(DATABASE);
    let threshold = setting.options.overlap_threshold;
    let base = origins
        .iter()
        .enumerate()
        .filter(|(_, origin)| {
            let held = f64::from(origin.held.len() as u32).max(1.0);
            overlap(origin) > 0 && f64::from(overlap(origin)) / held >= threshold
        })
        .max_by_key(|(_, origin)| overlap(origin));
    let now = Arc::new(AtomicI64::new(i64::MIN));
    let declared: Vec<String> = setting
        .families
        .iter()
        .map(|family| family_name(&family.name))
        .collect();
    let mut names: BTreeSet<String> = declared.iter().cloned().collect();
    names.insert("default".to_owned());
    let options = setting.database();
    if let Some((_, origin)) = base {
        place_all(origin, &path)?;
        let there = DB::list_cf(&options, &path)
            .map_err(|error| failed(&path, "opening the files of a checkpoint", error))?;
        names.extend(there);
    }
    let families = names.iter().map(|name| {
        let family = setting
            .families
            .iter()
            .find(|family| family_name(&family.name) == *name);
        ColumnFamilyDescriptor::new(name, setting.family(family, &now))
    });
    let mut db = DB::open_cf_descriptors(&options, &path, families)
        .map_err(|error| failed(&path, "opening the database", error))?;
    // Of states that the job no longer has.
    for name in names.iter().filter(|name| *name != "default") {
        if !declared.contains(name) {
            db.drop_cf(name)
                .map_err(|error| failed(&path, "dropping a state", error))?;
        }
    }
    if let Some((_, origin)) = base {
        keep_only(&db, &declared, origin, setting.options, &path)?;
    }
    for (number, origin) in origins.iter().enumerate() {
        let is_base = base.is_some_and(|(base, _)| base == number);
        if !is_base && overlap(origin) > 0 {
            let other = folder.path().join(format!("origin-{number}"));
            place_all(origin, &other)?;
            let taken = take_over(&db, &declared, origin, setting, &other);
            let _ = fs::remove_dir_all(&other);
            taken?;
        }
    }
    let kept = base.iter().flat_map(|(_, origin)| &origin.files);
    let kept = kept.filter_map(|file| Some((file.name.clone(), file.kept.clone()?)));
    Ok(RocksStore::new(
        db,
        declared,
        now,
        kept.collect(),
        folder,
        count,
    ))
}

/// Deletes the key groups that are not wanted.
fn keep_only(
    db: &DB,
    families: &[String],
    origin: &StoreOrigin,
    options: &RocksOptions,
    path: &Path,
) -> Result<(), StateError> {
    let gone = [
        (
            origin.held.start,
            origin.wanted.start.max(origin.held.start),
        ),
        (origin.wanted.end.min(origin.held.end), origin.held.end),
    ];
    let deleted = |error: rocksdb::Error| failed(path, "deleting other key groups", error);
    let mut no_log = WriteOptions::default();
    no_log.disable_wal(true);
    for name in families {
        let Some(family) = db.cf_handle(name) else {
            continue;
        };
        for (from, to) in gone {
            let Some(first) = group_start(from).filter(|_| from < to) else {
                continue;
            };
            // Behind the last key group there is no key.
            let end = match to {
                KEY_GROUPS.. => vec![0xff; 3],
                to => group_start(to).map(Vec::from).unwrap_or_default(),
            };
            if options.delete_files_in_range {
                db.delete_file_in_range_cf(family, first.as_slice(), end.as_slice())
                    .map_err(deleted)?;
            }
            db.delete_range_cf_opt(family, first.as_slice(), end.as_slice(), &no_log)
                .map_err(deleted)?;
        }
    }
    Ok(())
}

/// Writes the rows of the wanted key groups of other files.
fn take_over(
    db: &DB,
    families: &[String],
    origin: &StoreOrigin,
    setting: &Setting<'_>,
    other: &Path,
) -> Result<(), StateError> {
    let reading = |error: rocksdb::Error| failed(other, "reading the files of a checkpoint", error);
    let mut options = Options::default();
    options.set_max_open_files(64);
    let there = DB::list_cf(&options, other).map_err(reading)?;
    let unused = Arc::new(AtomicI64::new(i64::MIN));
    let descriptors = there
        .iter()
        .map(|name| (name.clone(), setting.family(None, &unused)));
    let source = DB::open_cf_with_opts_for_read_only(&options, other, descriptors, false)
        .map_err(reading)?;
    let mut no_log = WriteOptions::default();
    no_log.disable_wal(true);
    let start = origin.wanted.start.max(origin.held.start);
    let end = origin.wanted.end.min(origin.held.end);
    for name in families {
        let (Some(from), Some(to)) = (source.cf_handle(name), db.cf_handle(name)) else {
            continue;
        };
        let mut range = ReadOptions::default();
        range.fill_cache(false);
        if let Some(end) = group_start(end) {
            range.set_iterate_upper_bound(end);
        }
        let mut at = source.raw_iterator_cf_opt(from, range);
        at.seek(group_start(start).unwrap_or_default());
        let mut batch = WriteBatch::default();
        while let Some((key, value)) = at.item() {
            batch.put_cf(to, key, value);
            if batch.size_in_bytes() >= BATCH {
                db.write_opt(std::mem::take(&mut batch), &no_log)
                    .map_err(reading)?;
            }
            at.next();
        }
        at.status().map_err(reading)?;
        db.write_opt(batch, &no_log).map_err(reading)?;
    }
    Ok(())
}
