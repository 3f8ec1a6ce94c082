//! What is lost is made up for: a TaskManager of the session, a job's JobManager, the session's own.

use crate::cluster::{Session, children_of, kill, lives, until};
use crate::job;

const COUNT: &str = "16000";
const RATE: &str = "4000";

fn submit(session: &Session, name: &str) -> String {
    session.submit(name, &["--count", COUNT, "--rate", RATE, "-p", "2"])
}

/// Waits until a job has completed so many checkpoints since its JobManager was started.
fn wait_for_checkpoints(session: &Session, job: &str, wanted: u64) {
    until("checkpoints", || {
        let checkpoints = session.get(&format!("/jobs/{job}/checkpoints"));
        checkpoints["counts"]["completed"].as_u64() >= Some(wanted)
    });
}

fn check(session: &Session, name: &str, id: &str) {
    session.wait_for(id, "FINISHED");
    job::check(&session.out(name), COUNT.parse().unwrap());
}

pub fn a_task_manager_that_is_lost_takes_its_workers_with_it_and_jobs_go_on_elsewhere() {
    let mut session = Session::start(&[2, 2], &[]);
    let (first, second) = (submit(&session, "first"), submit(&session, "second"));
    for job in [&first, &second] {
        session.wait_until_it_runs(job);
        wait_for_checkpoints(&session, job, 2);
    }
    let lost = session.taskmanagers.remove(0);
    let workers = children_of(lost.child.id());
    lost.signal("-KILL");
    until("its workers end", || {
        !workers.iter().any(|worker| lives(*worker))
    });
    session.jobmanager.wait_for("is lost: ");
    // Both had a slot there, and there are two for four.
    session.add(2);
    check(&session, "first", &first);
    check(&session, "second", &second);
    let exceptions = session.get(&format!("/jobs/{first}/exceptions"));
    let entries = exceptions["exceptionHistory"]["entries"]
        .as_array()
        .unwrap();
    assert!(!entries.is_empty(), "the failure is told: {exceptions}");
}

pub fn a_job_manager_that_is_lost_is_started_again() {
    let session = Session::start(&[2], &[]);
    let job = submit(&session, "again");
    session.wait_until_it_runs(&job);
    wait_for_checkpoints(&session, &job, 2);
    let children = children_of(session.jobmanager.child.id());
    assert_eq!(children.len(), 1);
    kill("-KILL", children[0]);
    session
        .jobmanager
        .wait_for("its JobManager is lost: it was ended by signal 9");
    check(&session, "again", &job);
    assert!(session.log(&job).contains("goes on from a checkpoint"));
}

pub fn a_session_that_is_lost_goes_on_with_its_jobs() {
    let mut session = Session::start(&[3], &[]);
    // What it says of its beginning is of the first one only.
    let arguments = [
        "--count", COUNT, "--rate", RATE, "-p", "2", "--resume", "none",
    ];
    let running = session.submit("running", &arguments);
    let ended = session.submit("ended", &["--count", "10", "--rate", "10000", "-p", "1"]);
    session.wait_for(&ended, "FINISHED");
    session.wait_until_it_runs(&running);
    wait_for_checkpoints(&session, &running, 2);
    let children = children_of(session.jobmanager.child.id());
    session.jobmanager.signal("-KILL");
    until("JobManagers end", || {
        !children.iter().any(|child| lives(*child))
    });
    session.restart_jobmanager();
    assert_eq!(session.status(&ended), "FINISHED");
    check(&session, "running", &running);

    // Told to end, it has its jobs take a last checkpoint, and goes on as well.
    let moved = submit(&session, "moved");
    session.wait_until_it_runs(&moved);
    session.jobmanager.signal("-TERM");
    until("it ends", || {
        session.jobmanager.child.try_wait().unwrap().is_some()
    });
    let before = job::written(&session.out("moved"));
    session.restart_jobmanager();
    check(&session, "moved", &moved);
    assert!(
        before > 0,
        "what was read before the last checkpoint is written by it"
    );
}
