//! REST of a running job: Flink's paths, fields and types, compared with what Flink 2.3 answered; what
//! is refused, and how; and what can be done with it.

use crate::common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use common::{Folder, Kept, Tap, wait_until};
use rheos::execute::{RunningJob, start};
use rheos::prelude::*;
use serde_json::{Value, json};

fn job(tap: &Tap, more: &[(&str, &str)]) -> RunningJob {
    let mut configuration = Configuration::new();
    configuration.set("pipeline.name", "asked");
    configuration.set("rest.port", "0");
    configuration.set("restart-strategy.type", "fixed-delay");
    configuration.set("restart-strategy.fixed-delay.delay", "1 ms");
    for (key, value) in more {
        configuration.set(key, value);
    }
    let env = StreamEnv::new(configuration);
    env.parallelism(2);
    env.from_source(
        tap.clone(),
        WatermarkStrategy::for_monotonous_timestamps(),
        "numbers",
    )
    .parallelism(1)
    .map(|n: u64| n + 1)
    .parallelism(1)
    .rebalance()
    .sink_to(Kept::default());
    start(&env.program().unwrap(), env.configuration()).unwrap()
}

fn checkpointed(folder: &Folder) -> [(&'static str, &str); 2] {
    [
        ("execution.checkpointing.interval", "20 ms"),
        ("execution.checkpointing.dir", folder.text()),
    ]
}

/// Status and body.
fn ask(address: SocketAddr, request: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let length = body.len();
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\
         {headers}\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

fn json(address: SocketAddr, request: &str, body: &str) -> (u16, Value) {
    let (status, text) = ask(address, request, "", body);
    let value = serde_json::from_str(&text);
    (
        status,
        value.unwrap_or_else(|_| panic!("{request}: {text}")),
    )
}

fn get(address: SocketAddr, path: &str) -> Value {
    let (status, value) = json(address, &format!("GET {path}"), "");
    assert_eq!(status, 200, "{path}: {value}");
    value
}

fn recorded(name: &str) -> Value {
    let path = format!(
        "{}/../cluster/tests/flink-rest/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Objects whose keys are data.
const MAPS: [&str; 4] = ["status-duration", "jobs.", "tasks.", "user-config"];

/// What has no meaning here, and is empty: there is no JVM.
const EMPTY: [&str; 2] = ["jvm.options", "classpath"];

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "fraction",
        Value::Number(_) => "whole number",
        // As Flink says quantiles of which it knows nothing.
        Value::String(text) if text == "NaN" => "fraction",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// What differs in fields and types.
fn differences(path: &str, flink: &Value, own: &Value) -> Vec<String> {
    match (flink, own) {
        (Value::Object(flink), Value::Object(own)) => {
            let is_map = |path: &str| MAPS.iter().any(|map| format!("{path}.").contains(map));
            if is_map(path.rsplit('.').next().unwrap_or(path)) && !flink.contains_key("RUNNING") {
                let Some(of_flink) = flink.values().next() else {
                    return Vec::new();
                };
                let each = own.values();
                return each
                    .flat_map(|own| differences(&format!("{path}.*"), of_flink, own))
                    .collect();
            }
            let mut found = Vec::new();
            for (key, of_flink) in flink {
                let path = format!("{path}.{key}");
                match own.get(key) {
                    Some(own) => found.extend(differences(&path, of_flink, own)),
                    None => found.push(format!("{path} is missing")),
                }
            }
            // What we say more is named so that it can't be mistaken for Flink's.
            let more = own.keys().filter(|key| !flink.contains_key(*key));
            let more = more.filter(|key| !key.starts_with("rheos."));
            found.extend(more.map(|key| format!("{path}.{key} is not Flink's")));
            found
        }
        (Value::Array(flink), Value::Array(own)) => {
            if flink.is_empty() {
                return Vec::new();
            }
            if own.is_empty() && EMPTY.iter().any(|end| path.ends_with(end)) {
                return Vec::new();
            }
            if own.is_empty() {
                return vec![format!("{path} has nothing in it to compare")];
            }
            let each = own.iter().enumerate();
            let worst = each.flat_map(|(index, own)| {
                let path = format!("{path}[{index}]");
                let tries = flink.iter().map(|flink| differences(&path, flink, own));
                tries.min_by_key(Vec::len).unwrap_or_default()
            });
            worst.collect()
        }
        (flink, own) if kind(flink) == kind(own) => Vec::new(),
        (flink, own) => vec![format!(
            "{path} is a {} ({own}), and Flink's is a {}",
            kind(own),
            kind(flink)
        )],
    }
}

fn compare(address: SocketAddr, name: &str, path: &str) {
    let own = get(address, path);
    let found = differences(name, &recorded(name), &own);
    assert!(found.is_empty(), "{path}:\n{}", found.join("\n"));
}

/// The ids of the first job and of its vertices, upstream first.
fn ids(address: SocketAddr) -> (String, Vec<String>) {
    let overview = get(address, "/jobs/overview");
    let id = overview["jobs"][0]["jid"].as_str().unwrap().to_owned();
    let job = get(address, &format!("/jobs/{id}"));
    let vertices = job["vertices"].as_array().unwrap();
    let vertices = vertices
        .iter()
        .map(|v| v["id"].as_str().unwrap().to_owned());
    (id, vertices.collect())
}

#[test]
fn answers_have_flink_s_fields_and_types() {
    let (tap, folder) = (Tap::up_to(1000), Folder::of("rest"));
    let running = job(&tap, &checkpointed(&folder));
    let address = running.rest_address().unwrap();
    assert!(address.ip().is_loopback());
    let (id, vertices) = ids(address);
    let vertex = &vertices[1];
    wait_until("checkpoints", || {
        let counts = running.handle.metrics().checkpoints.counts();
        counts.is_some_and(|counts| counts.completed > 2)
    });
    wait_until("tasks run", || {
        let job = get(address, &format!("/jobs/{id}"));
        job["status-counts"]["RUNNING"] == json!(2)
    });
    let job = format!("/jobs/{id}");
    let of = format!("{job}/vertices/{vertex}");
    for (name, path) in [
        ("overview", "/overview"),
        ("config", "/config"),
        ("datasets", "/datasets"),
        ("applications_overview", "/applications/overview"),
        ("jobmanager_config", "/jobmanager/config"),
        ("jobmanager_environment", "/jobmanager/environment"),
        ("jobmanager_metrics", "/jobmanager/metrics"),
        ("taskmanagers", "/taskmanagers"),
        ("taskmanagers_id", "/taskmanagers/embedded"),
        ("taskmanagers_id_metrics", "/taskmanagers/embedded/metrics"),
        ("jobs", "/jobs"),
        ("jobs_overview", "/v1/jobs/overview"),
        ("jobs_id", &job),
        ("jobs_id_status", &format!("{job}/status")),
        ("jobs_id_plan", &format!("{job}/plan")),
        ("jobs_id_config", &format!("{job}/config")),
        ("jobs_id_accumulators", &format!("{job}/accumulators")),
        ("jobs_id_metrics", &format!("{job}/metrics")),
        ("vertex", &of),
        ("vertex_accumulators", &format!("{of}/accumulators")),
        ("vertex_backpressure", &format!("{of}/backpressure")),
        ("vertex_metrics", &format!("{of}/metrics")),
        (
            "vertex_metrics_get",
            &format!("{of}/metrics?get=0.busyTimeMsPerSecond,0.numRecordsIn"),
        ),
        (
            "vertex_subtasks_accumulators",
            &format!("{of}/subtasks/accumulators"),
        ),
        (
            "vertex_subtasks_metrics",
            &format!("{of}/subtasks/metrics?get=numRecordsIn"),
        ),
        ("vertex_subtasktimes", &format!("{of}/subtasktimes")),
        ("vertex_taskmanagers", &format!("{of}/taskmanagers")),
        ("vertex_watermarks", &format!("{of}/watermarks")),
    ] {
        compare(address, name, path);
    }
    let checkpoints = format!("{job}/checkpoints");
    // Of one that is under way there is less to tell.
    let mut seen = Value::Null;
    wait_until("a moment between checkpoints", || {
        seen = get(address, &checkpoints);
        seen["counts"]["in_progress"] == 0
    });
    let found = differences("checkpoints", &recorded("jobs_id_checkpoints"), &seen);
    assert!(found.is_empty(), "{}", found.join("\n"));
    compare(
        address,
        "jobs_id_checkpoints_config",
        &format!("{checkpoints}/config"),
    );
    compare(address, "jobs_id_exceptions", &format!("{job}/exceptions"));
    let newest = &seen["latest"]["completed"]["id"];
    let one = format!("{checkpoints}/details/{newest}");
    compare(address, "jobs_id_checkpoints_details_1", &one);
    compare(
        address,
        "jobs_id_checkpoints_details_1_subtasks_vid",
        &format!("{one}/subtasks/{vertex}"),
    );
    // What is told is so.
    let told = get(address, &one);
    let slowest = &told["rheos.slowest_subtask"];
    let of_slowest = &told["tasks"][slowest["vertex"].as_str().unwrap()];
    assert_eq!(
        of_slowest["end_to_end_duration"],
        slowest["end_to_end_duration"]
    );
    let place = told["external_path"].as_str().unwrap();
    assert!(place.starts_with(folder.text()), "{place}");
    let tasks = told["tasks"].as_object().unwrap();
    let sizes = tasks
        .values()
        .map(|task| task["state_size"].as_u64().unwrap());
    assert_eq!(told["state_size"], json!(sizes.sum::<u64>()));
    let config = get(address, &format!("{checkpoints}/config"));
    assert_eq!(
        (&config["interval"], &config["mode"]),
        (&json!(20), &json!("exactly_once"))
    );
    for (path, status) in [
        (format!("{checkpoints}/details/0"), 404),
        (format!("{checkpoints}/details/x"), 400),
        (format!("{job}/exceptions?maxExceptions=x"), 400),
    ] {
        let (said, value) = json(address, &format!("GET {path}"), "");
        assert_eq!(said, status, "{path}: {value}");
    }
    wait_until("the watermark", || {
        get(address, &format!("{of}/watermarks"))[1]["value"] == "998"
    });
    let seen = get(
        address,
        &format!("{of}/subtasks/metrics?get=numRecordsIn&agg=sum"),
    );
    assert_eq!(seen, json!([{ "id": "numRecordsIn", "sum": 1000.0 }]));
    let watermarks = get(address, &format!("{of}/watermarks"));
    assert_eq!(watermarks[0]["value"], "998");
    let subtask = get(address, &format!("{of}/subtasks/1"));
    assert_eq!(subtask["subtask"], 1);
    let attempt = get(address, &format!("{of}/subtasks/1/attempts/0"));
    assert_eq!(attempt["attempt"], 0);
    let threads = get(address, "/jobmanager/thread-dump");
    let threads = threads["threadInfos"].as_array().unwrap();
    assert!(
        threads
            .iter()
            .any(|thread| thread["threadName"] == "rheos-master")
    );

    let (status, _) = json(address, &format!("PATCH {job}?mode=cancel"), "");
    assert_eq!(status, 202);
    assert!(running.wait().is_err());
    compare(address, "jobs_id_after_cancel", &job);
    compare(address, "jobs_overview_after_cancel", "/jobs/overview");
    let after = get(address, &job);
    assert_eq!(after["state"], "CANCELED");
    assert_eq!(after["end-time"], after["timestamps"]["CANCELED"]);
    assert_eq!(after["vertices"][0]["status"], "CANCELED");
    let result = get(address, &format!("{job}/execution-result"));
    assert_eq!(
        result["job-execution-result"]["application-status"],
        "CANCELED"
    );
}

/// Files of checkpoints below a folder.
fn files_of_checkpoints(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => files_of_checkpoints(&path),
                false => usize::from(!path.parent().unwrap().ends_with("log")),
            }
        })
        .sum()
}

#[test]
fn checkpoints_of_a_cancelled_job_stay_or_go() {
    for (retention, stay, told) in [
        (
            None,
            true,
            json!({ "enabled": true, "delete_on_cancellation": false }),
        ),
        (
            Some("DELETE_ON_CANCELLATION"),
            false,
            json!({ "enabled": true, "delete_on_cancellation": true }),
        ),
        (
            Some("NO_EXTERNALIZED_CHECKPOINTS"),
            false,
            json!({ "enabled": false, "delete_on_cancellation": true }),
        ),
    ] {
        let (tap, folder) = (Tap::up_to(1000), Folder::of("rest-retention"));
        let mut more = checkpointed(&folder).to_vec();
        more.extend(retention.map(|retention| {
            let key = "execution.checkpointing.externalized-checkpoint-retention";
            (key, retention)
        }));
        let running = job(&tap, &more);
        let address = running.rest_address().unwrap();
        let (id, _) = ids(address);
        let config = get(address, &format!("/jobs/{id}/checkpoints/config"));
        assert_eq!(config["externalization"], told);
        wait_until("checkpoints", || {
            let counts = running.handle.metrics().checkpoints.counts();
            counts.is_some_and(|counts| counts.completed > 1)
        });
        running.handle.control().cancel();
        assert!(running.wait().is_err());
        let files = files_of_checkpoints(folder.text().as_ref());
        assert_eq!(files > 0, stay, "{retention:?}: {files}");
    }
}

/// A job fails twice and starts again: why is told, and what it went on from; its checkpoints are counted
/// over all attempts.
#[test]
fn failures_and_what_the_job_went_on_from_are_told() {
    let (tap, folder) = (Tap::up_to(1000), Folder::of("rest-failures"));
    let mut configuration = Configuration::new();
    configuration.set("rest.port", "0");
    configuration.set("restart-strategy.type", "fixed-delay");
    configuration.set("restart-strategy.fixed-delay.attempts", "10");
    configuration.set("restart-strategy.fixed-delay.delay", "1 ms");
    for (key, value) in checkpointed(&folder) {
        configuration.set(key, value);
    }
    let env = StreamEnv::new(configuration);
    env.parallelism(1);
    env.from_source(
        tap.clone(),
        WatermarkStrategy::for_monotonous_timestamps(),
        "numbers",
    )
    .try_map({
        let failures = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
        move |n: u64| {
            use std::sync::atomic::Ordering::Relaxed;
            if n >= 1000 && failures.fetch_add(1, Relaxed) < 2 {
                return Err(BoxError::from(format!("{n} is too much")));
            }
            Ok(n)
        }
    })
    .name("judging")
    .sink_to(Kept::default());
    let running = start(&env.program().unwrap(), env.configuration()).unwrap();
    let address = running.rest_address().unwrap();
    let (id, _) = ids(address);
    let job = format!("/jobs/{id}");
    let completed = || {
        let seen = get(address, &format!("{job}/checkpoints"));
        seen["counts"]["completed"].as_u64().unwrap()
    };
    wait_until("a checkpoint", || completed() > 0);
    tap.open_to(1001);
    wait_until("two failures", || {
        let view = running.handle.view();
        view.failures.total() == 2 && view.restarts == 2
    });
    let told = get(address, &format!("{job}/exceptions"));
    let entries = told["exceptionHistory"]["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    for entry in entries {
        let text = entry["stacktrace"].as_str().unwrap();
        assert!(text.contains("1000 is too much"), "{entry}");
        let task = entry["taskName"].as_str().unwrap();
        assert!(
            task.contains("judging") && task.ends_with("(1/1)"),
            "{entry}"
        );
        assert_eq!(entry["exceptionName"], "rheos.TaskError");
        assert!(entry["concurrentExceptions"].is_array());
    }
    let one = get(address, &format!("{job}/exceptions?maxExceptions=1"));
    assert_eq!(one["exceptionHistory"]["truncated"], true);
    assert_eq!(
        one["exceptionHistory"]["entries"].as_array().unwrap().len(),
        1
    );
    let before = completed();
    wait_until("another checkpoint", || completed() > before);
    let seen = get(address, &format!("{job}/checkpoints"));
    assert_eq!(seen["counts"]["restored"], 2, "{seen}");
    let restored = &seen["latest"]["restored"];
    assert_eq!(restored["is_savepoint"], false);
    let place = restored["external_path"].as_str().unwrap();
    assert!(
        place.ends_with(&format!("chk-{}", restored["id"])),
        "{place}"
    );
    running.handle.control().cancel();
}

/// What Flink says of a rescale, from the types of its own pages.
const RESCALE: [(&str, &str); 11] = [
    ("rescaleUuid", "text"),
    ("resourceRequirementsUuid", "text"),
    ("rescaleAttemptId", "whole number"),
    ("vertices", "object"),
    ("slots", "object"),
    ("schedulerStates", "list"),
    ("startTimestampInMillis", "whole number"),
    ("endTimestampInMillis", "whole number"),
    ("terminalState", "text"),
    ("triggerCause", "text"),
    ("terminatedReason", "text"),
];

#[test]
fn a_running_job_is_rescaled_and_what_came_of_it_is_told() {
    let folder = Folder::of("rescaled");
    let running = job(&Tap::up_to(0), &checkpointed(&folder));
    let address = running.rest_address().unwrap();
    let (id, vertices) = ids(address);
    let job = format!("/jobs/{id}");
    let path = format!("{job}/resource-requirements");
    let mut wanted = get(address, &path);
    assert_eq!(
        wanted.as_object().unwrap().len(),
        vertices.len(),
        "{wanted}"
    );
    let first = wanted[&vertices[0]]["parallelism"]["upperBound"].clone();
    assert!(first.as_u64().unwrap() > 0, "{wanted}");
    let body = wanted.to_string().replace("lowerBound", "least");
    let (status, answer) = json(address, &format!("PUT {path}"), &body);
    assert_eq!(status, 400, "{answer}");
    let said = answer["errors"][0].as_str().unwrap();
    assert!(said.contains("lowerBound is missing"), "{said}");
    let mut more = wanted.clone();
    more["0".repeat(32)] = wanted[&vertices[0]].clone();
    let (status, answer) = json(address, &format!("PUT {path}"), &more.to_string());
    assert_eq!(status, 400, "{answer}");
    assert!(answer["errors"][0].as_str().unwrap().contains("no vertex"));

    for (_, bounds) in wanted.as_object_mut().unwrap() {
        bounds["parallelism"]["lowerBound"] = 1.into();
        bounds["parallelism"]["upperBound"] = 3.into();
    }
    let (status, answer) = json(address, &format!("PUT {path}"), &wanted.to_string());
    assert_eq!(status, 200, "{answer}");
    let uuid = answer["rheos.rescaleUuid"].as_str().unwrap();
    let details = || get(address, &format!("{job}/rescales/details/{uuid}"));
    wait_until("its end", || details()["terminalState"].is_string());
    let told = details();
    assert_eq!(told["terminalState"], "COMPLETED", "{told}");
    for (field, expected) in RESCALE {
        assert_eq!(kind(&told[field]), expected, "{field}: {told}");
    }
    let vertex = &told["vertices"][&vertices[0]];
    assert_eq!(vertex["preRescaleParallelism"], first);
    assert_eq!(vertex["postRescaleParallelism"], 3);
    assert_eq!(vertex["desiredParallelism"], 3);
    assert_eq!(vertex["sufficientParallelism"], 1);
    assert_eq!(get(address, &path), wanted);
    let config = get(address, &format!("{job}/rescales/config"));
    assert_eq!(
        config["executingCooldownTimeoutInMillis"], 30_000,
        "{config}"
    );
    assert_eq!(config["schedulerExecutionMode"], Value::Null);
    // What was taken before is told of the subtasks that there were then.
    let checkpoint = told["rheos.checkpoint"].as_u64().unwrap();
    let path_of = format!("{job}/checkpoints/details/{checkpoint}");
    let taken = get(address, &path_of);
    assert_eq!(
        taken["tasks"][&vertices[0]]["num_subtasks"], first,
        "{taken}"
    );
    assert_eq!(taken["tasks"][&vertices[0]]["status"], "COMPLETED");
    let counted = get(
        address,
        &format!("{job}/metrics?get=numRescales,numRestarts"),
    );
    let value = |id: &str| {
        let mut counted = counted.as_array().unwrap().iter();
        counted.find(|metric| metric["id"] == id).unwrap()["value"].clone()
    };
    assert_eq!(
        (value("numRescales"), value("numRestarts")),
        ("1".into(), "0".into())
    );
    let overview = get(address, &format!("{job}/rescales/overview"));
    assert_eq!(overview["rescalesCounts"]["completed"], 1, "{overview}");
    assert_eq!(overview["latest"]["completed"], told);
    assert_eq!(get(address, &format!("{job}/rescales/history"))[0], told);
    let seen = get(address, &job);
    assert_eq!(seen["state"], "RUNNING");
    assert_eq!(seen["vertices"][0]["parallelism"], 3);
    let subtask = get(
        address,
        &format!("{job}/vertices/{}/subtasks/2", vertices[0]),
    );
    assert_eq!(
        (&subtask["subtask"], &subtask["attempt"]),
        (&2.into(), &1.into())
    );

    let request = format!("PATCH {job}/rescaling?parallelism=2");
    let (status, answer) = json(address, &request, "");
    assert_eq!(status, 200, "{answer}");
    let trigger = answer["request-id"].as_str().unwrap();
    let path = format!("{job}/rescaling/{trigger}");
    wait_until("its end", || {
        get(address, &path)["status"]["id"] == "COMPLETED"
    });
    assert_eq!(get(address, &path)["operation"], serde_json::json!({}));
    assert_eq!(get(address, &job)["vertices"][0]["parallelism"], 2);
    running.handle.control().cancel();
}

#[test]
fn what_is_wrong_with_a_request_is_said_as_flink_says_it() {
    let running = job(&Tap::up_to(0), &[]);
    let address = running.rest_address().unwrap();
    let (id, vertices) = ids(address);
    let of = format!("/jobs/{id}/vertices/{}", vertices[0]);
    let other = "0".repeat(32);
    for (request, body, expected, said) in [
        ("GET /nothing".to_owned(), "", 404, "Not found: /nothing"),
        ("GET /jobs/xyz".to_owned(), "", 400, "32 hexadecimal digits"),
        (format!("GET /jobs/{other}"), "", 404, "not found"),
        (format!("GET /jobs/{id}/vertices/{other}"), "", 400, "no id"),
        (format!("POST /jobs/{id}/status"), "", 405, "takes GET"),
        (format!("PATCH /jobs/{id}?mode=pause"), "", 400, "'pause'"),
        (
            format!("PATCH /jobs/{id}?mode=cancel"),
            "{",
            400,
            "not JSON",
        ),
        (format!("GET {of}/subtasks/9"), "", 404, "the vertex has"),
        (
            format!("GET {of}/subtasks/metrics?get=x&agg=most"),
            "",
            400,
            "'most'",
        ),
        (
            "GET /taskmanagers/other".to_owned(),
            "",
            404,
            "there is embedded",
        ),
        (
            format!("PATCH /jobs/{id}/rescaling?parallelism=3"),
            "",
            400,
            "takes no checkpoints",
        ),
        (
            format!("PATCH /jobs/{id}/rescaling?parallelism=many"),
            "",
            400,
            "'many'",
        ),
        (
            format!("PUT /jobs/{id}/resource-requirements"),
            "{}",
            400,
            "is missing",
        ),
        (
            format!("GET /jobs/{id}/rescales/details/{other}"),
            "",
            404,
            "knows no rescale",
        ),
        (
            "GET /jobmanager/log".to_owned(),
            "",
            404,
            "keeps its log itself",
        ),
    ] {
        let (status, value) = json(address, &request, body);
        assert_eq!(status, expected, "{request}: {value}");
        let error = value["errors"][0].as_str().unwrap();
        assert!(error.contains(said), "{request}: {error}");
    }
    let (status, _) = ask(
        address,
        "GET /overview",
        "Origin: http://elsewhere.example\r\n",
        "",
    );
    assert_eq!(status, 403);
    running.handle.control().cancel();
}

#[test]
fn a_token_is_asked_for_and_not_shown() {
    let secret = [
        ("rheos.rest.token", "open sesame"),
        ("some.password", "x1y2"),
    ];
    let running = job(&Tap::up_to(0), &secret);
    let address = running.rest_address().unwrap();
    let (status, body) = ask(address, "GET /overview", "", "");
    assert_eq!(status, 401);
    assert!(body.contains("rheos.rest.token"), "{body}");
    let known = "Authorization: Bearer open sesame\r\n";
    assert_eq!(ask(address, "GET /overview", known, "").0, 200);
    let (_, body) = ask(address, "GET /jobmanager/config", known, "");
    assert!(
        body.contains("some.password") && !body.contains("x1y2"),
        "{body}"
    );
    assert!(!body.contains("sesame"), "{body}");
    running.handle.control().cancel();
}

#[test]
fn it_does_not_listen_where_others_reach_it_unless_told_so() {
    let mut configuration = Configuration::new();
    configuration.set("rest.port", "0");
    configuration.set("rest.bind-address", "0.0.0.0");
    let env = StreamEnv::new(configuration);
    env.from_source(
        Tap::default(),
        WatermarkStrategy::no_watermarks(),
        "numbers",
    )
    .sink_to(Kept::default());
    let error = start(&env.program().unwrap(), env.configuration())
        .err()
        .unwrap();
    assert!(error.to_string().contains("rheos.rest.token"), "{error}");
}

#[test]
fn the_document_is_served() {
    let running = job(&Tap::up_to(0), &[]);
    let document = get(running.rest_address().unwrap(), "/openapi.json");
    assert_eq!(document, rheos::cluster::rest::openapi());
    running.handle.control().cancel();
}
