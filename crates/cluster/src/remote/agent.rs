//! A TaskManager: attaches to the JobManager of its job, and runs the tasks that it is given.
//!
//! Life: attached and registered → a generation deployed → its tasks end, or are told to → released →
//! the next one, or told to leave. When the JobManager is lost, or silent for too long, the tasks are
//! cancelled and it attaches anew: what they would have written no longer counts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rheos_core::id::JobId;
use rheos_core::row::Reader;
use rheos_core::spawn::SharedSpawner;
use rheos_runtime::deploy::program::Program;
use rheos_runtime::deploy::task_deployment::TaskEnvironment;
use rheos_runtime::network::control::barrier_of;
use rheos_runtime::network::{DataEndpoint, JobIncarnation};
use rheos_runtime::task::worker;

use super::attached::{Inbox, News, talk};
use super::message::{
    self, Deploy, Deployed, JobPlane, Order, Ordered, Register, Report, Reported, Tell, Told,
};
use super::outbox::Outbox;
use super::settings::RemoteSettings;
use crate::embedded::Threading;
use crate::embedded::attempt::Command;
use crate::error::JobError;
use crate::ha::LeaderAt;
use crate::ha::seeker::{Seeker, Sought};
use crate::memory::MemoryWatch;

mod generation;
mod listener;

use generation::GenerationTasks;

/// How long to wait between two tries to attach.
const PAUSE: Duration = Duration::from_millis(200);

/// A TaskManager that can be run.
pub struct TaskManager {
    /// What it is called.
    pub name: String,
    /// The job that it can run.
    pub program: Program,
    /// What its tasks share.
    pub environment: TaskEnvironment,
    /// Which of them share a thread.
    pub threading: Threading,
    /// Makes their threads.
    pub spawner: SharedSpawner,
    /// Addresses and times.
    pub settings: RemoteSettings,
    /// Where the JobManager is, or the one that leads.
    pub leader: LeaderAt,
    /// Where its metrics are shown.
    pub metrics: rheos_runtime::metrics::registry::MetricRegistry,
}

/// How a TaskManager ended that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerEnd {
    /// Why the JobManager let it go.
    pub reason: String,
}

/// How a session with a JobManager ended.
enum SessionEnd {
    /// It is to attach anew.
    Lost(String),
    /// It is to end.
    Left(WorkerEnd),
    /// It is refused.
    Refused(String),
    /// It has no room left, and its process ends.
    OutOfMemory(JobError),
}

impl TaskManager {
    /// Runs until the JobManager lets it go.
    ///
    /// # Errors
    /// If it is refused, finds no JobManager within the registration time-out, or the system refuses
    /// something.
    pub fn run(&self) -> Result<WorkerEnd, JobError> {
        worker::install_panic_hook();
        let io = self.environment.io.clone().ok_or_else(|| {
            JobError::Configuration("a TaskManager needs an I/O runtime".to_owned())
        })?;
        let clock = self.environment.clock.clone();
        let endpoint = self.endpoint(&io)?;
        let advertised = format!("{}:{}", self.settings.host, endpoint.address().port());
        let patience = i64::try_from(self.settings.registration_timeout.as_micros());
        let patience = patience.unwrap_or(i64::MAX / 4);
        let mut alone_since = clock.monotonic_micros();
        let mut seeker = Seeker::new(self.leader.clone());
        loop {
            let reason = match seeker.look() {
                Sought::At(jobmanager) => {
                    let from = (jobmanager.as_str(), &seeker);
                    let attached = self.session(&io, &endpoint, &advertised, from)?;
                    let (reason, registered) = match attached {
                        (SessionEnd::Left(end), _) => return Ok(end),
                        (SessionEnd::Refused(reason), _) => {
                            let told = format!(
                                "the JobManager at {jobmanager} refuses this TaskManager: {reason}"
                            );
                            return Err(JobError::Network(told.into()));
                        }
                        (SessionEnd::OutOfMemory(error), _) => return Err(error),
                        (SessionEnd::Lost(reason), registered) => (reason, registered),
                    };
                    if registered {
                        alone_since = clock.monotonic_micros();
                        tracing::warn!("the JobManager at {jobmanager} is lost: {reason}");
                    }
                    seeker.lost();
                    reason
                }
                Sought::Nobody(reason) => reason,
                Sought::Over(how) => {
                    let reason = format!("the job has ended: {how}");
                    return Ok(WorkerEnd { reason });
                }
            };
            if clock.monotonic_micros() - alone_since > patience {
                let seconds = self.settings.registration_timeout.as_secs();
                let place = seeker.place();
                let told = format!("no JobManager at {place} within {seconds} s: {reason}");
                return Err(JobError::Network(told.into()));
            }
            Inbox::<()>::default().next(PAUSE);
        }
    }

