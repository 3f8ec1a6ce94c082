//! Where a test finds the real part it meets.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "each test uses a part of this"
)]

pub mod endless;
pub mod http;
pub mod own;
pub mod proxy;
pub mod shown;
pub mod sums;

use std::io::Write;

/// Sends a signal, as `-KILL`, to a process. By the shell's own `kill`: a small system has no other.
pub fn kill(signal: &str, process: &str) {
    let kill = format!("kill {signal} {process}");
    let killed = std::process::Command::new("sh")
        .args(["-c", &kill])
        .status();
    assert!(killed.unwrap().success(), "{kill}");
}

/// The address of a part, from the variable that `scripts/services env` prints for it. Without it
/// the test is skipped: it says so, is counted by `scripts/test`, and shall return at once. With
/// `RHEOS_REQUIRE_SERVICES=1` it fails instead.
///
/// ```ignore
/// let Some(brokers) = common::part("RHEOS_KAFKA") else { return };
/// ```
pub fn part(variable: &str) -> Option<String> {
    if let Some(address) = std::env::var(variable).ok().filter(|a| !a.is_empty()) {
        return Some(address);
    }
    let test = std::thread::current()
        .name()
        .unwrap_or("unnamed")
        .to_owned();
    assert!(
        std::env::var("RHEOS_REQUIRE_SERVICES").as_deref() != Ok("1"),
        "{test} needs {variable}, and RHEOS_REQUIRE_SERVICES=1 forbids to skip it: run \
         `scripts/services up`, then `. <(scripts/services env)`"
    );
    // Past the harness, which keeps what passing tests print.
    let line = format!("skipped test {test}: {variable} is not set, see `scripts/services`\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    None
}

/// A name that no other test, and no other run, uses: for topics, tables, indices and keys.
pub fn unique(what: &str) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    format!("{what}-{}-{}", std::process::id(), now.as_nanos())
}

/// Waits for a condition: for five minutes, since a machine may have much else to do.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !done() {
        assert!(began.elapsed().as_secs() < 300, "{what}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
