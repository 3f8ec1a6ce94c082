//! `rheos list`, `info`, `stop` and their like, of a job that runs in this process with its REST on.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test, on real time"
)]

#[cfg(feature = "tls")]
#[path = "common/certificates.rs"]
mod certificates;
#[cfg(feature = "tls")]
#[path = "job/tls.rs"]
mod tls;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rheos::execute::{RunningJob, StartOptions, start_with};
use rheos::prelude::*;
use rheos_connectors::{BlackholeSink, DataGeneratorSource};
use serde_json::Value;

const TOKEN: &str = "a secret of the test";

fn start(checkpoints: &Path, more: &[(&str, &str)]) -> RunningJob {
    let mut conf = Configuration::default();
    conf.set("rest.port", "0");
    conf.set("rheos.rest.token", TOKEN);
    conf.set("execution.checkpointing.interval", "50 ms");
    conf.set("execution.checkpointing.dir", checkpoints.display());
    for (key, value) in more {
        conf.set(key, value);
    }
    let env = StreamEnv::new(conf.clone());
    env.parallelism(2);
    env.name("numbers");
    let source = DataGeneratorSource::new(|k| k, 100_000_000).strided();
    env.from_source_with_rate(source, WatermarkStrategy::no_watermarks(), "source", 1000.0)
        .key_by(|k: &u64| k % 7)
        .rows()
        .map(|k: u64| k + 1)
        .name("next")
        .sink_to(BlackholeSink);
    start_with(&env.program().unwrap(), conf, StartOptions::default()).unwrap()
}

struct Shell {
    address: String,
    token: &'static str,
}

impl Shell {
    fn of(job: &RunningJob) -> Self {
        Self {
            address: job.rest_address().unwrap().to_string(),
            token: TOKEN,
        }
    }