    fn endpoint(&self, io: &tokio::runtime::Handle) -> Result<DataEndpoint, JobError> {
        let host = (self.settings.host.as_str(), self.settings.data_port);
        let resolved = std::net::ToSocketAddrs::to_socket_addrs(&host);
        let address: Option<SocketAddr> = resolved
            .map_err(|error| JobError::System {
                what: "looking up taskmanager.host",
                error: std::io::Error::new(error.kind(), format!("{}: {error}", host.0)),
            })?
            .next();
        let address = address.ok_or_else(|| {
            JobError::Configuration(format!("taskmanager.host: '{}' has no address", host.0))
        })?;
        let security = self.settings.security.clone();
        DataEndpoint::bind(address, io, security, self.environment.clock.clone())
            .map_err(|error| JobError::Network(Box::new(error)))
    }

    /// Attaches once, and does what it is told until the end; whether it was registered.
    fn session(
        &self,
        io: &tokio::runtime::Handle,
        endpoint: &DataEndpoint,
        advertised: &str,
        (jobmanager, seeker): (&str, &Seeker),
    ) -> Result<(SessionEnd, bool), JobError> {
        let outbox: Outbox<Report> = Outbox::default();
        outbox.put(Report {
            generation: 0,
            what: Some(Reported::Register(Register {
                version: message::VERSION,
                name: self.name.clone(),
                data_address: advertised.to_owned(),
                slots: self.settings.slots,
                job: self.program.graph.name.clone(),
                graph: self.program.graph.fingerprint(),
                process: std::process::id(),
            })),
        });
        let inbox = Arc::new(Inbox::<News<Order>>::default());
        let told = inbox.clone();
        let talking = io.spawn(talk::<JobPlane>(
            format!("http://{jobmanager}"),
            outbox.clone(),
            move |news| told.put(news),
            self.settings.clone(),
        ));
        let mut session = Session {
            manager: self,
            endpoint,
            outbox: outbox.clone(),
            jobmanager,
            current: None,
            registered: false,
            memory: MemoryWatch::new(
                &self.environment.configuration,
                self.environment.clock.clone(),
            )?,
        };
        let end = session.serve(&inbox, seeker);
        let registered = session.registered;
        if let SessionEnd::OutOfMemory(_) = end {
            // Its tasks end with the process, which is to say why before: until the JobManager lets go of it.
            outbox.close();
            session.wait_until_lost(&inbox);
            talking.abort();
            return Ok((end, registered));
        }
        // Whatever the end: no task outlives the session that it was deployed in.
        if let Some(current) = session.current.take() {
            current.cancel_and_wait();
        }
        outbox.close();
        talking.abort();
        Ok((end, registered))
    }
}

/// One stay with a JobManager.
struct Session<'a> {
    manager: &'a TaskManager,
    endpoint: &'a DataEndpoint,
    outbox: Outbox<Report>,
    jobmanager: &'a str,
    current: Option<GenerationTasks>,
    registered: bool,
    memory: MemoryWatch,
}

/// After how long without an order it is asked whether another JobManager leads.
const SILENCE: Duration = Duration::from_millis(1000);
/// How often the memory is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How long a process that has no room left waits until that is heard.
const LAST_WORD: Duration = Duration::from_secs(2);

