//! How much memory there is: what the machine has, or what the process's control group may use.

use std::path::Path;

use rheos_core::config::{ConfigError, Configuration, MemoryBudget};

/// Bytes that the process can have, where the system tells.
pub(crate) fn available() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok();
    let machine = machine.and_then(|text| kilobytes(&text, "MemTotal:"));
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = group_limit(&groups, Path::new("/sys/fs/cgroup"));
    [machine, group].into_iter().flatten().min()
}

/// Bytes that the process has in memory.
pub(crate) fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    kilobytes(&status, "VmRSS:")
}

/// Bytes that another process has in memory.
pub(crate) fn resident_of(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    kilobytes(&status, "VmRSS:")
}

/// What is taken for the memory of a system that does not tell.
const UNKNOWN: u64 = 4 << 30;

/// Bytes of memory for state, as a configuration divides what there is.
///
/// # Errors
/// If a value is not of its type, or the parts exceed the whole.
pub fn managed_memory(conf: &Configuration) -> Result<u64, ConfigError> {
    let available = available().unwrap_or(UNKNOWN);
    MemoryBudget::divide(conf, available).map(|budget| budget.managed)
}

/// Bytes of memory that a TaskManager's process may have in all.
///
/// # Errors
/// If a value is not of its type, or the parts exceed the whole.
pub fn process_memory(conf: &Configuration) -> Result<u64, ConfigError> {
    let available = available().unwrap_or(UNKNOWN);
    MemoryBudget::divide(conf, available).map(|budget| budget.total)
}

/// A value of `/proc/meminfo` or `/proc/self/status`, which are in kilobytes.
pub(crate) fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let number = line.trim().trim_end_matches("kB").trim();
    number.parse::<u64>().ok()?.checked_mul(1024)
}

/// The least limit of the control groups that the process is in, and those above them.
fn group_limit(groups: &str, root: &Path) -> Option<u64> {
    let limits = groups.lines().flat_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next(), parts.next(), parts.next());
        let (base, file) = match controllers {
            Some("") => (root.to_owned(), "memory.max"),
            Some(names) if names.split(',').any(|name| name == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => return Vec::new(),
        };
        let path = Path::new(path.unwrap_or("/").trim_start_matches('/'));
        path.ancestors()
            .filter_map(|group| std::fs::read_to_string(base.join(group).join(file)).ok())
            .filter_map(|text| text.trim().parse().ok())
            .collect()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_limit_holds_in_both_versions_of_control_groups() {
        let root = std::env::temp_dir().join(format!("rheos-groups-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("a/memory.max", "2000000\n");
        write("a/b/memory.max", "max\n");
        write("memory/job/memory.limit_in_bytes", "1000\n");
        write("memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(group_limit("0::/a/b\n", &root), Some(2_000_000));
        assert_eq!(group_limit("7:cpu:/\n5:memory:/job\n", &root), Some(1_000));
        assert_eq!(group_limit("7:cpu:/a\n", &root), None);
        std::fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn kilobytes_become_bytes() {
        let text = "Name:\tx\nVmRSS:\t    1024 kB\nThreads:\t9\n";
        assert_eq!(kilobytes(text, "VmRSS:"), Some(1_048_576));
        assert_eq!(kilobytes(text, "VmSwap:"), None);
    }
}
