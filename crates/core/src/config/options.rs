//! The options that the engine reads, by name; and the few that need more than their type.
//!
//! A constant here has the key, the old keys and the default of its line in [`super::known`].

use std::time::Duration;

use super::configuration::Configuration;
use super::error::ConfigError;
use super::memory_size::MemorySize;
use super::option::ConfigOption;

pub use super::own_options::*;
pub use super::rocksdb_options::*;

/// Parallelism of operators that set none.
pub const PARALLELISM_DEFAULT: ConfigOption<u32> = ConfigOption::new(
    "parallelism.default",
    "Parallelism of operators that set none.",
)
.default("1");

/// Upper bound of every operator's parallelism; -1 is none.
pub const PIPELINE_MAX_PARALLELISM: ConfigOption<i32> = ConfigOption::new(
    "pipeline.max-parallelism",
    "Upper bound of every operator's parallelism; -1 is none.",
)
.default("-1");

/// How often periodic watermark generators are asked; zero turns them off.
pub const PIPELINE_AUTO_WATERMARK_INTERVAL: ConfigOption<Duration> = ConfigOption::new(
    "pipeline.auto-watermark-interval",
    "How often periodic watermark generators are asked; zero turns them off.",
)
.default("200 ms");

/// The job's name, where the program gives none.
pub const PIPELINE_NAME: ConfigOption<String> = ConfigOption::new(
    "pipeline.name",
    "The job's name, where the program gives none.",
);

/// Whether neighbouring operators are fused into one task.
pub const PIPELINE_OPERATOR_CHAINING: ConfigOption<bool> = ConfigOption::new(
    "pipeline.operator-chaining.enabled",
    "Whether neighbouring operators are fused into one task.",
)
.old_keys(&["pipeline.operator-chaining"])
.default("true");

/// Whether a batch that is not full is sent after a while; see [`Configuration::buffer_timeout`].
pub const EXECUTION_BUFFER_TIMEOUT_ENABLED: ConfigOption<bool> = ConfigOption::new(
    "execution.buffer-timeout.enabled",
    "Whether a batch that is not full is sent after a while.",
)
.default("true");

/// After how long it is sent; see [`Configuration::buffer_timeout`].
pub const EXECUTION_BUFFER_TIMEOUT_INTERVAL: ConfigOption<Duration> = ConfigOption::new(
    "execution.buffer-timeout.interval",
    "After how long a batch that is not full is sent; zero sends every row at once.",
)
.old_keys(&["execution.buffer-timeout"])
.default("5 ms");

/// How often sources emit latency markers; zero turns them off.
pub const METRICS_LATENCY_INTERVAL: ConfigOption<Duration> = ConfigOption::new(
    "metrics.latency.interval",
    "How often sources emit latency markers; zero turns them off.",
)
.default("0 ms");

/// The reporters that are started; unset means all that are configured.
pub const REPORTERS: ConfigOption<String> = ConfigOption::new(
    "metrics.reporters",
    "The reporters that are started; unset means all that are configured.",
);

/// The class of the reporter `prom`; Flink's of Prometheus.
pub const REPORTER_PROM_FACTORY_CLASS: ConfigOption<String> = ConfigOption::new(
    "metrics.reporter.prom.factory.class",
    "The class of the reporter `prom`.",
)
.old_keys(&["metrics.reporter.prom.class"]);

/// The port that Prometheus scrapes: one, a list, or a range, of which the first free one is taken.
pub const REPORTER_PROM_PORT: ConfigOption<String> = ConfigOption::new(
    "metrics.reporter.prom.port",
    "The port that Prometheus scrapes.",
)
.default("9249");

/// The address that it listens on.
pub const REPORTER_PROM_HOST: ConfigOption<String> = ConfigOption::new(
    "metrics.reporter.prom.host",
    "The address that Prometheus scrapes.",
)
.default("127.0.0.1");

/// The port of REST; 0 is any. Set, it turns REST on.
pub const REST_PORT: ConfigOption<String> = ConfigOption::new(
    "rest.port",
    "The port of REST; 0 is any. Set, it turns REST on.",
)
.default("8081");

/// The ports that REST may take: one, a list, or a range, of which the first free one is taken.
pub const REST_BIND_PORT: ConfigOption<String> =
    ConfigOption::new("rest.bind-port", "The ports that REST may take.")
        .old_keys(&["web.port", "jobmanager.web.port"])
        .default("8081");

