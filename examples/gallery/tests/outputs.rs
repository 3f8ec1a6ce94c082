//! Runs each example as its reader would, and compares what it prints with `expected/`.
//!
//! Keys are divided over subtasks, so lines of different keys come in no order: both sides are
//! sorted. Each example runs with a subtask an operator and with three, and must say the same.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::path::Path;
use std::process::Command;

/// What the program prints, its lines sorted.
fn printed(program: &str, parallelism: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(["run", "--parallelism", parallelism])
        .args(arguments)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} ended with {}:\n{errors}",
        output.status
    );
    sorted(&String::from_utf8(output.stdout).unwrap())
}

fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn expected(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("expected/{name}.txt"));
    sorted(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}")))
}

fn check(name: &str, program: &str) {
    for parallelism in ["1", "3"] {
        let printed = printed(program, parallelism, &[]);
        assert_eq!(
            printed,
            expected(name),
            "{name} with parallelism {parallelism}"
        );
    }
}

macro_rules! examples {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name), env!(concat!("CARGO_BIN_EXE_", stringify!($name))));
            }
        )*

        /// The examples that are run here.
        const CHECKED: &[&str] = &[$(stringify!($name)),*];
    };
}

examples! {
    async_lookup_with_breaker,
    broadcast_rules,
    co_group,
    connected_streams,
    custom_trigger,
    interval_join,
    late_data,
    own_metrics,
    own_sink,
    own_source,
    own_watermarks,
    page_views,
    process_function_with_timers,
    rate_limited_sink,
    sessions,
    side_outputs,
    state_with_ttl,
    testing_a_pipeline,
    tumbling_and_sliding,
    window_join,
    word_count,
}

/// What a program prints and what lies in the folder that it is told to write to.
fn check_folder(name: &str, program: &str, flag: &str, arguments: &[&str]) {
    for parallelism in ["1", "3"] {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().to_str().unwrap();
        let mut all = printed(program, parallelism, &[arguments, &[flag, to]].concat());
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let path = file.unwrap().path();
            assert!(
                path.extension().is_some_and(|ending| ending == "jsonl"),
                "{path:?}"
            );
            all.push('\n');
            all.push_str(&std::fs::read_to_string(path).unwrap());
        }
        let lines: Vec<&str> = all.lines().filter(|line| !line.is_empty()).collect();
        let all = sorted(&lines.join("\n"));
        assert_eq!(all, expected(name), "{name} with parallelism {parallelism}");
    }
}

#[test]
fn the_readme_shows_page_views() {
    let (readme, program) = (
        include_str!("../../../README.md"),
        include_str!("../src/bin/page_views.rs"),
    );
    let (_, shown) = program.split_once("// [readme]\n").unwrap();
    assert!(readme.contains(shown), "README.md has another page_views");
}

#[test]
fn files_in_and_out() {
    let from = concat!(env!("CARGO_MANIFEST_DIR"), "/data/readings.csv");
    let program = env!("CARGO_BIN_EXE_files_in_and_out");
    check_folder("files_in_and_out", program, "--to", &["--from", from]);
}

#[test]
fn from_a_flink_job() {
    let events = concat!(env!("CARGO_MANIFEST_DIR"), "/data/events.csv");
    let tables = concat!(env!("CARGO_MANIFEST_DIR"), "/../high_throughput/data");
    let program = env!("CARGO_BIN_EXE_from_a_flink_job");
    let arguments = ["--events", events, "--tables", tables];
    check_folder("from_a_flink_job", program, "--out", &arguments);
}

/// The examples that are told where to write.
const WRITING: &[&str] = &["files_in_and_out", "from_a_flink_job"];

#[test]
fn every_example_is_checked_and_listed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(folder.join("../README.md")).unwrap();
    for file in std::fs::read_dir(folder.join("src/bin")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let checked = CHECKED.contains(&name) || WRITING.contains(&name);
        assert!(checked, "tests/outputs.rs does not run {name}");
        assert!(
            list.contains(&format!("gallery/src/bin/{name}.rs")),
            "README.md lacks {name}"
        );
    }
}
