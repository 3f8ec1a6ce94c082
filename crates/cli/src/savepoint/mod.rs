//! `rheos savepoint`: takes one of a job that runs; looks into savepoints and checkpoints, and says what
//! a changed job would make of one, before anything is stopped, without writing anything.

mod diff;
mod inspect;
mod json;
mod read;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use rheos::cluster::checkpoint::Location;
use rheos::cluster::checkpoint::manifest::Checkpoint;
use rheos::cluster::checkpoint::s3::S3Settings;
use rheos::runtime::BoxError;

use crate::job::{Place, take_savepoint};

/// Looks into savepoints.
#[derive(clap::Args)]
pub(crate) struct Command {
    #[command(subcommand)]
    what: What,
    /// A configuration, for `s3.endpoint` and its like, and for where REST is.
    #[arg(long, value_name = "FILE", global = true)]
    conf: Option<PathBuf>,
    /// One key of it.
    #[arg(short = 'D', value_name = "KEY=VALUE", global = true)]
    define: Vec<String>,
}

#[derive(Subcommand)]
enum What {
    /// Takes a savepoint of a job that runs, and prints where it is.
    Take {
        /// The job, if there are several.
        job: Option<String>,
        /// Where its folder goes; execution.checkpointing.savepoint-dir without it.
        #[arg(long, value_name = "DIR")]
        directory: Option<String>,
        /// The address of the job's REST; that of the configuration, or 127.0.0.1:8081, without it.
        #[arg(long, value_name = "HOST:PORT")]
        rest: Option<String>,
    },
    /// Lists operators and states, with keys, entries, bytes and schemas.
    Inspect {
        /// The folder of a savepoint or checkpoint: a path or s3://BUCKET/PREFIX.
        path: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prints what is in a state: a line of JSON an entry.
    Read {
        /// The folder of a savepoint: a path or s3://BUCKET/PREFIX.
        path: String,
        /// The operator's uid.
        #[arg(long)]
        uid: String,
        /// The state's name; that of a timer service prints timers.
        #[arg(long)]
        state: String,
        /// No more entries than this.
        #[arg(long)]
        limit: Option<u64>,
    },
    /// Says what a job would keep, migrate, drop and start empty. Fails if it would be refused.
    Diff {
        /// The folder of a savepoint or checkpoint: a path or s3://BUCKET/PREFIX.
        path: String,
        /// The job's program; it is asked for its plan, for which operators with state are opened.
        job: PathBuf,
        /// What it is started with.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
        /// As JSON. Before the path.
        #[arg(long)]
        json: bool,
        /// That what the job no longer has may go. Before the path.
        #[arg(long)]
        allow_non_restored_state: bool,
    },
}

impl Command {
    pub(crate) fn run(self) -> ExitCode {
        match self.answer() {
            Ok(code) => code,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn open(&self, path: &str) -> Result<Checkpoint, BoxError> {
        let conf = rheos::configuration::read(self.conf.as_deref(), &self.define)?;
        let storage = Location::parse(path)?.open(&S3Settings::of(&conf)?)?;
        Ok(Checkpoint::open(storage, "", None)?)
    }

    fn answer(&self) -> Result<ExitCode, BoxError> {
        match &self.what {
            What::Take {
                job,
                directory,
                rest,
            } => {
                let place = Place::new(rest.clone(), self.conf.clone(), self.define.clone());
                take_savepoint(&place, job.as_deref(), directory.as_deref())?;
                Ok(ExitCode::SUCCESS)
            }
            What::Inspect { path, json } => {
                let found = inspect::inspect(&self.open(path)?)?;
                match json {
                    true => println!("{}", serde_json::to_string_pretty(&found.json())?),
                    false => print!("{}", found.text()),
                }
                Ok(ExitCode::SUCCESS)
            }
            What::Read {
                path,
                uid,
                state,
                limit,
            } => {
                let checkpoint = self.open(path)?;
                let out = std::io::stdout().lock();
                read::read(&checkpoint, (uid, state), *limit, out)?;
                Ok(ExitCode::SUCCESS)
            }
            What::Diff {
                path,
                job,
                arguments,
                json,
                allow_non_restored_state,
            } => {
                let checkpoint = self.open(path)?;
                let plan = diff::plan_of(job, arguments)?;
                let diff = diff::diff(&checkpoint, &plan)?;
                match json {
                    true => println!("{}", serde_json::to_string_pretty(&diff.json())?),
                    false => print!("{}", diff.text(*allow_non_restored_state)),
                }
                Ok(match diff.is_refused(*allow_non_restored_state) {
                    true => ExitCode::FAILURE,
                    false => ExitCode::SUCCESS,
                })
            }
        }
    }
}