/// The address that REST listens on.
pub const REST_BIND_ADDRESS: ConfigOption<String> =
    ConfigOption::new("rest.bind-address", "The address that REST listens on.")
        .old_keys(&["web.address", "jobmanager.web.address"])
        .default("127.0.0.1");

/// The host by which clients reach REST.
pub const REST_ADDRESS: ConfigOption<String> =
    ConfigOption::new("rest.address", "The host by which clients reach REST.");

/// Keys with one of these in them have secrets for values, which are not shown.
pub const SENSITIVE: [&str; 11] = [
    "password",
    "secret",
    "fs.azure.account.key",
    "apikey",
    "api-key",
    "auth-params",
    "service-key",
    "token",
    "basic-auth",
    "jaas.config",
    "http-headers",
];

/// Whether odd characters in values of labels become `_`.
pub const REPORTER_PROM_FILTER: ConfigOption<bool> = ConfigOption::new(
    "metrics.reporter.prom.filterLabelValueCharacters",
    "Whether odd characters in values of labels become `_`.",
)
.default("true");

/// Where TaskManagers find the JobManager, and where that listens.
pub const JOBMANAGER_RPC_ADDRESS: ConfigOption<String> = ConfigOption::new(
    "jobmanager.rpc.address",
    "Where TaskManagers find the JobManager, and where that listens.",
)
.default("127.0.0.1");

/// The JobManager's port.
pub const JOBMANAGER_RPC_PORT: ConfigOption<u16> =
    ConfigOption::new("jobmanager.rpc.port", "The JobManager's port.").default("6123");

/// Whether rows are compressed on their way to another TaskManager.
pub const NETWORK_COMPRESSION_ENABLED: ConfigOption<bool> = ConfigOption::new(
    "taskmanager.network.compression.enabled",
    "Whether rows are compressed on their way to another TaskManager.",
)
.default("false");

/// How: by LZ4.
pub const NETWORK_COMPRESSION_CODEC: ConfigOption<String> =
    ConfigOption::new("taskmanager.network.compression.codec", "How: by LZ4.").default("LZ4");

/// Whether the processes of a job talk over TLS, with certificates on both sides.
pub const SSL_INTERNAL_ENABLED: ConfigOption<bool> = ConfigOption::new(
    "security.ssl.internal.enabled",
    "Whether the processes of a job talk over TLS, with certificates on both sides.",
)
.default("false");

/// The PEM file with a process's certificate, those that vouch for it, and its key.
pub const SSL_INTERNAL_KEYSTORE: ConfigOption<String> = ConfigOption::new(
    "security.ssl.internal.keystore",
    "The PEM file with a process's certificate, those that vouch for it, and its key.",
);

/// The same, for all that TLS is used for.
pub const SSL_KEYSTORE: ConfigOption<String> = ConfigOption::new(
    "security.ssl.keystore",
    "The same, for all that TLS is used for.",
);

/// The PEM file with the authorities that vouch for the processes of the cluster.
pub const SSL_INTERNAL_TRUSTSTORE: ConfigOption<String> = ConfigOption::new(
    "security.ssl.internal.truststore",
    "The PEM file with the authorities that vouch for the processes of the cluster.",
);

/// The same, for all that TLS is used for.
pub const SSL_TRUSTSTORE: ConfigOption<String> = ConfigOption::new(
    "security.ssl.truststore",
    "The same, for all that TLS is used for.",
);

/// What the keystore is: PEM.
pub const SSL_INTERNAL_KEYSTORE_TYPE: ConfigOption<String> = ConfigOption::new(
    "security.ssl.internal.keystore-type",
    "What the keystore is: PEM.",
);

/// What the truststore is: PEM.
pub const SSL_INTERNAL_TRUSTSTORE_TYPE: ConfigOption<String> = ConfigOption::new(
    "security.ssl.internal.truststore-type",
    "What the truststore is: PEM.",
);

/// Whether REST is spoken over TLS.
pub const SSL_REST_ENABLED: ConfigOption<bool> = ConfigOption::new(
    "security.ssl.rest.enabled",
    "Whether REST is spoken over TLS.",
)
.default("false");

