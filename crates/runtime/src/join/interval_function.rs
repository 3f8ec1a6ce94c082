//! What users write for an interval join.

use rheos_core::Row;
use rheos_core::id::Place;
use rheos_core::time::Millis;

use crate::chain::collector::Collector;
use crate::chain::operator::OperatorContext;
use crate::error::BoxError;

/// What a join function can ask about the pair at hand.
pub struct JoinContext<'a> {
    operator: &'a OperatorContext,
    left: Millis,
    right: Millis,
}

impl<'a> JoinContext<'a> {
    pub(super) fn new(operator: &'a OperatorContext, left: Millis, right: Millis) -> Self {
        Self {
            operator,
            left,
            right,
        }
    }

    /// The left row's event time.
    pub fn left_timestamp(&self) -> Millis {
        self.left
    }

    /// The right row's event time.
    pub fn right_timestamp(&self) -> Millis {
        self.right
    }

    /// The event time of what is emitted: the later of both.
    pub fn timestamp(&self) -> Millis {
        self.left.max(self.right)
    }

    /// The operator's watermark; [`rheos_core::time::MIN_TIMESTAMP`] before the first.
    pub fn watermark(&self) -> Millis {
        self.operator.watermark
    }

    /// Processing time.
    pub fn processing_time(&self) -> Millis {
        self.operator.now_millis
    }

    /// Operator, subtask, parallelism.
    pub fn place(&self) -> &Place {
        &self.operator.place
    }
}

/// Sees each pair of rows that an interval join finds, and emits what it likes. Flink's
/// `ProcessJoinFunction`.
///
/// Implemented by users, for closures too; called from the task's thread only. What it emits has the
/// later event time of both rows. State that it keeps is that of the pair's key.
pub trait ProcessJoinFunction<Left: Row, Right: Row, Out: Row>: 'static {
    /// Sees a pair.
    ///
    /// # Errors
    /// Whatever ends the job.
    fn process(
        &mut self,
        left: &Left,
        right: &Right,
        context: &JoinContext<'_>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError>;
}

impl<Left: Row, Right: Row, Out: Row, F> ProcessJoinFunction<Left, Right, Out> for F
where
    F: FnMut(&Left, &Right, &JoinContext<'_>, &mut Collector<'_, Out>) -> Result<(), BoxError>
        + 'static,
{
    fn process(
        &mut self,
        left: &Left,
        right: &Right,
        context: &JoinContext<'_>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError> {
        self(left, right, context, out)
    }
}
