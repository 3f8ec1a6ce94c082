//! The TaskManagers of a session, as its JobManager sees them.
//!
//! Life of one: attached → registered, or refused by name → heard of → lost, by the end of its stream or its
//! silence; its workers have ended then, and their jobs get others.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tonic::Streaming;

use super::super::message::{
    self, Alive, Ordered, PIECE, Piece, Read, Register, Report, Reported, SessionPlane, WantsPiece,
};
use super::super::settings::SessionError;
use super::{Dispatcher, Shared, State};
use crate::remote::listening::{self, Listening};
use crate::remote::outbox::Outbox;
use crate::remote::service::TakesAgents;

type Order = message::Order;

/// One that is registered.
pub(super) struct Manager {
    name: String,
    slots: u32,
    process: u32,
    memory: u64,
    outbox: Outbox<Order>,
    heard_micros: i64,
    heard_at: i64,
}

impl Manager {
    pub fn order(&self, what: Ordered) {
        self.outbox.put(what.into());
    }
}

/// A TaskManager as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagerView {
    /// Its number, for questions.
    pub number: u64,
    /// What it is called.
    pub name: String,
    /// Its slots.
    pub slots: u32,
    /// Those that are free.
    pub free: u32,
    /// Processes of jobs in it.
    pub workers: usize,
    /// Its process.
    pub process: u32,
    /// Bytes of memory that its workers may have together.
    pub memory: u64,
    /// When it was last heard of, in milliseconds since the epoch.
    pub heard_at: i64,
}

/// Listens for TaskManagers.
pub(super) fn listen(shared: &Arc<Shared>) -> Result<Listening, SessionError> {
    let taker = Arc::new(Taker(shared.clone()));
    let listening = Listening::bind(&shared.settings.remote, taker, &shared.io);
    let mut listening = listening.map_err(|error| SessionError::System {
        what: listening::WHAT,
        error,
    })?;
    listening.beside(&shared.io, watch(shared.clone()));
    Ok(listening)
}

/// Gives signs of life, and finds out who gives none.
async fn watch(shared: Arc<Shared>) {
    let settings = &shared.settings.remote;
    let mut ticks = tokio::time::interval(settings.heartbeat);
    loop {
        ticks.tick().await;
        let timeout = i64::try_from(settings.timeout.as_micros()).unwrap_or(i64::MAX);
        let now = shared.clock.monotonic_micros();
        let mut silent = Vec::new();
        for (number, manager) in &shared.lock().managers {
            manager.order(Ordered::Heartbeat(Alive {}));
            if now - manager.heard_micros > timeout {
                silent.push(*number);
            }
        }
        for number in silent {
            let seconds = settings.timeout.as_secs_f32();
            shared.lose(number, &format!("has not been heard of for {seconds} s"));
        }
    }
}

impl Dispatcher {
    /// The TaskManagers.
    pub fn managers(&self) -> Vec<ManagerView> {
        let state = self.shared.lock();
        let managers = state.managers.iter();
        let views = managers.map(|(number, manager)| ManagerView {
            number: *number,
            name: manager.name.clone(),
            slots: manager.slots,
            free: state.slots.at(*number).1,
            workers: state.slots.workers_at(*number).count(),
            process: manager.process,
            memory: manager.memory,
            heard_at: manager.heard_at,
        });
        views.collect()
    }

    /// The end of a log of a TaskManager; none if there is no such log, or it does not answer in time. An
    /// empty name asks which there are.
    pub async fn log_of(&self, manager: u64, file: &str, patience: Duration) -> Option<String> {
        let (sender, answer) = oneshot::channel();
        let question = {
            let mut state = self.shared.lock();
            let question = state.number();
            state.managers.get(&manager)?.order(Ordered::Read(Read {
                question,
                file: file.to_owned(),
            }));
            state.questions.insert(question, sender);
            question
        };
        let answer = tokio::time::timeout(patience, answer).await;
        self.shared.lock().questions.remove(&question);
        answer.ok()?.ok()?
    }
}