/// Whether clients of REST have to show certificates.
pub const SSL_REST_AUTHENTICATION_ENABLED: ConfigOption<bool> = ConfigOption::new(
    "security.ssl.rest.authentication-enabled",
    "Whether clients of REST have to show certificates.",
)
.default("false");

/// The PEM file with REST's certificate, those that vouch for it, and its key; of a client, its own.
pub const SSL_REST_KEYSTORE: ConfigOption<String> = ConfigOption::new(
    "security.ssl.rest.keystore",
    "The PEM file with REST's certificate, those that vouch for it, and its key.",
);

/// The PEM file with the authorities that vouch for clients; of a client, for REST.
pub const SSL_REST_TRUSTSTORE: ConfigOption<String> = ConfigOption::new(
    "security.ssl.rest.truststore",
    "The PEM file with the authorities that vouch for clients of REST; of a client, for REST.",
);

/// What the keystore is: PEM.
pub const SSL_REST_KEYSTORE_TYPE: ConfigOption<String> = ConfigOption::new(
    "security.ssl.rest.keystore-type",
    "What the keystore is: PEM.",
);

/// What the truststore is: PEM.
pub const SSL_REST_TRUSTSTORE_TYPE: ConfigOption<String> = ConfigOption::new(
    "security.ssl.rest.truststore-type",
    "What the truststore is: PEM.",
);

/// The address at which a TaskManager takes data connections, and is known.
pub const TASKMANAGER_HOST: ConfigOption<String> = ConfigOption::new(
    "taskmanager.host",
    "The address at which a TaskManager takes data connections, and is known.",
)
.default("127.0.0.1");

/// The port of a TaskManager's data connections.
pub const TASKMANAGER_DATA_PORT: ConfigOption<u16> = ConfigOption::new(
    "taskmanager.data.port",
    "The port of a TaskManager's data connections; 0 is any that is free.",
)
.default("0");

/// How often JobManager and TaskManagers give signs of life.
pub const HEARTBEAT_INTERVAL: ConfigOption<Duration> = ConfigOption::new(
    "heartbeat.interval",
    "How often JobManager and TaskManagers give signs of life.",
)
.default("500 ms");

/// After how long without a sign of life the other side is lost.
pub const HEARTBEAT_TIMEOUT: ConfigOption<Duration> = ConfigOption::new(
    "heartbeat.timeout",
    "After how long without a sign of life the other side is lost.",
)
.default("4 s");

/// Whether several JobManagers of a job can be started, of which one leads: `NONE` or `storage`.
pub const HA_TYPE: ConfigOption<String> = ConfigOption::new(
    "high-availability.type",
    "Whether several JobManagers of a job can be started, of which one leads: NONE or storage.",
)
.old_keys(&["recovery.mode", "high-availability"])
.default("NONE");

/// How long a job waits for slots.
pub const SLOT_REQUEST_TIMEOUT: ConfigOption<Duration> =
    ConfigOption::new("slot.request.timeout", "How long a job waits for slots.").default("5 min");

/// Whether a job keeps its parallelism (`Default`) or takes the slots there are, up to it (`Adaptive`).
pub const JOBMANAGER_SCHEDULER: ConfigOption<String> = ConfigOption::new(
    "jobmanager.scheduler",
    "Whether a job keeps its parallelism (Default) or takes the slots there are, up to it (Adaptive).",
)
.default("Default");

/// `REACTIVE`: a job takes all slots there are.
pub const SCHEDULER_MODE: ConfigOption<String> = ConfigOption::new(
    "scheduler-mode",
    "REACTIVE: a job takes all slots there are.",
);

/// How long a job runs at least before slots that have come make it wider.
pub const COOLDOWN_AFTER_RESCALING: ConfigOption<Duration> = ConfigOption::new(
    "jobmanager.adaptive-scheduler.executing.cooldown-after-rescaling",
    "How long a job runs at least before slots that have come make it wider.",
)
.old_keys(&["jobmanager.adaptive-scheduler.scaling-interval.min"])
.default("30 s");

/// How long slots must be as they are before they make a job wider, if it wants still more.
pub const EXECUTING_STABILIZATION: ConfigOption<Duration> = ConfigOption::new(
    "jobmanager.adaptive-scheduler.executing.resource-stabilization-timeout",
    "How long slots must be as they are before they make a job wider, if it wants still more.",
)
.old_keys(&["jobmanager.adaptive-scheduler.scaling-interval.max"])
.default("1 min");

