//! Scenarios of the four kinds that are about watermarks.

use serde::Deserialize;

use super::stream::Time;

/// Steps of a watermark generator.
#[derive(Debug)]
pub struct WatermarkGenerator {
    /// The generator.
    pub spec: GeneratorSpec,
    /// The steps.
    pub input: Vec<GeneratorStep>,
}

/// A watermark generator. Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "strategy", rename_all = "camelCase", deny_unknown_fields)]
pub enum GeneratorSpec {
    /// Rows may be `bound` late.
    BoundedOutOfOrderness {
        /// The bound.
        bound: u64,
        /// The idle time-out.
        idleness: Option<u64>,
    },
    /// Timestamps never fall.
    Monotonous {
        /// The idle time-out.
        idleness: Option<u64>,
    },
    /// Values divisible by `modulus` carry a watermark.
    Punctuated {
        /// The modulus.
        #[serde(rename = "mod")]
        modulus: i64,
        /// The idle time-out.
        idleness: Option<u64>,
    },
}

/// A step of a generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GeneratorStep {
    /// A row: value and timestamp.
    Event(i64, Time),
    /// The periodic call.
    Periodic(bool),
    /// The clock moves, in milliseconds.
    Advance(i64),
}

/// Steps of the valve in front of a task.
#[derive(Debug)]
pub struct StatusWatermarkValve {
    /// How many channels it has.
    pub channels: usize,
    /// The steps.
    pub input: Vec<InputStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ValveSpec {
    pub(super) channels: usize,
}

/// Steps of the status of an operator with several inputs.
#[derive(Debug)]
pub struct CombinedWatermarkStatus {
    /// How many inputs it has.
    pub inputs: usize,
    /// The steps.
    pub input: Vec<InputStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CombinedSpec {
    pub(super) inputs: usize,
}

/// A step of a channel or an input, by its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InputStep {
    /// A watermark.
    #[serde(rename = "w")]
    Watermark(usize, Time),
    /// It becomes idle.
    Idle(usize),
    /// It becomes active.
    Active(usize),
}

/// Steps of a source's multiplexer.
#[derive(Debug)]
pub struct WatermarkOutputMultiplexer {
    /// The steps.
    pub input: Vec<MultiplexerStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MultiplexerSpec {}

/// A step of a multiplexer; outputs have names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "MultiplexerFields")]
pub enum MultiplexerStep {
    /// A new output.
    Register(String),
    /// The end of one.
    Unregister(String),
    /// A watermark.
    Watermark(String, Time, StepMode),
    /// It becomes idle.
    Idle(String, StepMode),
    /// It becomes active.
    Active(String, StepMode),
    /// The periodic call.
    Periodic,
}

/// When a step takes part in the combination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StepMode {
    /// At once.
    Immediate,
    /// At the next periodic call.
    Deferred,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MultiplexerFields {
    register: Option<String>,
    unregister: Option<String>,
    w: Option<(String, Time)>,
    idle: Option<String>,
    active: Option<String>,
    periodic: Option<bool>,
    mode: Option<StepMode>,
}

impl TryFrom<MultiplexerFields> for MultiplexerStep {
    type Error = &'static str;

    fn try_from(fields: MultiplexerFields) -> Result<Self, Self::Error> {
        let MultiplexerFields {
            register,
            unregister,
            w,
            idle,
            active,
            periodic,
            mode,
        } = fields;
        match (register, unregister, w, idle, active, periodic, mode) {
            (Some(id), None, None, None, None, None, None) => Ok(Self::Register(id)),
            (None, Some(id), None, None, None, None, None) => Ok(Self::Unregister(id)),
            (None, None, Some((id, time)), None, None, None, Some(mode)) => {
                Ok(Self::Watermark(id, time, mode))
            }
            (None, None, None, Some(id), None, None, Some(mode)) => Ok(Self::Idle(id, mode)),
            (None, None, None, None, Some(id), None, Some(mode)) => Ok(Self::Active(id, mode)),
            (None, None, None, None, None, Some(true), None) => Ok(Self::Periodic),
            _ => Err("a step of a multiplexer with these fields is not known"),
        }
    }
}
