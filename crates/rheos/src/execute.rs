//! Runs a program in this process.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use rheos_cluster::JobError;
use rheos_cluster::checkpoint::job_store::{Begun, Start};
use rheos_cluster::checkpoint::{
    CheckpointError, CheckpointSettings, JobStore, Location, Resume, fitting,
};
use rheos_cluster::embedded::{EmbeddedCluster, JobHandle, JobReport, Threading};
use rheos_cluster::ha::{LastWord, Standing};
use rheos_cluster::memory::managed_memory;
use rheos_cluster::remote::{
    Agents, LeaderTenure, RemoteCluster, RemoteSettings, TaskManager, WorkerEnd,
};
use rheos_cluster::reporter::{Reporter, ReporterError, Settings};
use rheos_cluster::rest::{LogTail, RestError, RestServer, RestSettings, Served};
use rheos_cluster::session::Tether;
use rheos_core::clock::{SharedClock, SystemClock};
use rheos_core::config::Configuration;
use rheos_core::config::options;
use rheos_core::id::JobId;
use rheos_core::rng::Rng;
use rheos_core::spawn::{OsSpawner, SharedSpawner};
use rheos_runtime::checkpoint::restore::RestoredJob;
use rheos_runtime::deploy::declared::declared;
use rheos_runtime::deploy::program::Program;
use rheos_runtime::deploy::task_deployment::TaskEnvironment;
use rheos_runtime::exchange::debloat::WindowLimits;
use rheos_runtime::exchange::writer::BatchLimits;
use rheos_runtime::metrics::registry::MetricRegistry;
use rheos_runtime::task::task::{NoListener, TaskListener};
use rheos_state::store::settings::store_backend;

use crate::error::ApiError;

mod in_session;
mod leading;

use in_session::InSession;
use leading::Leading;

pub use leading::Interrupted;

/// How long REST goes on answering for whoever has stopped the job with a savepoint and has not asked
/// yet what has become of it.
const LINGER: Duration = Duration::from_secs(10);

/// A job that runs in this process, by itself. Clones are handles on the same one; that none is left
/// does not end it.
#[derive(Clone)]
pub struct RunningJob {
    /// The job.
    pub handle: JobHandle,
    /// Where Prometheus finds its metrics.
    metrics_address: Option<SocketAddr>,
    /// Answers for as long as somebody holds this.
    rest: Option<Arc<RestServer>>,
}

impl RunningJob {
    /// Where Prometheus finds its metrics, if it was configured to show them.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Where REST is, if it was configured.
    pub fn rest_address(&self) -> Option<SocketAddr> {
        self.rest.as_ref().map(|rest| rest.address())
    }

    /// Waits until the job has ended.
    ///
    /// # Errors
    /// Why it did not finish.
    pub fn wait(&self) -> Result<JobReport, ApiError> {
        Ok(self.handle.wait()?)
    }
}

/// Of the system's randomness, because two processes may start at the same time.
fn entropy() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// Starts a program on threads of this process.
///
/// # Errors
/// If the configuration can't be used, or the system refuses something.
pub fn start(program: &Program, configuration: Configuration) -> Result<RunningJob, ApiError> {
    start_with(program, configuration, StartOptions::default())
}

/// What a run can be given beside its configuration.
pub struct StartOptions {
    /// What the job takes for the time.
    pub clock: SharedClock,
    /// Makes the threads of the tasks.
    pub spawner: SharedSpawner,
    /// Is told what the tasks do.
    pub listener: Arc<dyn TaskListener>,
    /// Where the job's metrics are shown while it runs.
    pub metrics: MetricRegistry,
    /// What it goes on from, if it takes checkpoints.
    pub resume: Resume,
    /// Whether REST is served even if no port is configured.
    pub rest: bool,
    /// The end of the log, for REST to show.
    pub logs: Option<LogTail>,
    /// Done first where the job goes on from nothing.
    pub prepare: Option<Preparation>,
    /// Whether its tasks run in TaskManagers of their own, which find this process at
    /// `jobmanager.rpc.address` and `jobmanager.rpc.port`.
    pub jobmanager: bool,
    /// Which signal has told the process to end: one of several JobManagers lets another go on then.
    pub interrupted: Interrupted,
    /// The session that has started this process.
    pub tether: Option<Tether>,
}