/// How long slots must be as they are before a job starts with fewer than it wants.
pub const SUBMISSION_STABILIZATION: ConfigOption<Duration> = ConfigOption::new(
    "jobmanager.adaptive-scheduler.submission.resource-stabilization-timeout",
    "How long slots must be as they are before a job starts with fewer than it wants.",
)
.old_keys(&["jobmanager.adaptive-scheduler.resource-stabilization-timeout"])
.default("10 s");

/// How long a job waits for the slots that it needs at least; negative is for ever.
pub const SUBMISSION_WAIT: ConfigOption<Duration> = ConfigOption::new(
    "jobmanager.adaptive-scheduler.submission.resource-wait-timeout",
    "How long a job waits for the slots that it needs at least; negative is for ever.",
)
.old_keys(&["jobmanager.adaptive-scheduler.resource-wait-timeout"])
.default("5 min");

/// How long a TaskManager looks for its JobManager.
pub const TASKMANAGER_REGISTRATION_TIMEOUT: ConfigOption<Duration> = ConfigOption::new(
    "taskmanager.registration.timeout",
    "How long a TaskManager looks for its JobManager.",
)
.old_keys(&["taskmanager.maxRegistrationDuration"])
.default("5 min");

/// Slots of a TaskManager.
pub const TASKMANAGER_NUM_TASK_SLOTS: ConfigOption<u32> =
    ConfigOption::new("taskmanager.numberOfTaskSlots", "Slots of a TaskManager.").default("1");

/// Where the processes of a session keep what they need.
pub const PROCESS_WORKING_DIR: ConfigOption<String> = ConfigOption::new(
    "process.working-dir",
    "Where the processes of a session keep what they need.",
);

/// Where a session's JobManager keeps programs, jobs and their logs.
pub const PROCESS_JOBMANAGER_WORKING_DIR: ConfigOption<String> = ConfigOption::new(
    "process.jobmanager.working-dir",
    "Where a session's JobManager keeps programs, jobs and their logs.",
);

/// Where the TaskManagers of a session keep programs and logs.
pub const PROCESS_TASKMANAGER_WORKING_DIR: ConfigOption<String> = ConfigOption::new(
    "process.taskmanager.working-dir",
    "Where the TaskManagers of a session keep programs and logs.",
);

/// For how long a session remembers jobs that have ended.
pub const JOBSTORE_EXPIRATION_TIME: ConfigOption<Duration> = ConfigOption::new(
    "jobstore.expiration-time",
    "For how long a session remembers jobs that have ended.",
)
.default("1 h");

/// How many jobs that have ended a session remembers.
pub const JOBSTORE_MAX_CAPACITY: ConfigOption<u32> = ConfigOption::new(
    "jobstore.max-capacity",
    "How many jobs that have ended a session remembers.",
)
.default("100");

/// Bytes that the body of a request may have that uploads a program.
pub const REST_SERVER_MAX_CONTENT_LENGTH: ConfigOption<u32> = ConfigOption::new(
    "rest.server.max-content-length",
    "Bytes that the body of a request may have that uploads a program.",
)
.default("104857600");

/// All the memory of a JobManager.
pub const JOBMANAGER_MEMORY_PROCESS_SIZE: ConfigOption<MemorySize> = ConfigOption::new(
    "jobmanager.memory.process.size",
    "All the memory of a JobManager's process.",
);

/// All the memory of a TaskManager; see [`super::MemoryBudget`].
pub const TASKMANAGER_MEMORY_PROCESS_SIZE: ConfigOption<MemorySize> = ConfigOption::new(
    "taskmanager.memory.process.size",
    "All the memory of a TaskManager's process.",
);

/// The same without what a JVM would need beside it, so the same here.
pub const TASKMANAGER_MEMORY_FLINK_SIZE: ConfigOption<MemorySize> = ConfigOption::new(
    "taskmanager.memory.flink.size",
    "All the memory of a TaskManager, where `process.size` is not set.",
);

