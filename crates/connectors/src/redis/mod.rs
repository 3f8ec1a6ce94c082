//! Redis: a sink that writes strings, hashes and messages, to one server or a cluster.
//!
//! | file | what it holds |
//! |---|---|
//! | `resp` | commands and replies on the wire |
//! | `slot` | which part of a cluster's keys a key belongs to |
//! | `address` | where servers are, as users write it |
//! | `connection` | a connection, and the end of one that was lost |
//! | `nodes` | the masters of a cluster, and who has which slot |
//! | `verdict` | what a reply means |
//! | `courier` | a batch on its way |
//! | `epoch`, `committer` | exactly once: commands in the checkpoint, and out of it under a fence |
//! | `sink` | what users describe |
//! | `commands` | rows as commands |
//!
//! A batch is one pipeline a server, whatever the slots of its keys. Each command's reply is judged by
//! itself: one that must be asked again takes along all that follow it in its slot, so that of two
//! values of a key the later one stays.

mod address;
mod commands;
mod committer;
mod connection;
mod courier;
mod epoch;
mod nodes;
mod resp;
mod sink;
mod slot;
mod verdict;

pub use connection::RedisOptions;
pub use sink::RedisSink;

/// See `crate::fuzzing`.
#[cfg(any(fuzzing, test))]
pub(crate) fn fuzz_reply(bytes: &[u8]) {
    if let Ok(Some((reply, len))) = resp::parse(bytes) {
        assert!(len <= bytes.len(), "longer than what is there");
        reply.text();
    }
}
