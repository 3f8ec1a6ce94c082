//! Benchmarks, comparable side by side with the peer of the same name: one JSON line each.
//!
//! `rheos-bench pipe|count|shuffle|gen|keys|pause [--events N] [--parallelism P] [--rate R]
//! …`; the work is the very stream of `PipelineJob.java`. With the feature `kafka`, `rheos-bench kafka --kafka HOST:PORT`
//! reads the topic that the peer's `KafkaFill` makes.

mod jobs;
#[cfg(feature = "kafka")]
mod kafka;
mod keys;
mod measure;
mod pause;
mod report;
mod source;
mod stream;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, ValueEnum};
use rheos::prelude::*;

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
}

/// Runs one benchmark and prints one JSON line.
#[derive(Debug, Parser)]
struct Arguments {
    job: Job,
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
    /// Of the job `kafka`: the brokers.
    #[cfg(feature = "kafka")]
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    kafka: String,
    /// Of the job `kafka`: the topic, which is read to its end.
    #[cfg(feature = "kafka")]
    #[arg(long, default_value = "peer-events")]
    topic: String,
    /// Of the job `kafka`: the schema registry; without it the peer's schema is built in.
    #[cfg(feature = "kafka")]
    #[arg(long, value_name = "URL")]
    registry: Option<String>,
    /// Only the JSON line; without it the figures are printed for people too.
    #[arg(long)]
    json: bool,
    /// Configuration, as `key=value`.
    #[arg(short = 'D', value_name = "KEY=VALUE")]
    define: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(report) => {
            if !arguments.json {
                eprintln!("{}", report.for_people());
            }
            println!("{}", report.line());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("rheos-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<report::Report, BoxError> {
    if arguments.warm_up > 0 {
        #[cfg(feature = "kafka")]
        if arguments.job == Job::Kafka {
            return Err(
                "--warm-up: a topic is read from its beginning, there is nothing to read before"
                    .into(),
            );
        }
        measure(arguments, arguments.warm_up)?;
    }
    measure(arguments, arguments.events)
}

/// Runs the job once.
fn measure(arguments: &Arguments, events: u64) -> Result<report::Report, BoxError> {
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
    let env = StreamEnv::new(configuration.clone());
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
    let probe = pause::Probe::new()?;
    let outputs = match arguments.job {
        Job::Pipe => jobs::pipe(&env, &spec),
        Job::Count => jobs::count(&env, &spec),
        Job::Shuffle => jobs::shuffle(&env, &spec),
        Job::Gen => jobs::generate(&env, &spec),
        Job::Keys => {
            let (keys, zipf) = (arguments.keys.max(1), arguments.zipf);
            keys::keys(&env, &spec, keys::Draw { keys, zipf })
        }
        Job::Pause => pause::pause(&env, arguments.keys, events, &probe),
        #[cfg(feature = "kafka")]
        Job::Kafka => kafka::count(
            &env,
            &spec,
            &kafka::Topic {
                brokers: arguments.kafka.clone(),
                name: arguments.topic.clone(),
                registry: arguments.registry.clone(),
            },
        )?,
    };
    let program = env.program()?;
    let cpu_before = report::cpu_micros();
    let job = rheos::execute::start(&program, configuration)?;
    let watch = (arguments.job == Job::Pause).then(|| pause::Watch::start(&probe));
    let done = job.wait()?;
    let pauses = watch.map(|watch| watch.end(&probe));
    let cpu_micros = report::cpu_micros() - cpu_before;
    let events = match arguments.job {
        #[cfg(feature = "kafka")]
        Job::Kafka => kafka::check(&outputs)?,
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
