//! What a session's JobManager and its TaskManagers tell each other: protocol buffers, one stream in each
//! direction a TaskManager, in order.
//!
//! Numbers of fields are never used again for something else.

use prost::{Message, Oneof};

use crate::remote::service::Plane;

/// The version of these messages. Another one is refused.
pub const VERSION: u32 = 1;

/// Bytes of an artifact that are sent at once.
pub const PIECE: u64 = 1 << 20;

/// The control plane of a session.
pub struct SessionPlane;

impl Plane for SessionPlane {
    type Report = Report;
    type Order = Order;
    const SERVICE: &'static str = "rheos.Session";
    const PATH: &'static str = "/rheos.Session/Attach";

    fn alive() -> Report {
        Reported::Heartbeat(Alive {}).into()
    }
}

/// From a TaskManager.
#[derive(Clone, PartialEq, Message)]
pub struct Report {
    /// What is reported.
    #[prost(oneof = "Reported", tags = "1, 2, 3, 4, 5")]
    pub what: Option<Reported>,
}

/// See [`Report`].
#[derive(Clone, PartialEq, Oneof)]
pub enum Reported {
    /// The first message.
    #[prost(message, tag = "1")]
    Register(Register),
    /// It lives.
    #[prost(message, tag = "2")]
    Heartbeat(Alive),
    /// It lacks a piece of an artifact.
    #[prost(message, tag = "3")]
    WantsPiece(WantsPiece),
    /// A worker has ended, or can't begin.
    #[prost(message, tag = "4")]
    Ended(Ended),
    /// The answer to [`Read`].
    #[prost(message, tag = "5")]
    Text(Text),
}

impl From<Reported> for Report {
    fn from(what: Reported) -> Self {
        Self { what: Some(what) }
    }
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
    /// Its slots.
    #[prost(uint32, tag = "3")]
    pub slots: u32,
    /// Its process id, for people.
    #[prost(uint32, tag = "4")]
    pub process: u32,
    /// Bytes of memory that its workers may have together.
    #[prost(uint64, tag = "5")]
    pub memory: u64,
}

/// A sign of life.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Alive {}

/// A piece of an artifact that is lacked.
#[derive(Clone, PartialEq, Message)]
pub struct WantsPiece {
    /// Which artifact.
    #[prost(string, tag = "1")]
    pub artifact: String,
    /// From which byte on.
    #[prost(uint64, tag = "2")]
    pub offset: u64,
}

/// The end of a worker.
#[derive(Clone, PartialEq, Message)]
pub struct Ended {
    /// Which.
    #[prost(uint64, tag = "1")]
    pub worker: u64,
    /// How.
    #[prost(string, tag = "2")]
    pub how: String,
    /// Whether it was let go, or ended, in good order.
    #[prost(bool, tag = "3")]
    pub well: bool,
}

/// The end of a file, or which there are.
#[derive(Clone, PartialEq, Message)]
pub struct Text {
    /// Which question this answers.
    #[prost(uint64, tag = "1")]
    pub question: u64,
    /// The text; none if there is no such file.
    #[prost(string, optional, tag = "2")]
    pub text: Option<String>,
}

/// To a TaskManager.
#[derive(Clone, PartialEq, Message)]
pub struct Order {
    /// What is to be done.
    #[prost(oneof = "Ordered", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub what: Option<Ordered>,
}

/// See [`Order`].
#[derive(Clone, PartialEq, Oneof)]
pub enum Ordered {
    /// It is registered.
    #[prost(message, tag = "1")]
    Welcome(Alive),
    /// It is not, and it is to end: why.
    #[prost(string, tag = "2")]
    Refuse(String),
    /// The JobManager lives.
    #[prost(message, tag = "3")]
    Heartbeat(Alive),
    /// A process of a job is to be started.
    #[prost(message, tag = "4")]
    Start(Start),
    /// A piece of an artifact.
    #[prost(message, tag = "5")]
    Piece(Piece),
    /// A worker is to be ended.
    #[prost(uint64, tag = "6")]
    End(u64),
    /// The end of a log is asked for.
    #[prost(message, tag = "7")]
    Read(Read),
}

impl From<Ordered> for Order {
    fn from(what: Ordered) -> Self {
        Self { what: Some(what) }
    }
}

/// A process of a job: a TaskManager of its own.
#[derive(Clone, PartialEq, Message)]
pub struct Start {
    /// Its number, which is used once.
    #[prost(uint64, tag = "1")]
    pub worker: u64,
    /// The job's id.
    #[prost(string, tag = "2")]
    pub job: String,
    /// The job's program.
    #[prost(string, tag = "3")]
    pub artifact: String,
    /// Its length in bytes.
    #[prost(uint64, tag = "4")]
    pub size: u64,
    /// The program's arguments.
    #[prost(string, repeated, tag = "5")]
    pub arguments: Vec<String>,
    /// Its slots.
    #[prost(uint32, tag = "6")]
    pub slots: u32,
    /// Where the job's JobManager takes TaskManagers.
    #[prost(string, tag = "7")]
    pub jobmanager: String,
    /// The session's configuration, which holds where the job's does not say another.
    #[prost(map = "string, string", tag = "8")]
    pub defaults: std::collections::HashMap<String, String>,
}

/// A piece of an artifact.
#[derive(Clone, PartialEq, Message)]
pub struct Piece {
    /// Which artifact.
    #[prost(string, tag = "1")]
    pub artifact: String,
    /// Where it begins.
    #[prost(uint64, tag = "2")]
    pub offset: u64,
    /// It; empty if the artifact is not there any more.
    #[prost(bytes = "vec", tag = "3")]
    pub bytes: Vec<u8>,
}

/// Asks for the end of a log.
#[derive(Clone, PartialEq, Message)]
pub struct Read {
    /// A number for the answer.
    #[prost(uint64, tag = "1")]
    pub question: u64,
    /// The log's name; empty asks which there are, a JSON list of names and sizes.
    #[prost(string, tag = "2")]
    pub file: String,
}
