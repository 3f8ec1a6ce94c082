//! The states of a task's life, as Flink names them.

use std::fmt;

/// What a task is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExecutionState {
    /// It is planned.
    Created,
    /// It has a slot.
    Scheduled,
    /// It is on its way to its thread.
    Deploying,
    /// It is made, and takes back what it remembered.
    Initializing,
    /// It runs.
    Running,
    /// It has ended well.
    Finished,
    /// It was told to end.
    Canceling,
    /// It has ended because it was told to.
    Canceled,
    /// It has failed.
    Failed,
    /// It is looked for, after its JobManager was lost.
    Reconciling,
}

impl ExecutionState {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Created,
        Self::Scheduled,
        Self::Deploying,
        Self::Initializing,
        Self::Running,
        Self::Finished,
        Self::Canceling,
        Self::Canceled,
        Self::Failed,
        Self::Reconciling,
    ];

    /// Flink's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Scheduled => "SCHEDULED",
            Self::Deploying => "DEPLOYING",
            Self::Initializing => "INITIALIZING",
            Self::Running => "RUNNING",
            Self::Finished => "FINISHED",
            Self::Canceling => "CANCELING",
            Self::Canceled => "CANCELED",
            Self::Failed => "FAILED",
            Self::Reconciling => "RECONCILING",
        }
    }

    /// Whether it is over.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Finished | Self::Canceled | Self::Failed)
    }

    /// The state of a vertex whose subtasks are at these: Flink's rule.
    pub fn of_all(states: impl Iterator<Item = Self>) -> Self {
        let (mut all, mut finished) = (0, 0);
        let mut best: Option<(u8, Self)> = None;
        for state in states {
            all += 1;
            let rank = match state {
                Self::Failed => 6,
                Self::Canceling => 5,
                Self::Canceled => 4,
                Self::Initializing => 3,
                Self::Running => 2,
                Self::Finished => {
                    finished += 1;
                    1
                }
                _ => 0,
            };
            if rank > 0 && best.is_none_or(|(rank_of_best, _)| rank > rank_of_best) {
                best = Some((rank, state));
            }
        }
        match best {
            Some((_, Self::Finished)) if finished < all => Self::Running,
            Some((_, state)) => state,
            None => Self::Created,
        }
    }
}

impl fmt::Display for ExecutionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::ExecutionState::{self, *};

    #[test]
    fn a_vertex_is_at_what_its_subtasks_are() {
        for (states, all) in [
            (vec![], Created),
            (vec![Scheduled, Deploying], Created),
            (vec![Running, Initializing], Initializing),
            (vec![Running, Finished], Running),
            (vec![Finished, Deploying], Running),
            (vec![Finished, Finished], Finished),
            (vec![Canceled, Canceling, Finished], Canceling),
            (vec![Canceled, Running], Canceled),
            (vec![Canceled, Failed, Canceling], Failed),
        ] {
            assert_eq!(ExecutionState::of_all(states.into_iter()), all);
        }
    }
}
