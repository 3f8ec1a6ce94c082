//! The main job's contract: sums that hold whatever the parallelism, and what becomes of bad input.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use high_throughput::arguments::{Arguments, SourceKind, data};
use high_throughput::job::describe;
use high_throughput::outputs::Outputs;
use high_throughput::summary::Summary;
use rheos::StreamEnv;
use rheos::command::{RunOptions, run_job};
use rheos::core::config::Configuration;
use rheos_connectors::BadRecords;
use tempfile::TempDir;

/// Lines of the flights that a build without optimisations reads.
const FEW: usize = 30_000;

/// The flights, all of them if the build is fast enough for that.
fn flights(folder: &Path) -> PathBuf {
    let all = data().join("events.csv.gz");
    if cfg!(not(debug_assertions)) {
        return all;
    }
    let few = folder.join("flights.csv");
    let lines = BufReader::new(MultiGzDecoder::new(std::fs::File::open(all).unwrap())).lines();
    let mut file = std::io::BufWriter::new(std::fs::File::create(&few).unwrap());
    for line in lines.take(FEW + 1) {
        writeln!(file, "{}", line.unwrap()).unwrap();
    }
    few
}

fn try_run(arguments: &Arguments, parallelism: u32) -> Result<Summary, String> {
    let mut configuration = Configuration::default();
    configuration.set("pipeline.auto-watermark-interval", "20ms");
    let env = StreamEnv::new(configuration);
    env.parallelism(parallelism);
    describe(&env, arguments).map_err(|error| error.to_string())?;
    let finished = run_job(&env, RunOptions::default()).map_err(|error| error.to_string())?;
    Ok(Summary::of(arguments, &finished).unwrap())
}

fn run(arguments: &Arguments, parallelism: u32) -> Summary {
    let summary = try_run(arguments, parallelism).unwrap();
    summary
        .verdict()
        .unwrap_or_else(|error| panic!("{error}: {}", summary.text()));
    summary
}

/// For each window, its events and sum with those that were late: the same whatever was late.
fn with_late(outputs: &Outputs) -> Vec<(String, i64, i64, i64)> {
    let mut all = outputs.windows.clone();
    for (category, windows) in &outputs.late {
        for (start, late) in windows {
            let sums = all
                .entry(category.clone())
                .or_default()
                .entry(*start)
                .or_default();
            sums.events += late.events;
            sums.value_sum += late.value_sum;
        }
    }
    // Delays are whole minutes, so their sums are exact in any order.
    all.into_iter()
        .flat_map(|(category, windows)| {
            windows.into_iter().map(move |(start, sums)| {
                (category.clone(), start, sums.events, sums.value_sum as i64)
            })
        })
        .collect()
}

#[test]
fn the_sums_are_the_same_at_every_parallelism() {
    let folder = TempDir::new().unwrap();
    let input = Some(flights(folder.path()));
    let mut first = None;
    for parallelism in [1, 2, 4] {
        let out = folder.path().join(format!("out-{parallelism}"));
        let arguments = Arguments {
            input: input.clone(),
            out,
            ..Arguments::default()
        };
        let summary = run(&arguments, parallelism);
        assert!(summary.invalid > 0 && summary.outputs.rows() > 1_000);
        let sums = with_late(&summary.outputs);
        let counts = (summary.read, summary.valid, summary.invalid);
        let (counts_of_first, sums_of_first) = first.get_or_insert((counts, sums.clone()));
        assert_eq!(counts, *counts_of_first);
        assert!(
            sums == *sums_of_first,
            "parallelism {parallelism} gives other sums"
        );
    }
}

#[test]
fn events_come_late_and_windows_fire_again_at_a_rate_that_lets_the_watermark_pass() {
    let folder = TempDir::new().unwrap();
    let few = folder.path().join("few.csv");
    let mut text = String::from("event_id,user_id,category,event_type,event_time,value\n");
    // A window of 0 to 300,000 ms, the watermark behind its end, an event within the allowed lateness
    // of a minute, the watermark behind that, an event that is too late.
    let times = [1_000, 320_000, 2_000, 400_000, 3_000, 4_000];
    for (number, time) in (1..).zip(times) {
        text += &format!("e{number},u,c,t,{time},{number}\n");
    }
    std::fs::write(&few, text).unwrap();
    let arguments = Arguments {
        input: Some(few),
        out: folder.path().join("out"),
        rate: Some(2.5),
        ..Arguments::default()
    };
    let summary = run(&arguments, 1);
    assert_eq!((summary.read, summary.outputs.late_events), (6, 2));
    let row = summary.outputs.windows["c"][&0];
    assert_eq!(
        (row.events, row.value_sum),
        (2, 4.0),
        "the last firing counts"
    );
    assert_eq!((summary.outputs.rows(), summary.outputs.firings), (2, 3));
}

/// Events that are bad in each way that a line can be, among good and invalid ones.
fn broken(folder: &Path) -> PathBuf {
    let file = folder.join("broken.csv");
    let mut bytes = b"event_id,user_id,category,event_type,event_time,value\n".to_vec();
    bytes.extend_from_slice(b"e1,u1,a,t,1000,1.5\n");
    bytes.extend_from_slice(b"e2,u1,a,t,soon,1\n");
    bytes.extend_from_slice(b"e3,u1\n");
    bytes.extend_from_slice(b"e4,u1,\xff\xfe,t,2000,1\n");
    bytes.extend_from_slice(b"e5,,a,t,3000,1\n");
    bytes.extend_from_slice(b"e6,u2,a,t,4000,\n");
    bytes.extend_from_slice(b"e7,u2,,t,-1,2\n");
    bytes.extend_from_slice(b"e8,u2,a,t,5000,much\n");
    bytes.extend_from_slice(b"e9,u2,a,t,6000,NaN\n");
    std::fs::write(&file, bytes).unwrap();
    file
}