/// Memory for state.
pub const TASKMANAGER_MEMORY_MANAGED_SIZE: ConfigOption<MemorySize> =
    ConfigOption::new("taskmanager.memory.managed.size", "Memory for state.")
        .old_keys(&["taskmanager.memory.size"]);

/// Memory for state as a share of all.
pub const TASKMANAGER_MEMORY_MANAGED_FRACTION: ConfigOption<f64> = ConfigOption::new(
    "taskmanager.memory.managed.fraction",
    "Memory for state as a share of all, where its size is not set.",
)
.default("0.4");

/// Memory for rows in flight.
pub const TASKMANAGER_MEMORY_NETWORK_SIZE: ConfigOption<MemorySize> = ConfigOption::new(
    "taskmanager.memory.network.size",
    "Memory for rows in flight.",
);

/// Memory for rows in flight as a share of all.
pub const TASKMANAGER_MEMORY_NETWORK_FRACTION: ConfigOption<f64> = ConfigOption::new(
    "taskmanager.memory.network.fraction",
    "Memory for rows in flight as a share of all, where its size is not set.",
)
.old_keys(&["taskmanager.network.memory.fraction"])
.default("0.1");

/// The least that the share comes to.
pub const TASKMANAGER_MEMORY_NETWORK_MIN: ConfigOption<MemorySize> = ConfigOption::new(
    "taskmanager.memory.network.min",
    "The least that the share comes to.",
)
.old_keys(&["taskmanager.network.memory.min"])
.default("64 mb");

/// The most that the share comes to.
pub const TASKMANAGER_MEMORY_NETWORK_MAX: ConfigOption<MemorySize> = ConfigOption::new(
    "taskmanager.memory.network.max",
    "The most that the share comes to.",
)
.old_keys(&["taskmanager.network.memory.max"]);

/// Whether credit follows the receiver's pace.
pub const BUFFER_DEBLOAT_ENABLED: ConfigOption<bool> = ConfigOption::new(
    "taskmanager.network.memory.buffer-debloat.enabled",
    "Whether the credit granted follows the receiver's pace.",
)
.default("true");

/// How long it should take to consume what is in flight.
pub const BUFFER_DEBLOAT_TARGET: ConfigOption<Duration> = ConfigOption::new(
    "taskmanager.network.memory.buffer-debloat.target",
    "How long it should take to consume what is in flight.",
)
.default("200 ms");

/// From the trigger of a checkpoint to the next; unset means that none is taken.
pub const CHECKPOINTING_INTERVAL: ConfigOption<Duration> = ConfigOption::new(
    "execution.checkpointing.interval",
    "From the trigger of a checkpoint to the next; unset means that none is taken.",
);

/// At least this from the end of a checkpoint to the trigger of the next.
pub const CHECKPOINTING_MIN_PAUSE: ConfigOption<Duration> = ConfigOption::new(
    "execution.checkpointing.min-pause",
    "At least this from the end of a checkpoint to the trigger of the next.",
)
.default("0 ms");

/// After which a checkpoint that is not complete is given up.
pub const CHECKPOINTING_TIMEOUT: ConfigOption<Duration> = ConfigOption::new(
    "execution.checkpointing.timeout",
    "After which a checkpoint that is not complete is given up.",
)
.default("10 min");

/// Checkpoints under way at one time.
pub const CHECKPOINTING_MAX_CONCURRENT: ConfigOption<u32> = ConfigOption::new(
    "execution.checkpointing.max-concurrent-checkpoints",
    "Checkpoints under way at one time.",
)
.default("1");

/// Whether barriers may overtake rows.
pub const CHECKPOINTING_UNALIGNED: ConfigOption<bool> = ConfigOption::new(
    "execution.checkpointing.unaligned.enabled",
    "Whether the barriers of checkpoints may overtake rows, which are then part of the checkpoint.",
)
.old_keys(&["execution.checkpointing.unaligned"])
.default("true");

/// How long a barrier waits for the rows before it until it overtakes them.
pub const CHECKPOINTING_ALIGNED_TIMEOUT: ConfigOption<Duration> = ConfigOption::new(
    "execution.checkpointing.aligned-checkpoint-timeout",
    "After its trigger, how long a barrier waits for the rows before it until it overtakes them.",
)
.old_keys(&["execution.checkpointing.alignment-timeout"])
.default("1 s");

