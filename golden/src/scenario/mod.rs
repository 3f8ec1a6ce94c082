//! A line of a scenario file: what to run, and apart from it what Flink gave.
//!
//! Reading is strict: a field or a variant that is not known fails the scenario by name, since
//! ignoring it would judge something else than what was recorded.

pub mod join;
pub mod keyed_process;
pub mod restart;
pub mod sealed;
pub mod stream;
pub mod watermark;
pub mod window;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

pub use sealed::{Expected, Sealed};

use join::{AssignerSpec, IntervalJoin, IntervalJoinLockstep, IntervalSpec, WindowJoin};
use keyed_process::KeyedProcess;
use restart::{ExponentialDelaySpec, FailureRateSpec, FixedDelaySpec, Restart};
use stream::Item;
use watermark::{
    CombinedSpec, CombinedWatermarkStatus, GeneratorSpec, MultiplexerSpec, StatusWatermarkValve,
    ValveSpec, WatermarkGenerator, WatermarkOutputMultiplexer,
};
use window::Window;

/// A line that cannot be read: mend the file, or teach this program the new form.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {part}: {error}")]
pub struct ParseError {
    part: String,
    error: String,
}

impl ParseError {
    fn new(part: impl Into<String>, error: impl ToString) -> Self {
        Self {
            part: part.into(),
            error: error.to_string(),
        }
    }
}

/// What a runner gets.
#[derive(Debug)]
pub struct Scenario {
    /// Its name, as `tumbling-0002`.
    pub id: String,
    /// The kind as it stands in the file.
    pub kind: String,
    /// Whether Flink is known to be at fault: an output that differs is then no failure.
    pub quirk: bool,
    /// What to run.
    pub program: Program,
}

/// What to run, by kind.
#[derive(Debug)]
pub enum Program {
    /// `window`.
    Window(Window),
    /// `keyedProcess`.
    KeyedProcess(KeyedProcess),
    /// `intervalJoin`.
    IntervalJoin(IntervalJoin),
    /// `intervalJoinLockstep`.
    IntervalJoinLockstep(IntervalJoinLockstep),
    /// `windowJoin`.
    WindowJoin(WindowJoin),
    /// `coGroup`.
    CoGroup(WindowJoin),
    /// `watermarkGenerator`.
    WatermarkGenerator(WatermarkGenerator),
    /// `statusWatermarkValve`.
    StatusWatermarkValve(StatusWatermarkValve),
    /// `combinedWatermarkStatus`.
    CombinedWatermarkStatus(CombinedWatermarkStatus),
    /// `watermarkOutputMultiplexer`.
    WatermarkOutputMultiplexer(WatermarkOutputMultiplexer),
    /// `exponentialDelay`.
    ExponentialDelay(Restart<ExponentialDelaySpec>),
    /// `failureRate`.
    FailureRate(Restart<FailureRateSpec>),
    /// `fixedDelay`.
    FixedDelay(Restart<FixedDelaySpec>),
    /// `cep`, which is not read any further.
    Cep,
}

