//! A job that panics in a loop and eats memory, and its neighbour, which does not notice.

use std::time::{Duration, Instant};

use crate::cluster::{Session, until};
use crate::job;

/// When the counter of a job's rows has risen, and to what: it is told twice a second.
fn risen(session: &Session, job: &str) -> (Instant, u64) {
    let (before, mut now) = (session.taken(job), 0);
    until("rows come", || {
        now = session.taken(job);
        now > before
    });
    (Instant::now(), now)
}

/// Rows a second that a job takes, over a while.
fn throughput(session: &Session, job: &str, time: Duration) -> f64 {
    let (begin, before) = risen(session, job);
    std::thread::sleep(time);
    let (end, after) = risen(session, job);
    (after - before) as f64 / (end - begin).as_secs_f64()
}

/// The failures of a job, newest first.
fn failures(session: &Session, job: &str) -> Vec<String> {
    let exceptions = session.get(&format!("/jobs/{job}/exceptions"));
    let entries = exceptions["exceptionHistory"]["entries"]
        .as_array()
        .cloned();
    let texts = entries.unwrap_or_default().into_iter();
    texts
        .map(|entry| entry["stacktrace"].as_str().unwrap().to_owned())
        .collect()
}

pub fn a_job_that_panics_and_eats_memory_does_not_disturb_another() {
    const COUNT: u64 = 200_000;
    let session = Session::start(&[2, 2], &[]);
    let count = COUNT.to_string();
    let good = session.submit("good", &["--count", &count, "--rate", "8000", "-p", "2"]);
    session.wait_until_it_runs(&good);
    std::thread::sleep(Duration::from_secs(1));
    let before = throughput(&session, &good, Duration::from_secs(5));

    // One panics at once, again and again; the other has 192 MiB, and fills them within seconds.
    let panics = session.submit(
        "panics",
        &[
            "--count",
            "100000000",
            "--rate",
            "1000",
            "-p",
            "1",
            "--panic-at",
            "100",
        ],
    );
    let eats = session.submit(
        "eats",
        &[
            "--count",
            "100000000",
            "--rate",
            "2000",
            "-p",
            "1",
            "--hoard",
            "16384",
            "-D",
            "taskmanager.memory.process.size=192m",
            "-D",
            "taskmanager.memory.managed.fraction=0.1",
            "-D",
            "restart-strategy.fixed-delay.attempts=1",
        ],
    );
    session.wait_until_it_runs(&eats);
    let during = throughput(&session, &good, Duration::from_secs(5));
    let begun = Instant::now();
    session.wait_for(&eats, "FAILED");
    println!("rows a second of the good job: {before:.0} before, {during:.0} beside the others");
    let told = failures(&session, &eats);
    println!(
        "{} more to the end of the one that eats: {}",
        seconds(begun),
        told.join("; ")
    );
    let first = told.last().unwrap();
    assert!(
        first.contains("'hoard' of 'count'") && first.contains("taskmanager.memory.process.size"),
        "{told:?}"
    );
    let ends = told
        .iter()
        .filter(|text| text.contains("it may have"))
        .count();
    assert_eq!(
        ends, 2,
        "it was started again once, and ended in good order both times: {told:?}"
    );
    until("it panics in a loop", || {
        failures(&session, &panics).len() >= 3
    });
    let told = failures(&session, &panics);
    assert!(told[0].contains("is one too many"), "{told:?}");
    let status = session.status(&panics);
    assert!(
        ["RUNNING", "RESTARTING", "FAILING"].contains(&status.as_str()),
        "{status}"
    );

    assert!(
        during > before * 0.9,
        "{during} rows a second, and {before} before"
    );
    let failures = failures(&session, &good);
    assert!(failures.is_empty(), "{failures:?}");
    session.well(&["cancel", &panics]);
    session.wait_for(&good, "FINISHED");
    job::check(&session.out("good"), COUNT);
    until("all slots are free", || session.free_slots() == 4);
}

fn seconds(since: Instant) -> String {
    format!("{:.1} s", since.elapsed().as_secs_f32())
}
