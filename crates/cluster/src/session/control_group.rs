//! A control group (version 2) for each process of a job, where this process may make some: the system holds
//! the process to its memory then, whatever it does.
//!
//! Life: this process moves into a group below its own, since one with processes can have none with
//! limits → a group is made for each child, with its limit → it is removed when the child has ended.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where groups can be made.
#[derive(Debug, Clone)]
pub(super) struct ControlGroups {
    own: PathBuf,
}

/// The group of one child.
#[derive(Debug)]
pub(super) struct ControlGroup {
    path: PathBuf,
}

impl ControlGroups {
    /// Of this process.
    ///
    /// # Errors
    /// If it may make none: nothing has changed then but that it may have moved.
    pub fn of_process() -> io::Result<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup")?;
        Self::below(Path::new("/sys/fs/cgroup"), &groups, std::process::id())
    }

    /// As [`ControlGroups::of_process`]; where it may make none that is said, and children are watched.
    pub fn of_process_or_none() -> Option<Self> {
        match Self::of_process() {
            Ok(groups) => {
                tracing::info!(
                    "the system holds processes of jobs to their memory, by control groups"
                );
                Some(groups)
            }
            Err(error) => {
                tracing::info!(
                    "the memory of processes of jobs is watched: no control groups ({error})"
                );
                None
            }
        }
    }

    fn below(root: &Path, groups: &str, process: u32) -> io::Result<Self> {
        let none = || io::Error::other("this process is in no control group of version 2");
        let mut lines = groups.lines();
        let path = lines.find_map(|line| line.strip_prefix("0::"));
        let own = root.join(path.ok_or_else(none)?.trim_start_matches('/'));
        let controllers = fs::read_to_string(own.join("cgroup.controllers"))?;
        if !controllers.split_whitespace().any(|name| name == "memory") {
            return Err(io::Error::other(
                "its control group has no controller of memory",
            ));
        }
        let session = own.join(format!("session-{process}"));
        fs::create_dir_all(&session)?;
        fs::write(session.join("cgroup.procs"), process.to_string())?;
        fs::write(own.join("cgroup.subtree_control"), "+memory")?;
        Ok(Self { own })
    }

    /// A group for a process that may have so many bytes.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn hold(&self, process: u32, limit: u64) -> io::Result<ControlGroup> {
        let group = ControlGroup {
            path: self.own.join(format!("process-{process}")),
        };
        fs::create_dir_all(&group.path)?;
        fs::write(group.path.join("memory.max"), limit.to_string())?;
        fs::write(group.path.join("cgroup.procs"), process.to_string())?;
        Ok(group)
    }
}

impl ControlGroup {
    /// Whether the system has ended a process of it for want of memory.
    pub fn ran_out(&self) -> bool {
        let events = fs::read_to_string(self.path.join("memory.events"));
        let events = events.unwrap_or_default();
        let kills = events
            .lines()
            .find_map(|line| line.strip_prefix("oom_kill "));
        kills.is_some_and(|kills| kills.trim() != "0")
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        // One that is not empty yet stays: a directory, and nothing in it.
        if let Err(error) = fs::remove_dir(&self.path) {
            tracing::debug!("{}: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_held_to_its_limit_in_a_group_beside_this_process() {
        let root = tempfile::tempdir().unwrap();
        let own = root.path().join("system/rheos");
        fs::create_dir_all(&own).unwrap();
        fs::write(own.join("cgroup.controllers"), "cpu memory pids\n").unwrap();
        let groups = ControlGroups::below(root.path(), "0::/system/rheos\n", 7).unwrap();
        let read = |path: &str| fs::read_to_string(own.join(path)).unwrap();
        assert_eq!(read("session-7/cgroup.procs"), "7");
        assert_eq!(read("cgroup.subtree_control"), "+memory");
        let group = groups.hold(9, 1 << 20).unwrap();
        assert_eq!(read("process-9/memory.max"), "1048576");
        assert_eq!(read("process-9/cgroup.procs"), "9");
        assert!(!group.ran_out());
        let events = "low 0\nmax 12\noom 1\noom_kill 1\n";
        fs::write(own.join("process-9/memory.events"), events).unwrap();
        assert!(group.ran_out());
    }

    #[test]
    fn where_none_can_be_made_that_is_said() {
        let root = tempfile::tempdir().unwrap();
        let error = |groups| ControlGroups::below(root.path(), groups, 7).unwrap_err();
        assert!(error("4:memory:/a\n").to_string().contains("version 2"));
        assert_eq!(error("0::/gone\n").kind(), io::ErrorKind::NotFound);
        fs::create_dir(root.path().join("a")).unwrap();
        fs::write(root.path().join("a/cgroup.controllers"), "cpu\n").unwrap();
        assert!(error("0::/a\n").to_string().contains("memory"));
    }
}
