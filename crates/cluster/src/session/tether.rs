//! The line between a process of a session and the processes of jobs that it has started: a pair of
//! sockets, one end of which is the child's standard input when it begins. A JSON object a line.
//!
//! Invariant: a process of a job does not outlive the one that has started it. When that is gone, however it
//! went, the line ends, and the child ends at once; what it would have written no longer counts.
//!
//! Life: the child finds its end by [`Tether::of_process`], and a [`Mandate`] on it → standard input is
//! empty from then on → the two tell each other what [`ToChild`] and [`ToParent`] hold → one of them ends.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use rheos_core::config::Configuration;
use rheos_core::spawn::SharedSpawner;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::remote::Supply;
use crate::remote::supply::Needs;

/// Of a child's environment: the process that it is tethered to. That it is the child's parent shows that
/// it is meant, and not one above it.
pub(super) const PARENT: &str = "RHEOS_SESSION_PARENT";

/// What a child is to do, beside its command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mandate {
    /// The job's id.
    pub job: String,
    /// Whether the job had begun before: it goes on from its latest checkpoint, whatever its command line says.
    pub goes_on: bool,
    /// Configuration where the child's own command line says nothing.
    pub defaults: BTreeMap<String, String>,
    /// Configuration whatever that says.
    pub overrides: BTreeMap<String, String>,
}

impl Mandate {
    /// The job's configuration, in its place in the session.
    #[must_use]
    pub fn configure(&self, own: Configuration) -> Configuration {
        let mut configuration = Configuration::new();
        for (key, value) in &self.defaults {
            configuration.set(key, value);
        }
        configuration.override_with(own);
        for (key, value) in &self.overrides {
            configuration.set(key, value);
        }
        configuration
    }
}

/// To a child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToChild {
    /// The first line.
    Mandate(Mandate),
    /// The job may begin.
    Begin,
    /// It may not: why.
    Refuse(String),
    /// The answer to a question for slots, and again when the number changes.
    Supplied {
        /// Which question.
        asked: u64,
        /// The slots that the job has.
        slots: u32,
    },
}

/// From a child.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToParent {
    /// A job's JobManager listens.
    Serves {
        /// Where its REST is.
        rest: String,
        /// Where it takes TaskManagers.
        rpc: String,
    },
    /// What the process may have of memory, in bytes.
    Memory(u64),
    /// It asks whether the job may begin.
    MayBegin {
        /// The job's name.
        name: String,
        /// Where its checkpoints are, if it takes any.
        history: Option<String>,
    },
    /// It has begun: what starts after this goes on from its latest checkpoint.
    Begun,
    /// It needs slots.
    Needs {
        /// The question's number.
        asked: u64,
        /// With fewer it does not run.
        least: u32,
        /// With more it can do nothing.
        most: u32,
    },
    /// The job runs, and its REST knows it.
    Runs,
    /// It has ended.
    Ended(Archive),
}

/// What is kept of a job that has ended: what its REST answered last, by path.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Archive {
    /// The state that it ended in.
    pub state: String,
    /// What `/jobs/overview` says of it.
    pub overview: Value,
    /// What is below `/jobs/:jobid`, by the rest of the path.
    pub answers: BTreeMap<String, Value>,
}

#[derive(Default)]
struct State {
    /// Whether the job may begin, once that is said.
    verdict: Option<Result<(), String>>,
    supply: Option<Arc<Supply>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    said: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A child's end. Clones are the same.
#[derive(Clone)]
pub struct Tether {
    mandate: Arc<Mandate>,
    line: Arc<Mutex<UnixStream>>,
    shared: Arc<Shared>,
}

/// Writes a line.
pub(super) fn write_line<M: Serialize>(line: &Mutex<UnixStream>, message: &M) -> io::Result<()> {
    let mut text = serde_json::to_vec(message)?;
    text.push(b'\n');
    let mut line = line.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    line.write_all(&text)
}

fn read_line<M: for<'a> Deserialize<'a>>(lines: &mut impl BufRead) -> io::Result<Option<M>> {
    let mut text = Vec::new();
    match lines.read_until(b'\n', &mut text)? {
        0 => Ok(None),
        _ => Ok(Some(serde_json::from_slice(&text)?)),
    }
}

impl Tether {
    /// This process's end, if a session has started it.
    ///
    /// # Errors
    /// If one has, and the line can't be used.
    pub fn of_process(spawner: &SharedSpawner) -> io::Result<Option<Self>> {
        let parent = std::os::unix::process::parent_id().to_string();
        if std::env::var(PARENT).ok() != Some(parent) {
            return Ok(None);
        }
        let line = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        // User code that reads standard input must not read this.
        let nothing = std::fs::File::open("/dev/null")?;
        rustix::stdio::dup2_stdin(nothing.as_fd())?;
        let mut lines = BufReader::new(line.try_clone()?);
        let mandate = match read_line(&mut lines)? {
            Some(ToChild::Mandate(mandate)) => Arc::new(mandate),
            _ => {
                return Err(io::Error::other(
                    "the session has not said what is to be done",
                ));
            }
        };
        let shared = Arc::new(Shared::default());
        let told = shared.clone();
        let body = move || listen(lines, &told);
        spawner.spawn("rheos-tether".to_owned(), Box::new(body))?;
        Ok(Some(Self {
            mandate,
            line: Arc::new(Mutex::new(line)),
            shared,
        }))
    }

    /// What is to be done.
    pub fn mandate(&self) -> &Mandate {
        &self.mandate
    }

    /// Tells the parent something. One that is gone is told nothing, and this process ends.
    pub fn tell(&self, what: &ToParent) {
        if let Err(error) = write_line(&self.line, what) {
            tracing::debug!("the session can't be told: {error}");
        }
    }

    /// Asks whether a job of this name may begin, with its checkpoints there.
    ///
    /// # Errors
    /// Why it may not.
    pub fn may_begin(&self, name: &str, history: Option<String>) -> Result<(), String> {
        self.tell(&ToParent::MayBegin {
            name: name.to_owned(),
            history,
        });
        let mut state = self.shared.lock();
        loop {
            if let Some(verdict) = state.verdict.take() {
                return verdict;
            }
            let waited = self.shared.said.wait(state);
            state = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }

    /// Where the job asks for slots.
    pub fn supply(&self) -> Arc<Supply> {
        let tether = self.clone();
        let supply = Arc::new(Supply::new(move |asked, Needs { least, most }| {
            tether.tell(&ToParent::Needs { asked, least, most });
        }));
        self.shared.lock().supply = Some(supply.clone());
        supply
    }
}

/// Takes what the parent says, until it is gone: then this process ends.
fn listen(mut lines: BufReader<UnixStream>, shared: &Shared) {
    let why = loop {
        let told = match read_line(&mut lines) {
            Ok(Some(told)) => told,
            Ok(None) => break "it is gone".to_owned(),
            Err(error) => break error.to_string(),
        };
        let mut state = shared.lock();
        match told {
            ToChild::Begin => state.verdict = Some(Ok(())),
            ToChild::Refuse(why) => state.verdict = Some(Err(why)),
            ToChild::Supplied { asked, slots } => {
                if let Some(supply) = &state.supply {
                    supply.supplied(asked, slots);
                }
            }
            ToChild::Mandate(_) => {}
        }
        drop(state);
        shared.said.notify_all();
    };
    tracing::error!(
        "the process of the session that has started this one: {why}; so this one ends"
    );
    // Without the destructors of other threads: nothing that they could finish counts any more.
    signal_hook::low_level::exit(1);
}
