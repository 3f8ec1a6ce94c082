//! A running job's metrics, as Prometheus reads them: over HTTP, under Flink's names, until it ends.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rheos::core::config::Configuration;
use rheos::execute::{RunningJob, start};
use rheos::prelude::*;

/// Gives numbers until it is told to stop.
struct Numbers(Arc<AtomicBool>);

struct NumbersReader {
    next: u64,
    stop: Arc<AtomicBool>,
}

struct NoSplits;

impl SplitEnumerator<u64> for NoSplits {
    fn request(&mut self, _subtask: u32) -> Result<Assignment<u64>, BoxError> {
        Ok(Assignment::NoMore)
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        Some(Vec::new())
    }
}

impl Source<u64> for Numbers {
    type Split = u64;

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }

    fn enumerator(&self, _parallelism: u32) -> Result<Box<dyn SplitEnumerator<u64>>, BoxError> {
        Ok(Box::new(NoSplits))
    }

    fn reader(&self, _: &ReaderContext) -> Result<Box<dyn SourceReader<u64, u64>>, BoxError> {
        Ok(Box::new(NumbersReader {
            next: 0,
            stop: self.0.clone(),
        }))
    }
}

impl SourceReader<u64, u64> for NumbersReader {
    fn add_splits(&mut self, _splits: Vec<u64>) {}

    fn poll(
        &mut self,
        out: &mut SourceOutput<u64>,
        budget: usize,
    ) -> Result<ReaderStatus, BoxError> {
        if self.stop.load(Ordering::SeqCst) {
            return Ok(ReaderStatus::WantsSplit);
        }
        for _ in 0..budget.min(100) {
            out.emit_at(0, self.next, self.next as i64);
            self.next += 1;
        }
        Ok(ReaderStatus::More)
    }

    fn splits(&self) -> Vec<u64> {
        vec![self.next]
    }
}

/// Where the checkpoints of a test's job are; it goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn of(test: &str) -> Self {
        let name = format!("reporter-{}-{test}", std::process::id());
        Self(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn job(
    port: &str,
    stop: &Arc<AtomicBool>,
    checkpoints: Option<&Folder>,
) -> Result<RunningJob, rheos::ApiError> {
    let mut configuration = Configuration::new();
    configuration.set("metrics.reporter.prom.port", port);
    configuration.set("metrics.latency.interval", "20 ms");
    configuration.set("pipeline.name", "a job");
    if let Some(folder) = checkpoints {
        configuration.set("execution.checkpointing.interval", "20 ms");
        configuration.set("execution.checkpointing.dir", folder.0.to_str().unwrap());
    }
    let env = StreamEnv::new(configuration);
    env.parallelism(2);
    let numbers = env.from_source(
        Numbers(stop.clone()),
        WatermarkStrategy::no_watermarks(),
        "numbers",
    );
    let counted = numbers.map_with(|open| {
        let odd = open.metrics().group("my-group").counter("odd numbers");
        let sizes = open.metrics().histogram("sizes");
        Ok(move |n: u64| {
            if n % 2 == 1 {
                odd.inc();
            }
            sizes.update(n % 100);
            Ok(n)
        })
    });
    counted
        .rebalance()
        .sink_to(nothing::Nothing)
        .name("nothing");
    start(&env.program()?, env.configuration())
}

mod nothing {
    use rheos::prelude::*;

    /// Drops its rows.
    pub struct Nothing;

    impl Sink<u64> for Nothing {
        fn writer(&self, _: &WriterContext) -> Result<Box<dyn SinkWriter<u64>>, BoxError> {
            Ok(Box::new(Self))
        }
    }

    impl SinkWriter<u64> for Nothing {
        fn write(&mut self, _row: u64, _timestamp: i64) -> Result<(), BoxError> {
            Ok(())
        }

        fn flush(&mut self, _end: bool) -> Result<(), BoxError> {
            Ok(())
        }
    }
}

fn ask(address: SocketAddr, request: &str) -> std::io::Result<(String, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    Ok((head.to_owned(), body.to_owned()))
}

/// Scrapes until what is looked for is there.
fn scrape_until(address: SocketAddr, found: impl Fn(&str) -> bool) -> String {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let (head, body) = ask(address, "GET /metrics").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("text/plain; version=0.0.4"), "{head}");
        if found(&body) {
            return body;
        }
        assert!(Instant::now() < until, "not there after a minute:\n{body}");
    }
}

fn series<'a>(body: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!("{name}{{");
    body.lines().filter(|l| l.starts_with(&begin)).collect()
}

