//! `rheos jobmanager`, `taskmanager` and `run`: a session, and the jobs that are submitted to it.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use hyper::Method;
use rheos::cluster::session::artifacts::sha256;
use rheos::runtime::BoxError;
use rheos::session;
use serde_json::{Value, json};

use crate::job::client::Client;
use crate::job::{Place, pause, show};

/// How much of a program is sent at once.
const PIECE: u64 = 8 << 20;
/// How often it is asked whether a job has ended.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// What a session does, and what is done with one.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Runs the JobManager of a session, to which jobs are submitted with `rheos run`.
    Jobmanager(session::Arguments),
    /// Runs a TaskManager of a session, whose slots its jobs share.
    Taskmanager(session::Arguments),
    /// Submits a job to a session, and waits for its end.
    Run(Box<Run>),
}

/// A job that is submitted.
#[derive(clap::Args)]
pub(crate) struct Run {
    #[command(flatten)]
    place: Place,
    /// Does not wait for the job's end.
    #[arg(long, short = 'd')]
    detached: bool,
    /// Subtasks of the operators that say nothing else.
    #[arg(long, short = 'p', value_name = "N")]
    parallelism: Option<u32>,
    /// Goes on from a savepoint.
    #[arg(
        long,
        short = 's',
        value_name = "PATH",
        visible_alias = "fromSavepoint"
    )]
    from_savepoint: Option<String>,
    /// Drops state that the job no longer has, instead of refusing it.
    #[arg(long, short = 'n', visible_alias = "allowNonRestoredState")]
    allow_non_restored_state: bool,
    /// The job's program.
    #[arg(value_name = "BINARY")]
    program: PathBuf,
    /// Its flags, such as --checkpoints, and those of its own.
    #[arg(
        value_name = "ARGS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    arguments: Vec<String>,
}

impl Command {
    pub(crate) fn run(self) -> ExitCode {
        let done = match self {
            Self::Jobmanager(arguments) => session::jobmanager(&arguments),
            Self::Taskmanager(arguments) => session::taskmanager(&arguments),
            Self::Run(run) => run.run(),
        };
        done.unwrap_or_else(|error| {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        })
    }
}

impl Run {
    fn run(&self) -> Result<ExitCode, BoxError> {
        let client = self.place.client()?;
        let artifact = upload(&client, &self.program)?;
        let body = json!({
            "programArgsList": self.arguments,
            "parallelism": self.parallelism,
            "savepointPath": self.from_savepoint,
            "allowNonRestoredState": self.allow_non_restored_state,
        });
        let answer = client.tell(Method::POST, &format!("/jars/{artifact}/run"), Some(&body))?;
        let job = show::text(&answer, "jobid");
        println!("Job has been submitted with JobID {job}");
        match self.detached {
            true => Ok(ExitCode::SUCCESS),
            false => wait(&client, job),
        }
    }
}

/// Sends a program, as far as it is not there; the id by which it can be run.
fn upload(client: &Client, program: &Path) -> Result<String, BoxError> {
    let refused = |error: std::io::Error| format!("{}: {error}", program.display());
    let mut file = std::fs::File::open(program).map_err(refused)?;
    let size = file.metadata().map_err(refused)?.len();
    if size == 0 {
        return Err(format!("{}: is empty, and no program", program.display()).into());
    }
    let hash = sha256(&file).map_err(refused)?;
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') {
                c
            } else {
                '-'
            }
        })
        .collect();
    let known = client.get(&format!("/jars/{hash}"))?;
    let received = |answer: &Value| answer.get("rheos.received").and_then(Value::as_u64);
    let complete = |answer: &Value| answer.get("rheos.complete").and_then(Value::as_bool);
    let (mut there, mut done) = (
        received(&known).unwrap_or(0),
        complete(&known) == Some(true),
    );
    while !done {
        // One that is there, and not of this length, is another's attempt: the hash will say so.
        let offset = there.min(size);
        file.seek(SeekFrom::Start(offset)).map_err(refused)?;
        let mut piece = Vec::new();
        (&file)
            .take(PIECE)
            .read_to_end(&mut piece)
            .map_err(refused)?;
        let path = format!("/jars/{hash}?offset={offset}&size={size}&name={name}");
        let answer = client.piece(&path, piece)?;
        let now = received(&answer).unwrap_or(0);
        done = complete(&answer) == Some(true);
        if !done && now <= there {
            return Err(format!("{}: the session takes no more of it", program.display()).into());
        }
        there = now;
    }
    Ok(format!("{hash}_{name}"))
}

/// Waits until a job has ended, and says how.
fn wait(client: &Client, job: &str) -> Result<ExitCode, BoxError> {
    loop {
        let answer = client.get(&format!("/jobs/{job}/status"))?;
        let status = show::text(&answer, "status");
        match status {
            "FINISHED" => {
                println!("Job {job} is {status}");
                return Ok(ExitCode::SUCCESS);
            }
            "FAILED" | "CANCELED" => {
                let exceptions = client.get(&format!("/jobs/{job}/exceptions"))?;
                let cause = exceptions.pointer("/exceptionHistory/entries/0/stacktrace");
                let cause = cause.and_then(Value::as_str).unwrap_or("");
                return Err(format!("job {job} is {status}\n{cause}").trim_end().into());
            }
            _ => pause(ASK_AGAIN),
        }
    }
}
