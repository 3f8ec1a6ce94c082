//! A batch on its way to Redis.

use std::collections::{BTreeMap, HashMap};

use rheos_core::clock::SharedClock;

use super::connection::Fault;
use super::nodes::{Exchange, Nodes};
use super::resp::Reply;
use super::verdict::{Verdict, verdict};
use crate::error::ConnectorError;
use crate::outbox::{Courier, Delivered, Patience, Rejected};

/// A command of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Command {
    /// Its bytes among the batch's.
    pub from: usize,
    pub to: usize,
    /// Its row's place in the batch.
    pub row: usize,
    pub slot: u16,
}

/// Commands, in the order of their rows.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub bytes: Vec<u8>,
    pub commands: Vec<Command>,
    pub rows: usize,
}

/// A command that is still to be done.
struct Step {
    command: Command,
    /// Who must be asked this time, though another has the slot.
    ask: Option<String>,
}

/// Sends batches.
pub(super) struct RedisCourier {
    pub nodes: Nodes,
    pub patience: Patience,
    pub clock: SharedClock,
    /// What scripts have answered with a list: what was wrong with commands of a committed epoch.
    pub told: Vec<String>,
}

/// What a round came to.
#[derive(Default)]
struct Round {
    /// Slots of commands that must be asked again, from their places among the steps on; and who.
    again: HashMap<u16, usize>,
    ask: HashMap<usize, String>,
    done: usize,
    /// Why it is of no use to ask again at once.
    wait: Option<String>,
}

impl Round {
    /// A step must be done again, and all of its slot behind it.
    fn again(&mut self, slot: u16, at: usize) {
        let first = self.again.entry(slot).or_insert(at);
        *first = (*first).min(at);
    }
}

/// Redirections in a row that are followed without a pause.
const REDIRECTIONS: u32 = 16;

impl RedisCourier {
    /// Sends each step once.
    async fn round(
        &mut self,
        batch: &Batch,
        steps: &[Step],
        rejected: &mut BTreeMap<usize, String>,
    ) -> Result<Round, ConnectorError> {
        let mut round = Round::default();
        let mut servers: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, step) in steps.iter().enumerate() {
            let to = step
                .ask
                .as_deref()
                .or_else(|| self.nodes.of(step.command.slot));
            match to {
                Some(to) => match servers.get_mut(to) {
                    Some(places) => places.push(at),
                    None => {
                        servers.insert(to.to_owned(), vec![at]);
                    }
                },
                None => {
                    round.again(step.command.slot, at);
                    round.wait = Some(format!("nobody has slot {}", step.command.slot));
                    self.nodes.doubt();
                }
            }
        }
        let mut exchanges = Vec::new();
        let mut asked = Vec::new();
        for (to, places) in servers {
            let mut commands = Vec::new();
            let mut replies = Vec::new();
            for at in places {
                let Some(step) = steps.get(at) else { continue };
                if step.ask.is_some() {
                    commands.extend_from_slice(b"*1\r\n$6\r\nASKING\r\n");
                    replies.push(None);
                }
                let Command { from, to, .. } = step.command;
                commands.extend_from_slice(batch.bytes.get(from..to).unwrap_or_default());
                replies.push(Some((at, step.command)));
            }
            exchanges.push(Exchange {
                to: to.clone(),
                commands,
                count: replies.len(),
                writes: true,
            });
            asked.push((to, replies));
        }
        let answers = self.nodes.exchange(exchanges).await;
        for ((to, steps), answer) in asked.into_iter().zip(answers) {
            match answer {
                Ok(replies) => {
                    for (step, reply) in steps.into_iter().zip(replies) {
                        let Some((at, command)) = step else { continue };
                        let verdict = verdict(&reply, &to, self.nodes.cluster);
                        if let Reply::List(wrong) = &reply {
                            self.told.extend(wrong.iter().map(Reply::text));
                        }
                        self.judge(&mut round, &to, at, command, verdict, rejected)?;
                    }
                }
                Err(Fault::Passing(message)) => {
                    for (at, command) in steps.into_iter().flatten() {
                        round.again(command.slot, at);
                    }
                    round.wait = Some(message);
                    self.nodes.doubt();
                }
                Err(Fault::Fatal(message)) => return Err(self.patience.failed(&message)),
            }
        }
        Ok(round)
    }

    fn judge(
        &mut self,
        round: &mut Round,
        to: &str,
        at: usize,
        command: Command,
        verdict: Verdict,
        rejected: &mut BTreeMap<usize, String>,
    ) -> Result<(), ConnectorError> {
        match verdict {
            Verdict::Done => round.done += 1,
            Verdict::Row(message) => {
                round.done += 1;
                rejected.entry(command.row).or_insert(message);
            }
            Verdict::Moved(address) => {
                self.nodes.moved(command.slot, &address);
                round.again(command.slot, at);
            }
            Verdict::Ask(address) => {
                round.ask.insert(at, address);
                round.again(command.slot, at);
            }
            Verdict::Again(message) => {
                round.again(command.slot, at);
                round.wait = Some(format!("{to}: {message}"));
                // A new connection brings what is missing (a script) or shows who is master now.
                self.nodes.close(to);
                self.nodes.doubt();
            }
            Verdict::Fatal(message) => {
                return Err(self.patience.failed(&format!("{to}: {message}")));
            }
        }
        Ok(())
    }
}

impl Courier<Batch> for RedisCourier {
    async fn deliver(&mut self, batch: Batch) -> Result<Delivered, ConnectorError> {
        let began = self.clock.monotonic_micros();
        let mut rejected = BTreeMap::new();
        let steps = batch.commands.iter();
        let mut steps: Vec<Step> = steps
            .map(|command| Step {
                command: *command,
                ask: None,
            })
            .collect();
        let mut redirections = 0;
        while !steps.is_empty() {
            match self.nodes.refresh().await {
                Ok(()) => {}
                Err(Fault::Passing(message)) => {
                    self.patience.wait(&message).await?;
                    continue;
                }
                Err(Fault::Fatal(message)) => return Err(self.patience.failed(&message)),
            }
            let mut round = self.round(&batch, &steps, &mut rejected).await?;
            if round.done > 0 {
                self.patience.answered();
            }
            redirections = match round.wait {
                None => redirections + 1,
                Some(_) => 0,
            };
            if redirections > REDIRECTIONS {
                redirections = 0;
                self.nodes.doubt();
                round.wait = Some("servers refer to one another".to_owned());
            }
            let mut next = Vec::new();
            for (at, step) in steps.into_iter().enumerate() {
                let first = round.again.get(&step.command.slot);
                if first.is_some_and(|first| at >= *first) {
                    next.push(Step {
                        command: step.command,
                        ask: round.ask.remove(&at),
                    });
                }
            }
            steps = next;
            if let Some(message) = round.wait.filter(|_| !steps.is_empty()) {
                self.patience.wait(&message).await?;
            }
        }
        let micros = self.clock.monotonic_micros() - began;
        let rejected = rejected.into_iter();
        Ok(Delivered {
            bytes: batch.bytes.len() as u64,
            millis: u64::try_from(micros / 1_000).unwrap_or(0),
            rejected: rejected
                .map(|(index, message)| Rejected { index, message })
                .collect(),
        })
    }
}