/// The value of a series that is there once; below every value if it is not there.
fn number(body: &str, name: &str) -> f64 {
    let value = match series(body, name).as_slice() {
        [line] => line
            .rsplit_once(' ')
            .map(|(_, value)| value.parse().unwrap()),
        _ => None,
    };
    value.unwrap_or(f64::MIN)
}

#[test]
fn a_running_job_is_scraped_under_flink_s_names_until_it_ends() {
    let stop = Arc::new(AtomicBool::new(false));
    let folder = Folder::of("scraped");
    let job = job("0", &stop, Some(&folder)).unwrap();
    let address = job.metrics_address().unwrap();
    // Checkpoints are taken while the job is waited for.
    let waiter = std::thread::spawn(move || job.wait().map(|_| ()).map_err(|e| e.to_string()));
    assert!(address.ip().is_loopback());
    let latency =
        "flink_taskmanager_job_latency_source_id_operator_id_operator_subtask_index_latency";
    let odd = "flink_taskmanager_job_task_operator_my_group_odd_numbers";
    let body = scrape_until(address, |body| {
        let counted = series(body, odd);
        counted.len() == 2
            && counted.iter().all(|line| !line.ends_with(" 0"))
            && !series(body, &format!("{latency}_p99")).is_empty()
            && number(body, "flink_jobmanager_job_numberOfCompletedCheckpoints") >= 2.0
    });
    for (name, count) in [
        ("flink_taskmanager_job_task_numRecordsIn", 4),
        ("flink_taskmanager_job_task_numRecordsOut", 4),
        ("flink_taskmanager_job_task_backPressureRatio", 4),
        ("flink_taskmanager_job_task_operator_numRecordsIn", 6),
        ("flink_taskmanager_job_task_operator_sizes_count", 2),
        ("flink_taskmanager_job_task_operator_sizes", 12),
        ("flink_taskmanager_Status_JVM_Memory_Heap_Used", 1),
        ("flink_taskmanager_Status_JVM_Memory_Heap_Max", 1),
        (
            "flink_taskmanager_Status_JVM_GarbageCollector_G1_Young_Generation_Count",
            1,
        ),
        (
            "flink_taskmanager_Status_JVM_GarbageCollector_G1_Old_Generation_Time",
            1,
        ),
        ("flink_jobmanager_job_uptime", 1),
        ("flink_jobmanager_job_numberOfFailedCheckpoints", 1),
        ("flink_jobmanager_job_numberOfInProgressCheckpoints", 1),
        ("flink_jobmanager_numRunningJobs", 1),
    ] {
        assert_eq!(series(&body, name).len(), count, "{name} in\n{body}");
    }
    let of_checkpoints = |name: &str| number(&body, &format!("flink_jobmanager_job_{name}"));
    assert!(of_checkpoints("lastCheckpointDuration") >= 0.0);
    assert!(of_checkpoints("lastCheckpointSize") > 0.0);
    assert!(of_checkpoints("lastCheckpointCompletedTimestamp") > 1.6e12);
    let ended = ["numberOfCompletedCheckpoints", "numberOfFailedCheckpoints"].map(of_checkpoints);
    let under_way = of_checkpoints("numberOfInProgressCheckpoints");
    let total = of_checkpoints("totalNumberOfCheckpoints");
    assert_eq!(ended.iter().sum::<f64>() + under_way, total);
    for line in series(&body, "flink_taskmanager_job_task_numRecordsIn") {
        assert!(line.contains("job_name=\"a_job\""), "{line}");
        assert!(line.contains("task_attempt_num=\"0\""), "{line}");
    }
    let (head, _) = ask(address, "POST /metrics").unwrap();
    assert!(head.starts_with("HTTP/1.1 405"), "{head}");
    // What is no HTTP ends the connection, and nothing else.
    assert!(ask(address, "\u{1}\u{2}").is_ok());

    stop.store(true, Ordering::SeqCst);
    waiter.join().unwrap().unwrap();
    assert!(ask(address, "GET /metrics").is_err());
}

#[test]
fn a_port_that_is_taken_is_told_and_the_next_of_a_range_is_used() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let stop = Arc::new(AtomicBool::new(false));
    let error = job(&port.to_string(), &stop, None)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("metrics.reporter.prom.port") && error.contains(&port.to_string()),
        "{error}"
    );
    let running = job(&format!("{port},0"), &stop, None).unwrap();
    assert_ne!(running.metrics_address().unwrap().port(), port);
    let body = scrape_until(running.metrics_address().unwrap(), |body| !body.is_empty());
    let of_checkpoints = series(&body, "flink_jobmanager_job_numberOfCompletedCheckpoints");
    assert!(of_checkpoints.is_empty(), "the job takes none: {body}");
    stop.store(true, Ordering::SeqCst);
    running.wait().unwrap();
}
