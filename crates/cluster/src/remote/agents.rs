//! The TaskManagers of a JobManager: who is there, with how many slots, and what they report.
//!
//! Life of one: attached → registered, or refused by name → heard of → lost, by the end of its stream
//! or its silence → its tasks have failed. One that comes back is another.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use rheos_core::Row;
use rheos_core::clock::SharedClock;
use rheos_core::id::{OperatorId, Place};
use rheos_core::job_graph::JobGraph;
use rheos_core::row::Reader;
use rheos_runtime::TaskError;
use rheos_runtime::checkpoint::snapshot::{Counts, OperatorSnapshot, TaskSnapshot};
use rheos_runtime::source::coordinator::SplitReply;
use tokio::runtime::Handle;
use tonic::Streaming;

use super::listening::{self, Listening};
use super::message::{
    self, Ended, Heartbeat, JobPlane, Leave, Order, Ordered, Register, Report, Reported, Splits,
    StandsBy, Welcome,
};
use super::outbox::Outbox;
use super::service::TakesAgents;
use super::settings::RemoteSettings;
use super::written;
use crate::checkpoint::CheckpointError;
use crate::checkpoint::writer::Written;
use crate::deploy::JobMetrics;
use crate::embedded::events::{Event, Events};
use crate::error::JobError;
use crate::ha::Standing;
use crate::schedule::ExecutionState;

/// A TaskManager as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentView {
    /// What it is called.
    pub name: String,
    /// Where it takes data connections.
    pub data_address: String,
    /// Its slots.
    pub slots: u32,
    /// Those that a task uses.
    pub used: u32,
    /// Its tasks.
    pub tasks: usize,
    /// Its process.
    pub process: u32,
    /// When it was last heard of, in milliseconds since the epoch.
    pub heard_at: i64,
}

/// One that is registered.
pub(super) struct Agent {
    pub name: String,
    pub data_address: String,
    pub slots: u32,
    pub outbox: Outbox<Order>,
    process: u32,
    heard_micros: i64,
    heard_at: i64,
}

/// The attempt that runs.
pub(super) struct Running {
    pub generation: u64,
    pub events: Arc<Events>,
    pub metrics: JobMetrics,
    /// Where each task runs, by its index: the number of a TaskManager here.
    pub runs_in: Vec<u64>,
    /// Used slots by that number.
    pub used: BTreeMap<u64, u32>,
}

impl Running {
    /// The tasks that run in a TaskManager.
    fn tasks_of(&self, agent: u64) -> Vec<usize> {
        let tasks = self.runs_in.iter().enumerate();
        let own = tasks.filter(|(_, runs_in)| **runs_in == agent);
        own.map(|(task, _)| task).collect()
    }
}

/// Who is taken in.
#[derive(Debug, Clone, Default)]
enum Door {
    /// Every TaskManager of the job.
    #[default]
    Open,
    /// None while this JobManager does not lead: who does.
    StandsBy(Option<Standing>),
    /// None any more: why.
    Over(Leave),
}

impl Door {
    /// What a TaskManager is told that comes to it closed.
    fn refusal(&self) -> Option<Ordered> {
        match self {
            Self::Open => None,
            Self::StandsBy(standing) => {
                let leader = standing.as_ref().and_then(Standing::leader);
                let leader = leader.map_or_else(
                    || "it is not known yet who leads".to_owned(),
                    |leader| format!("{leader} leads"),
                );
                Some(Ordered::StandsBy(StandsBy { leader }))
            }
            Self::Over(leave) => Some(Ordered::Leave(leave.clone())),
        }
    }
}

#[derive(Default)]
struct State {
    next: u64,
    agents: BTreeMap<u64, Agent>,
    running: Option<Running>,
    door: Door,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    clock: SharedClock,
    io: Handle,
    settings: RemoteSettings,
    job: String,
    graph: u64,
}

/// See the [module](self). Clones are the same.
#[derive(Clone)]
pub struct Agents {
    shared: Arc<Shared>,
    listening: Arc<Listening>,
}