#[test]
fn a_bad_message_ends_the_job_unless_told_otherwise() {
    let folder = TempDir::new().unwrap();
    let arguments = Arguments {
        input: Some(broken(folder.path())),
        out: folder.path().join("out"),
        ..Arguments::default()
    };
    let error = try_run(&arguments, 1).unwrap_err();
    assert!(error.contains("kafka-source"), "{error}");
    assert!(error.contains("broken.csv, line 3"), "{error}");
}

#[test]
fn bad_messages_are_skipped_or_become_dead_letters() {
    for (bad_record, letters) in [(BadRecords::Skip, 0), (BadRecords::DeadLetter, 4)] {
        let folder = TempDir::new().unwrap();
        let out = folder.path().join("out");
        let input = Some(broken(folder.path()));
        let arguments = Arguments {
            input,
            out: out.clone(),
            bad_record,
            ..Arguments::default()
        };
        let summary = run(&arguments, 2);
        let counts = (summary.read, summary.valid, summary.invalid, summary.bad);
        assert_eq!(counts, (9, 3, 2, 4));
        assert_eq!(summary.outputs.dead_letters, letters);
        assert_eq!(
            summary.outputs.windows["a"][&0].value_sum, 1.5,
            "null adds nothing"
        );
        assert_eq!(
            summary.outputs.windows[""][&-300_000].events, 1,
            "floor division before 1970"
        );
        if letters > 0 {
            let files = std::fs::read_dir(&out)
                .unwrap()
                .map(|entry| entry.unwrap().path());
            let text: String = files
                .filter(|path| {
                    path.file_name()
                        .unwrap()
                        .to_string_lossy()
                        .starts_with("dead_letter")
                })
                .map(|path| std::fs::read_to_string(path).unwrap())
                .collect();
            let first: serde_json::Value =
                serde_json::from_str(text.lines().next().unwrap()).unwrap();
            let names: Vec<&str> = first
                .as_object()
                .unwrap()
                .keys()
                .map(String::as_str)
                .collect();
            let due = [
                "topic",
                "partition",
                "offset",
                "timestamp",
                "key_base64",
                "value_base64",
                "error",
            ];
            assert_eq!(names, due);
            assert_eq!(first["value_base64"], "ZTIsdTEsYSx0LHNvb24sMQ==");
            assert!(
                first["error"].as_str().unwrap().contains("event_time"),
                "{first}"
            );
        }
    }
}

#[test]
fn a_sum_that_overflows_is_clamped_and_counted() {
    let folder = TempDir::new().unwrap();
    let input = folder.path().join("huge.csv");
    let mut text = String::from("event_id,user_id,category,event_type,event_time,value\n");
    for number in 0..3 {
        text += &format!("e{number},u,c,t,{number},1.7e308\n");
    }
    std::fs::write(&input, text).unwrap();
    let out = folder.path().join("out");
    let summary = run(
        &Arguments {
            input: Some(input),
            out,
            ..Arguments::default()
        },
        1,
    );
    assert_eq!(summary.outputs.windows["c"][&0].value_sum, f64::MAX);
    assert_eq!(summary.clamped, 1);
}

#[test]
fn the_generator_makes_as_many_events_as_it_is_told_to() {
    let folder = TempDir::new().unwrap();
    for parallelism in [1, 3] {
        let arguments = Arguments {
            source: SourceKind::Datagen,
            events: Some(20_000),
            bounded: true,
            out: folder.path().join("out"),
            ..Arguments::default()
        };
        let summary = run(&arguments, parallelism);
        assert_eq!(summary.read, 20_000);
        assert!(summary.invalid > 0 && summary.valid + summary.invalid == 20_000);
        let json = summary.json();
        let names: Vec<&str> = json
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let due = [
            "read",
            "valid",
            "invalid",
            "late",
            "bad",
            "tombstones",
            "windows",
            "seconds",
        ];
        assert_eq!(names, due);
    }
}

#[test]
fn a_run_removes_what_an_earlier_one_wrote_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let out = folder.path();
    let names = [
        "category_windows-7-0.jsonl",
        "late-0-0.jsonl",
        ".late-1-0.jsonl.inprogress",
        "notes.txt",
    ];
    for name in names {
        std::fs::write(out.join(name), "{}").unwrap();
    }
    let arguments = Arguments {
        source: SourceKind::Datagen,
        events: Some(10),
        out: out.to_owned(),
        ..Arguments::default()
    };
    let env = StreamEnv::default();
    describe(&env, &arguments).unwrap();
    env.program().unwrap();
    assert!(
        names.iter().all(|name| out.join(name).exists()),
        "a plan removes nothing"
    );
    run(&arguments, 1);
    let left: Vec<&str> = names
        .into_iter()
        .filter(|name| out.join(name).exists())
        .collect();
    assert_eq!(left, ["notes.txt"]);
}
