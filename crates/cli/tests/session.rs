//! Several jobs in one session of real processes: submitted, looked at, rescaled, stopped, ended by the
//! commands that a job alone has. What is in the files is what each would have written alone.
//!
//! Without the harness of tests: the program is the job when `RHEOS_TEST_JOB` is set.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test, on real time"
)]

#[cfg(feature = "tls")]
#[path = "common/certificates.rs"]
mod certificates;
#[path = "session/cluster.rs"]
mod cluster;
#[path = "session/job.rs"]
mod job;
#[path = "session/losses.rs"]
mod losses;
#[path = "session/neighbours.rs"]
mod neighbours;
#[cfg(feature = "tls")]
#[path = "session/tls.rs"]
mod tls;

use std::process::ExitCode;

use cluster::{Session, children_of, lives, until};

fn main() -> ExitCode {
    if std::env::var_os("RHEOS_TEST_JOB").is_some() {
        return job::main();
    }
    type Test = (&'static str, fn());
    let tests: &[Test] = &[
        (
            "jobs_share_a_session_and_all_commands_work",
            jobs_share_a_session_and_all_commands_work,
        ),
        (
            "a_job_waits_for_slots_and_gets_those_of_another",
            a_job_waits_for_slots_and_gets_those_of_another,
        ),
        (
            "what_can_t_run_is_failed_and_says_why",
            what_can_t_run_is_failed_and_says_why,
        ),
        (
            "no_process_outlives_the_one_that_started_it",
            no_process_outlives_the_one_that_started_it,
        ),
        (
            "a_task_manager_that_is_lost_takes_its_workers_with_it_and_jobs_go_on_elsewhere",
            losses::a_task_manager_that_is_lost_takes_its_workers_with_it_and_jobs_go_on_elsewhere,
        ),
        (
            "a_job_manager_that_is_lost_is_started_again",
            losses::a_job_manager_that_is_lost_is_started_again,
        ),
        (
            "a_session_that_is_lost_goes_on_with_its_jobs",
            losses::a_session_that_is_lost_goes_on_with_its_jobs,
        ),
        (
            "a_job_that_panics_and_eats_memory_does_not_disturb_another",
            neighbours::a_job_that_panics_and_eats_memory_does_not_disturb_another,
        ),
        #[cfg(feature = "tls")]
        (
            "a_session_is_asked_over_tls",
            tls::a_session_is_asked_over_tls,
        ),
    ];
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

fn jobs_share_a_session_and_all_commands_work() {
    let session = Session::start(&[2, 3], &[]);
    let first = session.submit("first", &["--count", "15000", "--rate", "3000", "-p", "2"]);
    let second = session.submit("second", &["--count", "60000", "--rate", "2000", "-p", "2"]);
    session.wait_until_it_runs(&first);
    session.wait_until_it_runs(&second);
    assert_eq!(session.free_slots(), 1);

    let list = session.well(&["list"]);
    for known in [&first, &second, "first", "second"] {
        assert!(list.contains(known), "{list}");
    }
    let which = session.ill(&["info"]);
    assert!(which.contains(&first) && which.contains(&second), "{which}");
    assert!(session.well(&["info", "second"]).contains("count"));
    assert!(
        session
            .well(&["top", "second", "--times", "1"])
            .contains("count")
    );
    until("its log says that it runs", || {
        session.log("second").contains("all tasks run")
    });
    let logs = session.well(&["logs", "second", "--list"]);
    let of_worker = logs
        .split_whitespace()
        .find(|word| word.starts_with("taskmanager-") && word.ends_with(".log"))
        .unwrap_or_else(|| panic!("{logs}"));
    let log = session.well(&["logs", "second", "--file", of_worker]);
    assert!(log.contains("registered at the JobManager"), "{log}");
    let log = session.ill(&["logs", "second", "--file", "../../lock"]);
    assert!(log.contains("404"), "{log}");

    // Wider, with a slot that has to be fetched; not wider than there is; narrower, and the slots are free.
    session.well(&["rescale", "second", "--parallelism", "3"]);
    assert_eq!(session.free_slots(), 0);
    let refused = session.ill(&["rescale", "second", "--parallelism", "4"]);
    assert!(refused.contains("needs 4 slots"), "{refused}");
    session.well(&["rescale", "second", "--parallelism", "1"]);
    until("slots are given back", || session.free_slots() >= 2);

    let savepoints = session.folder.path().join("savepoints");
    let savepoints = savepoints.to_str().unwrap();
    let taken = session.well(&["savepoint", "take", "second", "--directory", savepoints]);
    assert!(taken.contains(savepoints), "{taken}");
    let stopped = session.well(&["stop", "second", "--savepoint-path", savepoints]);
    session.wait_for(&second, "FINISHED");

    // Another job of its program goes on from it, and waits for its end.
    let out = session.out("second");
    let checkpoints = session.folder.path().join("checkpoints");
    let program = std::env::current_exe().unwrap();
    let program = program.to_str().unwrap();
    let finished = session.well(&[
        "run",
        "-p",
        "1",
        "--from-savepoint",
        stopped.trim(),
        program,
        "--job-name",
        "third",
        "--out",
        out.to_str().unwrap(),
        "--count",
        "60000",
        "--rate",
        "100000",
        "--checkpoints",
        checkpoints.to_str().unwrap(),
    ]);
    assert!(finished.contains("FINISHED"), "{finished}");
    job::check(&out, 60000);
    session.wait_for(&first, "FINISHED");
    job::check(&session.out("first"), 15000);

    // What has ended stays in the list, with what is known of it.
    let jobs = session.get("/jobs/overview");
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 3, "{jobs}");
    let details = session.get(&format!("/jobs/{first}"));
    assert_eq!(
        (&details["state"], &details["name"]),
        (&"FINISHED".into(), &"first".into())
    );
    assert!(!details["vertices"].as_array().unwrap().is_empty());
    let checkpoints = session.well(&["checkpoints", &first]);
    assert!(checkpoints.contains("COMPLETED"), "{checkpoints}");
    let refused = session.ill(&["cancel", &first]);
    assert!(
        refused.contains("409") && refused.contains("FINISHED"),
        "{refused}"
    );
    until("all slots are free", || session.free_slots() == 5);
    let workers: Vec<u32> = session
        .taskmanagers
        .iter()
        .flat_map(|manager| children_of(manager.child.id()))
        .chain(children_of(session.jobmanager.child.id()))
        .collect();
    assert!(workers.is_empty(), "{workers:?} are left");
    let jars = session.get("/jars");
    assert_eq!(
        jars["files"].as_array().unwrap().len(),
        1,
        "one program: {jars}"
    );
}

fn a_job_waits_for_slots_and_gets_those_of_another() {
    let session = Session::start(&[2], &[]);
    let endless = ["--count", "100000000", "--rate", "1000", "-p", "2"];
    let first = session.submit("first", &endless);
    session.wait_until_it_runs(&first);
    let second = session.submit("second", &["--count", "2000", "--rate", "10000", "-p", "2"]);
    let third = session.submit("third", &endless);
    until("it waits", || {
        session.log(&second).contains("waiting for TaskManagers")
    });
    assert_eq!(session.status(&second), "INITIALIZING");
    let refused = session.ill(&["savepoint", "take", "second", "--directory", "/nowhere"]);
    assert!(refused.contains("INITIALIZING"), "{refused}");
    // One that has not begun is cancelled too.
    session.well(&["cancel", &third]);
    session.wait_for(&third, "CANCELED");
    session.well(&["cancel", &first]);
    session.wait_for(&first, "CANCELED");
    session.wait_for(&second, "FINISHED");
    job::check(&session.out("second"), 2000);
    // One that waits for too long says what it lacks.
    let wide = ["--count", "10", "--rate", "10", "-p", "3"];
    let wide = session.submit(
        "wide",
        &[&wide[..], &["-D", "slot.request.timeout=500ms"]].concat(),
    );
    session.wait_for(&wide, "FAILED");
    let exceptions = session.well(&["exceptions", &wide]);
    assert!(
        exceptions.contains("needs 3 slots and there are 0"),
        "{exceptions}"
    );
    assert_eq!(session.free_slots(), 2);
}

fn what_can_t_run_is_failed_and_says_why() {
    let session = Session::start(&[1], &[]);
    let arguments = ["--count", "100000000", "--rate", "1000", "-p", "1"];
    let first = session.submit("same", &arguments);
    session.wait_until_it_runs(&first);
    // Of the same name, with the same checkpoints: it would take them from the first.
    let again = session.submit("same", &arguments);
    session.wait_for(&again, "FAILED");
    let exceptions = session.well(&["exceptions", &again]);
    assert!(
        exceptions.contains(&first) && exceptions.contains("--job-name"),
        "{exceptions}"
    );
    // Flags that the program does not have.
    let wrong = session.submit("wrong", &["--count", "1", "--rate", "1", "--nonsense"]);
    session.wait_for(&wrong, "FAILED");
    let exceptions = session.well(&["exceptions", &wrong]);
    assert!(exceptions.contains("--nonsense"), "{exceptions}");
    // No program at all.
    let text = session.folder.path().join("text");
    std::fs::write(&text, "no program\n").unwrap();
    let refused = session.ill(&["run", text.to_str().unwrap()]);
    assert!(
        refused.contains("FAILED") && refused.contains("can't be started"),
        "{refused}"
    );
    // The first has noticed nothing.
    assert_eq!(session.status(&first), "RUNNING");
    let exceptions = session.get(&format!("/jobs/{first}/exceptions"));
    assert_eq!(
        exceptions["exceptionHistory"]["entries"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
}

fn no_process_outlives_the_one_that_started_it() {
    let session = Session::start(&[2], &[]);
    let job = session.submit(
        "orphan",
        &["--count", "100000000", "--rate", "1000", "-p", "2"],
    );
    session.wait_until_it_runs(&job);
    let (jobmanager, taskmanager) = (&session.jobmanager, &session.taskmanagers[0]);
    for parent in [taskmanager, jobmanager] {
        let children = children_of(parent.child.id());
        assert_eq!(children.len(), 1, "{}: {children:?}", parent.name);
        parent.signal("-KILL");
        until("its children are gone", || {
            !children.iter().any(|child| lives(*child))
        });
    }
}
