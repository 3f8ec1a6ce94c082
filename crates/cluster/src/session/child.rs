//! A process of a job, as the process sees it that has started it.
//!
//! Life: started, with its output in files and the [tether](super::tether) as its standard input → what it
//! says is told, on a thread of its own → it has ended and is reaped, which is the last that is told.
//!
//! Invariant: it has no more memory than it says that it may have, and if it does not end by itself it is ended: by
//! the system, where it has a [control group](super::control_group), else by the thread that watches it.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead as _, BufReader};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use rheos_core::spawn::SharedSpawner;

use super::control_group::{ControlGroup, ControlGroups};
use super::tether::{Mandate, PARENT, ToChild, ToParent, write_line};
use crate::memory::mebibytes;
use crate::memory::system::resident_of;
use crate::pause::pause;

/// How often it is looked whether a child has ended that has let go of its line.
const LOOK: Duration = Duration::from_millis(5);
/// How often its memory is looked at.
const WATCH: Duration = Duration::from_millis(250);
/// How often a program is tried to be started that is still open elsewhere, for a moment,
const BUSY: usize = 50;
/// and how long that moment is.
const MOMENT: Duration = Duration::from_millis(2);

/// What is to be started.
pub(super) struct ChildSpec {
    /// Names its thread.
    pub name: String,
    pub program: PathBuf,
    pub arguments: Vec<String>,
    /// Where its log goes; its standard output goes beside it, to a file that ends in `.out`.
    pub log: PathBuf,
    pub mandate: Mandate,
}

/// What has become of a child.
pub(super) enum News {
    Said(ToParent),
    /// How, for people too.
    Ended(ExitStatus, String),
}

/// Is told of a child, on its thread.
pub(super) type Told = Box<dyn FnMut(News) + Send>;

struct Inner {
    process: Mutex<std::process::Child>,
    line: Mutex<UnixStream>,
    memory: Mutex<Memory>,
    /// Nobody notifies it: a wait of its own that takes no processor.
    pause: Condvar,
}

/// See the [module](self). Clones are the same.
#[derive(Clone)]
pub(super) struct Child {
    inner: Arc<Inner>,
}

/// What a child may have of memory.
#[derive(Default)]
struct Memory {
    limit: Option<u64>,
    /// Where the system holds it to that.
    group: Option<ControlGroup>,
    /// What it had when it was ended for that.
    had: Option<u64>,
}

/// How a process ended, for people.
fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with status {code}"),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => format!("it ended: {status}"),
    }
}

/// The file of a child's standard output.
pub(super) fn output_of(log: &Path) -> PathBuf {
    log.with_extension("out")
}