/// Checkpoints that may fail in a row before the job does.
pub const CHECKPOINTING_TOLERABLE_FAILURES: ConfigOption<u32> = ConfigOption::new(
    "execution.checkpointing.tolerable-failed-checkpoints",
    "Checkpoints that may fail in a row before the job does.",
)
.default("0");

/// What becomes of a job's checkpoints at its end.
pub const CHECKPOINTING_RETENTION: ConfigOption<String> = ConfigOption::new(
    "execution.checkpointing.externalized-checkpoint-retention",
    "What becomes of a job's checkpoints at its end.",
)
.old_keys(&["execution.checkpointing.externalized-checkpoint"])
.default("RETAIN_ON_CANCELLATION");

/// Complete checkpoints that are kept.
pub const CHECKPOINTING_NUM_RETAINED: ConfigOption<u32> = ConfigOption::new(
    "execution.checkpointing.num-retained",
    "Complete checkpoints that are kept.",
)
.old_keys(&["state.checkpoints.num-retained"])
.default("1");

/// Files of a RocksDB that have fewer bytes are packed into one file of the checkpoint.
pub const CHECKPOINTING_INLINE_THRESHOLD: ConfigOption<MemorySize> = ConfigOption::new(
    "execution.checkpointing.data-inline-threshold",
    "Files of a RocksDB that have fewer bytes are packed into one file of the checkpoint, and written with each; larger ones are written once.",
)
.old_keys(&[
    "state.storage.fs.memory-threshold",
    "state.backend.fs.memory-threshold",
])
.default("64 kb");

/// The folder of checkpoints; unset means the process's memory.
pub const CHECKPOINTING_DIR: ConfigOption<String> = ConfigOption::new(
    "execution.checkpointing.dir",
    "The folder of checkpoints; unset means the process's memory.",
)
.old_keys(&["state.checkpoints.dir", "state.backend.fs.checkpointdir"]);

/// How many of a job's last checkpoints are told of over REST.
pub const WEB_CHECKPOINTS_HISTORY: ConfigOption<u32> = ConfigOption::new(
    "web.checkpoints.history",
    "How many of a job's last checkpoints are told of over REST.",
)
.old_keys(&["jobmanager.web.checkpoints.history"])
.default("10");

/// How many of a job's last failures are told of over REST.
pub const WEB_EXCEPTION_HISTORY_SIZE: ConfigOption<u32> = ConfigOption::new(
    "web.exception-history-size",
    "How many of a job's last failures are told of over REST.",
)
.default("16");

/// Where savepoints go that name no place themselves.
pub const CHECKPOINTING_SAVEPOINT_DIR: ConfigOption<String> = ConfigOption::new(
    "execution.checkpointing.savepoint-dir",
    "Where savepoints go that name no place themselves.",
)
.old_keys(&["state.savepoints.dir", "savepoints.state.backend.fs.dir"]);

/// Where checkpoints are kept: `jobmanager` (memory) or `filesystem`; unset means by whether there is
/// a folder.
pub const CHECKPOINTING_STORAGE: ConfigOption<String> = ConfigOption::new(
    "execution.checkpointing.storage",
    "Where checkpoints are kept: `jobmanager` (memory) or `filesystem`.",
)
.old_keys(&["state.checkpoint-storage"]);

/// A checkpoint's folder to go on from.
pub const RECOVERY_PATH: ConfigOption<String> = ConfigOption::new(
    "execution.state-recovery.path",
    "A checkpoint's folder to go on from.",
)
.old_keys(&["execution.savepoint.path"]);

/// The server of checkpoints in `s3://…`; Amazon's where it is not set.
pub const S3_ENDPOINT: ConfigOption<String> =
    ConfigOption::new("s3.endpoint", "The server of `s3://…`.");

/// Who asks S3; the environment says it where it is not set.
pub const S3_ACCESS_KEY: ConfigOption<String> =
    ConfigOption::new("s3.access-key", "Who asks S3.").old_keys(&["s3.access.key"]);

/// What proves it.
pub const S3_SECRET_KEY: ConfigOption<String> =
    ConfigOption::new("s3.secret-key", "What proves it.").old_keys(&["s3.secret.key"]);

