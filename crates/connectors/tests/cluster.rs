//! One job over several processes: a JobManager and TaskManagers of this very binary on loopback, some
//! of which are killed or stopped. What is in the files is what the job would have written alone.
//!
//! Without the harness of tests: the program is the job when `RHEOS_TEST_JOB` is set, and starts
//! itself so otherwise.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test, on real time"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rheos::prelude::*;

#[derive(clap::Args)]
struct Arguments {
    #[arg(long)]
    out: PathBuf,
    #[arg(long)]
    count: u64,
    #[arg(long)]
    rate: f64,
    /// Makes the graph another one.
    #[arg(long)]
    other: bool,
    /// Rows of as many keys first, whose state is kept: the job that has stores.
    #[arg(long)]
    keys: Option<u64>,
}

const COUNT: u64 = 60_000;
const RATE: u64 = 10_000;

fn describe(env: &StreamEnv, arguments: Arguments) -> Result<(), BoxError> {
    env.name("sums");
    if let Some(keys) = arguments.keys {
        stores::describe(env, &arguments, keys);
        return Ok(());
    }
    let numbers = sums::numbers(env, arguments.count, arguments.rate);
    let numbers = match arguments.other {
        true => numbers.map(|k: u64| k).name("another"),
        false => numbers,
    };
    sums::sum_up(numbers, &arguments.out);
    Ok(())
}

#[path = "common/shown.rs"]
mod shown;
#[path = "cluster/standby.rs"]
mod standby;
#[path = "cluster/stores.rs"]
mod stores;
#[path = "common/sums.rs"]
mod sums;
#[path = "cluster/tls.rs"]
mod tls;

fn main() -> ExitCode {
    if std::env::var_os("RHEOS_TEST_JOB").is_some() {
        return rheos::main_with(describe);
    }
    type Test = (&'static str, fn());
    let tests: [Test; 13] = [
        (
            "a_task_manager_that_is_killed_costs_nothing",
            a_task_manager_that_is_killed_costs_nothing,
        ),
        (
            "a_task_manager_that_hangs_is_found_by_its_silence",
            a_task_manager_that_hangs_is_found_by_its_silence,
        ),
        (
            "a_cluster_that_was_stopped_with_a_savepoint_goes_on_from_it",
            a_cluster_that_was_stopped_with_a_savepoint_goes_on_from_it,
        ),
        (
            "a_cluster_is_rescaled_while_it_runs",
            a_cluster_is_rescaled_while_it_runs,
        ),
        (
            "a_reactive_job_takes_the_slots_that_there_are",
            a_reactive_job_takes_the_slots_that_there_are,
        ),
        (
            "another_graph_is_refused_by_name",
            another_graph_is_refused_by_name,
        ),
        (
            "a_standby_goes_on_when_the_leader_is_killed_or_hangs",
            standby::goes_on_when_the_leader_is_killed_or_hangs,
        ),
        (
            "a_leader_that_is_told_to_end_hands_over",
            standby::a_leader_that_is_told_to_end_hands_over,
        ),
        (
            "stores_outlive_a_task_manager_that_is_killed",
            stores::outlive_a_task_manager_that_is_killed,
        ),
        (
            "stores_are_rescaled_while_the_job_runs",
            stores::are_rescaled_while_the_job_runs,
        ),
        ("stores_outlive_the_leader", stores::outlive_the_leader),
        (
            "stores_go_with_the_slots_of_a_reactive_job",
            stores::go_with_the_slots_of_a_reactive_job,
        ),
        (
            "only_who_belongs_to_the_cluster_takes_part",
            tls::only_who_belongs_to_the_cluster_takes_part,
        ),
    ];
    if std::env::args().any(|argument| argument == "how_long_a_cluster_stands_still") {
        stores::how_long_a_cluster_stands_still();
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    println!("\nrunning {} tests", tests.len());
    let mut passed = 0;
    for (name, test) in tests {
        if wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())) {
            test();
            passed += 1;
            println!("test {name} ... ok");
        }
    }
    println!("\ntest result: ok. {passed} passed; 0 failed; 0 ignored\n");
    ExitCode::SUCCESS
}

