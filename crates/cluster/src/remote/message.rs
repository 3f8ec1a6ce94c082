//! What JobManager and TaskManagers tell each other: protocol buffers, one stream in each direction a
//! TaskManager, in order. Every message about a job carries the generation; one of another is ignored.
//!
//! Numbers of fields are never used again for something else.

use prost::{Message, Oneof};

use super::service::Plane;

/// The version of these messages. Another one is refused.
pub const VERSION: u32 = 5;

/// The control plane of a job.
pub struct JobPlane;

impl Plane for JobPlane {
    type Report = Report;
    type Order = Order;
    const SERVICE: &'static str = "rheos.Cluster";
    const PATH: &'static str = "/rheos.Cluster/Attach";

    fn alive() -> Report {
        Report {
            generation: 0,
            what: Some(Reported::Heartbeat(Heartbeat {})),
        }
    }
}

/// From a TaskManager.
#[derive(Clone, PartialEq, Message)]
pub struct Report {
    /// The generation that it is about; 0 before the first.
    #[prost(uint64, tag = "1")]
    pub generation: u64,
    /// What is reported.
    #[prost(
        oneof = "Reported",
        tags = "2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14"
    )]
    pub what: Option<Reported>,
}

/// See [`Report`].
#[derive(Clone, PartialEq, Oneof)]
pub enum Reported {
    /// The first message.
    #[prost(message, tag = "2")]
    Register(Register),
    /// It lives.
    #[prost(message, tag = "3")]
    Heartbeat(Heartbeat),
    /// The tasks of the generation are made, or can't be.
    #[prost(message, tag = "4")]
    Deployed(Deployed),
    /// A task has come into a state.
    #[prost(message, tag = "5")]
    Entered(Entered),
    /// A task has ended.
    #[prost(message, tag = "6")]
    Ended(Ended),
    /// A task's part of a checkpoint is written.
    #[prost(message, tag = "7")]
    Written(Written),
    /// It can't be.
    #[prost(message, tag = "8")]
    NotWritten(NotWritten),
    /// A task ends well, and leaves this.
    #[prost(message, tag = "9")]
    Leaves(Leaves),
    /// A source has come to its end.
    #[prost(message, tag = "10")]
    EndReached(TaskIndex),
    /// A source's reader wants a split.
    #[prost(message, tag = "11")]
    WantsSplit(WantsSplit),
    /// What tasks have counted.
    #[prost(message, tag = "12")]
    Counted(Counted),
    /// A barrier has passed a task, whose part is being written.
    #[prost(message, tag = "13")]
    Answered(Answered),
    /// It ends, because it has no room left: what it says of that.
    #[prost(string, tag = "14")]
    OutOfMemory(String),
}

/// A TaskManager and what it offers.
#[derive(Clone, PartialEq, Message)]
pub struct Register {
    /// [`VERSION`].
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// What people call it.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Where it takes data connections.
    #[prost(string, tag = "3")]
    pub data_address: String,
    /// Its slots.
    #[prost(uint32, tag = "4")]
    pub slots: u32,
    /// The name of the job whose binary it runs.
    #[prost(string, tag = "5")]
    pub job: String,
    /// The fingerprint of the JobGraph that it has built.
    #[prost(uint64, tag = "6")]
    pub graph: u64,
    /// Its process id, for people.
    #[prost(uint32, tag = "7")]
    pub process: u32,
}

/// A sign of life.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Heartbeat {}

/// Whether a generation's tasks are made.
#[derive(Clone, PartialEq, Message)]
pub struct Deployed {
    /// Why they are not; empty if they are.
    #[prost(string, tag = "1")]
    pub error: String,
}

/// A task by its index in the job.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct TaskIndex {
    /// The index.
    #[prost(uint64, tag = "1")]
    pub task: u64,
}

/// A task and its state.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Entered {
    /// Its index.
    #[prost(uint64, tag = "1")]
    pub task: u64,
    /// Whether it runs; else it initializes.
    #[prost(bool, tag = "2")]
    pub running: bool,
}

/// How a task ended.
#[derive(Clone, PartialEq, Message)]
pub struct Ended {
    /// Its index.
    #[prost(uint64, tag = "1")]
    pub task: u64,
    /// Whether it was only told to.
    #[prost(bool, tag = "2")]
    pub cancelled: bool,
    /// Why it failed; empty if it did not.
    #[prost(string, tag = "3")]
    pub error: String,
}

