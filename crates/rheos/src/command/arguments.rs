//! The command line that every job has.

use std::path::PathBuf;

use clap::{ArgMatches, Args, FromArgMatches, ValueEnum};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Flags of every job.
#[derive(Debug, Clone, Args)]
pub(super) struct Common {
    /// Subtasks of the operators that say nothing else.
    #[arg(
        long,
        short = 'p',
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Rheos"
    )]
    pub parallelism: Option<u32>,
    /// Configuration: a `flink-conf.yaml`, a `config.yaml`, or a folder that holds one.
    #[arg(long, value_name = "FILE", help_heading = "Rheos")]
    pub conf: Option<PathBuf>,
    /// One key of the configuration; goes before the file.
    #[arg(short = 'D', value_name = "KEY=VALUE", help_heading = "Rheos")]
    pub define: Vec<String>,
    /// The job's name, instead of the one it gives itself.
    #[arg(long, value_name = "NAME", help_heading = "Rheos")]
    pub job_name: Option<String>,
    /// Takes checkpoints into this folder, one below it for each job; every 10 s unless the
    /// configuration says otherwise.
    #[arg(long, value_name = "DIR", help_heading = "Rheos")]
    pub checkpoints: Option<PathBuf>,
    /// What to go on from: latest, none, the number of a checkpoint, a time (2026-11-23T07:30:00Z: the
    /// newest by then), or a checkpoint's folder.
    #[arg(
        long,
        value_name = "WHAT",
        requires = "checkpoints",
        help_heading = "Rheos"
    )]
    pub resume: Option<String>,
    /// Goes on from a savepoint, or a checkpoint's folder: a path or s3://BUCKET/PREFIX.
    #[arg(
        long,
        value_name = "PATH",
        conflicts_with = "resume",
        help_heading = "Rheos"
    )]
    pub from_savepoint: Option<String>,
    /// Drops state that the job no longer has, instead of refusing it.
    #[arg(long, help_heading = "Rheos")]
    pub allow_non_restored_state: bool,
    /// Answers over HTTP while it runs, as Flink's REST does: on 127.0.0.1:8081, or as `rest.port` and
    /// its like say.
    #[arg(long, help_heading = "Rheos")]
    pub rest: bool,
    /// How log lines look.
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value = "text",
        help_heading = "Rheos"
    )]
    pub log_format: LogFormat,
    /// Logs more: -v what happens inside, -vv everything. `RUST_LOG` goes before it.
    #[arg(short = 'v', action = clap::ArgAction::Count, help_heading = "Rheos")]
    pub verbose: u8,
}

/// What to do.
#[derive(Debug, Clone, Copy)]
pub(super) enum Command {
    Run,
    JobManager,
    TaskManager,
    Plan { json: bool, states: bool },
}

fn with_flags<A: Args>(command: clap::Command) -> clap::Command {
    A::augment_args(Common::augment_args(command))
}

/// Reads the process's command line.
pub(super) fn parse<A: Args>() -> Result<(Command, Common, A), clap::Error> {
    let json = clap::Arg::new("json")
        .long("json")
        .action(clap::ArgAction::SetTrue)
        .help("The JobGraph as JSON");
    let states = clap::Arg::new("states")
        .long("states")
        .action(clap::ArgAction::SetTrue)
        .help("The states that operators declare, for which these are opened; as JSON with --json");
    let run = with_flags::<A>(clap::Command::new("run"))
        .about("Runs the job in this process (the default)");
    let jobmanager = with_flags::<A>(clap::Command::new("jobmanager")).about(
        "Runs the job on TaskManagers, which find this process at jobmanager.rpc.address and \
         jobmanager.rpc.port",
    );
    let taskmanager = with_flags::<A>(clap::Command::new("taskmanager")).about(
        "Runs tasks of the job for its JobManager; with the same flags and configuration as that",
    );
    let plan = with_flags::<A>(clap::Command::new("plan").arg(json).arg(states))
        .about("Shows what would run");
    let name = std::env::args()
        .next()
        .and_then(|path| path.rsplit('/').next().map(str::to_owned))
        .unwrap_or_else(|| "job".to_owned());
    let command = with_flags::<A>(clap::Command::new("job"))
        .bin_name(name)
        .about("A Rheos job")
        .args_conflicts_with_subcommands(true)
        .subcommand(run)
        .subcommand(jobmanager)
        .subcommand(taskmanager)
        .subcommand(plan);
    let matches = command.try_get_matches()?;
    let (command, matches): (Command, &ArgMatches) = match matches.subcommand() {
        Some(("plan", matches)) => (
            Command::Plan {
                json: matches.get_flag("json"),
                states: matches.get_flag("states"),
            },
            matches,
        ),
        Some(("jobmanager", matches)) => (Command::JobManager, matches),
        Some(("taskmanager", matches)) => (Command::TaskManager, matches),
        Some((_, matches)) => (Command::Run, matches),
        None => (Command::Run, &matches),
    };
    Ok((
        command,
        Common::from_arg_matches(matches)?,
        A::from_arg_matches(matches)?,
    ))
}
