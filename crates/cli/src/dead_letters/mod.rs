//! `rheos dead-letters`: looks at messages that a job could not read, and sends them back where they
//! came from once what was wrong is mended.

mod filter;
mod ledger;
mod letter;
mod origin;
mod replay;
mod servers;
mod show;

use std::io::{IsTerminal, Write as _};
use std::process::ExitCode;

use clap::Subcommand;
use rheos::core::clock::{SharedClock, SystemClock};
use rheos::runtime::BoxError;

use filter::Filter;
use letter::Letter;
use origin::Origin;
use replay::Replay;
use servers::Servers;

/// What to do with dead letters.
#[derive(clap::Args)]
pub(crate) struct Command {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    servers: Servers,
}

#[derive(Subcommand)]
enum What {
    /// Tells how many there are, of which kinds; with --each a line for each.
    List {
        #[command(flatten)]
        origin: Origin,
        #[command(flatten)]
        filter: Filter,
        /// A line for each letter.
        #[arg(long)]
        each: bool,
        /// Each as a line of JSON, which `--files` takes.
        #[arg(long, conflicts_with = "each")]
        json: bool,
    },
    /// Shows letters with their bytes.
    Show {
        #[command(flatten)]
        origin: Origin,
        #[command(flatten)]
        filter: Filter,
        /// Only the letter of this name, TOPIC/PARTITION/OFFSET as `list --each` shows it.
        #[arg(long)]
        id: Option<String>,
    },
    /// Sends messages back to the topics and partitions they came from: key, value, headers and time
    /// are as they were, a header says that it is a replay. Each is sent once, however often this is
    /// started.
    Replay {
        #[command(flatten)]
        origin: Origin,
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        options: replay::Options,
    },
}

impl Command {
    pub(crate) fn run(self) -> ExitCode {
        let io = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let done = match io {
            Ok(io) => io.block_on(self.carry_out()),
            Err(error) => Err(format!("starting the I/O runtime: {error}").into()),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        }
    }

    async fn carry_out(self) -> Result<(), BoxError> {
        let servers = &self.servers;
        match &self.what {
            What::List {
                origin,
                filter,
                each,
                json,
            } => list(servers, origin, filter, *each, *json).await,
            What::Show { origin, filter, id } => {
                let is = |letter: &Letter| id.as_ref().is_none_or(|id| *id == letter.id());
                let mut out = std::io::stdout().lock();
                visit(servers, origin, filter, &mut |letter| {
                    if is(letter) {
                        writeln!(out, "{}", show::full(letter))?;
                    }
                    Ok(())
                })
                .await
                .map(drop)
            }
            What::Replay {
                origin,
                filter,
                options,
            } => replay(servers, origin, filter, options, SystemClock::shared()).await,
        }
    }
}

/// Shows every letter that is meant to `see`; how many those are, and how many there are.
async fn visit(
    servers: &Servers,
    origin: &Origin,
    filter: &Filter,
    see: &mut dyn FnMut(&Letter) -> Result<(), BoxError>,
) -> Result<(u64, u64), BoxError> {
    let mut letters = origin.open(servers).await?;
    let (mut meant, mut all) = (0, 0);
    while let Some(read) = letters.next().await? {
        for letter in read {
            all += 1;
            if filter.admits(&letter) && filter.limit.is_none_or(|limit| meant < limit) {
                meant += 1;
                see(&letter)?;
            }
        }
    }
    Ok((meant, all))
}

async fn list(
    servers: &Servers,
    origin: &Origin,
    filter: &Filter,
    each: bool,
    json: bool,
) -> Result<(), BoxError> {
    let mut out = std::io::stdout().lock();
    let mut groups = show::Groups::default();
    let (meant, all) = visit(servers, origin, filter, &mut |letter| {
        if json {
            writeln!(out, "{}", letter.to_line())?;
        } else if each {
            writeln!(out, "{}", show::line(letter))?;
        }
        groups.count(letter);
        Ok(())
    })
    .await?;
    if !json {
        write!(out, "{}", groups.text())?;
        writeln!(out, "{meant} of {all} dead letters")?;
    }
    Ok(())
}

async fn replay(
    servers: &Servers,
    origin: &Origin,
    filter: &Filter,
    options: &replay::Options,
    clock: SharedClock,
) -> Result<(), BoxError> {
    if !options.dry_run && !options.yes {
        let dry = replay::Options {
            dry_run: true,
            ..options.clone()
        };
        let mut letters = origin.open(servers).await?;
        let mut counting = Replay::open(servers, filter, &dry, clock.clone()).await?;
        let (counts, counted) = counting.run(&mut letters).await;
        counted?;
        eprintln!("{counts}");
        confirm(counts.sent)?;
    }
    let mut letters = origin.open(servers).await?;
    let mut replay = Replay::open(servers, filter, options, clock).await?;
    let (counts, result) = replay.run(&mut letters).await;
    println!("{counts}");
    let what = if options.dry_run {
        "would be sent back"
    } else {
        "sent back"
    };
    println!("{} {what}", counts.sent);
    result
}

/// Asks whether to send; without a terminal there is nobody to ask.
fn confirm(count: u64) -> Result<(), BoxError> {
    if !std::io::stdin().is_terminal() {
        return Err(format!(
            "{count} messages would be sent: say --yes to send them, or --dry-run to look only"
        )
        .into());
    }
    eprint!("send {count} messages back? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err("nothing was sent".into()),
    }
}