/// A task that a barrier has passed.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Answered {
    /// The checkpoint.
    #[prost(uint64, tag = "1")]
    pub checkpoint: u64,
    /// The task's index.
    #[prost(uint64, tag = "2")]
    pub task: u64,
}

/// A task's part of a checkpoint.
#[derive(Clone, PartialEq, Message)]
pub struct Written {
    /// The checkpoint.
    #[prost(uint64, tag = "1")]
    pub checkpoint: u64,
    /// The task's index.
    #[prost(uint64, tag = "2")]
    pub task: u64,
    /// Where it is, as JSON.
    #[prost(string, tag = "3")]
    pub part: String,
}

/// A checkpoint that a task's part can't be written of.
#[derive(Clone, PartialEq, Message)]
pub struct NotWritten {
    /// The checkpoint.
    #[prost(uint64, tag = "1")]
    pub checkpoint: u64,
    /// Why.
    #[prost(string, tag = "2")]
    pub error: String,
}

/// What a task that has ended leaves to later checkpoints.
#[derive(Clone, PartialEq, Message)]
pub struct Leaves {
    /// The task's index.
    #[prost(uint64, tag = "1")]
    pub task: u64,
    /// By operator.
    #[prost(message, repeated, tag = "2")]
    pub operators: Vec<Left>,
}

/// What an operator of it leaves.
#[derive(Clone, PartialEq, Message)]
pub struct Left {
    /// The operator.
    #[prost(fixed64, tag = "1")]
    pub operator: u64,
    /// Its snapshot.
    #[prost(bytes = "vec", tag = "2")]
    pub snapshot: Vec<u8>,
}

/// A reader that wants a split.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct WantsSplit {
    /// The source.
    #[prost(fixed64, tag = "1")]
    pub operator: u64,
    /// The reader's subtask.
    #[prost(uint32, tag = "2")]
    pub subtask: u32,
}

/// What the operators of a TaskManager's tasks have counted so far.
#[derive(Clone, PartialEq, Message)]
pub struct Counted {
    /// By task and operator.
    #[prost(message, repeated, tag = "1")]
    pub counts: Vec<OperatorCounts>,
}

/// The counters of one operator in one task, as its snapshots hold them.
#[derive(Clone, PartialEq, Message)]
pub struct OperatorCounts {
    /// The task's index.
    #[prost(uint64, tag = "1")]
    pub task: u64,
    /// The operator's position in the chain.
    #[prost(uint32, tag = "2")]
    pub operator: u32,
    /// The counters, as the rows' codec writes `Counts`.
    #[prost(bytes = "vec", tag = "3")]
    pub counts: Vec<u8>,
}

/// To a TaskManager.
#[derive(Clone, PartialEq, Message)]
pub struct Order {
    /// The generation that it is about; 0 where it is about none.
    #[prost(uint64, tag = "1")]
    pub generation: u64,
    /// What is to be done.
    #[prost(oneof = "Ordered", tags = "2, 3, 4, 5, 6, 7, 8, 9, 10")]
    pub what: Option<Ordered>,
}

/// See [`Order`].
#[derive(Clone, PartialEq, Oneof)]
pub enum Ordered {
    /// It is registered.
    #[prost(message, tag = "2")]
    Welcome(Welcome),
    /// It is not, or no longer; and it is to end.
    #[prost(message, tag = "3")]
    Leave(Leave),
    /// The JobManager lives.
    #[prost(message, tag = "4")]
    Heartbeat(Heartbeat),
    /// Its tasks of a generation.
    #[prost(message, tag = "5")]
    Deploy(Deploy),
    /// Mail for tasks.
    #[prost(message, tag = "6")]
    Tell(Tell),
    /// Splits for a reader.
    #[prost(message, tag = "7")]
    Splits(Splits),
    /// The checkpoints that are under way.
    #[prost(message, tag = "8")]
    Wanted(Wanted),
    /// The generation is over.
    #[prost(message, tag = "9")]
    Release(Heartbeat),
    /// Another JobManager leads, or none yet: it is to look for that.
    #[prost(message, tag = "10")]
    StandsBy(StandsBy),
}

/// From a JobManager that does not lead.
#[derive(Clone, PartialEq, Message)]
pub struct StandsBy {
    /// Who does, as far as it knows: for people.
    #[prost(string, tag = "1")]
    pub leader: String,
}

