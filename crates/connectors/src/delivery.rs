//! What a sink promises.

use std::fmt;
use std::str::FromStr;

use crate::error::ConnectorError;

/// How often a row is written if the job fails in between. Flink's `DeliveryGuarantee`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeliveryGuarantee {
    /// At once; rows since the last checkpoint are written again after a failure.
    #[default]
    AtLeastOnce,
    /// Once: rows are kept with the checkpoint and written when it is complete, so they are seen up
    /// to a checkpoint interval later. In a job that takes no checkpoints they are written at once.
    ExactlyOnce,
}

impl fmt::Display for DeliveryGuarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DeliveryGuarantee::AtLeastOnce => "at-least-once",
            DeliveryGuarantee::ExactlyOnce => "exactly-once",
        })
    }
}

impl FromStr for DeliveryGuarantee {
    type Err = ConnectorError;

    fn from_str(text: &str) -> Result<Self, ConnectorError> {
        match text {
            "at-least-once" => Ok(DeliveryGuarantee::AtLeastOnce),
            "exactly-once" => Ok(DeliveryGuarantee::ExactlyOnce),
            other => Err(ConnectorError::Setting(format!(
                "a sink delivers at-least-once or exactly-once, not '{other}'"
            ))),
        }
    }
}
