//! How a TaskManager finds the JobManager that leads.

use super::record::{Hold, LeaseRecord};
use super::records::LeaseRecords;

/// Where the leader is.
#[derive(Clone)]
pub enum LeaderAt {
    /// Always here, `HOST:PORT`: there is one JobManager.
    Address(String),
    /// Where the newest record of the lease says.
    Lease(LeaseRecords),
}

/// What came of looking for the leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sought {
    /// It is there.
    At(String),
    /// There is none that is worth trying: why.
    Nobody(String),
    /// The job has ended meanwhile: how.
    Over(String),
}

/// Finds the leader, again and again.
///
/// Invariant: one that was lost is not tried again before it has renewed: while it has not, it is likely
/// to be dead or asleep, and another will take over.
pub struct Seeker {
    at: LeaderAt,
    view: View,
}

impl Seeker {
    /// Where the leader is to be found out from this.
    pub fn new(at: LeaderAt) -> Self {
        Self {
            at,
            view: View::default(),
        }
    }

    /// Where it is thought to be, for messages.
    pub fn place(&self) -> String {
        match &self.at {
            LeaderAt::Address(address) => address.clone(),
            LeaderAt::Lease(records) => match &self.view.tried {
                Some((_, record)) => record.rpc.clone(),
                None => format!("the address in {}", records.location()),
            },
        }
    }

    /// Looks for it.
    pub fn look(&mut self) -> Sought {
        match &self.at {
            LeaderAt::Address(address) => Sought::At(address.clone()),
            LeaderAt::Lease(records) => match records.newest() {
                Ok(newest) => self.view.saw(newest),
                Err(error) => Sought::Nobody(error.to_string()),
            },
        }
    }

    /// Who leads in the place of the one that was found, if another does. For when that is silent: it
    /// costs a request.
    pub fn superseded(&self) -> Option<String> {
        match &self.at {
            LeaderAt::Lease(records) => self.view.superseded(records.newest().ok()??.1),
            LeaderAt::Address(_) => None,
        }
    }

    /// What was found can't be reached, or was lost.
    pub fn lost(&mut self) {
        if let LeaderAt::Lease(records) = &self.at {
            self.view.lost(records.newest().ok().flatten());
        }
    }
}

/// What is known of the lease. Pure.
#[derive(Debug, Default)]
struct View {
    /// Whether somebody has led since this one looks.
    held: bool,
    /// Who was tried last, and the number of the record that said so.
    tried: Option<(u64, LeaseRecord)>,
    /// Its newest record when it was lost.
    lost: Option<u64>,
}

impl View {
    fn saw(&mut self, newest: Option<(u64, LeaseRecord)>) -> Sought {
        let Some((number, record)) = newest else {
            return Sought::Nobody("no JobManager has led the job yet".to_owned());
        };
        match &record.hold {
            Hold::Held => {
                self.held = true;
                if self.lost.is_some_and(|lost| number <= lost) {
                    return Sought::Nobody(format!("{record} has not renewed its lease since"));
                }
                let rpc = record.rpc.clone();
                (self.tried, self.lost) = (Some((number, record)), None);
                Sought::At(rpc)
            }
            Hold::Over { how } if self.held => Sought::Over(how.clone()),
            Hold::Over { .. } | Hold::Released => {
                Sought::Nobody(format!("{record} leads no more, and nobody else does yet"))
            }
        }
    }

    fn superseded(&self, newest: LeaseRecord) -> Option<String> {
        let (_, tried) = self.tried.as_ref()?;
        let another = newest.hold == Hold::Held && newest.holder != tried.holder;
        another.then(|| format!("{newest} leads in its place"))
    }

    fn lost(&mut self, newest: Option<(u64, LeaseRecord)>) {
        let Some((tried, of)) = &self.tried else {
            return;
        };
        self.lost = match newest {
            Some((number, record)) if record.holder == of.holder => Some(number),
            // Another leads by now.
            Some(_) => None,
            None => Some(*tried),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: u64, holder: &str, hold: Hold) -> Option<(u64, LeaseRecord)> {
        let record = LeaseRecord {
            holder: holder.to_owned(),
            rpc: holder.to_owned(),
            rest: None,
            hold,
            begun: true,
            at: 0,
        };
        Some((number, record))
    }

    fn at(place: &str) -> Sought {
        Sought::At(place.to_owned())
    }

    #[test]
    fn one_that_was_lost_is_tried_again_when_it_has_renewed_or_another_leads() {
        let mut view = View::default();
        let held = |number, holder| record(number, holder, Hold::Held);
        assert!(matches!(view.saw(None), Sought::Nobody(_)));
        assert_eq!(view.saw(held(4, "a")), at("a"));
        assert_eq!(view.superseded(held(9, "a").unwrap().1), None);
        assert!(view.superseded(held(9, "b").unwrap().1).is_some());
        view.lost(held(9, "a"));
        assert!(matches!(view.saw(held(9, "a")), Sought::Nobody(_)));
        assert_eq!(view.saw(held(10, "a")), at("a"));
        view.lost(held(11, "b"));
        assert_eq!(view.saw(held(11, "b")), at("b"));
        // The storage is away.
        view.lost(None);
        assert!(matches!(view.saw(held(11, "b")), Sought::Nobody(_)));
        assert_eq!(view.saw(held(12, "b")), at("b"));
    }

    #[test]
    fn the_end_of_the_job_is_the_end_of_those_who_knew_it() {
        let over = || {
            let how = "finished".to_owned();
            record(5, "a", Hold::Over { how })
        };
        let mut afterwards = View::default();
        assert!(matches!(afterwards.saw(over()), Sought::Nobody(_)));
        let mut there = View::default();
        there.saw(record(4, "a", Hold::Held));
        assert_eq!(there.saw(over()), Sought::Over("finished".to_owned()));
        assert!(matches!(
            there.saw(record(6, "a", Hold::Released)),
            Sought::Nobody(_)
        ));
    }
}
