//! `rheos list`, `info`, `cancel` and their like: what runs, over its REST.
//!
//! A job is named by its id, the beginning of one, or its name; where only one runs it need not be named.

pub(crate) mod client;
mod rescale;
pub(crate) mod show;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use hyper::Method;
use rheos::core::config::options::{REST_ADDRESS, REST_BIND_ADDRESS, REST_PORT, REST_TOKEN};
use rheos::runtime::BoxError;
use serde_json::{Value, json};

use client::Client;

/// How often a savepoint is asked after.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// Where the job's REST is.
#[derive(clap::Args)]
pub(crate) struct Place {
    /// The address of its REST, HOST:PORT or https://HOST:PORT; that of the configuration, or
    /// 127.0.0.1:8081, without it.
    #[arg(long, value_name = "HOST:PORT")]
    rest: Option<String>,
    /// A configuration, for `rest.address`, `rest.port`, `rheos.rest.token` and `security.ssl.rest.*`.
    #[arg(long, value_name = "FILE")]
    conf: Option<PathBuf>,
    /// One key of it.
    #[arg(short = 'D', value_name = "KEY=VALUE")]
    define: Vec<String>,
}

impl Place {
    /// At an address, or where a configuration says.
    pub(crate) fn new(rest: Option<String>, conf: Option<PathBuf>, define: Vec<String>) -> Self {
        Self { rest, conf, define }
    }

    pub(crate) fn client(&self) -> Result<Client, BoxError> {
        let conf = rheos::configuration::read(self.conf.as_deref(), &self.define)?;
        let address = match &self.rest {
            Some(address) => address.clone(),
            None => {
                let host = match conf.get_set(&REST_ADDRESS)? {
                    None => conf.get_set(&REST_BIND_ADDRESS)?,
                    known => known,
                };
                let host = match host.as_deref() {
                    None | Some("0.0.0.0" | "::") => "127.0.0.1",
                    Some(host) => host,
                };
                format!("{host}:{}", conf.get(&REST_PORT)?)
            }
        };
        let token = std::env::var("RHEOS_REST_TOKEN").ok();
        let token = match token {
            Some(token) => Some(token),
            None => conf.get_set(&REST_TOKEN)?,
        };
        Client::new(&address, token, &conf)
    }
}

/// What is asked of a job that runs.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Lists the jobs.
    List {
        #[command(flatten)]
        place: Place,
        /// As JSON, as REST answers.
        #[arg(long)]
        json: bool,
    },
    /// Shows a job: its vertices, what they did, how busy they are.
    Info {
        /// The job, if there are several.
        job: Option<String>,
        #[command(flatten)]
        place: Place,
        /// As JSON, as REST answers.
        #[arg(long)]
        json: bool,
    },
    /// Shows a job again and again.
    Top {
        /// The job, if there are several.
        job: Option<String>,
        #[command(flatten)]
        place: Place,
        /// Seconds from one time to the next.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
        every: u64,
        /// How often; until it is stopped, or the job has ended, without it.
        #[arg(long)]
        times: Option<u64>,
    },
    /// Ends a job at once.
    Cancel {
        /// The job, if there are several.
        job: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Stops a job with a savepoint, and prints where that is.
    Stop {
        /// The job, if there are several.
        job: Option<String>,
        #[command(flatten)]
        place: Place,
        /// Where the savepoint's folder goes; execution.checkpointing.savepoint-dir without it.
        #[arg(long, short = 'p', value_name = "DIR", visible_alias = "savepointPath")]
        savepoint_path: Option<String>,
        /// Fires all windows and timers first: the job will not go on.
        #[arg(long, short = 'd')]
        drain: bool,
    },
    /// Gives a job another parallelism while it runs: from a checkpoint that is taken now.
    Rescale {
        /// The job, if there are several.
        job: Option<String>,
        #[command(flatten)]
        place: Place,
        /// That of all vertices but those that can have one subtask only.
        #[arg(long, short = 'p', value_name = "N")]
        parallelism: Option<u32>,
        /// That of one vertex, named by its id, the beginning of one, or its name; repeatable.
        #[arg(long, value_name = "ID=N")]
        vertex: Vec<String>,
        /// As JSON, as REST answers.
        #[arg(long)]
        json: bool,
    },
    /// Lists the checkpoints of a job.
    Checkpoints {
        /// The job, if there are several.
        job: Option<String>,
        #[command(flatten)]
        place: Place,
        /// As JSON, as REST answers.
        #[arg(long)]
        json: bool,
    },
    /// Says why a job failed.
    Exceptions {
        /// The job, if there are several.
        job: Option<String>,
        #[command(flatten)]
        place: Place,
        /// As JSON, as REST answers.
        #[arg(long)]
        json: bool,
    },
    /// Prints the end of the log; of a session, with a job, of that job's JobManager.
    Logs {
        /// A job of a session.
        job: Option<String>,
        #[command(flatten)]
        place: Place,
        /// Another log of the job, by its name.
        #[arg(long, value_name = "NAME", requires = "job")]
        file: Option<String>,
        /// Lists the job's logs instead.
        #[arg(long, requires = "job", conflicts_with = "file")]
        list: bool,
    },
}

