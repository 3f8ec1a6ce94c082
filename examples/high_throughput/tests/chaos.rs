//! The main job, killed at random moments and started again: the sums hold to the record. The long form
//! is `scripts/chaos`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test, on real time"
)]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rheos::core::rng::Rng;
use tempfile::TempDir;

/// Kills, beside the run that is let be.
const KILLS: usize = 5;

fn start(folder: &Path, rate: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_high_throughput"))
        .args(["run", "--checkpoints", "store", "--parallelism", "2"])
        .args(["-D", "execution.checkpointing.interval=100 ms"])
        .args(["-D", "restart-strategy.type=none", "--rate", rate])
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The number of the last record of the job's log: one for each start and each complete checkpoint. Older
/// ones go, so that how many there are says nothing.
fn last_record(folder: &Path) -> u64 {
    let log = folder.join("store/HighThroughputStreamProcessor/log");
    let names = std::fs::read_dir(log).into_iter().flatten();
    let numbers = names.filter_map(|name| {
        let name = name.ok()?.file_name();
        name.to_str()?.strip_suffix(".json")?.parse().ok()
    });
    numbers.max().unwrap_or(0)
}

#[test]
fn killed_at_random_moments_it_loses_nothing_and_doubles_nothing() {
    let folder = TempDir::new().unwrap();
    let seed = 20_131_231;
    println!("seed {seed}");
    let mut rng = Rng::new(seed);
    let mut ended = false;
    for _ in 0..KILLS {
        let before = last_record(folder.path());
        let mut job = start(folder.path(), "25000");
        // Some moment after it has begun to write, which takes as long as the machine is slow.
        let limit = Instant::now() + Duration::from_secs(60);
        while last_record(folder.path()) < before + 2 && job.try_wait().unwrap().is_none() {
            assert!(Instant::now() < limit, "no checkpoint in a minute");
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(rng.below(400)));
        ended |= job.try_wait().unwrap().is_some();
        job.kill().unwrap();
        job.wait().unwrap();
    }
    assert!(!ended, "the input lasts longer than this test");
    let last = start(folder.path(), "1000000").wait_with_output().unwrap();
    let log = String::from_utf8(last.stderr).unwrap();
    assert!(last.status.success(), "{log}");
    assert!(log.contains("goes on from a checkpoint"), "{log}");
    assert!(log.contains("\n  OK: "), "{log}");
    let again = start(folder.path(), "1000000").wait_with_output().unwrap();
    let log = String::from_utf8(again.stderr).unwrap();
    assert!(
        again.status.success() && log.contains("has finished"),
        "{log}"
    );
}