/// The answer to a registration.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Welcome {
    /// How often to give a sign of life, in milliseconds.
    #[prost(uint64, tag = "1")]
    pub heartbeat_millis: u64,
    /// After how long without one the other is taken for dead, in milliseconds.
    #[prost(uint64, tag = "2")]
    pub timeout_millis: u64,
}

/// A TaskManager is to end.
#[derive(Clone, PartialEq, Message)]
pub struct Leave {
    /// Why.
    #[prost(string, tag = "1")]
    pub reason: String,
    /// Whether that is a failure.
    #[prost(bool, tag = "2")]
    pub refused: bool,
}

/// A generation of the job.
#[derive(Clone, PartialEq, Message)]
pub struct Deploy {
    /// The job's id, 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub job: Vec<u8>,
    /// How often the job had been started again.
    #[prost(uint32, tag = "2")]
    pub attempt: u32,
    /// The job's history, if it takes checkpoints.
    #[prost(string, optional, tag = "3")]
    pub lineage: Option<String>,
    /// What it goes on from.
    #[prost(message, optional, tag = "4")]
    pub restore: Option<Restore>,
    /// This TaskManager, among those of the placement.
    #[prost(uint32, tag = "5")]
    pub own: u32,
    /// All of them.
    #[prost(message, repeated, tag = "6")]
    pub members: Vec<Member>,
    /// Where each task runs, by its index in the job.
    #[prost(uint32, repeated, tag = "7")]
    pub runs_in: Vec<u32>,
    /// The subtasks of each vertex of the job, which need not be those that its graph was built with.
    #[prost(uint32, repeated, tag = "8")]
    pub parallelism: Vec<u32>,
}

/// A TaskManager of a placement.
#[derive(Clone, PartialEq, Message)]
pub struct Member {
    /// What people call it.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Where it takes data connections.
    #[prost(string, tag = "2")]
    pub data_address: String,
}

/// A checkpoint that is gone on from.
#[derive(Clone, PartialEq, Message)]
pub struct Restore {
    /// Its folder, below the job's; or where it is, if it is of another.
    #[prost(string, tag = "1")]
    pub folder: String,
    /// Whether it is not among the job's own.
    #[prost(bool, tag = "2")]
    pub foreign: bool,
}

/// Mail for tasks.
#[derive(Clone, PartialEq, Message)]
pub struct Tell {
    /// To these, by index.
    #[prost(uint64, repeated, tag = "1")]
    pub tasks: Vec<u64>,
    /// What.
    #[prost(oneof = "Told", tags = "2, 3, 4, 5")]
    pub what: Option<Told>,
}

/// See [`Tell`].
#[derive(Clone, PartialEq, Oneof)]
pub enum Told {
    /// A barrier, as it is written on data connections.
    #[prost(bytes, tag = "2")]
    Barrier(Vec<u8>),
    /// A checkpoint is complete.
    #[prost(uint64, tag = "3")]
    Completed(u64),
    /// End now; with `true`, advance time to its end first.
    #[prost(bool, tag = "4")]
    Stop(bool),
    /// End without finishing.
    #[prost(message, tag = "5")]
    Cancel(Heartbeat),
}

/// Splits for a reader.
#[derive(Clone, PartialEq, Message)]
pub struct Splits {
    /// The source.
    #[prost(fixed64, tag = "1")]
    pub operator: u64,
    /// The reader's subtask.
    #[prost(uint32, tag = "2")]
    pub subtask: u32,
    /// The splits, as the rows' codec writes a list of them; none if no further will come.
    #[prost(bytes = "vec", optional, tag = "3")]
    pub encoded: Option<Vec<u8>>,
}

/// The checkpoints that are under way.
#[derive(Clone, PartialEq, Message)]
pub struct Wanted {
    /// Their numbers.
    #[prost(uint64, repeated, tag = "1")]
    pub checkpoints: Vec<u64>,
    /// Which of them is a savepoint.
    #[prost(message, optional, tag = "2")]
    pub savepoint: Option<Savepoint>,
}

/// A savepoint.
#[derive(Clone, PartialEq, Message)]
pub struct Savepoint {
    /// Its number.
    #[prost(uint64, tag = "1")]
    pub checkpoint: u64,
    /// Where it goes, instead of to the job's folder.
    #[prost(string, tag = "2")]
    pub location: String,
}
