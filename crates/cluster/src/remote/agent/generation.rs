//! The tasks of one generation in a TaskManager.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;

use rheos_core::id::OperatorId;
use rheos_core::job_graph::JobGraph;
use rheos_core::key_group::range_of;
use rheos_runtime::checkpoint::Checkpointing;
use rheos_runtime::metrics::handle::{JobIdentity, TaskHandle};
use rheos_runtime::metrics::registry::Registration;
use rheos_runtime::network::{DataEndpoint, JobIncarnation, JobNetwork, PeerAddress};
use rheos_runtime::source::coordinator::SplitRequests;
use rheos_runtime::task::mailbox::{Mail, MailSender};

use super::super::message::{Deploy, Report, Splits, Tell, Wanted};
use super::super::outbox::Outbox;
use super::listener::{GenerationListener, Requests, SnapshotListener};
use super::{TaskManager, command};
use crate::checkpoint::CheckpointSettings;
use crate::checkpoint::Location;
use crate::checkpoint::job_store::{JobStore, RestoreFrom};
use crate::checkpoint::manifest::Keyed;
use crate::checkpoint::progress::Progress;
use crate::checkpoint::s3::S3Settings;
use crate::checkpoint::writer::CheckpointWriter;
use crate::deploy::{JobMetrics, Placement, Sources, deploy};
use crate::embedded::workers::{WorkerTask, Workers};
use crate::error::JobError;

/// See the [module](self).
pub(super) struct GenerationTasks {
    pub generation: u64,
    mails: BTreeMap<usize, MailSender>,
    listener: Arc<GenerationListener>,
    threads: Vec<JoinHandle<()>>,
    network: JobNetwork,
    registration: Registration,
    /// Of its own tasks.
    metrics: JobMetrics,
}

/// The key groups of the tasks that run here.
fn keys_here(graph: &JobGraph, order: &Deploy) -> Keyed {
    let mut here: BTreeMap<OperatorId, Vec<Range<u32>>> = BTreeMap::new();
    let tasks = graph.vertices.iter().flat_map(|vertex| {
        let subtasks = 0..vertex.parallelism;
        subtasks.map(move |subtask| (vertex, range_of(subtask, vertex.parallelism)))
    });
    for ((vertex, groups), runs_in) in tasks.zip(&order.runs_in) {
        if *runs_in != order.own {
            continue;
        }
        let nodes = vertex.operators.iter();
        for node in nodes.filter_map(|node| graph.operators.get(*node)) {
            here.entry(node.id()).or_default().push(groups.clone());
        }
    }
    Keyed::Of(here)
}

