//! Benchmarks, comparable side by side with the peer of the same name: one JSON line each.
//!
//! `rheos-bench pipe|count|shuffle|gen|keys|pause [--events N] [--parallelism P] [--rate R]
//! … [--processes N]`; the work is the very stream of `PipelineJob.java`. With the feature `kafka`,
//! `rheos-bench kafka|copy --kafka HOST:PORT` reads the topic that the peer's `KafkaFill` makes, into
//! windows or into another topic.

#[cfg(feature = "kafka")]
mod copy;
mod jobs;
#[cfg(feature = "kafka")]
mod kafka;
mod keys;
mod measure;
mod pause;
mod processes;
mod report;
#[cfg(feature = "sinks")]
mod sink;
mod source;
mod stream;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, ValueEnum};
use rheos::cluster::checkpoint::Resume;
use rheos::execute::{StartOptions, start_with};
use rheos::prelude::*;
use rheos::runtime::metrics::registry::MetricRegistry;
#[cfg(feature = "kafka")]
use rheos_connectors::kafka::KafkaReader;

use crate::jobs::Spec;
use crate::source::{EventSource, Triggers};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Job {
    /// Filter, map, sessions by user, windows by category.
    Pipe,
    /// Five-minute counts by user.
    Count,
    /// Filter, map and one exchange by user.
    Shuffle,
    /// Filter and map in one chain.
    Gen,
    /// A value of a hundred bytes a key, of as many as `--keys` says.
    Keys,
    /// How long checkpoints make a task stand still, at much state.
    Pause,
    /// Five-minute counts and sums by user of a topic that the peer has filled.
    #[cfg(feature = "kafka")]
    Kafka,
    /// The same topic into another.
    #[cfg(feature = "kafka")]
    Copy,
    /// Rows into a server, by a sink and by hand.
    #[cfg(feature = "sinks")]
    Sink,
}