/// What a job does before anything of it runs.
pub type Preparation = Box<dyn FnOnce() -> Result<(), ApiError>>;

impl Default for StartOptions {
    fn default() -> Self {
        Self {
            clock: SystemClock::shared(),
            spawner: Arc::new(OsSpawner),
            listener: Arc::new(NoListener),
            metrics: MetricRegistry::default(),
            resume: Resume::default(),
            rest: false,
            logs: None,
            prepare: None,
            jobmanager: false,
            interrupted: Arc::new(|| None),
            tether: None,
        }
    }
}

/// As [`start`], with these options.
///
/// # Errors
/// See [`start`].
pub fn start_with(
    program: &Program,
    configuration: Configuration,
    start: StartOptions,
) -> Result<RunningJob, ApiError> {
    let refused =
        |error: rheos_core::config::ConfigError| ApiError::Configuration(error.to_string());
    let io = io_runtime()?;
    let slots = configuration
        .get_set(&options::TASKMANAGER_NUM_TASK_SLOTS)
        .map_err(refused)?;
    let clock = start.clock;
    let seed = clock.wall_millis() as u64;
    // Zero turns the bound off, as in Flink.
    let cancellation_timeout = match configuration
        .get(&options::TASK_CANCELLATION_TIMEOUT)
        .map_err(refused)?
    {
        Duration::ZERO => Duration::MAX,
        timeout => timeout,
    };
    let remote = match start.jobmanager {
        true => Some(RemoteSettings::of(&configuration).map_err(refused)?),
        false => None,
    };
    let ha = match start.jobmanager {
        true => leading::settings(&configuration)?,
        false => None,
    };
    let standing = ha.map(|_| Standing::default());
    let remote = remote
        .map(|settings| {
            let agents = Agents::listen(&settings, &program.graph, clock.clone(), io.handle())?;
            if let Some(standing) = &standing {
                agents.stand_by(Some(standing.clone()));
            }
            Ok::<_, JobError>((agents, settings))
        })
        .transpose()?;
    let probe = probe_environment(&configuration, clock.clone(), Some(io.handle().clone()));
    let seeded = (seed, start.listener);
    let environment = task_environment(configuration, clock.clone(), io.handle(), seeded)?;
    let threading = threading(&environment.configuration)?;
    let reporter = start_reporter(&environment, &start.metrics, io.handle())?;
    let unserved = |error: RestError| ApiError::Configuration(error.to_string());
    let in_session = start.tether.map(InSession);
    let wanted = start.rest || in_session.is_some();
    let rest = RestSettings::of(&environment.configuration, wanted).map_err(unserved)?;
    let serve = |settings| {
        let served = Served {
            registry: start.metrics.clone(),
            configuration: environment.configuration.clone(),
            clock: environment.clock.clone(),
            slots,
            logs: start.logs,
            agents: remote.as_ref().map(|(agents, _)| agents.clone()),
            standing: standing.clone(),
        };
        RestServer::start(settings, served, &start.spawner).map_err(unserved)
    };
    let rest = rest.map(serve).transpose()?.map(Arc::new);
    let (tenure, goes_on) = match (ha, &remote, standing) {
        (Some(ha), Some((agents, settings)), Some(standing)) => {
            let leading = Leading {
                job: &program.graph.name,
                configuration: &environment.configuration,
                settings,
                agents,
                rest: rest.as_deref(),
                clock: clock.clone(),
                spawner: &start.spawner,
                interrupted: &start.interrupted,
            };
            let (tenure, goes_on) = leading.wait(ha, standing)?;
            (Some(tenure), goes_on)
        }
        _ => (None, false),
    };
    if let (Some(session), Some((agents, settings)), Some(rest)) = (&in_session, &remote, &rest) {
        let rpc = format!("{}:{}", settings.jobmanager, agents.address().port());
        session.may_begin(program, &environment.configuration, (rest.address(), rpc))?;
    }
    let goes_on = goes_on || in_session.as_ref().is_some_and(InSession::goes_on);
    // How to begin is said of the first beginning: who takes over goes on.
    let resume = (!goes_on).then_some(start.resume);
    let store = open_store(program, &probe, resume, remote.is_some());
    if let (Err(ApiError::Finished { .. }), Some(tenure)) = (&store, &tenure) {
        tenure.end(LastWord::Over("it had finished before".to_owned()));
    }
    let store = store?;
    if let Some(tenure) = &tenure {
        tenure.begun();
    }
    if let Some(session) = &in_session {
        session.begun();
    }
    let afresh = store
        .as_ref()
        .is_none_or(|(_, begun)| begun.restored.is_none());
    if let Some(prepare) = start.prepare.filter(|_| afresh) {
        prepare()?;
    }
    let cluster = EmbeddedCluster {
        spawner: start.spawner,
        environment,
        threading,
        slots,
        cancellation_timeout,
        metrics: start.metrics,
    };
    // A job with a history is known by it, over all of its runs.
    let known = store.as_ref().map(|(_, begun)| begun.lineage.parse());
    let id = in_session.as_ref().and_then(InSession::job);
    let id = id
        .or_else(|| known.and_then(Result::ok))
        .unwrap_or_else(|| JobId::draw(&mut Rng::new(entropy())));
    let metrics_address = reporter.as_ref().map(Reporter::address);
    let handle = match remote {
        Some((agents, _)) => {
            let leaving = agents.clone();
            let interrupted = start.interrupted.clone();
            let remote = RemoteCluster {
                base: cluster,
                agents,
                tenure: tenure.map(|tenure| LeaderTenure {
                    tenure,
                    interrupted: Box::new(move || interrupted().is_some()),
                }),
                supply: in_session.as_ref().map(InSession::supply),
            };
            let started = remote.start(id, program, store);
            if started.is_err() {
                // So that they hear why.
                leaving.wait_until_gone(FAREWELL);
            }
            let handle = match (started, (start.interrupted)()) {
                (Err(JobError::Cancelled), Some(signal)) => {
                    return Err(ApiError::Interrupted(signal));
                }
                (started, _) => started?,
            };
            handle.at_end(move || leaving.wait_until_gone(FAREWELL));
            handle
        }
        None => cluster.start(id, program, store)?,
    };
    if let Some(rest) = &rest {
        rest.add(handle.clone());
        if let Some(session) = in_session {
            session.runs(&handle, rest);
        }
        // It answers as long as the job runs, whoever holds it.
        let held = rest.clone();
        let savepoints = handle.savepoints().clone();
        handle.at_end(move || {
            // Who has stopped it by REST asks there what has become of the savepoint.
            savepoints.linger(LINGER);
            drop(held);
        });
    }
    handle.at_end(move || {
        drop(reporter);
        // User futures may hang: nobody waits for them.
        io.shutdown_background();
    });
    Ok(RunningJob {
        handle,
        metrics_address,
        rest,
    })
}

