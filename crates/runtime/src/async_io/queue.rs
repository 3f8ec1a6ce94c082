//! What is in flight: rows that wait for an answer or for their turn, and the control elements
//! among them.
//!
//! The queue is a row of segments. Within a segment rows leave as they are done; the next segment's
//! rows leave once the one before is empty. A control element closes its segment, and so no row
//! passes it; in ordered mode a segment holds one row. Rows of one *sequence* keep their order among
//! themselves: one that has its results counts as waiting until those before it have theirs.
//!
//! Invariants: a row's input is kept until its results leave; a segment's `done` rows and its
//! `waiting` ones together are the rows of that segment; the first row of a sequence has no results,
//! or is on its way out and no longer listed; successive control elements are merged, so the queue is
//! bounded by its rows.

use std::collections::{BTreeMap, HashMap, VecDeque};

use rheos_core::element::Control;
use rheos_core::time::Millis;

/// In which order results are emitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputMode {
    /// That of the input.
    Ordered,
    /// As they come, but not across watermarks.
    Unordered,
}

/// A row in flight.
#[derive(Debug)]
pub struct InFlight<In, Out, W> {
    /// The row.
    pub input: In,
    /// Its timestamp.
    pub timestamp: Millis,
    /// What it waits for.
    pub waiting: W,
    /// The results, when it no longer waits.
    results: Option<Vec<Out>>,
    segment: u64,
    sequence: Option<u64>,
}

#[derive(Debug, Default)]
struct Segment {
    waiting: usize,
    done: VecDeque<u64>,
    /// What stands behind the rows.
    controls: VecDeque<Control>,
}

impl Segment {
    fn has_rows(&self) -> bool {
        self.waiting > 0 || !self.done.is_empty()
    }

    fn is_empty(&self) -> bool {
        !self.has_rows() && self.controls.is_empty()
    }

    fn push_control(&mut self, control: Control) {
        match (self.controls.back_mut(), control) {
            (Some(Control::Watermark(last)), Control::Watermark(new)) => *last = new,
            // Idle and active again, or the reverse, with nothing between: as if neither.
            (Some(Control::Status(last)), Control::Status(new)) => {
                if *last != new {
                    self.controls.pop_back();
                }
            }
            _ => self.controls.push_back(control),
        }
    }
}

/// The queue of one subtask. `W` is what a row waits with.
#[derive(Debug)]
pub struct AsyncQueue<In, Out, W> {
    mode: OutputMode,
    /// By number, which rises in the order of the input.
    rows: BTreeMap<u64, InFlight<In, Out, W>>,
    next: u64,
    segments: VecDeque<Segment>,
    /// Number of the first segment.
    first: u64,
    /// The rows of each sequence that are not on their way out, in the order of the input.
    sequences: HashMap<u64, VecDeque<u64>>,
}

impl<In, Out, W> AsyncQueue<In, Out, W> {
    /// An empty queue.
    pub fn new(mode: OutputMode) -> Self {
        Self {
            mode,
            rows: BTreeMap::new(),
            next: 0,
            segments: VecDeque::new(),
            first: 0,
            sequences: HashMap::new(),
        }
    }

    /// Rows in it, those that are done included.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether neither rows nor control elements are in it.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// The rows and timestamps of all that is in flight, in the order of the input: what a
    /// checkpoint has to hold.
    pub fn inputs(&self) -> impl Iterator<Item = (&In, Millis)> {
        self.rows.values().map(|row| (&row.input, row.timestamp))
    }

