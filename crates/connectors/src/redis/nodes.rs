//! The servers that batches go to: one, or the masters of a cluster and who has which slot.
//!
//! What is known of a cluster is asked anew (`CLUSTER SLOTS`) when a server can't be reached or says
//! that it is no longer what it was; single slots are corrected by redirections.

use std::collections::HashMap;

use super::address::Address;
use super::connection::{Connection, Connector, Fault, Session};
use super::resp::{Reply, put_command};
use super::slot::SLOTS;

/// The servers, and the connections to them.
pub(super) struct Nodes {
    connector: Connector,
    /// Those that users named.
    seeds: Vec<String>,
    pub cluster: bool,
    /// Of a cluster: the server of each slot, by its place among `masters`.
    slots: Vec<Option<usize>>,
    masters: Vec<String>,
    connections: HashMap<String, Connection>,
    /// Sessions that may still be at work.
    lost: HashMap<String, Session>,
    /// Whether who has which slot must be asked before anything is sent.
    stale: bool,
}

/// Commands for one server, and what they came to.
pub(super) struct Exchange {
    pub to: String,
    pub commands: Vec<u8>,
    pub count: usize,
    /// Whether they write, so that replicas may be waited for.
    pub writes: bool,
}

impl Nodes {
    pub fn new(connector: Connector, address: Address) -> Self {
        Self {
            connector,
            seeds: address.hosts,
            cluster: address.cluster,
            slots: vec![None; if address.cluster { SLOTS } else { 0 }],
            masters: Vec::new(),
            connections: HashMap::new(),
            lost: HashMap::new(),
            stale: address.cluster,
        }
    }

    /// Who has a slot; nobody, while a cluster is in trouble.
    pub fn of(&self, slot: u16) -> Option<&str> {
        if !self.cluster {
            return self.seeds.first().map(String::as_str);
        }
        let master = self.slots.get(usize::from(slot)).copied().flatten()?;
        self.masters.get(master).map(String::as_str)
    }

    /// What is known may no longer hold.
    pub fn doubt(&mut self) {
        self.stale = self.cluster;
    }

    /// A server has a slot from now on.
    pub fn moved(&mut self, slot: u16, to: &str) {
        let known = self.masters.iter().position(|master| master == to);
        let master = known.unwrap_or_else(|| {
            self.masters.push(to.to_owned());
            self.masters.len() - 1
        });
        if let Some(slot) = self.slots.get_mut(usize::from(slot)) {
            *slot = Some(master);
        }
    }

    /// Asks who has which slot, if that is in doubt: whoever of the cluster answers first.
    pub async fn refresh(&mut self) -> Result<(), Fault> {
        if !self.stale {
            return Ok(());
        }
        let mut command = Vec::new();
        put_command(&mut command, [&b"CLUSTER"[..], b"SLOTS"].into_iter());
        let mut known = self.masters.clone();
        known.extend(self.seeds.iter().cloned());
        let mut why = Vec::new();
        for to in known {
            let exchange = Exchange {
                to: to.clone(),
                commands: command.clone(),
                count: 1,
                writes: false,
            };
            let answer = self.exchange(vec![exchange]).await.pop();
            match answer {
                Some(Ok(replies)) => match replies.into_iter().next() {
                    Some(Reply::List(ranges)) if !ranges.is_empty() => {
                        self.learn(&ranges, &to);
                        self.stale = false;
                        return Ok(());
                    }
                    Some(Reply::Error(error)) => why.push(format!("{to}: {error}")),
                    _ => why.push(format!("{to}: it has no slots")),
                },
                Some(Err(Fault::Passing(message))) => why.push(message),
                Some(Err(fatal)) => return Err(fatal),
                None => {}
            }
        }
        why.dedup();
        Err(Fault::Passing(format!(
            "no server of the cluster tells who has which slot: {}",
            why.join("; ")
        )))
    }

    /// Takes `CLUSTER SLOTS` to heart: first and last slot, then the master's host and port.
    fn learn(&mut self, ranges: &[Reply], from: &str) {
        self.masters.clear();
        self.slots.fill(None);
        let asked = from.rsplit_once(':').map_or(from, |(host, _)| host);
        for range in ranges {
            let Reply::List(range) = range else { continue };
            let [
                Reply::Integer(first),
                Reply::Integer(last),
                Reply::List(master),
                ..,
            ] = range.as_slice()
            else {
                continue;
            };
            let [host, Reply::Integer(port), ..] = master.as_slice() else {
                continue;
            };
            // No host means that of who was asked.
            let host = match host.text() {
                host if host.is_empty() => asked.to_owned(),
                host if host.contains(':') => format!("[{host}]"),
                host => host,
            };
            let to = format!("{host}:{port}");
            for slot in *first..=(*last).min(SLOTS as i64 - 1) {
                if let Ok(slot) = u16::try_from(slot) {
                    self.moved(slot, &to);
                }
            }
        }
    }

    /// Sends to all of these servers at once; their answers, in this order.
    pub async fn exchange(&mut self, exchanges: Vec<Exchange>) -> Vec<Result<Vec<Reply>, Fault>> {
        let connector = &self.connector;
        let mut open = Vec::new();
        for exchange in exchanges {
            let kept = self.connections.remove(&exchange.to);
            let lost = self.lost.get(&exchange.to).cloned();
            open.push(async move {
                let Exchange {
                    to,
                    commands,
                    count,
                    writes,
                } = exchange;
                let mut connection = match kept {
                    Some(connection) => connection,
                    None => match connector.connect(&to, lost.as_ref()).await {
                        Ok(connection) => connection,
                        Err(fault) => return (to, None, Err(fault)),
                    },
                };
                let replies = match writes {
                    true => connector.write(&mut connection, &to, commands, count).await,
                    false => connector.ask(&mut connection, &to, &commands, count).await,
                };
                (to, Some(connection), replies)
            });
        }
        let mut answers = Vec::new();
        for (to, connection, answer) in futures_util::future::join_all(open).await {
            match connection {
                Some(connection) if answer.is_ok() => {
                    self.lost.remove(&to);
                    self.connections.insert(to, connection);
                }
                Some(connection) => {
                    if let Some(session) = connection.session.clone() {
                        self.lost.insert(to, session);
                    }
                }
                None => {}
            }
            answers.push(answer);
        }
        answers
    }

    /// Has the next batch for this server connect anew.
    pub fn close(&mut self, to: &str) {
        self.connections.remove(to);
    }
}