impl Agents {
    /// Listens for TaskManagers of a job.
    ///
    /// # Errors
    /// If the address can't be used.
    pub fn listen(
        settings: &RemoteSettings,
        graph: &JobGraph,
        clock: SharedClock,
        io: &Handle,
    ) -> Result<Self, JobError> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            clock,
            io: io.clone(),
            settings: settings.clone(),
            job: graph.name.clone(),
            graph: graph.fingerprint(),
        });
        let taker = Arc::new(Taker(shared.clone()));
        let mut listening =
            Listening::bind(settings, taker, io).map_err(|error| JobError::System {
                what: listening::WHAT,
                error,
            })?;
        listening.beside(io, watch(shared.clone()));
        Ok(Self {
            shared,
            listening: Arc::new(listening),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listening.address()
    }

    /// Those that are registered.
    pub fn views(&self) -> Vec<AgentView> {
        let state = self.shared.lock();
        let running = state.running.as_ref();
        let agents = state.agents.iter();
        agents
            .map(|(number, agent)| AgentView {
                name: agent.name.clone(),
                data_address: agent.data_address.clone(),
                slots: agent.slots,
                used: running.map_or(0, |r| r.used.get(number).copied().unwrap_or(0)),
                tasks: running.map_or(0, |running| running.tasks_of(*number).len()),
                process: agent.process,
                heard_at: agent.heard_at,
            })
            .collect()
    }

    /// The slots of all, by number.
    pub(super) fn slots(&self) -> Vec<(u64, u32)> {
        let state = self.shared.lock();
        let agents = state.agents.iter();
        agents
            .map(|(number, agent)| (*number, agent.slots))
            .collect()
    }

    /// Waits until there are so many slots, or for too long; not while nobody is taken in.
    pub fn wait_for_slots(&self, needed: u32, timeout: Duration) {
        let state = self.shared.lock();
        let few = |state: &mut State| {
            let slots: u32 = state.agents.values().map(|agent| agent.slots).sum();
            slots < needed && matches!(state.door, Door::Open)
        };
        let waited = self.shared.changed.wait_timeout_while(state, timeout, few);
        drop(waited);
    }

    /// What `with` makes of those of these numbers; none if one of them is gone.
    pub(super) fn with<T>(
        &self,
        numbers: &[u64],
        with: impl FnOnce(Vec<&Agent>) -> T,
    ) -> Option<T> {
        let state = self.shared.lock();
        let agents: Option<Vec<&Agent>> = numbers
            .iter()
            .map(|number| state.agents.get(number))
            .collect();
        agents.map(with)
    }

    /// An attempt runs from now on; the tasks of those that are gone already are lost.
    pub(super) fn run(&self, running: Running) {
        let mut state = self.shared.lock();
        let gone: Vec<usize> = running
            .runs_in
            .iter()
            .enumerate()
            .filter(|(_, agent)| !state.agents.contains_key(agent))
            .map(|(task, _)| task)
            .collect();
        if !gone.is_empty() {
            let reason = "its TaskManager was lost while the job was being deployed".to_owned();
            running.events.push(Event::Lost(gone, reason));
        }
        state.running = Some(running);
    }

    /// The generation is over.
    pub(super) fn release(&self, generation: u64) {
        let mut state = self.shared.lock();
        // The next one may run already.
        let over = |running: &Running| running.generation == generation;
        if state.running.as_ref().is_some_and(over) {
            state.running = None;
        }
        for agent in state.agents.values() {
            agent.outbox.put(Order {
                generation,
                what: Some(Ordered::Release(Heartbeat {})),
            });
        }
    }

    /// The job does without these, and they are told to end.
    pub(super) fn dismiss(&self, numbers: &[u64]) {
        let mut state = self.shared.lock();
        for number in numbers {
            let Some(agent) = state.agents.remove(number) else {
                continue;
            };
            agent.outbox.put(Order {
                generation: 0,
                what: Some(Ordered::Leave(Leave {
                    reason: "the job does without it".to_owned(),
                    refused: false,
                })),
            });
            agent.outbox.close();
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// The job is over: all are told to end, and nobody is taken in any more.
    pub fn leave(&self, reason: &str, refused: bool) {
        self.close(Door::Over(Leave {
            reason: reason.to_owned(),
            refused,
        }));
    }

    /// This JobManager does not lead, or no more: all are told to look for the one that does.
    pub fn stand_by(&self, standing: Option<Standing>) {
        self.close(Door::StandsBy(standing));
    }

    /// It leads from now on.
    pub fn lead(&self) {
        self.shared.lock().door = Door::Open;
    }

    fn close(&self, door: Door) {
        let mut state = self.shared.lock();
        for agent in state.agents.values() {
            agent.outbox.put(Order {
                generation: 0,
                what: door.refusal(),
            });
        }
        state.door = door;
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Waits until those that were told to end have gone, at most so long.
    pub fn wait_until_gone(&self, timeout: Duration) {
        let state = self.shared.lock();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(state, timeout, |state| !state.agents.is_empty());
        drop(waited);
    }
}

/// Gives signs of life, and finds out who gives none.
async fn watch(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(shared.settings.heartbeat);
    loop {
        ticks.tick().await;
        let timeout = i64::try_from(shared.settings.timeout.as_micros()).unwrap_or(i64::MAX);
        let now = shared.clock.monotonic_micros();
        let mut silent = Vec::new();
        for (number, agent) in &shared.lock().agents {
            agent.outbox.put(Order {
                generation: 0,
                what: Some(Ordered::Heartbeat(Heartbeat {})),
            });
            if now - agent.heard_micros > timeout {
                silent.push(*number);
            }
        }
        for number in silent {
            let seconds = shared.settings.timeout.as_secs_f32();
            shared.lose(number, &format!("has not been heard of for {seconds} s"));
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Why a TaskManager is refused.
    fn judge(&self, register: &Register) -> Option<String> {
        if register.version != message::VERSION {
            return Some(format!(
                "it speaks version {} of the control plane, the JobManager {}: run the same build \
                 everywhere",
                register.version,
                message::VERSION
            ));
        }
        if register.job != self.job {
            return Some(format!(
                "it runs job '{}', the JobManager '{}'",
                register.job, self.job
            ));
        }
        if register.graph != self.graph {
            return Some(format!(
                "its JobGraph has the fingerprint {:016x}, the JobManager's {:016x}: run the same \
                 binary with the same arguments and configuration everywhere",
                register.graph, self.graph
            ));
        }
        (register.slots == 0).then(|| "it offers no slots".to_owned())
    }

    /// Takes one in; its number, or what it is told instead.
    fn register(&self, register: Register, outbox: &Outbox<Order>) -> Result<u64, Box<Ordered>> {
        let refused = self.judge(&register).map(|reason| {
            tracing::warn!("TaskManager {} is refused: {reason}", register.name);
            Ordered::Leave(Leave {
                reason,
                refused: true,
            })
        });
        let mut state = self.lock();
        if let Some(told) = refused.or_else(|| state.door.refusal()) {
            return Err(Box::new(told));
        }
        let number = state.next;
        state.next += 1;
        tracing::info!(
            taskmanager = %register.name,
            slots = register.slots,
            "a TaskManager has come: data connections at {}",
            register.data_address
        );
        outbox.put(Order {
            generation: 0,
            what: Some(Ordered::Welcome(Welcome {
                heartbeat_millis: millis(self.settings.heartbeat),
                timeout_millis: millis(self.settings.timeout),
            })),
        });
        state.agents.insert(
            number,
            Agent {
                name: register.name,
                data_address: register.data_address,
                slots: register.slots,
                outbox: outbox.clone(),
                process: register.process,
                heard_micros: self.clock.monotonic_micros(),
                heard_at: self.clock.wall_millis(),
            },
        );
        drop(state);
        self.changed.notify_all();
        Ok(number)
    }

    /// One is gone: its tasks have failed.
    fn lose(&self, number: u64, reason: &str) {
        let mut state = self.lock();
        let Some(agent) = state.agents.remove(&number) else {
            return;
        };
        agent.outbox.close();
        let what = format!("TaskManager {} {reason}", agent.name);
        if matches!(state.door, Door::Open) {
            tracing::warn!("{what}");
        }
        if let Some(running) = &state.running {
            let tasks = running.tasks_of(number);
            if !tasks.is_empty() {
                running.events.push(Event::Lost(tasks, what));
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Something has come from one.
    fn heard(&self, number: u64, report: Report) {
        let mut state = self.lock();
        let (now, at) = (self.clock.monotonic_micros(), self.clock.wall_millis());
        let State {
            agents, running, ..
        } = &mut *state;
        let Some(agent) = agents.get_mut(&number) else {
            return;
        };
        (agent.heard_micros, agent.heard_at) = (now, at);
        let Some(running) = running.as_ref() else {
            return;
        };
        // What is of a former generation says nothing of this one.
        if running.generation != report.generation {
            return;
        }
        if let Some(event) = report
            .what
            .and_then(|what| event(what, number, agent, running))
        {
            running.events.push(event);
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Answers a reader of a TaskManager.
struct Reply {
    outbox: Outbox<Order>,
    generation: u64,
    operator: u64,
    subtask: u32,
}

impl Reply {
    fn put(&self, encoded: Option<Vec<u8>>) {
        self.outbox.put(Order {
            generation: self.generation,
            what: Some(Ordered::Splits(Splits {
                operator: self.operator,
                subtask: self.subtask,
                encoded,
            })),
        });
    }
}

impl SplitReply for Reply {
    fn splits(&self, encoded: Vec<u8>) {
        self.put(Some(encoded));
    }

    fn no_more(&self) {
        self.put(None);
    }
}

/// How a task ended, of which only a text has come.
fn result(ended: Ended, running: &Running) -> Result<(), TaskError> {
    let handle = running.metrics.tasks.get(index(ended.task));
    let place = handle.map_or_else(
        || Place {
            operator: format!("task {}", ended.task),
            subtask: 0,
            parallelism: 1,
        },
        |handle| handle.place.clone(),
    );
    match (ended.cancelled, ended.error.is_empty()) {
        (true, _) => Err(TaskError::Cancelled { place }),
        (false, true) => Ok(()),
        (false, false) => Err(TaskError::Remote {
            place,
            message: ended.error,
        }),
    }
}

/// What the JobMaster is told of a report.
fn event(what: Reported, number: u64, agent: &Agent, running: &Running) -> Option<Event> {
    Some(match what {
        Reported::Register(_) | Reported::Heartbeat(_) => return None,
        Reported::Deployed(deployed) => {
            if deployed.error.is_empty() {
                return None;
            }
            let reason = format!("TaskManager {}: {}", agent.name, deployed.error);
            Event::Lost(running.tasks_of(number), reason)
        }
        Reported::OutOfMemory(message) => {
            let manager = agent.name.clone();
            Event::OutOfMemory(running.tasks_of(number), manager, message)
        }
        Reported::Entered(entered) => {
            let state = match entered.running {
                true => ExecutionState::Running,
                false => ExecutionState::Initializing,
            };
            Event::Entered(index(entered.task), state)
        }
        Reported::Ended(ended) => {
            let task = index(ended.task);
            Event::Ended(task, result(ended, running))
        }
        Reported::Answered(answered) => Event::Answered(answered.checkpoint, index(answered.task)),
        Reported::Written(part) => {
            let (checkpoint, task) = (part.checkpoint, index(part.task));
            Event::Written(match written::of_json(&part.part) {
                Ok(written) => Written::Task(checkpoint, task, written),
                Err(error) => Written::Failed(
                    checkpoint,
                    CheckpointError::Remote {
                        checkpoint,
                        manager: agent.name.clone(),
                        message: format!("its part can't be read: {error}"),
                    },
                ),
            })
        }
        Reported::NotWritten(not) => Event::Written(Written::Failed(
            not.checkpoint,
            CheckpointError::Remote {
                checkpoint: not.checkpoint,
                manager: agent.name.clone(),
                message: not.error,
            },
        )),
        Reported::Leaves(leaves) => {
            let task = index(leaves.task);
            let operators = leaves.operators.into_iter();
            let operators = operators.map(|left| {
                let snapshot = OperatorSnapshot::from_bytes(&left.snapshot);
                snapshot.map(|snapshot| (OperatorId(left.operator), snapshot))
            });
            match operators.collect() {
                Ok(operators) => Event::Leaves(
                    task,
                    TaskSnapshot {
                        operators,
                        ..TaskSnapshot::default()
                    },
                ),
                Err(error) => {
                    let reason = format!(
                        "TaskManager {}: what task {task} leaves: {error}",
                        agent.name
                    );
                    Event::Lost(vec![task], reason)
                }
            }
        }
        Reported::EndReached(reached) => Event::EndReached(index(reached.task)),
        Reported::WantsSplit(wants) => {
            let reply = Reply {
                outbox: agent.outbox.clone(),
                generation: running.generation,
                operator: wants.operator,
                subtask: wants.subtask,
            };
            Event::WantsSplit(OperatorId(wants.operator), wants.subtask, Box::new(reply))
        }
        Reported::Counted(counted) => {
            for counts in counted.counts {
                let task = running.metrics.tasks.get(index(counts.task));
                let operators = task.map(|task| task.operators.as_slice());
                let handle = operators.and_then(|all| all.get(counts.operator as usize));
                let read = Counts::decode(&mut Reader::new(&counts.counts));
                if let (Some(handle), Ok(read)) = (handle, read) {
                    handle.metrics.set_records_in(read.records_in);
                    handle.metrics.set_records_out(read.records_out);
                }
            }
            return None;
        }
    })
}

impl TakesAgents for Taker {
    type Plane = JobPlane;

    fn attached(&self, mut reports: Streaming<Report>, from: String) -> Outbox<Order> {
        let outbox: Outbox<Order> = Outbox::default();
        let (shared, orders) = (self.0.clone(), outbox.clone());
        self.0.io.spawn(async move {
            let late = shared.settings.timeout;
            let first = tokio::time::timeout(late, reports.message()).await;
            let register = match first {
                Ok(Ok(Some(Report {
                    what: Some(Reported::Register(register)),
                    ..
                }))) => register,
                _ => {
                    tracing::warn!("{from} has attached and not registered");
                    orders.close();
                    return;
                }
            };
            let number = match shared.register(register, &orders) {
                Ok(number) => number,
                Err(told) => {
                    orders.put(Order {
                        generation: 0,
                        what: Some(*told),
                    });
                    orders.close();
                    return;
                }
            };
            let reason = loop {
                match reports.message().await {
                    Ok(Some(report)) => shared.heard(number, report),
                    Ok(None) => break "has left".to_owned(),
                    Err(status) => break format!("is lost: {}", status.message()),
                }
            };
            shared.lose(number, &reason);
        });
        outbox
    }
}

/// What the server calls.
struct Taker(Arc<Shared>);