/// How long the JobManager waits for its TaskManagers to go, at the end of its job.
const FAREWELL: Duration = Duration::from_secs(5);

fn io_runtime() -> Result<tokio::runtime::Runtime, ApiError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("rheos-io")
        .enable_all()
        .build()
        .map_err(|error| ApiError::System {
            what: "starting the I/O runtime".into(),
            error,
        })
}

fn task_environment(
    configuration: Configuration,
    clock: SharedClock,
    io: &tokio::runtime::Handle,
    (seed, listener): (u64, Arc<dyn TaskListener>),
) -> Result<TaskEnvironment, ApiError> {
    let managed = || managed_memory(&configuration);
    let stores = store_backend(&configuration, managed)
        .map_err(|error| ApiError::Configuration(error.to_string()))?;
    Ok(TaskEnvironment {
        clock,
        io: Some(io.clone()),
        batches: batch_limits(&configuration)?,
        windows: window_limits(&configuration)?,
        configuration: Arc::new(configuration),
        listener,
        checkpointing: None,
        stores,
        seed,
        attempt: 0,
    })
}

fn threading(configuration: &Configuration) -> Result<Threading, ApiError> {
    let threads = configuration
        .get(&options::THREADS)
        .map_err(|error| ApiError::Configuration(error.to_string()))?;
    Ok(match threads.to_ascii_lowercase().as_str() {
        "slot" => Threading::Slot,
        "task" => Threading::Task,
        "auto" => Threading::Auto {
            cores: std::thread::available_parallelism().map_or(1, NonZero::get),
        },
        _ => {
            return Err(ApiError::Configuration(format!(
                "rheos.threads is '{threads}'; it is 'task' (a thread a task), 'slot' (a thread a \
                 slot) or 'auto' (a thread a task as long as there are as many cores)"
            )));
        }
    })
}

