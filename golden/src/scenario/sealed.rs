//! What Flink gave for a scenario, as undecoded text until it is judged.

use serde_json::Value;
use serde_json::value::RawValue;

use super::ParseError;

/// The expected output, not yet looked at. Only the judge opens it, and opening it uses it up.
#[derive(Debug)]
pub struct Sealed {
    output: Box<RawValue>,
    late: Option<Box<RawValue>>,
    late_left: Option<Box<RawValue>>,
    late_right: Option<Box<RawValue>>,
    timeouts: Option<Box<RawValue>>,
}

/// The expected output.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// The records, or for kinds of steps what each step gave.
    pub output: Vec<Value>,
    /// Late elements, in order of arrival; none were recorded for kinds without lateness.
    pub late: Vec<Value>,
    /// Late elements of the left side.
    pub late_left: Vec<Value>,
    /// Late elements of the right side.
    pub late_right: Vec<Value>,
    /// Partial matches that timed out.
    pub timeouts: Vec<Value>,
}

impl Sealed {
    pub(super) fn new(
        output: Box<RawValue>,
        late: Option<Box<RawValue>>,
        late_left: Option<Box<RawValue>>,
        late_right: Option<Box<RawValue>>,
        timeouts: Option<Box<RawValue>>,
    ) -> Self {
        Self {
            output,
            late,
            late_left,
            late_right,
            timeouts,
        }
    }

    /// Decodes it.
    ///
    /// # Errors
    /// A part that is no list.
    pub fn open(self) -> Result<Expected, ParseError> {
        Ok(Expected {
            output: decode("output", Some(self.output))?,
            late: decode("late", self.late)?,
            late_left: decode("lateLeft", self.late_left)?,
            late_right: decode("lateRight", self.late_right)?,
            timeouts: decode("timeouts", self.timeouts)?,
        })
    }
}

fn decode(name: &str, raw: Option<Box<RawValue>>) -> Result<Vec<Value>, ParseError> {
    match raw {
        None => Ok(Vec::new()),
        Some(raw) => serde_json::from_str(raw.get()).map_err(|e| ParseError::new(name, e)),
    }
}
