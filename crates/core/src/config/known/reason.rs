//! Why a key has no meaning here: the line that its user reads.

pub(super) const BYTE_CREDIT: &str =
    "credit is counted in bytes and granted as there is room, not in buffers a channel";
pub(super) const DEBLOAT: &str = "the credit granted follows the receiver's pace on every grant: only `enabled` and `target` can be set";
pub(super) const DERIVED_CODEC: &str =
    "rows are encoded by the codec that `#[derive(Row)]` gives them: no Kryo, no reflection";
pub(super) const FRAMES: &str =
    "a frame grows with what there is to send: it has no starting or least size";
pub(super) const IN_FLIGHT_FILE: &str =
    "what was in flight before a task lies in the task's own file of the checkpoint";
pub(super) const HA_BY_JOB: &str = "JobManagers of the same job and the same checkpoints belong together: its name tells them apart";
pub(super) const HA_IN_LOG: &str =
    "how a job has ended is in its log, beside its checkpoints (`execution.checkpointing.dir`)";
pub(super) const HA_IN_STORAGE: &str =
    "the lease lies beside the job's checkpoints (`execution.checkpointing.dir`)";
pub(super) const HA_PORT: &str =
    "`jobmanager.rpc.port` is the JobManager's port with high availability too; 0 is any";
pub(super) const INTERRUPTIBLE: &str =
    "a barrier is let through in the middle of a burst of timers, always";
pub(super) const NO_INTERRUPTS: &str = "a thread can't be interrupted: a task that does not end is given up after `task.cancellation.timeout`";
pub(super) const JM_NO_JVM: &str =
    "the JobManager has no JVM heap to size: `jobmanager.memory.process.size` bounds the process";
pub(super) const KEY_GROUPS: &str =
    "all operators share the same 32,768 key groups, so that chaining never depends on it";
pub(super) const LOG_STDERR: &str = "the process logs to standard error, whose level `RUST_LOG` sets; files are the service manager's business";
pub(super) const NAMES_VERIFIED: &str = "a client of REST always holds the certificate against the host's name, a process of the cluster never: whom its authority vouches for belongs to it";
pub(super) const NO_ACTORS: &str = "there is no actor system under the RPC";
pub(super) const NO_CHANGELOG: &str =
    "there is no state changelog: checkpoints are incremental and small without one";
pub(super) const NO_CODEGEN: &str = "SQL is not run by generated Java code";
pub(super) const NO_FORST: &str =
    "ForSt is not built in: `hashmap` and `rocksdb` are the state backends";
pub(super) const NO_GPU: &str = "external resources are not scheduled";
pub(super) const NO_JAVA_CLASS: &str =
    "a Java class cannot be loaded: set the RocksDB options by their keys";
pub(super) const NO_ITERATIONS: &str =
    "there are no iterations, for which alone Flink would have to be forced";
pub(super) const NO_JVM: &str = "there is no JVM to tune";
pub(super) const NO_KERBEROS: &str = "Kerberos and Hadoop tokens are not supported";
pub(super) const NO_NETTY: &str =
    "there is no Netty: the exchange uses its own frames on one connection a pair of TaskManagers";
pub(super) const NO_PYTHON: &str = "there are no Python functions";
pub(super) const NO_QUERYABLE: &str =
    "queryable state is not supported (Flink 2 removed it as well)";
pub(super) const NO_SCRIPTS: &str = "there are no start scripts that would read it";
pub(super) const NO_ZOOKEEPER: &str =
    "neither ZooKeeper nor Kubernetes elects the leader: the checkpoint store itself does";
pub(super) const ONE_BINARY: &str =
    "the job's binary is the worker: no jars, blobs or class loaders are shipped";
pub(super) const ONE_BUDGET: &str = "there is no JVM heap to divide: rows, state and buffers are charged to `taskmanager.memory.process.size`";
pub(super) const ONE_TCP: &str = "a pair of TaskManagers always shares one connection";
pub(super) const EVERY_SLOT: &str =
    "a job that may be wider takes every slot, once the slots have settled";
pub(super) const RESCALE_CHECKPOINT: &str = "a job that is to be wider takes a checkpoint at once: it waits for none, and for no failed one";
pub(super) const SLOTS_SPREAD: &str =
    "slots are spread evenly over all TaskManagers, so that each has its share of the work";
pub(super) const PEM: &str =
    "keys and certificates are PEM files without a password: the file's permissions guard them";
pub(super) const TLS_BY_LIBRARY: &str =
    "TLS 1.3 and 1.2 are offered, with the cipher suites that rustls has: none of them is weak";
pub(super) const TLS_TIMES: &str =
    "a handshake has 10 s, as making any connection has; no session is kept for a next one";
pub(super) const ROCKS_CLOCK: &str = "the compaction filter reads the task's clock once a file, without a call into another language";
pub(super) const ROCKS_FILTERS: &str = "RocksDB has full filters only, since version 7";
pub(super) const ROCKS_PRIO: &str =
    "RocksDB's own share holds for indexes and filters: its C interface has no such setting";
pub(super) const ROCKS_RANGES: &str = "after a change of parallelism the other subtasks' key groups are deleted as ranges, in constant time, and compaction drops them";
pub(super) const ROCKS_TIMERS: &str =
    "timers are kept in memory, in buckets of time: firing them needs no store";
pub(super) const ROCKS_TRANSFER: &str = "new files are written by the thread that writes checkpoints, one after the other, beside the job";
pub(super) const ROWS_MOVE: &str =
    "rows are moved from operator to operator, never copied: reuse is always safe and always on";
pub(super) const SPLITS_PAUSE: &str =
    "every source can pause single splits: alignment never needs the exception";
pub(super) const STATE_ALONE: &str = "state alone uses managed memory";
pub(super) const STREAMING_ONLY: &str =
    "everything runs as a stream, which ends when bounded input does: there is no batch mode";
pub(super) const TASK_TIMES: &str =
    "back-pressure is measured as task time, not sampled (in Flink too, since 1.13)";
pub(super) const TIMERS_IN_TASKS: &str = "timers fire on the thread of their task, and end with it";