/// Shows metrics to Prometheus, if the configuration asks for it.
fn start_reporter(
    environment: &TaskEnvironment,
    metrics: &MetricRegistry,
    io: &tokio::runtime::Handle,
) -> Result<Option<Reporter>, ApiError> {
    let unreported = |error: ReporterError| ApiError::Configuration(error.to_string());
    let settings = Settings::of(&environment.configuration).map_err(unreported)?;
    let report = |settings| {
        let (configuration, registry) = (&environment.configuration, metrics.clone());
        Reporter::start(&settings, configuration, registry, io).map_err(unreported)
    };
    settings.map(report).transpose()
}

/// Runs tasks of a program for its JobManager, in this process, until that lets it go: a TaskManager.
///
/// # Errors
/// If the configuration can't be used, the JobManager is not found or refuses this process, or the
/// system refuses something.
pub fn work(
    program: &Program,
    configuration: Configuration,
    metrics: &MetricRegistry,
) -> Result<WorkerEnd, ApiError> {
    let io = io_runtime()?;
    let clock = SystemClock::shared();
    let settings = RemoteSettings::of(&configuration)
        .map_err(|error| ApiError::Configuration(error.to_string()))?;
    let seeded = (entropy(), Arc::new(NoListener) as Arc<dyn TaskListener>);
    let environment = task_environment(configuration, clock, io.handle(), seeded)?;
    let threading = threading(&environment.configuration)?;
    let reporter = start_reporter(&environment, metrics, io.handle())?;
    let leader = leading::leader_at(&program.graph.name, &settings, &environment.configuration)?;
    let manager = TaskManager {
        name: format!("{}:{}", settings.host, std::process::id()),
        program: program.clone(),
        environment,
        threading,
        spawner: Arc::new(OsSpawner),
        settings,
        leader,
        metrics: metrics.clone(),
    };
    let end = manager.run();
    drop(reporter);
    io.shutdown_background();
    Ok(end?)
}

/// Where operators are opened that are only asked what they declare.
pub(crate) fn probe_environment(
    configuration: &Configuration,
    clock: SharedClock,
    io: Option<tokio::runtime::Handle>,
) -> TaskEnvironment {
    TaskEnvironment {
        clock,
        io,
        configuration: Arc::new(configuration.clone()),
        batches: BatchLimits::default(),
        windows: WindowLimits::default(),
        listener: Arc::new(NoListener),
        checkpointing: None,
        stores: None,
        seed: 0,
        attempt: 0,
    }
}

