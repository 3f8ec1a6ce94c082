//! A session of real processes on loopback, which end with the test.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

pub struct Process {
    pub name: String,
    pub child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    fn start(name: &str, folder: &Path, arguments: &[String]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rheos"))
            .args(arguments)
            .arg("-D")
            .arg(format!("process.working-dir={}", folder.display()))
            // The jobs are this very program.
            .env("RHEOS_TEST_JOB", "1")
            .env_remove("RUST_LOG")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let kept = log.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        Self {
            name: name.to_owned(),
            child,
            log,
        }
    }

    pub fn told(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// The line with this text, once it has come.
    pub fn wait_for(&self, text: &str) -> String {
        let mut found = None;
        let since = Instant::now();
        while found.is_none() && since.elapsed() < PATIENCE {
            let log = self.log.lock().unwrap();
            found = log.iter().find(|line| line.contains(text)).cloned();
            drop(log);
            std::thread::sleep(Duration::from_millis(5));
        }
        found.unwrap_or_else(|| panic!("{} has not said '{text}':\n{}", self.name, self.told()))
    }

    /// What stands behind this text, to the next space.
    fn word_after(&self, text: &str) -> String {
        let line = self.wait_for(text);
        let behind = line.split(text).nth(1).unwrap();
        behind.split_whitespace().next().unwrap().to_owned()
    }

    pub fn signal(&self, signal: &str) {
        kill(signal, self.child.id());
    }
}

/// The shell's own: a small system has no other.
pub fn kill(signal: &str, process: u32) {
    let kill = format!("kill {signal} {process}");
    let killed = Command::new("sh").args(["-c", &kill]).status();
    assert!(killed.unwrap().success());
}

/// Waits until something is so.
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !so() {
        assert!(since.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The processes that these have started, and are there.
pub fn children_of(process: u32) -> Vec<u32> {
    let mut children = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        let mut fields = fields.split(' ');
        let state = fields.next();
        let parent: Option<u32> = fields.next().and_then(|parent| parent.parse().ok());
        if parent == Some(process) && state != Some("Z") {
            children.push(id);
        }
    }
    children
}

/// Whether a process is there.
pub fn lives(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, fields)| !fields.starts_with('Z'))
}

pub struct Session {
    pub folder: tempfile::TempDir,
    pub jobmanager: Process,
    pub taskmanagers: Vec<Process>,
    /// `http://HOST:PORT`
    pub rest: String,
    rpc: String,
    more: Vec<String>,
}

fn keys(keys: &[String]) -> impl Iterator<Item = String> + '_ {
    keys.iter().flat_map(|key| ["-D".to_owned(), key.clone()])
}

impl Session {
    /// A JobManager, and TaskManagers with so many slots each.
    pub fn start(slots: &[u32], more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let more: Vec<String> = more.iter().map(|key| (*key).to_owned()).collect();
        let (jobmanager, rest, rpc) = Self::jobmanager(folder.path(), "0", &more);
        let mut session = Self {
            folder,
            jobmanager,
            taskmanagers: Vec::new(),
            rest,
            rpc,
            more,
        };
        for slots in slots {
            session.add(*slots);
        }
        session
    }

    fn jobmanager(folder: &Path, port: &str, more: &[String]) -> (Process, String, String) {
        let mut arguments = vec!["jobmanager".to_owned()];
        let rpc = format!("jobmanager.rpc.port={port}");
        let own = [
            rpc.as_str(),
            "rest.port=0",
            "execution.checkpointing.interval=300ms",
            "restart-strategy.type=fixed-delay",
            "restart-strategy.fixed-delay.attempts=1000",
            "restart-strategy.fixed-delay.delay=200ms",
        ];
        let own: Vec<String> = own.iter().map(|key| (*key).to_owned()).collect();
        arguments.extend(keys(&own).chain(keys(more)));
        let process = Process::start("the JobManager", folder, &arguments);
        let rpc = process.word_after("TaskManagers are taken at ");
        let rest = process.word_after("REST at ");
        (process, rest, rpc)
    }

    fn rpc_port(&self) -> String {
        self.rpc.rsplit(':').next().unwrap().to_owned()
    }

    /// Another TaskManager.
    pub fn add(&mut self, slots: u32) {
        let own = [
            format!("jobmanager.rpc.port={}", self.rpc_port()),
            format!("taskmanager.numberOfTaskSlots={slots}"),
        ];
        let mut arguments = vec!["taskmanager".to_owned()];
        arguments.extend(keys(&own).chain(keys(&self.more)));
        let name = format!("TaskManager {}", self.taskmanagers.len());
        let process = Process::start(&name, self.folder.path(), &arguments);
        process.wait_for("registered at the JobManager");
        self.taskmanagers.push(process);
    }

