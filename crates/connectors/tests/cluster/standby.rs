//! Several JobManagers: one leads, the others stand by. Leaders are killed, stopped and told to end.

use std::collections::BTreeSet;

use super::*;

/// For some seconds more than what is done to it takes.
const LONG: u64 = 200_000;

pub(super) const LEADS: &str = "leads the job from now on";

fn start(name: &'static str, folder: &Path, arguments: &[&str]) -> Process {
    let ha = [
        "-D",
        "high-availability.type=storage",
        "-D",
        "jobmanager.rpc.port=0",
        "-D",
        "rest.port=0",
    ];
    let arguments = [arguments, &ha[..]].concat();
    Process::start_of(name, folder, LONG, &arguments)
}

/// One that begins a job from nothing, and goes on with one that has begun.
fn jobmanager(name: &'static str, folder: &Path) -> Process {
    let process = start(name, folder, &["jobmanager", "--resume", "none"]);
    process.wait_for("stands by at ");
    process
}

fn taskmanagers(folder: &Path) -> [Process; 2] {
    ["the first", "the second"].map(|name| start(name, folder, &["taskmanager"]))
}

impl Process {
    fn has_said(&self, text: &str) -> Option<Instant> {
        let log = self.log.lock().unwrap();
        let found = log.iter().find(|(_, line)| line.contains(text));
        found.map(|(at, _)| *at)
    }

    /// The address that a line tells of.
    fn address(&self, before: &str) -> String {
        let (_, line) = self.wait_for(before);
        let address = line.split(before).nth(1).unwrap();
        address.split_whitespace().next().unwrap().to_owned()
    }
}

/// Waits until one of them leads; which.
fn next_leader(standbys: &[Process]) -> usize {
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(60) {
        let leads = |process: &Process| process.has_said(LEADS).is_some();
        if let Some(leader) = standbys.iter().position(leads) {
            return leader;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let told = standbys.iter().map(Process::told);
    panic!("nobody leads:\n{}", told.collect::<Vec<_>>().join("\n--\n"));
}

/// The files whose rows show.
fn files(folder: &Path) -> BTreeSet<String> {
    let files = std::fs::read_dir(folder.join("out"));
    let names = files.into_iter().flatten().flatten();
    names
        .filter_map(|file| file.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect()
}

/// Waits for rows that did not show before.
fn wait_for_rows(folder: &Path, before: &BTreeSet<String>, leader: &Process) -> Instant {
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(60) {
        if !files(folder).is_subset(before) {
            return Instant::now();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("no rows:\n{}", leader.told());
}

/// Tells how long it took another JobManager to go on. Rows are those that show once all tasks run: what
/// shows before may have been given by the former ones.
fn tell(what: &str, since: Instant, leader: &Process, folder: &Path) {
    let leads = leader.wait_for(LEADS).0 - since;
    let runs = leader.wait_for("all tasks run").0 - since;
    let rows = wait_for_rows(folder, &files(folder), leader) - since;
    println!(
        "from {what} to another leader {leads:?}, to all tasks running {runs:?}, to rows {rows:?}"
    );
    // Tasks that run on a machine with other work; the lease of 3 s is the greatest part.
    assert!(runs < Duration::from_secs(30), "{runs:?}");
}

fn wait_for_rows_of(leader: &Process, folder: &Path) {
    leader.wait_for("all tasks run");
    wait_for_rows(folder, &files(folder), leader);
}

pub(super) fn goes_on_when_the_leader_is_killed_or_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let first = jobmanager("the first JobManager", folder);
    first.wait_for(LEADS);
    let mut standbys = vec![
        jobmanager("the second JobManager", folder),
        jobmanager("the third JobManager", folder),
    ];
    for standby in &standbys {
        standby.wait_for("stands by: the JobManager at ");
    }
    let mut taskmanagers = taskmanagers(folder);
    let mut leader = first;
    for name in ["the fourth JobManager", "the fifth JobManager"] {
        wait_for_rows_of(&leader, folder);
        leader.signal("-KILL");
        let killed = Instant::now();
        let next = standbys.remove(next_leader(&standbys));
        tell("kill -9", killed, &next, folder);
        leader = next;
        standbys.push(jobmanager(name, folder));
    }
    wait_for_rows_of(&leader, folder);
    leader.signal("-STOP");
    let stopped = Instant::now();
    let next = standbys.remove(next_leader(&standbys));
    tell("SIGSTOP", stopped, &next, folder);
    next.wait_for("has not renewed its lease for");
    let mut zombie = std::mem::replace(&mut leader, next);
    zombie.signal("-CONT");
    zombie.wait_for("leads the job no more");
    zombie.wait_for("stands by: the JobManager at ");
    leader.end(Duration::from_secs(90));
    for process in standbys.iter_mut().chain([&mut zombie]) {
        process.end(Duration::from_secs(20));
        process.wait_for("has ended while this JobManager stood by: FINISHED");
    }
    for taskmanager in &mut taskmanagers {
        taskmanager.end(Duration::from_secs(20));
    }
    crate::sums::check_sums(&folder.join("out"), LONG);
}

/// What a server answers, with its status line and headers.
fn answer(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

pub(super) fn a_leader_that_is_told_to_end_hands_over() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut leader = jobmanager("the first JobManager", folder);
    leader.wait_for(LEADS);
    let standby = jobmanager("the second JobManager", folder);
    standby.wait_for("stands by: the JobManager at ");
    let mut taskmanagers = taskmanagers(folder);
    wait_for_rows_of(&leader, folder);
    // Its REST says where the leader's is.
    let of_leader = leader.address("REST at http://");
    let redirect = answer(&standby.address("REST at http://"), "/jobs/overview?a=b");
    assert!(redirect.starts_with("HTTP/1.1 307"), "{redirect}");
    let to = format!("location: http://{of_leader}/jobs/overview?a=b\r\n");
    assert!(redirect.contains(&to), "{redirect}");
    // A TaskManager that knows of no lease is not taken in by it.
    let rpc = standby.address("stands by at ");
    let port = rpc.rsplit(':').next().unwrap();
    let port = format!("jobmanager.rpc.port={port}");
    let astray = [
        "taskmanager",
        "-D",
        &port,
        "-D",
        "taskmanager.registration.timeout=1s",
    ];
    let mut astray = Process::start_of("one astray", folder, LONG, &astray);
    assert!(!astray.child.wait().unwrap().success());
    let leads = leader.address("stands by at ");
    astray.wait_for(&format!("it leads no job; the JobManager at {leads}"));
    let told = Instant::now();
    leader.signal("-TERM");
    standby.wait_for("has let go");
    tell("SIGTERM", told, &standby, folder);
    let status = leader.child.wait().unwrap();
    assert_eq!(status.code(), Some(143), "{}", leader.told());
    // Nobody is left to go on: a standby that is told to end ends at once, and the job with it is stopped.
    let spare = jobmanager("the third JobManager", folder);
    spare.wait_for("stands by: the JobManager at ");
    spare.signal("-TERM");
    let mut spare = spare;
    assert_eq!(spare.child.wait().unwrap().code(), Some(143));
    let mut standby = standby;
    standby.end(Duration::from_secs(90));
    for taskmanager in &mut taskmanagers {
        taskmanager.end(Duration::from_secs(20));
    }
    crate::sums::check_sums(&folder.join("out"), LONG);
}