/// Whether the bucket is in the path of a URL; unset means that it is where there is an endpoint.
pub const S3_PATH_STYLE_ACCESS: ConfigOption<bool> = ConfigOption::new(
    "s3.path.style.access",
    "Whether the bucket is in the path of a URL.",
)
.old_keys(&["s3.path-style-access"]);

/// The region of the bucket.
pub const S3_ENDPOINT_REGION: ConfigOption<String> =
    ConfigOption::new("s3.endpoint.region", "The region of the bucket.").old_keys(&["s3.region"]);

/// Whether state of operators that the job doesn't have is dropped.
pub const RECOVERY_IGNORE_UNCLAIMED_STATE: ConfigOption<bool> = ConfigOption::new(
    "execution.state-recovery.ignore-unclaimed-state",
    "Whether state of operators that the job doesn't have is dropped.",
)
.old_keys(&["execution.savepoint.ignore-unclaimed-state"])
.default("false");

/// How long the tasks of a job may take to end once they are told to; zero waits without end.
pub const TASK_CANCELLATION_TIMEOUT: ConfigOption<Duration> = ConfigOption::new(
    "task.cancellation.timeout",
    "How long tasks may take to end once they are told to.",
)
.default("3 min");

/// Kind of restart strategy; unset means exponential delay with checkpoints and none without.
pub const RESTART_STRATEGY: ConfigOption<String> =
    ConfigOption::new("restart-strategy.type", "Kind of restart strategy.")
        .old_keys(&["restart-strategy"]);

/// Restarts of the fixed-delay strategy.
pub const FIXED_DELAY_ATTEMPTS: ConfigOption<u32> = ConfigOption::new(
    "restart-strategy.fixed-delay.attempts",
    "Restarts before the job fails.",
)
.default("1");

/// Time before each restart of the fixed-delay strategy.
pub const FIXED_DELAY_DELAY: ConfigOption<Duration> = ConfigOption::new(
    "restart-strategy.fixed-delay.delay",
    "Time before each restart.",
)
.default("1 s");

/// Failures within the interval that the failure-rate strategy bears.
pub const FAILURE_RATE_MAX_FAILURES: ConfigOption<u32> = ConfigOption::new(
    "restart-strategy.failure-rate.max-failures-per-interval",
    "Failures within the interval that are borne.",
)
.default("1");

/// The interval of the failure-rate strategy.
pub const FAILURE_RATE_INTERVAL: ConfigOption<Duration> = ConfigOption::new(
    "restart-strategy.failure-rate.failure-rate-interval",
    "The interval in which failures are counted.",
)
.default("1 min");

/// Time before each restart of the failure-rate strategy.
pub const FAILURE_RATE_DELAY: ConfigOption<Duration> = ConfigOption::new(
    "restart-strategy.failure-rate.delay",
    "Time before each restart.",
)
.default("1 s");

/// Time before the first restart of the exponential-delay strategy.
pub const EXPONENTIAL_DELAY_INITIAL_BACKOFF: ConfigOption<Duration> = ConfigOption::new(
    "restart-strategy.exponential-delay.initial-backoff",
    "Time before the first restart.",
)
.default("1 s");

/// The longest time before a restart of the exponential-delay strategy.
pub const EXPONENTIAL_DELAY_MAX_BACKOFF: ConfigOption<Duration> = ConfigOption::new(
    "restart-strategy.exponential-delay.max-backoff",
    "The longest time before a restart.",
)
.default("1 min");

/// What the time is multiplied by at each failure.
pub const EXPONENTIAL_DELAY_MULTIPLIER: ConfigOption<f64> = ConfigOption::new(
    "restart-strategy.exponential-delay.backoff-multiplier",
    "What the time before a restart is multiplied by at each failure.",
)
.default("1.5");

/// How long the job must have run for the time to begin anew.
pub const EXPONENTIAL_DELAY_RESET_THRESHOLD: ConfigOption<Duration> = ConfigOption::new(
    "restart-strategy.exponential-delay.reset-backoff-threshold",
    "How long the job must have run for the time before a restart to begin anew.",
)
.default("1 h");

/// By what share the time is made longer or shorter at random.
pub const EXPONENTIAL_DELAY_JITTER_FACTOR: ConfigOption<f64> = ConfigOption::new(
    "restart-strategy.exponential-delay.jitter-factor",
    "By what share the time before a restart is made longer or shorter at random.",
)
.default("0.1");

