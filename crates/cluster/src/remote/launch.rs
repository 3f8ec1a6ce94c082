//! Starts the attempts of a job on the TaskManagers that are there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rheos_core::config::ConfigError;
use rheos_core::id::JobId;
use rheos_runtime::deploy::program::Program;
use rheos_runtime::network::{JobIncarnation, JobNetwork};
use rheos_runtime::task::signal::Signal;

use super::agents::{Agent, Agents, Running};
use super::attempt::{Hosts, RemoteTask};
use super::message::{Deploy, Member, Order, Ordered, Restore, Savepoint, Wanted};
use super::supply::{Needs, Supply};
use crate::checkpoint::job_store::{Begun, JobStore, RestoreFrom};
use crate::deploy::{JobMetrics, Placement, Sources, deploy};
use crate::embedded::attempt::{Attempt, AttemptTask};
use crate::embedded::deployed::{register, try_snapshots};
use crate::embedded::events::Events;
use crate::embedded::launch::{Launch, Start};
use crate::embedded::{EmbeddedCluster, JobHandle};
use crate::error::JobError;
use crate::ha::{LastWord, Tenure};
use crate::schedule::placement::spread;
use crate::schedule::scaling::{ScalingMode, ScalingSettings, SlotWait, Wait};

/// A cluster whose tasks run in other processes.
pub struct RemoteCluster {
    /// What the JobManager has: the clock, the configuration, where metrics are shown.
    pub base: EmbeddedCluster,
    /// Its TaskManagers.
    pub agents: Agents,
    /// Its lease, of one among several JobManagers.
    pub tenure: Option<LeaderTenure>,
    /// Who supplies slots, if somebody does.
    pub supply: Option<Arc<Supply>>,
}

/// What the JobManager that leads has of its lease.
pub struct LeaderTenure {
    /// The lease.
    pub tenure: Tenure,
    /// Whether this process, and not the job, was told to end.
    pub interrupted: Box<dyn Fn() -> bool + Send>,
}

impl LeaderTenure {
    /// The job has ended here: says so to those who stand by, if it has not gone elsewhere.
    fn ended(&self, handle: &JobHandle, agents: &Agents) {
        let result = handle.wait_for(Duration::ZERO);
        let gone = match &result {
            Some(Err(error)) => error.is_superseded(),
            _ => false,
        };
        // What the process could not do another one may.
        let broken =
            matches!(&result, Some(Err(error)) if matches!(**error, JobError::System { .. }));
        if gone || self.tenure.lost().is_some() {
            agents.stand_by(None);
        } else if (self.interrupted)() || broken {
            self.tenure.end(LastWord::Released);
            agents.stand_by(None);
        } else {
            let how = handle.status().to_string();
            self.tenure.end(LastWord::Over(how));
            agents.leave(JOB_ENDED, false);
        }
    }
}

const JOB_ENDED: &str = "the job has ended";

/// How often slots are counted that a job waits for.
const LOOK: Duration = Duration::from_millis(50);

impl RemoteCluster {
    /// Starts a job once there are slots enough. At its end its TaskManagers are told to end, or to look
    /// for the JobManager that goes on.
    ///
    /// # Errors
    /// As [`EmbeddedCluster::start`]; if the job's checkpoints are kept in memory, which TaskManagers
    /// don't share; if there are not enough slots in time.
    pub fn start(
        self,
        id: JobId,
        program: &Program,
        store: Option<(JobStore, Begun)>,
    ) -> Result<JobHandle, JobError> {
        let kept = store.as_ref().map(|(store, _)| store.settings());
        if kept.is_some_and(|settings| settings.location.is_none()) {
            return Err(JobError::Configuration(
                "TaskManagers don't share memory: name a folder that all of them see in \
                 execution.checkpointing.dir"
                    .to_owned(),
            ));
        }
        self.wait_for_slots(program, store.as_ref().map(|(_, begun)| begun))?;
        let launcher = RemoteLauncher {
            id,
            program: program.clone(),
            agents: self.agents.clone(),
            cluster: self.base.clone(),
            supply: self.supply.clone(),
        };
        let started = self.base.start_on(Box::new(launcher), id, program, store);
        if let Some(supply) = self.supply {
            // Before its TaskManagers leave, so that nobody makes up for them.
            match &started {
                Ok(handle) => handle.at_end(move || supply.ask(Needs::NONE)),
                Err(_) => supply.ask(Needs::NONE),
            }
        }
        let agents = self.agents;
        match (&started, self.tenure) {
            (Ok(handle), None) => handle.at_end(move || agents.leave(JOB_ENDED, false)),
            (Ok(handle), Some(leader)) => {
                let (told, closed) = (handle.clone(), agents.clone());
                leader.tenure.on_lost(move |why| {
                    told.supersede(why);
                    closed.stand_by(None);
                });
                let ended = handle.clone();
                handle.at_end(move || leader.ended(&ended, &agents));
            }
            (Err(error), None) => agents.leave(&format!("the job can't start: {error}"), true),
            (Err(error), Some(leader)) => {
                if let Some(why) = leader.tenure.lost() {
                    return Err(JobError::LeadsNoMore(why));
                }
                // Another may have what is missing here.
                tracing::error!("the job can't start here: {error}");
                leader.tenure.end(LastWord::Released);
                agents.stand_by(None);
            }
        }
        started
    }