impl Session<'_> {
    fn serve(&mut self, inbox: &Inbox<News<Order>>, seeker: &Seeker) -> SessionEnd {
        let clock = self.manager.environment.clock.clone();
        let mut heard = clock.monotonic_micros();
        loop {
            if let Some(error) = self.look_at_memory() {
                return SessionEnd::OutOfMemory(error);
            }
            let news = inbox.next(LOOK);
            let now = clock.monotonic_micros();
            let silent = i64::try_from(SILENCE.as_micros()).is_ok_and(|most| now - heard >= most);
            if news.is_some() || silent {
                heard = now;
            }
            let order = match news {
                Some(News::Order(order)) => order,
                Some(News::Lost(reason)) => return SessionEnd::Lost(reason),
                None if !silent => continue,
                // It may hang, and another has taken over already.
                None => match seeker.superseded() {
                    Some(reason) => return SessionEnd::Lost(reason),
                    None => continue,
                },
            };
            let generation = order.generation;
            match order.what {
                Some(Ordered::Leave(leave)) => {
                    return match leave.refused {
                        true => SessionEnd::Refused(leave.reason),
                        false => SessionEnd::Left(WorkerEnd {
                            reason: leave.reason,
                        }),
                    };
                }
                Some(Ordered::StandsBy(told)) => {
                    return SessionEnd::Lost(format!("it leads no job; {}", told.leader));
                }
                Some(Ordered::Welcome(_)) => {
                    self.registered = true;
                    tracing::info!("registered at the JobManager {}", self.jobmanager);
                }
                Some(Ordered::Heartbeat(_)) => {
                    if let Some(current) = &self.current {
                        current.report_counts();
                    }
                }
                Some(Ordered::Deploy(deploy)) => self.deploy(generation, &deploy),
                Some(what) => {
                    let current = self.current.as_ref();
                    let Some(current) = current.filter(|c| c.generation == generation) else {
                        continue;
                    };
                    match what {
                        Ordered::Tell(tell) => current.tell(&tell),
                        Ordered::Splits(splits) => current.splits(splits),
                        Ordered::Wanted(wanted) => current.wanted(wanted),
                        Ordered::Release(_) => {
                            if let Some(current) = self.current.take() {
                                current.cancel_and_wait();
                            }
                        }
                        _ => {}
                    }
                }
                None => {}
            }
        }
    }

    /// That there is no room left, which the JobManager is told.
    fn look_at_memory(&mut self) -> Option<JobError> {
        let current = self.current.as_ref()?;
        let error = self.memory.look(current.metrics())?;
        tracing::error!("{error}");
        self.outbox.put(Report {
            generation: current.generation,
            what: Some(Reported::OutOfMemory(error.to_string())),
        });
        Some(error)
    }

    /// Waits until the JobManager has let go of this TaskManager.
    fn wait_until_lost(&self, inbox: &Inbox<News<Order>>) {
        let clock = &self.manager.environment.clock;
        let patience = i64::try_from(LAST_WORD.as_micros()).unwrap_or(0);
        let until = clock.monotonic_micros() + patience;
        while clock.monotonic_micros() < until {
            if let Some(News::Lost(_)) = inbox.next(LOOK) {
                return;
            }
        }
    }

    fn deploy(&mut self, generation: u64, deploy: &Deploy) {
        // Tasks of a former generation are told to end before those of a newer one are deployed.
        if let Some(former) = self.current.take() {
            former.cancel_and_wait();
        }
        let job = deploy.job.first_chunk::<16>().copied();
        let incarnation = JobIncarnation {
            job: JobId(job.map_or(0, u128::from_le_bytes)),
            generation,
            graph: self.manager.program.graph.fingerprint(),
        };
        let made = GenerationTasks::start(
            self.manager,
            self.endpoint,
            incarnation,
            deploy,
            &self.outbox,
        );
        let error = match made {
            Ok(tasks) => {
                self.current = Some(tasks);
                String::new()
            }
            Err(error) => error.to_string(),
        };
        if !error.is_empty() {
            tracing::error!("generation {generation} can't be deployed: {error}");
        }
        self.outbox.put(Report {
            generation,
            what: Some(Reported::Deployed(Deployed { error })),
        });
    }
}

/// What a task is told.
fn command(tell: &Tell) -> Option<Command> {
    Some(match tell.what.as_ref()? {
        Told::Barrier(bytes) => Command::Checkpoint(barrier_of(&mut Reader::new(bytes)).ok()?),
        Told::Completed(checkpoint) => {
            Command::CheckpointCompleted(rheos_core::id::CheckpointId(*checkpoint))
        }
        Told::Stop(drain) => Command::Stop { drain: *drain },
        Told::Cancel(_) => Command::Cancel,
    })
}