    /// Puts a row in; its number. Rows of one sequence leave in the order in which they came.
    pub fn push(&mut self, input: In, timestamp: Millis, sequence: Option<u64>, waiting: W) -> u64 {
        let ordered = self.mode == OutputMode::Ordered;
        let open = self
            .segments
            .back()
            .is_some_and(|last| last.controls.is_empty() && !(ordered && last.has_rows()));
        if !open {
            self.segments.push_back(Segment::default());
        }
        if let Some(last) = self.segments.back_mut() {
            last.waiting += 1;
        }
        let segment = self.first + self.segments.len() as u64 - 1;
        let number = self.next;
        self.next += 1;
        let row = InFlight {
            input,
            timestamp,
            waiting,
            results: None,
            segment,
            sequence,
        };
        self.rows.insert(number, row);
        if let Some(sequence) = sequence {
            self.sequences
                .entry(sequence)
                .or_default()
                .push_back(number);
        }
        number
    }

    /// Puts a control element behind all rows.
    pub fn push_control(&mut self, control: Control) {
        if self.segments.is_empty() {
            self.segments.push_back(Segment::default());
        }
        if let Some(last) = self.segments.back_mut() {
            last.push_control(control);
        }
        self.drop_empty();
    }

    /// The row of this number, if it still waits.
    pub fn waiting(&mut self, number: u64) -> Option<&mut InFlight<In, Out, W>> {
        self.rows
            .get_mut(&number)
            .filter(|row| row.results.is_none())
    }

    /// All rows that wait.
    pub fn all_waiting(&mut self) -> impl Iterator<Item = &mut InFlight<In, Out, W>> {
        self.rows.values_mut().filter(|row| row.results.is_none())
    }

    /// A row is done.
    pub fn complete(&mut self, number: u64, results: Vec<Out>) {
        let Some(row) = self
            .rows
            .get_mut(&number)
            .filter(|row| row.results.is_none())
        else {
            return;
        };
        row.results = Some(results);
        let (segment, sequence) = (row.segment, row.sequence);
        let Some(sequence) = sequence else {
            self.leave(number, segment);
            return;
        };
        while let Some(first) = self.sequences.get(&sequence).and_then(|rows| rows.front()) {
            let number = *first;
            let Some(row) = self.rows.get(&number).filter(|row| row.results.is_some()) else {
                return;
            };
            let segment = row.segment;
            self.leave(number, segment);
            if let Some(rows) = self.sequences.get_mut(&sequence) {
                rows.pop_front();
            }
        }
        self.sequences.remove(&sequence);
    }

    /// A row has its results, and nothing of its sequence stands before it.
    fn leave(&mut self, number: u64, segment: u64) {
        let index = usize::try_from(segment - self.first).unwrap_or(usize::MAX);
        if let Some(segment) = self.segments.get_mut(index) {
            segment.waiting -= 1;
            segment.done.push_back(number);
        }
    }

    /// Whether something may leave.
    pub fn is_ready(&self) -> bool {
        self.segments
            .front()
            .is_some_and(|first| !first.done.is_empty() || first.waiting == 0)
    }

    /// Takes the results of the next row that may leave, with its timestamp; none while a control
    /// element is due before it.
    pub fn pop_results(&mut self) -> Option<(Vec<Out>, Millis)> {
        let number = self.segments.front_mut()?.done.pop_front()?;
        let row = self.rows.remove(&number)?;
        self.drop_empty();
        Some((row.results.unwrap_or_default(), row.timestamp))
    }

    /// Takes the control element that is due; none while rows stand before it.
    pub fn pop_control(&mut self) -> Option<Control> {
        let first = self.segments.front_mut()?;
        if first.has_rows() {
            return None;
        }
        let control = first.controls.pop_front();
        self.drop_empty();
        control
    }

