//! What becomes of rows that no window takes.

use std::sync::Arc;

use rheos_core::Row;
use rheos_core::time::Millis;

use crate::chain::side_output::{OutputTag, SideOutput};
use crate::deploy::operator_builder::BuildContext;
use crate::error::BoxError;
use crate::metrics::operator::OperatorMetrics;

/// Takes late rows: to the side output, with their timestamps, or into a counter.
pub(crate) struct LateRows<T> {
    side: Option<SideOutput<T>>,
    metrics: Arc<OperatorMetrics>,
}

impl<T: Row> LateRows<T> {
    /// Late rows of an operator.
    ///
    /// # Errors
    /// If the tag is used with two types of row.
    pub(crate) fn open(
        tag: Option<&OutputTag<T>>,
        build: &mut BuildContext,
    ) -> Result<Self, BoxError> {
        let side = tag.map(|tag| build.side_output(tag)).transpose()?;
        Ok(Self {
            side,
            metrics: build.metrics.clone(),
        })
    }

    /// Takes one.
    pub(crate) fn take(&self, row: T, timestamp: Millis) {
        match &self.side {
            Some(side) => {
                self.metrics.add_late_to_side(1);
                side.emit(row, timestamp);
            }
            None => self.metrics.add_late_dropped(1),
        }
    }
}