impl GenerationTasks {
    /// Makes the tasks and starts their threads.
    pub(super) fn start(
        manager: &TaskManager,
        endpoint: &DataEndpoint,
        incarnation: JobIncarnation,
        order: &Deploy,
        outbox: &Outbox<Report>,
    ) -> Result<Self, JobError> {
        let program = &manager.program.with_parallelism(&order.parallelism);
        let graph = &program.graph;
        let clock = manager.environment.clock.clone();
        let mut store = None;
        let mut s3 = S3Settings::default();
        let mut restored = None;
        if order.lineage.is_some() {
            let settings =
                CheckpointSettings::from_configuration(&manager.environment.configuration)?;
            let settings = settings.filter(|settings| settings.location.is_some());
            let settings = settings.ok_or_else(|| {
                JobError::Configuration(
                    "the JobManager takes checkpoints: give the TaskManager the same \
                     execution.checkpointing.* as the JobManager"
                        .to_owned(),
                )
            })?;
            s3 = settings.s3.clone();
            let member = (incarnation.generation, order.own);
            let followed = JobStore::follow(&graph.name, settings, clock.clone(), member)?;
            if let Some(from) = &order.restore {
                let folder = from.folder.clone();
                let from = match from.foreign {
                    true => RestoreFrom::Foreign(Location::parse(&folder)?),
                    false => RestoreFrom::Own(folder),
                };
                restored = Some(followed.load(&from, graph, keys_here(graph, order))?);
            }
            store = Some(followed);
        }
        let peers: Vec<PeerAddress> = order
            .members
            .iter()
            .map(|member| PeerAddress {
                name: format!("TaskManager {}", member.name),
                address: member.data_address.clone(),
            })
            .collect();
        let network = JobNetwork::new(incarnation, order.own, &peers, clock.clone())
            .compressed(manager.settings.compression);
        let names = graph.vertices.iter().flat_map(|vertex| {
            let (name, parallelism) = (&vertex.name, vertex.parallelism);
            (0..parallelism).map(move |subtask| format!("{name} ({}/{parallelism})", subtask + 1))
        });
        let writer = store.map(|store| {
            let (outbox, generation) = (outbox.clone(), incarnation.generation);
            let tell = Box::new(move |written| {
                GenerationListener::written(&outbox, generation, written);
            });
            let store = Arc::new(Mutex::new(store));
            CheckpointWriter::start(store, &manager.spawner, clock.clone(), tell)
        });
        let refused = |error| JobError::System {
            what: "starting a thread",
            error,
        };
        let writer = writer.transpose().map_err(refused)?;
        let listener = Arc::new(GenerationListener {
            generation: incarnation.generation,
            outbox: outbox.clone(),
            listener: manager.environment.listener.clone(),
            progress: Progress::default(),
            wanted: Mutex::default(),
            aims: Mutex::default(),
            s3,
            writer: Mutex::new(writer),
            names: names.enumerate().collect(),
            waiting: Mutex::default(),
            handles: OnceLock::new(),
        });
        let mut environment = manager.environment.clone();
        environment.attempt = order.attempt;
        if let Some(lineage) = order.lineage.clone() {
            environment.checkpointing = Some(Arc::new(Checkpointing { lineage }));
            environment.listener = Arc::new(SnapshotListener(listener.clone()));
        }
        let here = order
            .runs_in
            .iter()
            .filter(|runs_in| **runs_in == order.own);
        let mut workers = Workers::new(graph, manager.threading.of(here.count()));
        let requests_of = |operator: OperatorId| -> Arc<dyn SplitRequests> {
            Arc::new(Requests {
                listener: listener.clone(),
                operator,
            })
        };
        let placement = Placement {
            own: order.own,
            runs_in: &order.runs_in,
            network: &network,
        };
        let deployed = deploy(
            program,
            &environment,
            (restored.as_ref(), None),
            &mut |vertex, subtask| workers.signal(vertex, subtask),
            Sources::There(&requests_of),
            Some(&placement),
        )?;
        let own = |index: &usize| order.runs_in.get(*index) == Some(&order.own);
        let handles = deployed.metrics.tasks.iter().cloned().enumerate();
        let handles: Vec<(usize, TaskHandle)> = handles.filter(|(index, _)| own(index)).collect();
        let identity = JobIdentity {
            id: incarnation.job.to_string(),
            name: graph.name.clone(),
        };
        let registration = manager.metrics.register(
            identity,
            environment.attempt,
            handles.iter().map(|(_, handle)| handle.clone()).collect(),
            clock,
        );
        let metrics = JobMetrics {
            tasks: handles.iter().map(|(_, handle)| handle.clone()).collect(),
            ..deployed.metrics.clone()
        };
        // Nobody else sets them.
        let _ = listener.handles.set(handles);
        let mails = deployed.tasks.iter();
        let mails = mails.map(|task| (task.deployment.index, task.mail.clone()));
        let mails: BTreeMap<usize, MailSender> = mails.collect();
        network.join(endpoint);
        let tasks = deployed.tasks.into_iter().map(|task| WorkerTask {
            index: task.deployment.index,
            vertex: task.vertex,
            place: task.deployment.place.clone(),
            builder: Box::new(move || task.deployment.build()),
        });
        let threads = workers.start(
            tasks.collect(),
            (order.attempt, &environment.clock),
            &manager.spawner,
            listener.clone(),
        );
        let threads = match threads {
            Ok(threads) => threads,
            Err(error) => {
                for mail in mails.values() {
                    mail.send(Mail::Cancel);
                }
                return Err(error);
            }
        };
        Ok(Self {
            generation: incarnation.generation,
            mails,
            listener,
            threads,
            network,
            registration,
            metrics,
        })
    }

    /// What its tasks count.
    pub(super) fn metrics(&self) -> &JobMetrics {
        &self.metrics
    }

    pub(super) fn tell(&self, tell: &Tell) {
        let Some(command) = command(tell) else {
            tracing::error!("an order to tasks can't be read");
            return;
        };
        for task in &tell.tasks {
            let task = usize::try_from(*task).unwrap_or(usize::MAX);
            if let Some(mail) = self.mails.get(&task) {
                mail.send(command.to_mail());
            }
        }
    }

    pub(super) fn splits(&self, splits: Splits) {
        self.listener.splits(splits);
    }

    pub(super) fn wanted(&self, wanted: Wanted) {
        if let Some(savepoint) = &wanted.savepoint {
            self.listener.aim(savepoint);
        }
        self.listener.set_wanted(wanted.checkpoints);
    }

    /// Reports what the operators have counted.
    pub(super) fn report_counts(&self) {
        self.listener.report_counts();
    }

    /// Cancels what runs, and waits for the threads.
    pub(super) fn cancel_and_wait(self) {
        for mail in self.mails.values() {
            mail.send(Mail::Cancel);
        }
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a worker's thread ended by a panic outside of its tasks");
            }
        }
        // What its tasks have given is written first.
        let writer = self.listener.writer.lock();
        drop(
            writer
                .unwrap_or_else(|poisoned| poisoned.into_inner())
                .take(),
        );
        self.network.end();
        drop(self.registration);
    }
}