impl Command {
    pub(crate) fn run(self) -> ExitCode {
        match self.answer() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn answer(&self) -> Result<(), BoxError> {
        match self {
            Self::List { place, json } => {
                let jobs = place.client()?.get("/jobs/overview")?;
                print(&jobs, *json, show::jobs)
            }
            Self::Info { job, place, json } => {
                let client = place.client()?;
                let job = find(&client, job.as_deref())?;
                print(&client.get(&format!("/jobs/{job}"))?, *json, show::job)
            }
            Self::Top {
                job,
                place,
                every,
                times,
            } => top(&place.client()?, job.as_deref(), *every, *times),
            Self::Cancel { job, place } => {
                let client = place.client()?;
                let job = find(&client, job.as_deref())?;
                client.tell(Method::PATCH, &format!("/jobs/{job}?mode=cancel"), None)?;
                println!("{job} is cancelled");
                Ok(())
            }
            Self::Stop {
                job,
                place,
                savepoint_path,
                drain,
            } => {
                let client = place.client()?;
                let job = find(&client, job.as_deref())?;
                let body = json!({ "targetDirectory": savepoint_path, "drain": drain });
                let location = savepoint(&client, &job, "stop", &body)?;
                println!("{location}");
                Ok(())
            }
            Self::Rescale {
                job,
                place,
                parallelism,
                vertex,
                json,
            } => {
                let client = place.client()?;
                let job = find(&client, job.as_deref())?;
                let wanted = rescale::Wanted::new(*parallelism, vertex)?;
                let ended = rescale::rescale(&client, &job, &wanted)?;
                print(&ended, *json, show::rescale)?;
                rescale::outcome(&ended)
            }
            Self::Checkpoints { job, place, json } => {
                let client = place.client()?;
                let job = find(&client, job.as_deref())?;
                let checkpoints = client.get(&format!("/jobs/{job}/checkpoints"))?;
                print(&checkpoints, *json, show::checkpoints)
            }
            Self::Exceptions { job, place, json } => {
                let client = place.client()?;
                let job = find(&client, job.as_deref())?;
                let exceptions = client.get(&format!("/jobs/{job}/exceptions"))?;
                print(&exceptions, *json, show::exceptions)
            }
            Self::Logs {
                job,
                place,
                file,
                list,
            } => {
                let client = place.client()?;
                let Some(job) = job else {
                    print!("{}", client.text("/jobmanager/log")?);
                    return Ok(());
                };
                let job = find(&client, Some(job))?;
                if *list {
                    return print(
                        &client.get(&format!("/jobs/{job}/logs"))?,
                        false,
                        show::logs,
                    );
                }
                let file = file.as_deref().unwrap_or("jobmanager.log");
                print!("{}", client.text(&format!("/jobs/{job}/logs/{file}"))?);
                Ok(())
            }
        }
    }
}

/// `rheos savepoint take`: prints where it is.
pub(crate) fn take_savepoint(
    place: &Place,
    job: Option<&str>,
    directory: Option<&str>,
) -> Result<(), BoxError> {
    let client = place.client()?;
    let job = find(&client, job)?;
    let body = json!({ "target-directory": directory });
    println!("{}", savepoint(&client, &job, "savepoints", &body)?);
    Ok(())
}

fn print(answer: &Value, json: bool, show: fn(&Value) -> String) -> Result<(), BoxError> {
    match json {
        true => println!("{}", serde_json::to_string_pretty(answer)?),
        false => print!("{}", show(answer)),
    }
    Ok(())
}

/// The id of the job that is meant.
fn find(client: &Client, wanted: Option<&str>) -> Result<String, BoxError> {
    let answer = client.get("/jobs/overview")?;
    let jobs: Vec<(&str, &str)> = show::all(&answer, "jobs")
        .map(|job| (show::text(job, "jid"), show::text(job, "name")))
        .collect();
    let found: Vec<&(&str, &str)> = jobs
        .iter()
        .filter(|(id, name)| wanted.is_none_or(|wanted| id.starts_with(wanted) || *name == wanted))
        .collect();
    let known = || {
        let known: Vec<String> = jobs
            .iter()
            .map(|(id, name)| format!("{id} ({name})"))
            .collect();
        match known.is_empty() {
            true => "there is none".to_owned(),
            false => format!("there are {}", known.join(", ")),
        }
    };
    match (found.as_slice(), wanted) {
        ([(id, _)], _) => Ok((*id).to_owned()),
        ([], Some(wanted)) => Err(format!("no job '{wanted}': {}", known()).into()),
        ([], None) => Err("no job runs there".into()),
        (_, _) => Err(format!("which job? {}", known()).into()),
    }
}

/// Asks for a savepoint and waits for it; where it is.
fn savepoint(client: &Client, job: &str, how: &str, body: &Value) -> Result<String, BoxError> {
    let asked = client.tell(Method::POST, &format!("/jobs/{job}/{how}"), Some(body))?;
    let trigger = show::text(&asked, "request-id").to_owned();
    loop {
        let answer = client.get(&format!("/jobs/{job}/savepoints/{trigger}"))?;
        if answer.pointer("/status/id").and_then(Value::as_str) == Some("COMPLETED") {
            let operation = answer.get("operation").unwrap_or(&Value::Null);
            if let Some(location) = operation.get("location").and_then(Value::as_str) {
                return Ok(location.to_owned());
            }
            let cause = operation.pointer("/failure-cause/stack-trace");
            let cause = cause
                .and_then(Value::as_str)
                .unwrap_or("it is not said why");
            return Err(format!("the savepoint failed: {cause}").into());
        }
        pause(ASK_AGAIN);
    }
}

pub(crate) fn pause(time: Duration) {
    #[allow(clippy::disallowed_methods, reason = "a person waits, in real time")]
    std::thread::sleep(time);
}

/// Shows a job every so many seconds: on a terminal in place.
fn top(client: &Client, job: Option<&str>, every: u64, times: Option<u64>) -> Result<(), BoxError> {
    let job = find(client, job)?;
    let mut out = std::io::stdout().lock();
    let in_place = out.is_terminal();
    let mut before: Option<Value> = None;
    let mut shown = 0;
    loop {
        let now = client.get(&format!("/jobs/{job}"))?;
        if in_place {
            // To the corner, and clear.
            out.write_all(b"\x1b[H\x1b[2J")?;
        }
        out.write_all(show::moving(&now, before.as_ref()).as_bytes())?;
        out.flush()?;
        shown += 1;
        let ended = now.get("end-time").and_then(Value::as_i64).unwrap_or(-1) >= 0;
        if ended || times.is_some_and(|times| shown >= times) {
            return Ok(());
        }
        before = Some(now);
        pause(Duration::from_secs(every));
    }
}
