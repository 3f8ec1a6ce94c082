//! ForSt (disaggregated state).

use super::Kind::{Bool, Int, MemorySize, Str};
use super::Verdict::NoMeaning;
use super::reason::NO_FORST;
use super::{KnownOption, opt};

#[rustfmt::skip]
pub(super) const OPTIONS: &[KnownOption] = &[
    opt("state.backend.forst.cache.dir", &[], Str, "", NoMeaning(NO_FORST)),
    opt("state.backend.forst.cache.reserve-size", &[], MemorySize, "256 mb", NoMeaning(NO_FORST)),
    opt("state.backend.forst.cache.size-based-limit", &[], MemorySize, "0 bytes", NoMeaning(NO_FORST)),
    opt("state.backend.forst.executor.inline-coordinator", &[], Bool, "false", NoMeaning(NO_FORST)),
    opt("state.backend.forst.executor.inline-write", &[], Bool, "true", NoMeaning(NO_FORST)),
    opt("state.backend.forst.executor.read-io-parallelism", &[], Int, "3", NoMeaning(NO_FORST)),
    opt("state.backend.forst.executor.write-io-parallelism", &[], Int, "1", NoMeaning(NO_FORST)),
    opt("state.backend.forst.primary-dir", &[], Str, "checkpoint-dir", NoMeaning(NO_FORST)),
    opt("state.backend.forst.sync.enforce-local", &[], Bool, "true", NoMeaning(NO_FORST)),
];