/// Restarts without a reset in between before the job fails; unset means no bound.
pub const EXPONENTIAL_DELAY_ATTEMPTS: ConfigOption<u32> = ConfigOption::new(
    "restart-strategy.exponential-delay.attempts-before-reset-backoff",
    "Restarts without a reset in between before the job fails; unset means no bound.",
);

impl Configuration {
    /// Parallelism of operators that set none: [`PARALLELISM_DEFAULT`], within
    /// [`PIPELINE_MAX_PARALLELISM`].
    ///
    /// # Errors
    /// It is zero, or above the bound.
    pub fn parallelism(&self) -> Result<u32, ConfigError> {
        let parallelism = self.get(&PARALLELISM_DEFAULT)?;
        if parallelism == 0 {
            return Err(self.bad_value(PARALLELISM_DEFAULT.key, "at least 1"));
        }
        match self.max_parallelism()? {
            Some(bound) if parallelism > bound => Err(ConfigError::Conflict {
                detail: format!(
                    "`{}: {parallelism}` is above `{}: {bound}`; lower the one or raise the other",
                    PARALLELISM_DEFAULT.key, PIPELINE_MAX_PARALLELISM.key
                ),
            }),
            _ => Ok(parallelism),
        }
    }

    /// Upper bound of every operator's parallelism, if there is one.
    ///
    /// # Errors
    /// It is neither -1 nor from 1 to 32,768, Flink's range and the number of key groups.
    pub fn max_parallelism(&self) -> Result<Option<u32>, ConfigError> {
        match self.get(&PIPELINE_MAX_PARALLELISM)? {
            -1 => Ok(None),
            bound @ 1..=32_768 => Ok(Some(bound.unsigned_abs())),
            _ => Err(self.bad_value(PIPELINE_MAX_PARALLELISM.key, "-1 or from 1 to 32768")),
        }
    }

    /// Slots of a TaskManager.
    ///
    /// # Errors
    /// It is zero.
    pub fn task_slots(&self) -> Result<u32, ConfigError> {
        match self.get(&TASKMANAGER_NUM_TASK_SLOTS)? {
            0 => Err(self.bad_value(TASKMANAGER_NUM_TASK_SLOTS.key, "at least 1")),
            slots => Ok(slots),
        }
    }

    /// After how long a batch that is not full is sent: zero sends every row at once, `None` waits
    /// until it is full (as does Flink 1.x's `execution.buffer-timeout: -1`).
    ///
    /// # Errors
    /// A value is not of its type.
    pub fn buffer_timeout(&self) -> Result<Option<Duration>, ConfigError> {
        let interval = &EXECUTION_BUFFER_TIMEOUT_INTERVAL;
        let set = interval
            .spellings()
            .find_map(|key| self.raw(key))
            .map(str::trim);
        let never = matches!(set, Some("-1" | "-1 ms" | "-1ms"));
        if never || !self.get(&EXECUTION_BUFFER_TIMEOUT_ENABLED)? {
            return Ok(None);
        }
        self.get(interval).map(Some)
    }

    /// How often periodic watermark generators are asked; `None` if they are turned off.
    ///
    /// # Errors
    /// The value is not a duration.
    pub fn auto_watermark_interval(&self) -> Result<Option<Duration>, ConfigError> {
        Ok(Some(self.get(&PIPELINE_AUTO_WATERMARK_INTERVAL)?).filter(|every| !every.is_zero()))
    }

    /// How often sources emit latency markers; `None` if they are turned off.
    ///
    /// # Errors
    /// The value is not a duration.
    pub fn latency_interval(&self) -> Result<Option<Duration>, ConfigError> {
        Ok(Some(self.get(&METRICS_LATENCY_INTERVAL)?).filter(|every| !every.is_zero()))
    }

    /// How long it should take to consume what is in flight; `None` if credit does not follow the
    /// receiver's pace.
    ///
    /// # Errors
    /// A value is not of its type.
    pub fn buffer_debloat_target(&self) -> Result<Option<Duration>, ConfigError> {
        let target = self.get(&BUFFER_DEBLOAT_TARGET)?;
        Ok(self.get(&BUFFER_DEBLOAT_ENABLED)?.then_some(target))
    }
}
