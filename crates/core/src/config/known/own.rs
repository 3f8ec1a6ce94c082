//! What Flink has not: Rheos's own.

use super::Kind::{Bool, Duration, Enum, Int, Str};
use super::Verdict::Honoured;
use super::{KnownOption, opt};

#[rustfmt::skip]
pub(super) const OPTIONS: &[KnownOption] = &[
    opt("rheos.checkpointing.copies.dir", &[], Str, "", Honoured),
    opt("rheos.checkpointing.copies.s3.access-key", &[], Str, "", Honoured),
    opt("rheos.checkpointing.copies.s3.endpoint", &[], Str, "", Honoured),
    opt("rheos.checkpointing.copies.s3.endpoint.region", &[], Str, "", Honoured),
    opt("rheos.checkpointing.copies.s3.path.style.access", &[], Bool, "", Honoured),
    opt("rheos.checkpointing.copies.s3.secret-key", &[], Str, "", Honoured),
    opt("rheos.high-availability.lease.duration", &[], Duration, "", Honoured).ours("3 s"),
    opt("rheos.high-availability.lease.renew-interval", &[], Duration, "", Honoured),
    opt("rheos.rest.insecure", &[], Bool, "", Honoured).ours("false"),
    opt("rheos.rest.token", &[], Str, "", Honoured),
    opt("rheos.state.resident-keys", &[], Int, "", Honoured),
    opt("rheos.threads", &[], Enum(&["task", "slot", "auto"]), "", Honoured).ours("auto"),
];