    /// Another JobManager, with the folder and the port of the one before, which is gone.
    pub fn restart_jobmanager(&mut self) {
        let (folder, port) = (self.folder.path(), self.rpc_port());
        let (jobmanager, rest, rpc) = Self::jobmanager(folder, &port, &self.more);
        (self.jobmanager, self.rest, self.rpc) = (jobmanager, rest, rpc);
    }

    pub fn out(&self, job: &str) -> PathBuf {
        self.folder.path().join("out").join(job)
    }

    fn rheos(&self, arguments: &[&str]) -> (bool, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rheos"));
        let (name, others) = arguments.split_first().unwrap();
        // Behind a program stand its own flags.
        let of_rest = self
            .more
            .iter()
            .filter(|key| key.starts_with("security.ssl.rest."));
        let place = of_rest
            .flat_map(|key| ["-D", key])
            .chain(["--rest", &self.rest]);
        match *name == "run" {
            true => command.arg(name).args(place).args(others),
            false => command.args(arguments).args(place),
        };
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.success(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    /// What the command prints, which must do well.
    pub fn well(&self, arguments: &[&str]) -> String {
        let (well, out, err) = self.rheos(arguments);
        assert!(well, "{arguments:?}: {err}\n{}", self.jobmanager.told());
        out
    }

    /// What the command says, which must fail.
    pub fn ill(&self, arguments: &[&str]) -> String {
        let (well, out, err) = self.rheos(arguments);
        assert!(!well, "{arguments:?}: {out}");
        err
    }

    /// Submits this program as a job of this name; its id.
    pub fn submit(&self, name: &str, arguments: &[&str]) -> String {
        let (out, checkpoints) = (self.out(name), self.folder.path().join("checkpoints"));
        let program = std::env::current_exe().unwrap();
        let mut all = vec!["run", "--detached", program.to_str().unwrap()];
        all.extend(["--job-name", name, "--out", out.to_str().unwrap()]);
        all.extend(["--checkpoints", checkpoints.to_str().unwrap()]);
        all.extend(arguments);
        let told = self.well(&all);
        let id = told.trim().rsplit(' ').next().unwrap().to_owned();
        assert_eq!(id.len(), 32, "{told}");
        id
    }

    /// What is at a path of REST.
    pub fn get(&self, path: &str) -> Value {
        use std::io::{Read as _, Write as _};
        let host = self.rest.strip_prefix("http://").unwrap();
        let mut stream = std::net::TcpStream::connect(host).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or_else(|_| panic!("{path}: {answer}"))
    }

    pub fn status(&self, job: &str) -> String {
        let status = self.get(&format!("/jobs/{job}/status"));
        status["status"].as_str().unwrap_or_default().to_owned()
    }

    pub fn free_slots(&self) -> u64 {
        self.get("/overview")["slots-available"].as_u64().unwrap()
    }

    /// Waits until a job is in this state.
    pub fn wait_for(&self, job: &str, state: &str) {
        let since = Instant::now();
        while self.status(job) != state {
            assert!(
                since.elapsed() < PATIENCE,
                "job {job} is {} and not {state}:\n{}\nits log:\n{}",
                self.status(job),
                self.jobmanager.told(),
                self.log(job)
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until all tasks of a job run.
    pub fn wait_until_it_runs(&self, job: &str) {
        until(&format!("{job} runs"), || {
            let job = self.get(&format!("/jobs/{job}"));
            let vertices = job["vertices"].as_array().cloned().unwrap_or_default();
            !vertices.is_empty() && vertices.iter().all(|vertex| vertex["status"] == "RUNNING")
        });
    }

    /// The log of a job's JobManager.
    pub fn log(&self, job: &str) -> String {
        self.rheos(&["logs", job]).1
    }

    /// Rows that the sink of a job has taken, over all its attempts.
    pub fn taken(&self, job: &str) -> u64 {
        let job = self.get(&format!("/jobs/{job}"));
        let vertices = job["vertices"].as_array().cloned().unwrap_or_default();
        let last = vertices
            .last()
            .map(|vertex| vertex["metrics"]["read-records"].clone());
        last.and_then(|read| read.as_u64()).unwrap_or(0)
    }
}