fn is_late(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

fn spawn(spec: &ChildSpec, line: UnixStream) -> io::Result<std::process::Child> {
    if let Some(folder) = spec.log.parent() {
        fs::create_dir_all(folder)?;
    }
    let open = |path: &Path| OpenOptions::new().append(true).create(true).open(path);
    let (log, output) = (open(&spec.log)?, open(&output_of(&spec.log))?);
    let mut command = Command::new(&spec.program);
    command
        .args(&spec.arguments)
        .env(PARENT, std::process::id().to_string())
        // What a terminal sends to the session is not for its jobs.
        .process_group(0)
        .stdin(Stdio::from(OwnedFd::from(line)))
        .stdout(output)
        .stderr(log);
    let mut tries = 0;
    loop {
        match command.spawn() {
            // A process that is just being started elsewhere in this one has it open until it runs.
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < BUSY => {
                tries += 1;
                pause(MOMENT);
            }
            spawned => return spawned,
        }
    }
}

impl Child {
    /// Starts it.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn start(
        spec: &ChildSpec,
        groups: Option<&ControlGroups>,
        spawner: &SharedSpawner,
        mut told: Told,
    ) -> io::Result<Self> {
        let (own, other) = UnixStream::pair()?;
        own.set_read_timeout(Some(WATCH))?;
        let inner = Arc::new(Inner {
            process: Mutex::new(spawn(spec, other)?),
            line: Mutex::new(own.try_clone()?),
            memory: Mutex::default(),
            pause: Condvar::new(),
        });
        let child = Self { inner };
        // One that has ended already reads nothing.
        let _ended = write_line(&child.inner.line, &ToChild::Mandate(spec.mandate.clone()));
        let (watched, groups) = (child.clone(), groups.cloned());
        let body = move || {
            let mut lines = BufReader::new(own);
            let mut line = Vec::new();
            loop {
                match lines.read_until(b'\n', &mut line) {
                    Ok(0) => break,
                    Ok(_) => {}
                    // Nothing for a while; what has come of a line stays.
                    Err(error) if is_late(&error) => {
                        watched.watch();
                        continue;
                    }
                    Err(_) => break,
                }
                match serde_json::from_slice(&line) {
                    Ok(ToParent::Memory(limit)) => watched.hold(limit, groups.as_ref()),
                    Ok(said) => told(News::Said(said)),
                    Err(error) => {
                        tracing::error!("a process of a job says what is no line: {error}");
                    }
                }
                line.clear();
            }
            let status = watched.reap();
            told(News::Ended(status, watched.how(status)));
        };
        if let Err(error) = spawner.spawn(spec.name.clone(), Box::new(body)) {
            child.kill();
            child.reap();
            return Err(error);
        }
        Ok(child)
    }

    fn lock(&self) -> MutexGuard<'_, std::process::Child> {
        let process = self.inner.process.lock();
        process.unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Waits until it has ended. Not while holding the lock: it may have to be killed.
    fn reap(&self) -> ExitStatus {
        let mut process = self.lock();
        loop {
            match process.try_wait() {
                Ok(Some(status)) => return status,
                Ok(None) => {}
                Err(error) => {
                    tracing::error!("a process can't be waited for: {error}");
                    return ExitStatus::from_raw(-1);
                }
            }
            let waited = self.inner.pause.wait_timeout(process, LOOK);
            process = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        let memory = self.inner.memory.lock();
        memory.unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// It may have so many bytes from now on.
    fn hold(&self, limit: u64, groups: Option<&ControlGroups>) {
        let group = groups.map(|groups| groups.hold(self.process(), limit));
        let mut memory = self.memory();
        memory.limit = Some(limit);
        match group.transpose() {
            Ok(group) => memory.group = group,
            Err(error) => tracing::warn!("a process has no control group, and is watched: {error}"),
        }
    }

    /// Ends it if it has more than it may have.
    fn watch(&self) {
        let mut memory = self.memory();
        let Some(limit) = memory.limit.filter(|_| memory.group.is_none()) else {
            return;
        };
        if let Some(resident) = resident_of(self.process()).filter(|resident| *resident > limit) {
            memory.had = Some(resident);
            drop(memory);
            self.kill();
        }
    }

    /// How it ended, for people.
    fn how(&self, status: ExitStatus) -> String {
        let memory = self.memory();
        let limit = mebibytes(memory.limit.unwrap_or(0));
        let ran_out = memory.group.as_ref().is_some_and(ControlGroup::ran_out);
        match memory.had {
            Some(had) => format!(
                "it had {} in memory of the {limit} that it may have, and was ended",
                mebibytes(had)
            ),
            None if ran_out => format!(
                "it had more in memory than the {limit} that it may have, and was ended by the system"
            ),
            None => how(status),
        }
    }

    /// Its process id.
    pub fn process(&self) -> u32 {
        self.lock().id()
    }

    /// Tells it something.
    pub fn tell(&self, what: &ToChild) {
        if let Err(error) = write_line(&self.inner.line, what) {
            tracing::debug!("a process of a job can't be told: {error}");
        }
    }

    /// Ends it at once.
    pub fn kill(&self) {
        // One that has been reaped is not killed: its number may be another's.
        if let Err(error) = self.lock().kill() {
            tracing::error!("a process of a job can't be ended: {error}");
        }
        let line = self.inner.line.lock();
        let line = line.unwrap_or_else(|poisoned| poisoned.into_inner());
        let _gone = line.shutdown(Shutdown::Both);
    }

    /// Asks it to end in good order, as a person does by SIGTERM.
    pub fn terminate(&self) {
        let mut process = self.lock();
        if !matches!(process.try_wait(), Ok(None)) {
            return;
        }
        let number = i32::try_from(process.id()).ok();
        let Some(number) = number.and_then(rustix::process::Pid::from_raw) else {
            return;
        };
        if let Err(error) = rustix::process::kill_process(number, rustix::process::Signal::TERM) {
            tracing::error!("a process of a job can't be told to end: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::mpsc::sync_channel;

    use rheos_core::spawn::OsSpawner;

    use super::*;

    fn run(script: &str, folder: &Path) -> (Child, std::sync::mpsc::Receiver<News>) {
        let (sender, receiver) = sync_channel(100);
        let spec = ChildSpec {
            name: "child".to_owned(),
            program: "sh".into(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            log: folder.join("job/child.log"),
            mandate: Mandate {
                job: "1".to_owned(),
                goes_on: false,
                defaults: BTreeMap::new(),
                overrides: BTreeMap::new(),
            },
        };
        let spawner: SharedSpawner = Arc::new(OsSpawner);
        let told = Box::new(move |news| sender.send(news).unwrap());
        (Child::start(&spec, None, &spawner, told).unwrap(), receiver)
    }

    #[test]
    fn what_a_child_says_and_how_it_ends_is_told() {
        let folder = tempfile::tempdir().unwrap();
        // Standard input goes both ways.
        let script = r#"read line; echo "$line"; echo oh >&2; echo '"Runs"' >&0; exit 3"#;
        let (_child, news) = run(script, folder.path());
        let wait = Duration::from_secs(20);
        let said = news.recv_timeout(wait).unwrap();
        assert!(matches!(said, News::Said(ToParent::Runs)));
        let News::Ended(_, how) = news.recv_timeout(wait).unwrap() else {
            panic!("something else");
        };
        assert_eq!(how, "it ended with status 3");
        let read = |name: &str| fs::read_to_string(folder.path().join("job").join(name)).unwrap();
        assert!(read("child.out").contains("goes_on"), "its mandate");
        assert_eq!(read("child.log"), "oh\n");
    }

    #[test]
    fn a_child_is_ended_and_one_that_is_gone_is_not_minded() {
        let folder = tempfile::tempdir().unwrap();
        let (child, news) = run("sleep 100", folder.path());
        child.kill();
        let wait = Duration::from_secs(20);
        let News::Ended(_, how) = news.recv_timeout(wait).unwrap() else {
            panic!("something else");
        };
        assert_eq!(how, "it was ended by signal 9");
        child.kill();
        child.terminate();
        child.tell(&ToChild::Begin);
    }

    #[test]
    fn a_child_that_has_more_than_it_says_that_it_may_have_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let script = r#"echo '{"Memory":65536}' >&0; sleep 100"#;
        let (_child, news) = run(script, folder.path());
        let News::Ended(status, how) = news.recv_timeout(Duration::from_secs(20)).unwrap() else {
            panic!("something else");
        };
        assert_eq!(status.signal(), Some(9));
        assert!(how.contains("of the 0.1 MiB that it may have"), "{how}");
    }
}
