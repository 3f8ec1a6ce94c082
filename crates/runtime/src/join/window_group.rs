//! What is made of the rows that two streams have in one window of one key: a function's result for
//! each pair (a join), or for both lists as a whole (a co-group).

use rheos_core::Row;

use super::tagged::Tagged;
use crate::chain::collector::Collector;
use crate::error::BoxError;

/// The rows of both streams in a window that fired.
#[derive(Row, Debug, Clone)]
pub struct WindowGroup<Left, Right> {
    /// Those of the left stream, in the order of arrival.
    pub left: Vec<Left>,
    /// Those of the right stream.
    pub right: Vec<Right>,
}

impl<Left: Row, Right: Row> WindowGroup<Left, Right> {
    pub(super) fn of(rows: &[Tagged<Left, Right>]) -> Self {
        let mut group = Self {
            left: Vec::new(),
            right: Vec::new(),
        };
        for row in rows {
            match row {
                Tagged::Left(row) => group.left.push(row.clone()),
                Tagged::Right(row) => group.right.push(row.clone()),
            }
        }
        group
    }
}

/// Makes rows of groups, a bounded number a call.
///
/// Implemented by [`EachPair`] and [`WholeGroup`]; called by the operator on the task's thread.
pub trait GroupFunction<Left: Row, Right: Row, Out: Row>: 'static {
    /// Whether there is anything to make of a group.
    fn wants(&self, group: &WindowGroup<Left, Right>) -> bool;

    /// Makes the next rows of a group of which `step` calls have been made; whether a further call
    /// is needed.
    ///
    /// # Errors
    /// What user code says.
    fn make(
        &mut self,
        group: &WindowGroup<Left, Right>,
        step: usize,
        out: &mut Collector<'_, Out>,
    ) -> Result<bool, BoxError>;
}

/// A join: calls a function with each pair of a left and a right row. Flink's `FlatJoinFunction`.
pub struct EachPair<F>(pub F);

impl<Left: Row, Right: Row, Out: Row, F> GroupFunction<Left, Right, Out> for EachPair<F>
where
    F: FnMut(&Left, &Right, &mut Collector<'_, Out>) -> Result<(), BoxError> + 'static,
{
    fn wants(&self, group: &WindowGroup<Left, Right>) -> bool {
        !group.left.is_empty() && !group.right.is_empty()
    }

    #[inline]
    fn make(
        &mut self,
        group: &WindowGroup<Left, Right>,
        step: usize,
        out: &mut Collector<'_, Out>,
    ) -> Result<bool, BoxError> {
        let rights = group.right.len().max(1);
        if let (Some(left), Some(right)) = (
            group.left.get(step / rights),
            group.right.get(step % rights),
        ) {
            (self.0)(left, right, out)?;
        }
        Ok(step + 1 < group.left.len() * rights)
    }
}

/// A co-group: calls a function with both lists, of which one may be empty. Flink's
/// `CoGroupFunction`.
pub struct WholeGroup<F>(pub F);

impl<Left: Row, Right: Row, Out: Row, F> GroupFunction<Left, Right, Out> for WholeGroup<F>
where
    F: FnMut(&[Left], &[Right], &mut Collector<'_, Out>) -> Result<(), BoxError> + 'static,
{
    fn wants(&self, _group: &WindowGroup<Left, Right>) -> bool {
        true
    }

    fn make(
        &mut self,
        group: &WindowGroup<Left, Right>,
        _step: usize,
        out: &mut Collector<'_, Out>,
    ) -> Result<bool, BoxError> {
        (self.0)(&group.left, &group.right, out)?;
        Ok(false)
    }
}