    /// Waits for as many slots as the job is to start with.
    fn wait_for_slots(&self, program: &Program, begun: Option<&Begun>) -> Result<(), JobError> {
        let refused = |error: ConfigError| JobError::Configuration(error.to_string());
        let environment = &self.base.environment;
        let scaling = ScalingSettings::of(&environment.configuration).map_err(refused)?;
        if scaling.mode == ScalingMode::Reactive && begun.is_none() {
            return Err(JobError::Configuration(
                "scheduler-mode is reactive, and the job takes no checkpoints that it could go on from \
                 with other slots: set execution.checkpointing.interval"
                    .to_owned(),
            ));
        }
        let kept = begun.and_then(|begun| begun.width.as_ref());
        let requirements = scaling.requirements(program, kept);
        let needed = requirements.needed(&program.graph);
        if let Some(supply) = &self.supply {
            supply.ask(Needs::of(&requirements, &program.graph));
        }
        tracing::info!(
            needed,
            "waiting for TaskManagers at {}",
            self.agents.address()
        );
        let clock = &environment.clock;
        let mut wait = SlotWait::new(&scaling, clock.monotonic_micros());
        loop {
            let lost = self.tenure.as_ref().and_then(|of| of.tenure.lost());
            if let Some(why) = lost {
                return Err(JobError::LeadsNoMore(why));
            }
            if self.tenure.as_ref().is_some_and(|of| (of.interrupted)()) {
                self.agents.stand_by(None);
                return Err(JobError::Cancelled);
            }
            let slots = self.agents.slots();
            let slots: u32 = slots.into_iter().map(|(_, slots)| slots).sum();
            let fit = requirements.fitting(&program.graph, Some(slots));
            // Of those that are too few the start says so.
            if wait.look(clock.monotonic_micros(), fit.as_ref()) != Wait::Wait {
                return Ok(());
            }
            self.agents.wait_for_slots(slots + 1, LOOK);
        }
    }
}

/// Starts attempts in TaskManagers.
pub(crate) struct RemoteLauncher {
    id: JobId,
    program: Program,
    agents: Agents,
    cluster: EmbeddedCluster,
    supply: Option<Arc<Supply>>,
}

/// What is deployed, but for what differs by TaskManager.
fn deployment(start: &Start<'_>, id: JobId, members: &[&Agent], runs_in: &[u32]) -> Deploy {
    let members = members.iter().map(|agent| Member {
        name: agent.name.clone(),
        data_address: agent.data_address.clone(),
    });
    let restore = start.from.map(|from| match from {
        RestoreFrom::Own(folder) => Restore {
            folder: folder.clone(),
            foreign: false,
        },
        RestoreFrom::Foreign(path) => Restore {
            folder: path.to_string(),
            foreign: true,
        },
    });
    Deploy {
        job: id.0.to_le_bytes().to_vec(),
        attempt: start.number,
        lineage: start.lineage.clone(),
        restore: restore.filter(|_| start.restored.is_some()),
        own: 0,
        members: members.collect(),
        runs_in: runs_in.to_vec(),
        parallelism: start.parallelism.to_vec(),
    }
}

impl Launch for RemoteLauncher {
    fn slots(&self) -> Option<u32> {
        let slots = self.agents.slots();
        Some(slots.into_iter().map(|(_, slots)| slots).sum())
    }

    fn may_get_slots(&self) -> bool {
        true
    }

    fn runs_tasks_here(&self) -> bool {
        false
    }

    fn ask(&self, needs: Needs) {
        if let Some(supply) = &self.supply {
            supply.ask(needs);
        }
    }

    fn are_slots_on_their_way(&self) -> bool {
        let there = self.slots().unwrap_or(0);
        let supply = self.supply.as_ref();
        supply.is_some_and(|supply| supply.on_their_way(there))
    }

