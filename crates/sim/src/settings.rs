//! What all runs have their checkpoints taken by.

use std::time::Duration;

use rheos_cluster::checkpoint::CheckpointSettings;
use rheos_cluster::checkpoint::s3::S3Settings;

/// One checkpoint at a time, aligned, this often (in milliseconds), of which so many are kept; a run changes
/// what it is about. Nothing is packed, copied or kept on a disk.
pub(crate) fn settings(interval: u64, retained: usize) -> CheckpointSettings {
    CheckpointSettings {
        interval: Duration::from_millis(interval),
        min_pause: Duration::ZERO,
        timeout: Duration::from_secs(60),
        max_concurrent: 1,
        aligned_timeout: None,
        tolerable_failures: u32::MAX,
        retained,
        retention: Default::default(),
        inline_threshold: 0,
        location: None,
        s3: S3Settings::default(),
        copies: None,
        savepoints: None,
        history: 10,
        ignore_unclaimed: false,
        local: Vec::new(),
    }
}