impl Program {
    /// Whether its rows have keys, so that it can run at more than one subtask.
    pub fn is_keyed(&self) -> bool {
        match self {
            Self::Window(window) => window.spec.keyed,
            Self::KeyedProcess(_)
            | Self::IntervalJoin(_)
            | Self::IntervalJoinLockstep(_)
            | Self::WindowJoin(_)
            | Self::CoGroup(_) => true,
            _ => false,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    id: String,
    kind: String,
    spec: Box<RawValue>,
    quirk: Option<String>,
    input: Option<Box<RawValue>>,
    left: Option<Box<RawValue>>,
    right: Option<Box<RawValue>>,
    output: Box<RawValue>,
    late: Option<Box<RawValue>>,
    late_left: Option<Box<RawValue>>,
    late_right: Option<Box<RawValue>>,
    timeouts: Option<Box<RawValue>>,
}

impl Line {
    fn spec<S: DeserializeOwned>(&self) -> Result<S, ParseError> {
        serde_json::from_str(self.spec.get()).map_err(|e| ParseError::new("spec", e))
    }

    fn input<I: DeserializeOwned>(&self) -> Result<Vec<I>, ParseError> {
        list("input", &self.input)
    }

    fn sides(&self) -> Result<[Vec<Item>; 2], ParseError> {
        Ok([list("left", &self.left)?, list("right", &self.right)?])
    }

    fn program(&self) -> Result<Program, ParseError> {
        Ok(match self.kind.as_str() {
            "window" => Program::Window(
                Window {
                    spec: self.spec()?,
                    input: self.input()?,
                }
                .checked()?,
            ),
            "keyedProcess" => Program::KeyedProcess(KeyedProcess {
                spec: self.spec()?,
                input: self.input()?,
            }),
            "intervalJoin" => {
                let [left, right] = self.sides()?;
                Program::IntervalJoin(IntervalJoin {
                    spec: self.spec::<IntervalSpec>()?,
                    left,
                    right,
                })
            }
            "intervalJoinLockstep" => Program::IntervalJoinLockstep(IntervalJoinLockstep {
                spec: self.spec()?,
                input: self.input()?,
            }),
            "windowJoin" => Program::WindowJoin(self.window_join()?),
            "coGroup" => Program::CoGroup(self.window_join()?),
            "watermarkGenerator" => Program::WatermarkGenerator(WatermarkGenerator {
                spec: self.spec::<GeneratorSpec>()?,
                input: self.input()?,
            }),
            "statusWatermarkValve" => Program::StatusWatermarkValve(StatusWatermarkValve {
                channels: self.spec::<ValveSpec>()?.channels,
                input: self.input()?,
            }),
            "combinedWatermarkStatus" => {
                Program::CombinedWatermarkStatus(CombinedWatermarkStatus {
                    inputs: self.spec::<CombinedSpec>()?.inputs,
                    input: self.input()?,
                })
            }
            "watermarkOutputMultiplexer" => {
                let MultiplexerSpec {} = self.spec()?;
                Program::WatermarkOutputMultiplexer(WatermarkOutputMultiplexer {
                    input: self.input()?,
                })
            }
            "exponentialDelay" => Program::ExponentialDelay(self.restart()?),
            "failureRate" => Program::FailureRate(self.restart()?),
            "fixedDelay" => Program::FixedDelay(self.restart()?),
            "cep" => Program::Cep,
            kind => return Err(ParseError::new(format!("kind {kind:?}"), "it is not known")),
        })
    }

    fn window_join(&self) -> Result<WindowJoin, ParseError> {
        let [left, right] = self.sides()?;
        let assigner = self.spec::<AssignerSpec>()?.assigner;
        Ok(WindowJoin {
            assigner,
            left,
            right,
        })
    }

    fn restart<S: DeserializeOwned>(&self) -> Result<Restart<S>, ParseError> {
        Ok(Restart {
            spec: self.spec()?,
            input: self.input()?,
        })
    }
}

fn list<I: DeserializeOwned>(
    name: &str,
    raw: &Option<Box<RawValue>>,
) -> Result<Vec<I>, ParseError> {
    let raw = raw
        .as_ref()
        .ok_or_else(|| ParseError::new(name, "it is missing"))?;
    serde_json::from_str(raw.get()).map_err(|e| ParseError::new(name, e))
}

/// Reads a line into what to run and what Flink gave for it.
///
/// # Errors
/// The part of the line that is not of the known form.
pub fn parse(line: &str) -> Result<(Scenario, Sealed), ParseError> {
    let line: Line = serde_json::from_str(line).map_err(|e| ParseError::new("the line", e))?;
    let program = line.program()?;
    let quirk = match line.quirk.as_deref() {
        None => false,
        Some("lostSessionState") => true,
        Some(other) => {
            return Err(ParseError::new(
                format!("quirk {other:?}"),
                "it is not known",
            ));
        }
    };
    let sealed = Sealed::new(
        line.output,
        line.late,
        line.late_left,
        line.late_right,
        line.timeouts,
    );
    Ok((
        Scenario {
            id: line.id,
            kind: line.kind,
            quirk,
            program,
        },
        sealed,
    ))
}