/// Runs one benchmark and prints one JSON line.
#[derive(Debug, Parser)]
struct Arguments {
    job: Job,
    /// Of the job `sink`: what is written to.
    #[cfg(feature = "sinks")]
    server: Option<sink::Server>,
    /// Of the job `sink`: its URL, as `scripts/services env` tells it.
    #[cfg(feature = "sinks")]
    #[arg(long)]
    url: Option<String>,
    /// Of the job `sink`: rows a batch.
    #[cfg(feature = "sinks")]
    #[arg(long, default_value_t = 1_000)]
    batch: usize,
    /// Of the job `sink`: how often each way is measured.
    #[cfg(feature = "sinks")]
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Events to make.
    #[arg(long, default_value_t = 20_000_000)]
    events: u64,
    /// Of the job `keys`: by Zipf's law, with exponent 1, instead of all alike.
    #[arg(long)]
    zipf: bool,
    /// From the trigger of a checkpoint to the next, as `10s`; without it none is taken.
    #[arg(long, value_name = "DURATION")]
    checkpoint_interval: Option<String>,
    /// Where checkpoints are kept; in memory without it.
    #[arg(long, value_name = "DIR")]
    checkpoints: Option<String>,
    /// Subtasks of every operator.
    #[arg(long, default_value_t = 2)]
    parallelism: u32,
    /// Of the jobs `keys` and `pause`: how many there are, of some 100 and some 200 bytes of state.
    #[arg(long, default_value_t = 5_000_000)]
    keys: u64,
    /// State backend.
    #[arg(long, default_value = "heap", value_parser = ["heap", "rocksdb"])]
    state: String,
    /// Events a second over all subtasks; 0 as fast as possible. With a rate, latencies are kept.
    #[arg(long, default_value_t = 0)]
    rate: u64,
    /// Event time between two events, in microseconds.
    #[arg(long, default_value_t = 100)]
    step_us: i64,
    /// Gap of a session, in milliseconds.
    #[arg(long, default_value_t = 30_000)]
    gap_ms: i64,
    /// Latencies of the first so many milliseconds are left out.
    #[arg(long, default_value_t = 2_000)]
    warm_up_ms: i64,
    /// Events of a run before the measured one, in the same process, as the peer has it.
    #[arg(long, default_value_t = 0)]
    warm_up: u64,
    /// Of the jobs `kafka` and `copy`: the brokers.
    #[cfg(feature = "kafka")]
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    kafka: String,
    /// Of the jobs `kafka` and `copy`: the topic, which is read to its end.
    #[cfg(feature = "kafka")]
    #[arg(long, default_value = "peer-events")]
    topic: String,
    /// Of the job `copy`: the topic that is written to; exactly once if checkpoints are taken.
    #[cfg(feature = "kafka")]
    #[arg(long, default_value = "rheos-out")]
    to: String,
    /// Of the job `copy`: goes on at the end of the topic, until it is stopped.
    #[cfg(feature = "kafka")]
    #[arg(long)]
    unbounded: bool,
    /// Of the jobs `kafka` and `copy`: the schema registry; without it the peer's schema is built in.
    #[cfg(feature = "kafka")]
    #[arg(long, value_name = "URL")]
    registry: Option<String>,
    /// TaskManager processes that the tasks are spread over; 1 runs all of them in this process.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    processes: u32,
    /// This process is a TaskManager of the JobManager at this port.
    #[arg(long, hide = true)]
    worker: Option<u16>,
    /// Of the jobs `kafka` and `copy`: reads by librdkafka.
    #[cfg(feature = "kafka-librdkafka")]
    #[arg(long)]
    librdkafka: bool,
    /// Only the JSON line; without it the figures are printed for people too.
    #[arg(long)]
    json: bool,
    /// Configuration, as `key=value`.
    #[arg(short = 'D', value_name = "KEY=VALUE")]
    define: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(port) = arguments.worker {
        return match work(&arguments, port) {
            Ok(told) => {
                println!("{told}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("rheos-bench, a TaskManager: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let figures = |(line, for_people): (String, String)| {
        if !arguments.json {
            eprintln!("{for_people}");
        }
        println!("{line}");
        ExitCode::SUCCESS
    };
    #[cfg(feature = "sinks")]
    if arguments.job == Job::Sink {
        return match run_sink(&arguments) {
            Ok(report) => figures((report.line(), report.for_people())),
            Err(error) => {
                eprintln!("rheos-bench: {error}");
                ExitCode::FAILURE
            }
        };
    }
    match run(&arguments) {
        Ok(report) => figures((report.line(), report.for_people())),
        Err(error) => {
            eprintln!("rheos-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(feature = "sinks")]
fn run_sink(arguments: &Arguments) -> Result<sink::Report, BoxError> {
    let server = arguments
        .server
        .ok_or("sink: say what is written to: postgres, postgres-copy, elasticsearch or redis")?;
    let url = arguments.url.clone().ok_or("sink: say --url")?;
    sink::measure(&sink::Spec {
        server,
        url,
        rows: arguments.events,
        batch: arguments.batch.max(1),
        runs: arguments.runs.max(1),
    })
}

fn run(arguments: &Arguments) -> Result<report::Report, BoxError> {
    let alone = match arguments.job {
        Job::Pipe | Job::Count | Job::Shuffle | Job::Gen | Job::Keys => false,
        Job::Pause => true,
        #[cfg(feature = "kafka")]
        Job::Kafka | Job::Copy => true,
        #[cfg(feature = "sinks")]
        Job::Sink => true,
    };
    if arguments.processes > 1 && (alone || arguments.rate > 0 || arguments.warm_up > 0) {
        return Err(
            "--processes: pipe, count, shuffle, gen and keys run in several, without --rate (latencies \
             are by the clock of one process) and --warm-up (each run has processes of its own)"
                .into(),
        );
    }
    if arguments.warm_up > 0 {
        #[cfg(feature = "kafka")]
        if matches!(arguments.job, Job::Kafka | Job::Copy) {
            return Err(
                "--warm-up: a topic is read from its beginning, there is nothing to read before"
                    .into(),
            );
        }
        measure(arguments, arguments.warm_up)?;
    }
    measure(arguments, arguments.events)
}

/// Runs tasks for the process that started this one, and tells what their sinks saw.
fn work(arguments: &Arguments, port: u16) -> Result<String, BoxError> {
    let mut configuration = configuration(arguments)?;
    configuration.set("jobmanager.rpc.port", port.to_string());
    let slots = arguments.parallelism.div_ceil(arguments.processes);
    configuration.set("taskmanager.numberOfTaskSlots", slots.to_string());
    let probe = pause::Probe::new()?;
    let env = StreamEnv::new(configuration.clone());
    let outputs = describe(arguments, arguments.events, &env, &probe)?;
    let program = env.program()?;
    rheos::execute::work(&program, configuration, &MetricRegistry::default())?;
    processes::told(&outputs)
}

fn configuration(arguments: &Arguments) -> Result<Configuration, BoxError> {
    let mut configuration =
        Configuration::from_arguments(arguments.define.iter().map(String::as_str))?;
    if arguments.state == "rocksdb" {
        configuration.set("state.backend.type", "rocksdb");
    }
    if let Some(interval) = &arguments.checkpoint_interval {
        configuration.set("execution.checkpointing.interval", interval);
    }
    if let Some(folder) = &arguments.checkpoints {
        configuration.set("execution.checkpointing.dir", folder);
    }
    Ok(configuration)
}

/// Describes the job to an environment; its sinks.
fn describe(
    arguments: &Arguments,
    events: u64,
    env: &StreamEnv,
    probe: &Arc<pause::Probe>,
) -> Result<jobs::Outputs, BoxError> {
    env.name(format!("bench {:?}", arguments.job))
        .parallelism(arguments.parallelism);
    let latency = arguments.rate > 0;
    let triggers = Arc::new(Triggers::default());
    let spec = Spec {
        source: EventSource {
            events,
            step_us: arguments.step_us,
            rate: arguments.rate,
            triggers: latency.then(|| triggers.clone()),
        },
        gap_ms: arguments.gap_ms,
        latency,
        warm_up_millis: arguments.warm_up_ms,
        triggers,
    };
    Ok(match arguments.job {
        Job::Pipe => jobs::pipe(env, &spec),
        Job::Count => jobs::count(env, &spec),
        Job::Shuffle => jobs::shuffle(env, &spec),
        Job::Gen => jobs::generate(env, &spec),
        Job::Keys => {
            let (keys, zipf) = (arguments.keys.max(1), arguments.zipf);
            keys::keys(env, &spec, keys::Draw { keys, zipf })
        }
        Job::Pause => pause::pause(env, arguments.keys, events, probe),
        #[cfg(feature = "kafka")]
        Job::Kafka => kafka::count(env, &spec, &topic(arguments))?,
        #[cfg(feature = "kafka")]
        Job::Copy => copy::copy(
            env,
            &copy::Copy {
                from: topic(arguments),
                to: arguments.to.clone(),
                unbounded: arguments.unbounded,
                exactly_once: arguments.checkpoint_interval.is_some(),
            },
        )?,
        #[cfg(feature = "sinks")]
        Job::Sink => return Err("sink: it is measured by itself".into()),
    })
}

#[cfg(feature = "kafka")]
fn topic(arguments: &Arguments) -> kafka::Topic {
    kafka::Topic {
        brokers: arguments.kafka.clone(),
        name: arguments.topic.clone(),
        registry: arguments.registry.clone(),
        reader: match () {
            #[cfg(feature = "kafka-librdkafka")]
            () if arguments.librdkafka => KafkaReader::Librdkafka,
            () => KafkaReader::Own,
        },
    }
}

/// Runs the job once.
fn measure(arguments: &Arguments, events: u64) -> Result<report::Report, BoxError> {
    let mut configuration = configuration(arguments)?;
    let probe = pause::Probe::new()?;
    let mut start = StartOptions {
        // A benchmark begins afresh, whatever another left in its folder.
        resume: Resume::Nothing,
        ..StartOptions::default()
    };
    if arguments.job == Job::Pause {
        start.clock = Arc::new(pause::TurnClock {
            clock: start.clock,
            probe: probe.clone(),
        });
    }
    let mut workers = None;
    if arguments.processes > 1 {
        let started = processes::Workers::start(arguments.processes)?;
        configuration.set("jobmanager.rpc.port", started.port.to_string());
        start.jobmanager = true;
        workers = Some(started);
    }
    let env = StreamEnv::new(configuration.clone());
    let outputs = describe(arguments, events, &env, &probe)?;
    let program = env.program()?;
    let cpu_before = report::cpu_micros();
    let job = start_with(&program, configuration, start)?;
    let watch = (arguments.job == Job::Pause).then(|| pause::Watch::start(&probe));
    let done = job.wait()?;
    let pauses = watch.map(|watch| watch.end(&probe));
    let mut cpu_micros = report::cpu_micros() - cpu_before;
    if let Some(workers) = workers {
        cpu_micros += workers.end(&outputs)?;
    }
    let events = match arguments.job {
        #[cfg(feature = "kafka")]
        Job::Kafka => kafka::check(&outputs)?,
        #[cfg(feature = "kafka")]
        Job::Copy => outputs.iter().map(|(_, written)| written.rows()).sum(),
        _ => events,
    };
    Ok(report::Report::new(
        format!("{:?}", arguments.job).to_lowercase(),
        events,
        done.run_micros,
        cpu_micros,
        outputs,
        pauses,
    ))
}