    fn drop_empty(&mut self) {
        while self.segments.front().is_some_and(Segment::is_empty) {
            self.segments.pop_front();
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use rheos_core::element::StreamStatus::{Active, Idle};

    use super::*;

    type Queue = AsyncQueue<i64, i64, ()>;

    fn push(queue: &mut Queue, row: i64) -> u64 {
        queue.push(row, row * 10, None, ())
    }

    fn results(queue: &mut Queue) -> Vec<i64> {
        std::iter::from_fn(|| queue.pop_results())
            .flat_map(|(rows, _)| rows)
            .collect()
    }

    #[test]
    fn unordered_rows_leave_as_they_are_done_but_not_across_a_watermark() {
        let mut queue = Queue::new(OutputMode::Unordered);
        let (a, b) = (push(&mut queue, 1), push(&mut queue, 2));
        queue.push_control(Control::Watermark(20));
        let c = push(&mut queue, 3);
        queue.complete(c, vec![3]);
        queue.complete(b, vec![2, 22]);
        assert_eq!(results(&mut queue), [2, 22]);
        assert_eq!(queue.pop_control(), None);
        assert_eq!(queue.inputs().collect::<Vec<_>>(), [(&1, 10), (&3, 30)]);
        queue.complete(a, vec![]);
        assert_eq!(queue.pop_results(), Some((vec![], 10)));
        assert_eq!(queue.pop_results(), None);
        assert!(queue.is_ready());
        assert_eq!(queue.pop_control(), Some(Control::Watermark(20)));
        assert_eq!(queue.pop_results(), Some((vec![3], 30)));
        assert!(queue.is_empty() && !queue.is_ready());
    }

    #[test]
    fn ordered_rows_leave_in_the_order_of_the_input() {
        let mut queue = Queue::new(OutputMode::Ordered);
        let numbers: Vec<u64> = (0..3).map(|row| push(&mut queue, row)).collect();
        for number in [numbers[2], numbers[1]] {
            queue.complete(number, vec![number as i64]);
            assert!(!queue.is_ready());
        }
        queue.complete(numbers[0], vec![0]);
        assert_eq!(results(&mut queue), [0, 1, 2]);
        let again = push(&mut queue, 9);
        queue.complete(again, vec![9]);
        assert_eq!(results(&mut queue), [9]);
    }

    #[test]
    fn rows_of_one_sequence_keep_their_order_and_hold_up_no_others() {
        let mut queue = Queue::new(OutputMode::Unordered);
        let odd: Vec<u64> = (0..4)
            .map(|row| queue.push(row, 0, Some(row as u64 % 2), ()))
            .collect();
        queue.complete(odd[2], vec![2]);
        assert!(
            !queue.is_ready(),
            "row 0 is of its sequence and stands before it"
        );
        queue.complete(odd[1], vec![1]);
        assert_eq!(results(&mut queue), [1]);
        queue.push_control(Control::Watermark(5));
        let behind = queue.push(4, 0, Some(0), ());
        queue.complete(behind, vec![4]);
        queue.complete(odd[0], vec![0]);
        assert_eq!(results(&mut queue), [0, 2]);
        assert_eq!(queue.pop_control(), None);
        queue.complete(odd[3], vec![3]);
        assert_eq!(results(&mut queue), [3]);
        assert_eq!(queue.pop_control(), Some(Control::Watermark(5)));
        assert_eq!(results(&mut queue), [4]);
        assert!(queue.is_empty() && queue.sequences.is_empty());
    }

    #[test]
    fn successive_control_elements_are_merged() {
        let mut queue = Queue::new(OutputMode::Ordered);
        let row = push(&mut queue, 1);
        for watermark in 0..100 {
            queue.push_control(Control::Watermark(watermark));
            queue.push_control(Control::Status(Idle));
            queue.push_control(Control::Status(Active));
        }
        queue.push_control(Control::Status(Idle));
        queue.complete(row, vec![]);
        assert_eq!(queue.pop_control(), None, "the row leaves first");
        assert!(queue.pop_results().is_some());
        assert_eq!(queue.pop_control(), Some(Control::Watermark(99)));
        assert_eq!(queue.pop_control(), Some(Control::Status(Idle)));
        assert_eq!(queue.pop_control(), None);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_row_is_done_once() {
        let mut queue = Queue::new(OutputMode::Unordered);
        let row = push(&mut queue, 1);
        queue.complete(row, vec![1]);
        queue.complete(row, vec![2]);
        assert!(queue.waiting(row).is_none());
        assert_eq!(results(&mut queue), [1]);
    }
}