/// A process of the cluster, which ends with the test, and what it has logged.
struct Process {
    name: &'static str,
    child: Child,
    log: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    fn start(name: &'static str, folder: &Path, arguments: &[&str]) -> Self {
        Self::start_of(name, folder, COUNT, arguments)
    }

    fn start_of(name: &'static str, folder: &Path, count: u64, arguments: &[&str]) -> Self {
        Self::start_with(name, folder, (count, RATE, 4), arguments)
    }

    /// With so many rows, so many of them a second, at this parallelism.
    fn start_with(
        name: &'static str,
        folder: &Path,
        (count, rate, parallelism): (u64, u64, u32),
        arguments: &[&str],
    ) -> Self {
        let (out, checkpoints) = (folder.join("out"), folder.join("checkpoints"));
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(&arguments[..1])
            .arg("--out")
            .arg(out)
            .arg("--checkpoints")
            .arg(checkpoints)
            .args(["--count", &count.to_string()])
            .args(["--rate", &rate.to_string()])
            .args(["--parallelism", &parallelism.to_string()])
            .args(["-D", "execution.checkpointing.interval=300ms"])
            .args(["-D", "taskmanager.numberOfTaskSlots=2"])
            .args(["-D", "restart-strategy.type=fixed-delay"])
            .args(["-D", "restart-strategy.fixed-delay.attempts=20"])
            .args(["-D", "restart-strategy.fixed-delay.delay=100ms"])
            .args(&arguments[1..])
            .env("RHEOS_TEST_JOB", "1")
            .env_remove("RUST_LOG")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log: Arc<Mutex<Vec<(Instant, String)>>> = Arc::default();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let kept = log.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push((Instant::now(), line));
            }
        });
        Self { name, child, log }
    }

    /// Waits for a line with this text; when it came, and it.
    fn wait_for(&self, text: &str) -> (Instant, String) {
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(60) {
            let log = self.log.lock().unwrap();
            if let Some(found) = log.iter().find(|(_, line)| line.contains(text)) {
                return found.clone();
            }
            drop(log);
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{} has not said '{text}':\n{}", self.name, self.told());
    }

    /// Waits until so many lines have this text.
    fn wait_for_times(&self, text: &str, times: usize) {
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(60) {
            let log = self.log.lock().unwrap();
            if log.iter().filter(|(_, line)| line.contains(text)).count() >= times {
                return;
            }
            drop(log);
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!(
            "{} has not said '{text}' {times} times:\n{}",
            self.name,
            self.told()
        );
    }

    fn told(&self) -> String {
        let log = self.log.lock().unwrap();
        let lines = log.iter().map(|(_, line)| line.as_str());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Waits for its end, and checks that it was a good one.
    fn end(&mut self, patience: Duration) {
        let since = Instant::now();
        while since.elapsed() < patience {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(
                    status.success(),
                    "{}: {status}:\n{}",
                    self.name,
                    self.told()
                );
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{} does not end:\n{}", self.name, self.told());
    }

    fn signal(&self, signal: &str) {
        // The shell's own: a small system has no other.
        let kill = format!("kill {signal} {}", self.child.id());
        let killed = Command::new("sh").args(["-c", &kill]).status();
        assert!(killed.unwrap().success());
    }
}

/// What a JobManager says of one that registers.
const HAS_COME: &str = "a TaskManager has come";

/// A JobManager, and where it listens.
fn jobmanager(folder: &Path) -> (Process, String) {
    jobmanager_with(folder, &[])
}

fn jobmanager_with(folder: &Path, more: &[&str]) -> (Process, String) {
    let ports = ["jobmanager.rpc.port=0", "rest.port=0"];
    let keys = ports.iter().chain(more).flat_map(|key| ["-D", key]);
    let arguments: Vec<&str> = ["jobmanager"].into_iter().chain(keys).collect();
    let process = Process::start("the JobManager", folder, &arguments);
    let port = port_of(&process);
    (process, port)
}

/// Where a JobManager waits for TaskManagers, as a setting.
fn port_of(process: &Process) -> String {
    let (_, line) = process.wait_for("waiting for TaskManagers at ");
    let address = line.split("waiting for TaskManagers at ").nth(1).unwrap();
    let port = address
        .split_whitespace()
        .next()
        .unwrap()
        .rsplit(':')
        .next();
    format!("jobmanager.rpc.port={}", port.unwrap())
}

fn taskmanager(name: &'static str, folder: &Path, port: &str) -> Process {
    Process::start(name, folder, &["taskmanager", "-D", port])
}

/// Waits until so many checkpoints are in the log.
fn wait_for_checkpoints(folder: &Path, wanted: usize, jobmanager: &Process) {
    let log = folder.join("checkpoints/sums/log");
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(60) {
        let records = std::fs::read_dir(&log).map(|files| files.flatten().collect::<Vec<_>>());
        let records = records.unwrap_or_default();
        let complete = records.iter().filter(|record| {
            let text = std::fs::read_to_string(record.path()).unwrap_or_default();
            text.contains("completed_at")
        });
        let newest = complete
            .filter_map(|record| {
                let text = std::fs::read_to_string(record.path()).ok()?;
                let value: serde_json::Value = serde_json::from_str(&text).ok()?;
                find_number(&value, "checkpoint")
            })
            .max();
        if newest.unwrap_or(0) >= wanted as u64 {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("no checkpoint {wanted}:\n{}", jobmanager.told());
}

/// The number of this name, however deep.
fn find_number(value: &serde_json::Value, name: &str) -> Option<u64> {
    match value {
        serde_json::Value::Object(fields) => fields
            .get(name)
            .and_then(serde_json::Value::as_u64)
            .or_else(|| fields.values().find_map(|value| find_number(value, name))),
        _ => None,
    }
}

fn ask(address: &str, request: &str, body: &str) -> serde_json::Value {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap()
}

/// Where REST is, and the id of its job.
fn job_of(jobmanager: &Process) -> (String, String) {
    let (_, line) = jobmanager.wait_for("REST at http://");
    let address = line.split("REST at http://").nth(1).unwrap();
    let address = address.split_whitespace().next().unwrap();
    let jobs = ask(address, "GET /jobs/overview", "");
    let id = jobs["jobs"][0]["jid"].as_str().unwrap();
    (address.to_owned(), id.to_owned())
}

/// How wide the vertices of the job are.
fn widths(jobmanager: &Process) -> Vec<u64> {
    let (address, id) = job_of(jobmanager);
    let job = ask(&address, &format!("GET /jobs/{id}"), "");
    let vertices = job["vertices"].as_array().unwrap().iter();
    vertices
        .map(|vertex| vertex["parallelism"].as_u64().unwrap())
        .collect()
}

/// Waits for the rescale of this number, and prints what it cost; that line.
fn wait_for_rescale(jobmanager: &Process, number: usize) -> String {
    const RESCALED: &str = "the job is rescaled: all tasks run";
    jobmanager.wait_for_times(RESCALED, number);
    let told = jobmanager.told();
    let line = told
        .lines()
        .filter(|line| line.contains(RESCALED))
        .nth(number - 1);
    let line = line.unwrap();
    println!("{}", &line[line.find(RESCALED).unwrap()..]);
    line.to_owned()
}

/// Asks for a savepoint over REST, and waits until it is there; where.
fn savepoint(jobmanager: &Process, folder: &Path, path: &str) -> PathBuf {
    let (address, id) = job_of(jobmanager);
    let (address, id) = (address.as_str(), id.as_str());
    let job = ask(address, &format!("GET /jobs/{id}"), "");
    assert_eq!(job["isStoppable"], true, "{job}");
    let target = folder.join("savepoints").display().to_string();
    let body = format!(r#"{{"target-directory": "{target}", "targetDirectory": "{target}"}}"#);
    let answer = ask(address, &format!("POST /jobs/{id}/{path}"), &body);
    let trigger = answer["request-id"].as_str().unwrap();
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(60) {
        let answer = ask(address, &format!("GET /jobs/{id}/savepoints/{trigger}"), "");
        if answer["status"]["id"] == "COMPLETED" {
            let place = answer["operation"]["location"].as_str();
            let place = place.unwrap_or_else(|| panic!("{answer}:\n{}", jobmanager.told()));
            return place.into();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("no savepoint:\n{}", jobmanager.told());
}

/// Parts of all tasks are in the savepoint, and it is whole.
fn is_whole(savepoint: &Path) {
    let files = std::fs::read_dir(savepoint).unwrap();
    let names: Vec<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    let tasks = names.iter().filter(|name| name.starts_with("task-"));
    assert_eq!(tasks.count(), 8, "{names:?}");
    assert!(
        names.iter().any(|name| name == "manifest.json"),
        "{names:?}"
    );
    assert!(!names.iter().any(|name| name == "unfinished.json"));
}

/// Every line of the files that show; each window once, and the sums right.
fn check(out: &Path) {
    sums::check_sums(out, COUNT);
}

fn a_task_manager_that_is_killed_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut jobmanager, port) = jobmanager(folder.path());
    let first = taskmanager("the first", folder.path(), &port);
    let mut second = taskmanager("the second", folder.path(), &port);
    // The job needs the slots of two; the third waits for its turn.
    jobmanager.wait_for_times(HAS_COME, 2);
    let mut third = taskmanager("the third", folder.path(), &port);
    jobmanager.wait_for_times(HAS_COME, 3);
    wait_for_checkpoints(folder.path(), 3, &jobmanager);
    is_whole(&savepoint(&jobmanager, folder.path(), "savepoints"));
    first.signal("-KILL");
    let killed = Instant::now();
    jobmanager.wait_for("the job starts again");
    let (again, _) = jobmanager.wait_for("all tasks run again");
    println!("from kill -9 to all tasks running: {:?}", again - killed);
    jobmanager.end(Duration::from_secs(90));
    for taskmanager in [&mut second, &mut third] {
        taskmanager.end(Duration::from_secs(20));
    }
    check(&folder.path().join("out"));
}

fn a_task_manager_that_hangs_is_found_by_its_silence() {
    let folder = tempfile::tempdir().unwrap();
    let (mut jobmanager, port) = jobmanager(folder.path());
    let mut first = taskmanager("the first", folder.path(), &port);
    let mut second = taskmanager("the second", folder.path(), &port);
    // The job needs the slots of two; the third waits for its turn.
    jobmanager.wait_for_times(HAS_COME, 2);
    let mut third = taskmanager("the third", folder.path(), &port);
    jobmanager.wait_for_times(HAS_COME, 3);
    wait_for_checkpoints(folder.path(), 2, &jobmanager);
    first.signal("-STOP");
    let stopped = Instant::now();
    jobmanager.wait_for("has not been heard of for 4 s");
    let (again, _) = jobmanager.wait_for("all tasks run again");
    println!("from SIGSTOP to all tasks running: {:?}", again - stopped);
    // It wakes up as one of a past generation, and is no harm.
    first.signal("-CONT");
    jobmanager.end(Duration::from_secs(90));
    for taskmanager in [&mut first, &mut second, &mut third] {
        taskmanager.end(Duration::from_secs(20));
    }
    check(&folder.path().join("out"));
}

/// A cluster is stopped with a savepoint, and another goes on from it.
fn a_cluster_that_was_stopped_with_a_savepoint_goes_on_from_it() {
    let folder = tempfile::tempdir().unwrap();
    for life in 0..2 {
        let (mut jobmanager, port) = jobmanager(folder.path());
        let mut first = taskmanager("the first", folder.path(), &port);
        let mut second = taskmanager("the second", folder.path(), &port);
        if life == 0 {
            wait_for_checkpoints(folder.path(), 3, &jobmanager);
            let place = savepoint(&jobmanager, folder.path(), "stop");
            is_whole(&place);
            let log = folder.path().join("checkpoints/sums/log");
            let records = std::fs::read_dir(log)
                .unwrap()
                .map(|record| std::fs::read_to_string(record.unwrap().path()).unwrap());
            let text: String = records.collect();
            assert!(text.contains(place.to_str().unwrap()), "{text}");
        }
        jobmanager.end(Duration::from_secs(90));
        for taskmanager in [&mut first, &mut second] {
            taskmanager.end(Duration::from_secs(20));
        }
    }
    check(&folder.path().join("out"));
}

/// Another parallelism goes with the deployment: TaskManagers keep the graph that they have built.
fn a_cluster_is_rescaled_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (mut jobmanager, port) = jobmanager(folder.path());
    let mut first = taskmanager("the first", folder.path(), &port);
    let mut second = taskmanager("the second", folder.path(), &port);
    wait_for_checkpoints(folder.path(), 1, &jobmanager);
    let (address, id) = job_of(&jobmanager);
    for (number, parallelism) in [(1, 2), (2, 3)] {
        std::thread::sleep(Duration::from_millis(700));
        let request = format!("PATCH /jobs/{id}/rescaling?parallelism={parallelism}");
        ask(&address, &request, "");
        wait_for_rescale(&jobmanager, number);
        assert!(
            widths(&jobmanager)
                .iter()
                .all(|width| *width == parallelism)
        );
    }
    // There are four slots, and every one of five would be needed.
    ask(
        &address,
        &format!("PATCH /jobs/{id}/rescaling?parallelism=5"),
        "",
    );
    jobmanager.wait_for("the job needs 5 slots and there are 4");
    let exceptions = ask(&address, &format!("GET /jobs/{id}/exceptions"), "");
    let failures = &exceptions["exceptionHistory"]["entries"];
    assert_eq!(failures.as_array().unwrap().len(), 0, "{exceptions}");
    jobmanager.end(Duration::from_secs(90));
    for taskmanager in [&mut first, &mut second] {
        taskmanager.end(Duration::from_secs(20));
    }
    check(&folder.path().join("out"));
}

fn a_reactive_job_takes_the_slots_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let (mut jobmanager, port) = jobmanager_with(
        folder.path(),
        &[
            "scheduler-mode=reactive",
            "jobmanager.adaptive-scheduler.executing.cooldown-after-rescaling=300ms",
            "jobmanager.adaptive-scheduler.executing.resource-stabilization-timeout=200ms",
        ],
    );
    let first = taskmanager("the first", folder.path(), &port);
    wait_for_checkpoints(folder.path(), 1, &jobmanager);
    assert!(widths(&jobmanager).iter().all(|width| *width == 2));
    let mut second = taskmanager("the second", folder.path(), &port);
    jobmanager.wait_for_times(HAS_COME, 2);
    wait_for_rescale(&jobmanager, 1);
    assert!(widths(&jobmanager).iter().all(|width| *width == 4));
    std::thread::sleep(Duration::from_millis(500));
    first.signal("-KILL");
    let killed = Instant::now();
    jobmanager.wait_for("the job goes on as wide as the slots allow");
    let (again, _) = jobmanager.wait_for("all tasks run again");
    println!(
        "from kill -9 to all tasks running, narrower: {:?}",
        again - killed
    );
    assert!(widths(&jobmanager).iter().all(|width| *width == 2));
    jobmanager.end(Duration::from_secs(90));
    second.end(Duration::from_secs(20));
    check(&folder.path().join("out"));
}

fn another_graph_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (jobmanager, port) = jobmanager(folder.path());
    let mut other = Process::start(
        "the other",
        folder.path(),
        &["taskmanager", "-D", &port, "--other"],
    );
    let status = other.child.wait().unwrap();
    assert_eq!(status.code(), Some(1), "{}", other.told());
    other.wait_for("run the same binary with the same arguments");
    jobmanager.wait_for("is refused: its JobGraph has the fingerprint");
}
