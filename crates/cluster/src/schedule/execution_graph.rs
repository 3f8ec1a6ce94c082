//! Every task of a job with what it is at, in this attempt and in those before.
//!
//! Life: made when the job is → an attempt [begins](ExecutionGraph::begin) → its tasks come into
//! their states → another attempt, or the end. Tasks are known by their index, as they are deployed:
//! vertex by vertex, subtask by subtask.

use std::collections::VecDeque;

use rheos_core::id::Attempt;
use rheos_core::job_graph::JobGraph;
use rheos_core::time::Millis;

use super::execution_state::ExecutionState;

/// How many attempts before the current one are remembered of a task; Flink's
/// `jobmanager.execution.attempts-history-size`.
const REMEMBERED: usize = 16;

/// One attempt of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// Which attempt.
    pub attempt: Attempt,
    /// The states that it came into, and when; never empty.
    entered: Vec<(ExecutionState, Millis)>,
}

impl Execution {
    fn new(attempt: u32, now: Millis) -> Self {
        Self {
            attempt: Attempt(attempt),
            entered: vec![(ExecutionState::Created, now)],
        }
    }

    /// What it is at.
    pub fn state(&self) -> ExecutionState {
        self.entered
            .last()
            .map_or(ExecutionState::Created, |(state, _)| *state)
    }

    /// When it came into a state; 0 if it never did.
    pub fn entered(&self, state: ExecutionState) -> Millis {
        let at = self.entered.iter().find(|(entered, _)| *entered == state);
        at.map_or(0, |(_, at)| *at)
    }

    /// The states that it came into, with how long it was or is at each, in milliseconds.
    pub fn durations(&self, now: Millis) -> Vec<(ExecutionState, Millis)> {
        let ends = self.entered.iter().skip(1).map(|(_, at)| *at);
        let last = if self.state().has_ended() {
            self.changed()
        } else {
            now
        };
        self.entered
            .iter()
            .zip(ends.chain([last]))
            .map(|((state, at), end)| (*state, (end - at).max(0)))
            .collect()
    }

    /// When it last changed.
    pub fn changed(&self) -> Millis {
        self.entered.last().map_or(0, |(_, at)| *at)
    }

    /// When it ended, if it has.
    pub fn ended(&self) -> Option<Millis> {
        self.state().has_ended().then(|| self.changed())
    }

    /// A task that was told to end comes into no state but the last, and then was cancelled, even if it
    /// had come to its end by itself.
    fn enter(&mut self, state: ExecutionState, now: Millis) {
        use ExecutionState as S;
        let state = match (self.state(), state) {
            (before, _) if before.has_ended() => return,
            (S::Canceling, S::Finished) => S::Canceled,
            (S::Canceling, next) if !next.has_ended() => return,
            (before, next) if before == next => return,
            (_, next) => next,
        };
        self.entered.push((state, now));
    }
}

/// A task: its current attempt, and those before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionTask {
    /// Index of its vertex.
    pub vertex: usize,
    /// Its subtask.
    pub subtask: u32,
    /// The current attempt.
    pub current: Execution,
    /// The attempts before, the oldest first, as far as they are remembered.
    pub before: VecDeque<Execution>,
}

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionGraph {
    tasks: Vec<ExecutionTask>,
}

impl ExecutionGraph {
    /// The tasks of a job, in its first attempt.
    pub fn new(graph: &JobGraph, now: Millis) -> Self {
        let tasks = graph.vertices.iter().enumerate();
        let tasks = tasks.flat_map(|(vertex, of)| {
            (0..of.parallelism).map(move |subtask| ExecutionTask {
                vertex,
                subtask,
                current: Execution::new(0, now),
                before: VecDeque::new(),
            })
        });
        Self {
            tasks: tasks.collect(),
        }
    }

    /// The tasks.
    pub fn tasks(&self) -> &[ExecutionTask] {
        &self.tasks
    }

    /// The tasks of a vertex, subtask by subtask.
    pub fn of_vertex(&self, vertex: usize) -> impl Iterator<Item = &ExecutionTask> {
        self.tasks.iter().filter(move |task| task.vertex == vertex)
    }

    /// Another attempt begins.
    pub fn begin(&mut self, attempt: u32, now: Millis) {
        for task in &mut self.tasks {
            if task.current.attempt == Attempt(attempt) {
                continue;
            }
            let before = std::mem::replace(&mut task.current, Execution::new(attempt, now));
            task.before.push_back(before);
            if task.before.len() > REMEMBERED {
                task.before.pop_front();
            }
        }
    }

    /// Another attempt begins, with other parallelism: tasks that there were remember their attempts
    /// before, the others are gone.
    pub fn rescale(&mut self, graph: &JobGraph, attempt: u32, now: Millis) {
        self.begin(attempt, now);
        let former = std::mem::replace(self, Self::new(graph, now));
        for task in &mut self.tasks {
            task.current.attempt = Attempt(attempt);
            let same = |other: &&ExecutionTask| {
                (other.vertex, other.subtask) == (task.vertex, task.subtask)
            };
            if let Some(known) = former.tasks.iter().find(same) {
                task.before.clone_from(&known.before);
            }
        }
    }

