//! A job as a command, from outside: what it prints, what signals do to it, and how it exits.
//!
//! Without the harness of tests: the program is the job when `RHEOS_TEST_JOB` is set, and starts
//! itself so otherwise.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test, on real time"
)]

#[path = "command/job.rs"]
mod job;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    if std::env::var_os("RHEOS_TEST_JOB").is_some() {
        return job::main();
    }
    type Test = (&'static str, fn());
    let tests: [Test; 9] = [
        ("a_job_runs_and_sums_up", a_job_runs_and_sums_up),
        (
            "the_command_line_goes_before_the_program",
            the_command_line_goes_before_the_program,
        ),
        ("a_plan_is_drawn", a_plan_is_drawn),
        (
            "a_wrong_key_ends_it_before_it_starts",
            a_wrong_key_ends_it_before_it_starts,
        ),
        (
            "a_failure_names_operator_subtask_and_cause",
            a_failure_names_operator_subtask_and_cause,
        ),
        ("a_panic_comes_with_its_stack", a_panic_comes_with_its_stack),
        ("json_lines_say_where", json_lines_say_where),
        ("sigterm_drains", sigterm_drains),
        ("a_second_signal_ends_at_once", a_second_signal_ends_at_once),
    ];
    println!("\nrunning {} tests", tests.len());
    for (name, test) in tests {
        test();
        println!("test {name} ... ok");
    }
    println!(
        "\ntest result: ok. {} passed; 0 failed; 0 ignored\n",
        tests.len()
    );
    ExitCode::SUCCESS
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(arguments)
        .env("RHEOS_TEST_JOB", "1")
        .env_remove("RUST_LOG");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn signal(child: &Child, name: &str) {
    let kill = format!("kill -{name} {}", child.id());
    assert!(
        Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap()
            .success()
    );
}

/// Starts a job and waits until it says that it is at work.
fn start(arguments: &[&str]) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = command(arguments).stderr(Stdio::null()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "at work\n");
    (child, out)
}

fn a_job_runs_and_sums_up() {
    for arguments in [&["--rows", "10"][..], &["run", "--rows", "10"][..]] {
        let (status, out, log) = run(arguments);
        assert_eq!(status, 0, "{log}");
        assert!(out.contains("sum 45\n"), "{out}");
        assert!(out.contains("odd numbers 5\n"), "{out}");
        assert!(log.contains("finished: 10 read in "), "{log}");
    }
}

fn the_command_line_goes_before_the_program() {
    let parallelism = |arguments: &[&str]| {
        let (status, out, log) = run(arguments);
        assert_eq!(status, 0, "{log}");
        let plan: serde_json::Value = serde_json::from_str(&out).unwrap();
        (
            plan["name"].clone(),
            plan["vertices"][0]["parallelism"].clone(),
        )
    };
    assert_eq!(
        parallelism(&["plan", "--json"]),
        ("numbers".into(), 2.into())
    );
    let given = ["plan", "--json", "-p", "3", "--job-name", "mine"];
    assert_eq!(parallelism(&given), ("mine".into(), 3.into()));
    let configured = ["plan", "--json", "-D", "parallelism.default=4"];
    assert_eq!(parallelism(&configured), ("numbers".into(), 2.into()));
}

fn a_plan_is_drawn() {
    let (status, out, _) = run(&["plan"]);
    assert_eq!(status, 0);
    assert!(
        out.starts_with("numbers · 3 operators in 2 chains · 2 slots\n"),
        "{out}"
    );
    assert!(out.contains("│ → odd "), "{out}");
    assert!(out.contains("REBALANCE"), "{out}");
}

fn a_wrong_key_ends_it_before_it_starts() {
    let (status, out, log) = run(&["run", "-D", "parallelism.defualt=2"]);
    assert_eq!((status, out.as_str()), (1, ""), "{log}");
    assert!(log.contains("did you mean `parallelism.default`?"), "{log}");
    let (status, _, log) = run(&["run", "--conf", "no-such-file.yaml"]);
    assert_eq!(status, 1);
    assert!(log.contains("no-such-file.yaml: No such file"), "{log}");
    let (status, _, _) = run(&["run", "--no-such-flag"]);
    assert_eq!(status, 2);
}

fn a_failure_names_operator_subtask_and_cause() {
    let (status, _, log) = run(&["run", "--rows", "10", "--fail", "error"]);
    assert_eq!(status, 1);
    assert!(log.contains("error: odd ("), "{log}");
    assert!(log.contains("/2): number 4 is bad\n"), "{log}");
}

fn a_panic_comes_with_its_stack() {
    let (status, _, log) = run(&["run", "--rows", "10", "--fail", "panic"]);
    assert_eq!(status, 1);
    assert!(log.contains("/2): panicked: number 4 is bad at "), "{log}");
    assert!(
        log.contains("rust_begin_unwind") || log.contains("panicking"),
        "{log}"
    );
}

fn json_lines_say_where() {
    let (status, _, log) = run(&["run", "--rows", "10", "--log-format", "json", "-p", "1"]);
    assert_eq!(status, 0, "{log}");
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let opened = lines
        .iter()
        .find(|line| line["message"] == "opened")
        .unwrap();
    assert_eq!(opened["job"], "numbers");
    assert_eq!(opened["subtask"], 0);
    assert_eq!(opened["attempt"], 0);
    assert!(
        opened["operator"].as_str().unwrap().contains("odd"),
        "{opened}"
    );
    // A shipper needs no filter: a time by its name, and no value that holds values.
    for line in &lines {
        let time = line["@timestamp"].as_str().unwrap();
        assert!(time.ends_with('Z') && time.contains('T'), "{line}");
        assert!(
            line["log.level"].is_string() && line["message"].is_string(),
            "{line}"
        );
        let fields = line.as_object().unwrap().values();
        assert!(
            fields
                .clone()
                .all(|value| !value.is_object() && !value.is_array()),
            "{line}"
        );
    }
}

fn sigterm_drains() {
    let (mut child, out) = start(&["run", "--rows", "100000000", "--pause-micros", "1000"]);
    std::thread::sleep(Duration::from_millis(500));
    signal(&child, "TERM");
    let told = Instant::now();
    let status = child.wait().unwrap();
    assert!(
        told.elapsed() < Duration::from_secs(4),
        "{:?}",
        told.elapsed()
    );
    assert_eq!(status.code(), Some(143));
    let lines: Vec<String> = out.lines().map(Result::unwrap).collect();
    let number = |what: &str| {
        let line = lines
            .iter()
            .find_map(|line| line.strip_prefix(what))
            .unwrap();
        line.parse::<u64>().unwrap()
    };
    // What the source gave out has all arrived: nothing was lost on the way.
    assert_eq!(number("written "), number("passed on "), "{lines:?}");
    assert_eq!(number("odd numbers "), number("written ") / 2, "{lines:?}");
}

fn a_second_signal_ends_at_once() {
    let (mut child, _out) = start(&["run", "--rows", "1000", "--pause-micros", "60000000"]);
    signal(&child, "INT");
    std::thread::sleep(Duration::from_millis(300));
    assert!(
        child.try_wait().unwrap().is_none(),
        "it did not wait for its rows"
    );
    signal(&child, "INT");
    let told = Instant::now();
    let status = child.wait().unwrap();
    assert!(
        told.elapsed() < Duration::from_secs(1),
        "{:?}",
        told.elapsed()
    );
    assert_eq!(status.code(), Some(130));
}
