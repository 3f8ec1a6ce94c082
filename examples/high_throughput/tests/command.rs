//! The main job as a command: what it prints, how it exits, and that it stops in good order.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test, on real time"
)]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

fn command(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_high_throughput"));
    command
        .args(line.split_whitespace())
        .current_dir(folder)
        .env_remove("RUST_LOG");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn read(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn run(folder: &Path, line: &str) -> (i32, String, String) {
    read(command(folder, line).output().unwrap())
}

#[test]
fn a_run_prints_one_line_for_programs_and_a_verdict_for_people() {
    let folder = TempDir::new().unwrap();
    let (status, out, log) = run(folder.path(), "run --source datagen --events 1000");
    assert_eq!(status, 0, "{log}");
    assert_eq!(out.lines().count(), 1, "{out}");
    let line: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(line["read"], 1_000);
    assert_eq!(line["tombstones"], 0);
    assert!(log.contains("\n  OK: "), "{log}");
    assert!(log.contains("out/category_windows-*.jsonl"), "{log}");
    assert!(
        folder
            .path()
            .join("out/category_windows-0-0.jsonl")
            .exists()
    );
}

#[test]
#[cfg(not(feature = "services"))]
fn what_this_build_leaves_out_is_an_error_that_help_does_not_offer() {
    let folder = TempDir::new().unwrap();
    let (status, out, log) = run(
        folder.path(),
        "run --kafka localhost:9092 --redis redis://x",
    );
    assert_eq!((status, out.as_str()), (1, ""));
    for flag in ["--kafka", "--redis"] {
        let due = format!("{flag}: this build has no connectors to servers");
        assert!(log.contains(&due), "{log}");
    }
    let (status, _, log) = run(folder.path(), "run --source kafka");
    assert_eq!(status, 1, "{log}");
    let (status, help, _) = run(folder.path(), "run --help");
    assert_eq!(status, 0);
    assert!(help.contains("--bad-record"), "{help}");
    for absent in ["kafka", "redis", "postgres", "registry", "topic"] {
        assert!(!help.contains(absent), "{absent} in {help}");
    }
}

#[test]
fn the_configuration_of_a_flink_cluster_is_taken_as_it_is() {
    let folder = TempDir::new().unwrap();
    let conf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../crates/core/tests/fixtures/flink-conf.yaml");
    let line = format!(
        "run --source datagen --events 500 --conf {} -D pipeline.auto-watermark-interval=10ms \
         --parallelism 2 --job-name trial",
        conf.display()
    );
    let (status, _, log) = run(folder.path(), &line);
    assert_eq!(status, 0, "{log}");
    assert!(log.contains("trial"), "{log}");
}

#[test]
fn a_failure_names_the_source_and_the_line() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("bad.csv");
    std::fs::write(
        &file,
        "event_id,user_id,category,event_type,event_time,value\ne1,u,c,t,x,1\n",
    )
    .unwrap();
    let (status, out, log) = run(folder.path(), "run --input bad.csv --parallelism 1");
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(
        log.contains("kafka-source") && log.contains("bad.csv, line 2"),
        "{log}"
    );
}

#[test]
fn a_plan_shows_the_operators_by_their_names() {
    let folder = TempDir::new().unwrap();
    let (status, plan, log) = run(folder.path(), "plan --parallelism 2");
    assert_eq!(status, 0, "{log}");
    for operator in [
        "kafka-source",
        "event-filter",
        "event-enrichment",
        "session-aggregation",
        "windowed-aggregation",
        "async-database-lookup",
        "late-data-sink",
    ] {
        assert!(plan.contains(operator), "{operator} in {plan}");
    }
    assert!(!folder.path().join("out").exists());
}

#[test]
fn signals_drain_the_job_and_show_in_the_exit_status() {
    for (signal, due, source) in [
        ("TERM", 143, "--source flights --rate 20000"),
        ("INT", 130, "--source datagen --rate 20000"),
    ] {
        let folder = TempDir::new().unwrap();
        let child = command(folder.path(), &format!("run {source} --parallelism 2"))
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(1500));
        let kill = format!("kill -{signal} {}", child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
        let (status, out, log) = read(child.wait_with_output().unwrap());
        assert_eq!(status, due, "{log}");
        let line: serde_json::Value = serde_json::from_str(&out).unwrap();
        let (read, windows) = (
            line["read"].as_u64().unwrap(),
            line["windows"].as_u64().unwrap(),
        );
        assert!(read > 0 && read < 300_000, "{line}");
        assert!(windows > 0, "open windows fire: {line}");
        assert!(log.contains("\n  OK: "), "{log}");
    }
}