    /// A task comes into a state. One that has ended stays as it is.
    pub fn enter(&mut self, task: usize, state: ExecutionState, now: Millis) {
        if let Some(task) = self.tasks.get_mut(task) {
            task.current.enter(state, now);
        }
    }

    /// All tasks that have not ended come into a state.
    pub fn enter_all(&mut self, state: ExecutionState, now: Millis) {
        for task in &mut self.tasks {
            task.current.enter(state, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use rheos_core::job_graph::{Chaining, OperatorNode};

    use super::*;

    fn graph() -> JobGraph {
        let node = |name: &str, parallelism| OperatorNode {
            uid: name.to_owned(),
            name: name.to_owned(),
            kind: String::new(),
            parallelism,
            chaining: Chaining::Never,
            slot_sharing_group: "default".to_owned(),
        };
        JobGraph::new("job", vec![node("a", 2), node("b", 1)], Vec::new(), true)
    }

    #[test]
    fn a_task_s_states_have_their_times_and_lengths() {
        let mut graph = ExecutionGraph::new(&graph(), 100);
        graph.enter_all(ExecutionState::Scheduled, 101);
        graph.enter(2, ExecutionState::Running, 105);
        graph.enter(2, ExecutionState::Finished, 125);
        graph.enter_all(ExecutionState::Canceling, 130);
        let task = &graph.tasks()[2];
        assert_eq!((task.vertex, task.subtask), (1, 0));
        assert_eq!(task.current.state(), ExecutionState::Finished);
        assert_eq!(task.current.ended(), Some(125));
        assert_eq!(task.current.entered(ExecutionState::Failed), 0);
        assert_eq!(
            task.current.durations(200),
            [
                (ExecutionState::Created, 1),
                (ExecutionState::Scheduled, 4),
                (ExecutionState::Running, 20),
                (ExecutionState::Finished, 0),
            ]
        );
        let other = &graph.tasks()[1];
        assert_eq!((other.vertex, other.subtask), (0, 1));
        assert_eq!(other.current.state(), ExecutionState::Canceling);
        assert_eq!(
            other.current.durations(200).last(),
            Some(&(ExecutionState::Canceling, 70))
        );
    }

    #[test]
    fn a_task_that_was_told_to_end_was_cancelled() {
        let mut graph = ExecutionGraph::new(&graph(), 100);
        graph.enter_all(ExecutionState::Canceling, 101);
        graph.enter_all(ExecutionState::Running, 102);
        assert_eq!(graph.tasks()[0].current.state(), ExecutionState::Canceling);
        graph.enter(0, ExecutionState::Finished, 103);
        graph.enter(1, ExecutionState::Failed, 104);
        let states: Vec<_> = graph.tasks().iter().map(|t| t.current.state()).collect();
        assert_eq!(states[0], ExecutionState::Canceled);
        assert_eq!(states[1], ExecutionState::Failed);
    }

    #[test]
    fn a_rescale_keeps_the_past_of_the_tasks_that_stay() {
        let narrow = graph();
        let mut graph = ExecutionGraph::new(&narrow, 100);
        graph.enter_all(ExecutionState::Canceled, 101);
        graph.rescale(&narrow.with_parallelism(&[3, 1]), 1, 102);
        let of: Vec<_> = graph
            .tasks()
            .iter()
            .map(|t| (t.vertex, t.subtask))
            .collect();
        assert_eq!(of, [(0, 0), (0, 1), (0, 2), (1, 0)]);
        let before: Vec<_> = graph.tasks().iter().map(|t| t.before.len()).collect();
        assert_eq!(before, [1, 1, 0, 1]);
        assert_eq!(graph.tasks()[3].before[0].state(), ExecutionState::Canceled);
        let attempts = graph.tasks().iter().map(|t| t.current.attempt);
        assert!(attempts.eq([Attempt(1); 4]));
        graph.rescale(&narrow.with_parallelism(&[1, 1]), 2, 103);
        let before: Vec<_> = graph.tasks().iter().map(|t| t.before.len()).collect();
        assert_eq!(before, [2, 2]);
    }

    #[test]
    fn attempts_before_are_remembered_up_to_a_number() {
        let mut graph = ExecutionGraph::new(&graph(), 100);
        for attempt in 1..=20 {
            graph.enter_all(ExecutionState::Failed, i64::from(attempt));
            graph.begin(attempt, 1000 + i64::from(attempt));
        }
        let task = &graph.tasks()[0];
        assert_eq!(task.current.attempt, Attempt(20));
        assert_eq!(task.current.state(), ExecutionState::Created);
        let before: Vec<u32> = task.before.iter().map(|b| b.attempt.0).collect();
        assert_eq!(before, (4..20).collect::<Vec<_>>());
        assert_eq!(graph.of_vertex(0).count(), 2);
    }
}