    fn launch(
        &self,
        events: &Arc<Events>,
        start: &Start<'_>,
    ) -> Result<(Attempt, JobMetrics), JobError> {
        let program = &self.program.with_parallelism(start.parallelism);
        let graph = &program.graph;
        // Without checkpoints there is no log that counts generations: attempts are as good.
        let generation = start
            .generation
            .unwrap_or_else(|| u64::from(start.number) + 1);
        let mut slots = self.agents.slots();
        let surplus = self.supply.as_ref().map(|supply| supply.surplus(&slots));
        let surplus = surplus.unwrap_or_default();
        slots.retain(|(number, _)| !surplus.contains(number));
        let offered: Vec<u32> = slots.iter().map(|(_, slots)| *slots).collect();
        let placed = spread(graph, &offered)?;
        // Only those that get a task are members, by the order of their numbers.
        let used: BTreeSet<u32> = placed.iter().copied().collect();
        let position = |at: u32| used.iter().position(|used| *used == at).unwrap_or(0) as u32;
        let runs_in: Vec<u32> = placed.iter().map(|at| position(*at)).collect();
        let numbers: Vec<u64> = used
            .iter()
            .filter_map(|at| slots.get(*at as usize))
            .map(|(number, _)| *number)
            .collect();
        let mut environment = self.cluster.environment.clone();
        environment.attempt = start.number;
        let incarnation = JobIncarnation {
            job: self.id,
            generation,
            // Of what every process has built, whatever of it is deployed.
            graph: self.program.graph.fingerprint(),
        };
        let network = JobNetwork::new(incarnation, u32::MAX, &[], environment.clock.clone());
        let placement = Placement {
            own: u32::MAX,
            runs_in: &runs_in,
            network: &network,
        };
        let deployed = deploy(
            program,
            &environment,
            (start.restored, start.before),
            &mut |_, _| Arc::new(Signal::new()),
            Sources::Here,
            Some(&placement),
        )?;
        if start.lineage.is_some() {
            try_snapshots(&deployed.coordinators)?;
        }
        let registration = register(
            &self.cluster.metrics,
            self.id,
            &environment,
            &deployed.metrics,
        );
        registration.set_rescales(start.rescales);
        let lost =
            || JobError::Network("a TaskManager was lost while the job was being deployed".into());
        let outboxes = self
            .agents
            .with(&numbers, |members| {
                let outboxes: Vec<_> = members.iter().map(|agent| agent.outbox.clone()).collect();
                (deployment(start, self.id, &members, &runs_in), outboxes)
            })
            .ok_or_else(lost)?;
        let (deploy, outboxes) = outboxes;
        let mut used: BTreeMap<u64, BTreeSet<(&str, u32)>> = BTreeMap::new();
        let mut tasks = Vec::new();
        for (index, task) in deployed.metrics.tasks.iter().enumerate() {
            let at = runs_in.get(index).copied().unwrap_or(0) as usize;
            let (Some(outbox), Some(number)) = (outboxes.get(at), numbers.get(at)) else {
                return Err(lost());
            };
            if let Some(vertex) = graph.vertices.get(task.vertex) {
                let slot = (vertex.slot_sharing_group.as_str(), task.place.subtask);
                used.entry(*number).or_default().insert(slot);
            }
            let mut sources = deployed.coordinators.iter();
            tasks.push(AttemptTask {
                place: task.place.clone(),
                reach: Box::new(RemoteTask {
                    outbox: outbox.clone(),
                    generation,
                    task: index as u64,
                }),
                is_source: sources.any(|source| source.tasks.contains(&index)),
            });
        }
        // Reports of the new tasks must find who is told of them.
        self.agents.run(Running {
            generation,
            events: events.clone(),
            metrics: deployed.metrics.clone(),
            runs_in: runs_in
                .iter()
                .filter_map(|at| numbers.get(*at as usize).copied())
                .collect(),
            used: used
                .into_iter()
                .map(|(number, slots)| (number, slots.len() as u32))
                .collect(),
        });
        // No task of the former generation runs there any more.
        self.agents.dismiss(&surplus);
        for (own, outbox) in (0u32..).zip(&outboxes) {
            let deploy = Deploy {
                own,
                ..deploy.clone()
            };
            outbox.put(Order {
                generation,
                what: Some(Ordered::Deploy(deploy)),
            });
        }
        let told = outboxes;
        events
            .progress
            .on_wanted(Box::new(move |checkpoints, savepoint| {
                for outbox in &told {
                    outbox.put(Order {
                        generation,
                        what: Some(Ordered::Wanted(Wanted {
                            checkpoints: checkpoints.iter().copied().collect(),
                            savepoint: savepoint.map(|(checkpoint, location)| Savepoint {
                                checkpoint: *checkpoint,
                                location: location.clone(),
                            }),
                        })),
                    });
                }
            }));
        let running = tasks.iter().map(|task| task.place.clone()).enumerate();
        let attempt = Attempt {
            running: running.collect(),
            tasks,
            sources: deployed.coordinators,
            host: Box::new(Hosts {
                agents: self.agents.clone(),
                generation,
            }),
            registration,
        };
        Ok((attempt, deployed.metrics))
    }
}