/// What the job goes on from, if it takes checkpoints: without `resume` from its latest one, whatever the
/// configuration says. State that it declares as another type is found
/// out here, before anything is touched.
fn open_store(
    program: &Program,
    probe: &TaskEnvironment,
    resume: Option<Resume>,
    tasks_run_elsewhere: bool,
) -> Result<Option<(JobStore, Begun)>, ApiError> {
    let configuration = probe.configuration.as_ref();
    let checkpoints = |error| ApiError::from(JobError::Checkpoint(error));
    let settings = CheckpointSettings::from_configuration(configuration).map_err(checkpoints)?;
    let path = configuration
        .get_set(&options::RECOVERY_PATH)
        .map_err(|error| ApiError::Configuration(error.to_string()))?;
    let Some(settings) = settings else {
        return match path {
            Some(path) => Err(ApiError::Configuration(format!(
                "{} is '{path}', and the job takes no checkpoints; set {} too",
                options::RECOVERY_PATH.key,
                options::CHECKPOINTING_INTERVAL.key
            ))),
            None => Ok(None),
        };
    };
    let resume = match (resume, path) {
        (Some(Resume::Latest), Some(path)) => {
            Resume::Folder(Location::parse(&path).map_err(checkpoints)?)
        }
        (resume, _) => resume.unwrap_or_default(),
    };
    let name = &program.graph.name;
    let clock = probe.clock.clone();
    let mut store = JobStore::open(name, settings, clock).map_err(checkpoints)?;
    if tasks_run_elsewhere {
        store.leave_keys_to_tasks();
    }
    let failed = RefCell::new(None);
    let check = |restored: &RestoredJob| {
        let keyed = |index: usize| {
            let node = program.graph.operators.get(index);
            let operator = node.and_then(|node| restored.operators.get(&node.id()));
            let parts = operator.iter().flat_map(|operator| &operator.parts);
            parts.flatten().any(|part| part.keyed.is_some())
        };
        match declared(program, probe, keyed) {
            Ok(declared) => fitting::check(restored, &program.graph, &declared),
            Err(error) => {
                let text = error.to_string();
                *failed.borrow_mut() = Some(error);
                Err(CheckpointError::Setting(text))
            }
        }
    };
    let begun = store.begin_if(&resume, &program.graph, check);
    if let Some(error) = failed.into_inner() {
        return Err(JobError::Task(Box::new(error)).into());
    }
    match begun.map_err(checkpoints)? {
        Start::Finished => Err(ApiError::Finished {
            job: name.clone(),
            location: store.location(),
        }),
        Start::Run(begun) => {
            if let Some(restored) = &begun.restored {
                tracing::info!(
                    job = %name,
                    checkpoint = restored.checkpoint.0,
                    "goes on from a checkpoint in {}",
                    store.location()
                );
            }
            Ok(Some((store, *begun)))
        }
    }
}

fn batch_limits(configuration: &Configuration) -> Result<BatchLimits, ApiError> {
    let timeout = configuration
        .buffer_timeout()
        .map_err(|error| ApiError::Configuration(error.to_string()))?;
    // Without a time-out a batch goes when it is full, when the task would idle or before a control
    // element.
    let timeout_micros = timeout.map_or(i64::MAX / 4, |timeout| {
        i64::try_from(timeout.as_micros()).unwrap_or(i64::MAX / 4)
    });
    Ok(BatchLimits {
        timeout_micros,
        ..BatchLimits::default()
    })
}

fn window_limits(configuration: &Configuration) -> Result<WindowLimits, ApiError> {
    let refused =
        |error: rheos_core::config::ConfigError| ApiError::Configuration(error.to_string());
    let limits = WindowLimits::default();
    let enabled = configuration
        .get(&options::BUFFER_DEBLOAT_ENABLED)
        .map_err(refused)?;
    let target = configuration
        .get(&options::BUFFER_DEBLOAT_TARGET)
        .map_err(refused)?;
    Ok(match enabled.then_some(target) {
        Some(target) => WindowLimits {
            target_micros: i64::try_from(target.as_micros()).unwrap_or(limits.target_micros),
            ..limits
        },
        None => WindowLimits {
            initial: limits.max,
            min: limits.max,
            ..limits
        },
    })
}