impl Shared {
    /// Takes one in; its number, or why it is refused.
    fn register(
        self: &Arc<Self>,
        register: Register,
        outbox: &Outbox<Order>,
    ) -> Result<u64, String> {
        if register.version != message::VERSION {
            return Err(format!(
                "it speaks version {} of a session's control plane, the JobManager {}: run the same \
                 build everywhere",
                register.version,
                message::VERSION
            ));
        }
        if register.slots == 0 {
            return Err("it offers no slots".to_owned());
        }
        let mut state = self.lock();
        let number = state.number();
        tracing::info!(
            taskmanager = %register.name,
            slots = register.slots,
            "a TaskManager has come"
        );
        outbox.put(Ordered::Welcome(Alive {}).into());
        state.slots.come(number, register.slots);
        state.managers.insert(
            number,
            Manager {
                name: register.name,
                slots: register.slots,
                process: register.process,
                memory: register.memory,
                outbox: outbox.clone(),
                heard_micros: self.clock.monotonic_micros(),
                heard_at: self.clock.wall_millis(),
            },
        );
        self.arrange(&mut state);
        Ok(number)
    }

    /// One is gone, and its workers with it.
    fn lose(self: &Arc<Self>, number: u64, reason: &str) {
        let mut state = self.lock();
        let Some(manager) = state.managers.remove(&number) else {
            return;
        };
        manager.outbox.close();
        tracing::warn!("TaskManager {} {reason}", manager.name);
        for (worker, _) in state.slots.gone(number) {
            state.workers.remove(&worker);
        }
        self.arrange(&mut state);
    }

    /// Something has come from one.
    fn reported(self: &Arc<Self>, number: u64, report: Report) {
        let (now, at) = (self.clock.monotonic_micros(), self.clock.wall_millis());
        let mut state = self.lock();
        let Some(manager) = state.managers.get_mut(&number) else {
            return;
        };
        (manager.heard_micros, manager.heard_at) = (now, at);
        let outbox = manager.outbox.clone();
        match report.what {
            Some(Reported::WantsPiece(wants)) => {
                drop(state);
                outbox.put(Ordered::Piece(self.piece(wants)).into());
            }
            Some(Reported::Ended(ended)) => self.worker_ended(&mut state, &ended, now),
            Some(Reported::Text(text)) => {
                if let Some(asker) = state.questions.remove(&text.question) {
                    // One that has waited for too long is gone.
                    let _late = asker.send(text.text);
                }
            }
            Some(Reported::Register(_) | Reported::Heartbeat(_)) | None => {}
        }
    }

    fn piece(&self, wants: WantsPiece) -> Piece {
        let WantsPiece { artifact, offset } = wants;
        let bytes = self.artifacts.piece(&artifact, offset, PIECE);
        let bytes = bytes.unwrap_or_else(|error| {
            tracing::error!("a TaskManager wants a program that can't be read: {error}");
            Vec::new()
        });
        Piece {
            artifact,
            offset,
            bytes,
        }
    }

    fn worker_ended(self: &Arc<Self>, state: &mut State, ended: &message::Ended, now: i64) {
        let Some(worker) = state.slots.ended(ended.worker) else {
            return;
        };
        let since = state.workers.remove(&ended.worker).unwrap_or(now);
        if !worker.leaving
            && let Some(job) = state.jobs.get_mut(&worker.job)
            && job.alive().is_some()
            && !ended.well
        {
            let pause = job.worker_pauses.after(now - since);
            job.no_worker_before = now + pause;
            tracing::warn!(job = %worker.job, worker = ended.worker,
                "a TaskManager of the job is lost: {}", ended.how);
        }
        self.arrange(state);
    }
}

/// What the server calls.
struct Taker(Arc<Shared>);

impl TakesAgents for Taker {
    type Plane = SessionPlane;

    fn attached(&self, mut reports: Streaming<Report>, from: String) -> Outbox<Order> {
        let outbox: Outbox<Order> = Outbox::default();
        let (shared, orders) = (self.0.clone(), outbox.clone());
        self.0.io.spawn(async move {
            let late = shared.settings.remote.timeout;
            let first = tokio::time::timeout(late, reports.message()).await;
            let register = match first {
                Ok(Ok(Some(Report {
                    what: Some(Reported::Register(register)),
                }))) => register,
                _ => {
                    tracing::warn!("{from} has attached and not registered");
                    orders.close();
                    return;
                }
            };
            let name = register.name.clone();
            let number = match shared.register(register, &orders) {
                Ok(number) => number,
                Err(reason) => {
                    tracing::warn!("TaskManager {name} is refused: {reason}");
                    orders.put(Ordered::Refuse(reason).into());
                    orders.close();
                    return;
                }
            };
            let reason = loop {
                match reports.message().await {
                    Ok(Some(report)) => shared.reported(number, report),
                    Ok(None) => break "has left".to_owned(),
                    Err(status) => break format!("is lost: {}", status.message()),
                }
            };
            shared.lose(number, &reason);
        });
        outbox
    }
}
