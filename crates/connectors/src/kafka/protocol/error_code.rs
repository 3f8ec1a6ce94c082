//! What a broker's error codes mean, sorted by what to do.

use std::fmt;

/// An error that a broker answered with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode(pub i16);

/// What to do about an [`ErrorCode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Ask again in a moment.
    Retry,
    /// Look up who is responsible, then ask them.
    Refresh,
    /// Asking again does not help.
    GiveUp,
}

impl ErrorCode {
    /// No error.
    pub const NONE: Self = Self(0);
    /// The offset is not in the log.
    pub const OFFSET_OUT_OF_RANGE: Self = Self(1);
    /// The batch's checksum is wrong.
    pub const CORRUPT_MESSAGE: Self = Self(2);
    /// There is no such topic or partition, or the broker does not know it yet.
    pub const UNKNOWN_TOPIC_OR_PARTITION: Self = Self(3);
    /// The records are larger than the topic takes.
    pub const MESSAGE_TOO_LARGE: Self = Self(10);
    /// The topic is there already.
    pub const TOPIC_ALREADY_EXISTS: Self = Self(36);
    /// The sequence number is not the one that was to come.
    pub const OUT_OF_ORDER_SEQUENCE_NUMBER: Self = Self(45);
    /// The batch has been written before.
    pub const DUPLICATE_SEQUENCE_NUMBER: Self = Self(46);
    /// The transaction was ended by another user of its id, or because it took too long.
    pub const INVALID_PRODUCER_EPOCH: Self = Self(47);
    /// Nobody has used the transactional id for so long that the broker has forgotten it.
    pub const INVALID_PRODUCER_ID_MAPPING: Self = Self(49);
    /// The time-out asked for is more than the broker allows.
    pub const INVALID_TRANSACTION_TIMEOUT: Self = Self(50);
    /// The last transaction of the id is still being ended.
    pub const CONCURRENT_TRANSACTIONS: Self = Self(51);
    /// Something else was wrong, so this was not tried.
    pub const OPERATION_NOT_ATTEMPTED: Self = Self(55);
    /// Another user of the transactional id has shut this one out.
    pub const PRODUCER_FENCED: Self = Self(90);
    /// The producer's records have been deleted, and its state with them.
    pub const UNKNOWN_PRODUCER_ID: Self = Self(59);
    /// A record was refused by the broker.
    pub const INVALID_RECORD: Self = Self(87);

    /// The error, if it is one.
    ///
    /// # Errors
    /// The code itself, unless it says that all is well.
    pub fn check(self) -> Result<(), Self> {
        if self == Self::NONE {
            Ok(())
        } else {
            Err(self)
        }
    }

    /// What to do about it.
    pub fn remedy(self) -> Remedy {
        match self.0 {
            2 | 7 | 13..=15 | 19 | 20 | 51 | 52 | 55 | 78 | 83 | 84 | 89 => Remedy::Retry,
            3 | 5 | 6 | 8 | 9 | 16 | 41 | 56 | 74 | 75 | 100 | 103 => Remedy::Refresh,
            _ => Remedy::GiveUp,
        }
    }

    /// Whether it says that who we are may not do this.
    pub fn is_not_allowed(self) -> bool {
        matches!(self.0, 29..=31 | 53)
    }

    fn word(self) -> &'static str {
        match self.0 {
            -1 => "UNKNOWN_SERVER_ERROR",
            0 => "NONE",
            1 => "OFFSET_OUT_OF_RANGE",
            2 => "CORRUPT_MESSAGE",
            3 => "UNKNOWN_TOPIC_OR_PARTITION",
            4 => "INVALID_FETCH_SIZE",
            5 => "LEADER_NOT_AVAILABLE",
            6 => "NOT_LEADER_OR_FOLLOWER",
            7 => "REQUEST_TIMED_OUT",
            8 => "BROKER_NOT_AVAILABLE",
            9 => "REPLICA_NOT_AVAILABLE",
            10 => "MESSAGE_TOO_LARGE",
            13 => "NETWORK_EXCEPTION",
            14 => "COORDINATOR_LOAD_IN_PROGRESS",
            15 => "COORDINATOR_NOT_AVAILABLE",
            16 => "NOT_COORDINATOR",
            17 => "INVALID_TOPIC_EXCEPTION",
            18 => "RECORD_LIST_TOO_LARGE",
            19 => "NOT_ENOUGH_REPLICAS",
            20 => "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
            22 => "ILLEGAL_GENERATION",
            25 => "UNKNOWN_MEMBER_ID",
            29 => "TOPIC_AUTHORIZATION_FAILED",
            30 => "GROUP_AUTHORIZATION_FAILED",
            31 => "CLUSTER_AUTHORIZATION_FAILED",
            32 => "INVALID_TIMESTAMP",
            33 => "UNSUPPORTED_SASL_MECHANISM",
            34 => "ILLEGAL_SASL_STATE",
            35 => "UNSUPPORTED_VERSION",
            36 => "TOPIC_ALREADY_EXISTS",
            37 => "INVALID_PARTITIONS",
            38 => "INVALID_REPLICATION_FACTOR",
            40 => "INVALID_CONFIG",
            41 => "NOT_CONTROLLER",
            42 => "INVALID_REQUEST",
            43 => "UNSUPPORTED_FOR_MESSAGE_FORMAT",
            44 => "POLICY_VIOLATION",
            45 => "OUT_OF_ORDER_SEQUENCE_NUMBER",
            46 => "DUPLICATE_SEQUENCE_NUMBER",
            47 => "INVALID_PRODUCER_EPOCH",
            48 => "INVALID_TXN_STATE",
            49 => "INVALID_PRODUCER_ID_MAPPING",
            50 => "INVALID_TRANSACTION_TIMEOUT",
            51 => "CONCURRENT_TRANSACTIONS",
            52 => "TRANSACTION_COORDINATOR_FENCED",
            53 => "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
            55 => "OPERATION_NOT_ATTEMPTED",
            56 => "KAFKA_STORAGE_ERROR",
            58 => "SASL_AUTHENTICATION_FAILED",
            59 => "UNKNOWN_PRODUCER_ID",
            74 => "FENCED_LEADER_EPOCH",
            75 => "UNKNOWN_LEADER_EPOCH",
            76 => "UNSUPPORTED_COMPRESSION_TYPE",
            78 => "OFFSET_NOT_AVAILABLE",
            87 => "INVALID_RECORD",
            89 => "THROTTLING_QUOTA_EXCEEDED",
            90 => "PRODUCER_FENCED",
            _ => "error",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.word(), self.0)
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