    fn run(&self, arguments: &[&str]) -> (bool, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_rheos"))
            .args(arguments)
            .args(["--rest", &self.address])
            .env("RHEOS_REST_TOKEN", self.token)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.success(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    fn well(&self, arguments: &[&str]) -> String {
        let (well, out, err) = self.run(arguments);
        assert!(well, "{arguments:?}: {err}");
        out
    }

    fn ill(&self, arguments: &[&str]) -> String {
        let (well, out, err) = self.run(arguments);
        assert!(!well, "{arguments:?}: {out}");
        err
    }
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_job_is_looked_at_and_stopped_with_a_savepoint() {
    let folder = tempfile::tempdir().unwrap();
    let savepoints = folder.path().join("savepoints");
    let savepoints = savepoints.to_str().unwrap();
    let job = start(&folder.path().join("checkpoints"), &[]);
    let shell = Shell::of(&job);
    let id = job.handle.id().to_string();

    let list = shell.well(&["list"]);
    assert!(list.contains(&id) && list.contains("numbers"), "{list}");
    let list: Value = serde_json::from_str(&shell.well(&["list", "--json"])).unwrap();
    assert_eq!(list["jobs"][0]["jid"], id.as_str());

    // By nothing, by name, by the beginning of its id.
    until("it runs", || shell.well(&["info"]).contains("RUNNING"));
    until("a checkpoint", || {
        shell
            .well(&["checkpoints", "numbers"])
            .contains("COMPLETED")
    });
    let info = shell.well(&["info", &id[..6]]);
    assert!(info.contains("next") && info.contains("source"), "{info}");
    let top = shell.well(&["top", "--times", "2"]);
    assert_eq!(top.matches("numbers ").count(), 2, "{top}");
    assert_eq!(shell.well(&["exceptions"]), "it has not failed\n");
    let err = shell.ill(&["info", "another"]);
    assert!(err.contains(&id) && err.contains("another"), "{err}");

    let taken = shell.well(&["savepoint", "take", "--directory", savepoints]);
    let manifest = Path::new(taken.trim()).join("manifest.json");
    assert!(manifest.exists(), "{taken}");
    let err = shell.ill(&["stop"]);
    assert!(err.contains("savepoint-dir"), "{err}");
    let stopped = shell.well(&["stop", "--savepoint-path", savepoints, "numbers"]);
    assert!(Path::new(stopped.trim()).join("manifest.json").exists());
    job.wait().unwrap();
}

#[test]
fn a_job_is_rescaled_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let job = start(&folder.path().join("checkpoints"), &[]);
    let shell = Shell::of(&job);
    let parallelism = || job.handle.graph().parallelism();
    assert_eq!(parallelism(), [2, 2]);
    let told = shell.well(&["rescale", "--parallelism", "3"]);
    assert!(told.contains("stood still for"), "{told}");
    assert_eq!(parallelism(), [3, 3]);
    let vertices = job.handle.graph().vertices.clone();
    let source = format!("{}=1", vertices[0].name);
    let told = shell.well(&["rescale", "numbers", "--vertex", &source, "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["terminalState"], "COMPLETED", "{told}");
    assert_eq!(told["rescaleAttemptId"], 2, "{told}");
    assert_eq!(parallelism(), [1, 3]);
    let same = shell.well(&["rescale", "--vertex", &source]);
    assert!(
        same.contains("NO_RESOURCES_OR_PARALLELISMS_CHANGE"),
        "{same}"
    );

    // As others see it.
    let info = shell.well(&["info"]);
    assert!(info.contains("RUNNING"), "{info}");
    assert_eq!(shell.well(&["exceptions"]), "it has not failed\n");
    let info: Value = serde_json::from_str(&shell.well(&["info", "--json"])).unwrap();
    let widths: Vec<_> = info["vertices"].as_array().unwrap().iter().collect();
    assert_eq!(widths[0]["parallelism"], 1, "{info}");
    assert_eq!(widths[1]["parallelism"], 3, "{info}");
    assert_eq!(widths[1]["tasks"]["RUNNING"], 3, "{info}");

    let err = shell.ill(&["rescale", "--parallelism", "40000"]);
    let name = vertices[0].name.as_str();
    assert!(
        err.contains("40000") && err.contains("32768") && err.contains(name),
        "{err}"
    );
    let err = shell.ill(&["rescale", "--vertex", "another=2"]);
    assert!(err.contains("another") && err.contains(name), "{err}");
    let err = shell.ill(&["rescale"]);
    assert!(
        err.contains("--vertex") && err.contains("--parallelism"),
        "{err}"
    );
    job.handle.control().cancel();
    assert!(job.wait().is_err());
}

#[test]
fn a_job_is_cancelled_and_only_by_who_may() {
    let folder = tempfile::tempdir().unwrap();
    let job = start(&folder.path().join("checkpoints"), &[]);
    let shell = Shell::of(&job);
    let stranger = Shell {
        address: shell.address.clone(),
        token: "another",
    };
    let err = stranger.ill(&["cancel"]);
    assert!(
        err.contains("401") && err.contains("RHEOS_REST_TOKEN"),
        "{err}"
    );
    assert!(!err.contains(TOKEN), "{err}");
    until("it runs", || shell.well(&["info"]).contains("RUNNING"));
    shell.well(&["cancel"]);
    assert!(job.wait().is_err(), "it did not come to its end");
    drop(job);
    let err = shell.ill(&["list"]);
    assert!(err.contains("--rest"), "{err}");
}

#[test]
fn a_shell_completes_commands() {
    let script = "source <(\"$0\" completion bash); complete -p rheos; \
                  COMP_WORDS=(rheos sav) COMP_CWORD=1; \
                  $(complete -p rheos | sed 's/.*-F \\([^ ]*\\) .*/\\1/') rheos sav rheos; \
                  echo \"${COMPREPLY[@]}\"";
    let output = Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_rheos")])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.lines().any(|line| line == "savepoint"), "{said}");
}
