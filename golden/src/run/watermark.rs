//! Runners of the watermark kinds: the engine's own deciders under a clock moved by hand.

use std::collections::HashMap;
use std::time::Duration;

use rheos_core::element::{Control, StreamStatus};
use rheos_core::time::Millis;
use rheos_runtime::time::multiplexer::{Mode, OutputId};
use rheos_runtime::time::{self, WatermarkOutput, WatermarkStrategy};
use serde_json::{Value, json};

use super::{Outcome, RunError, Runner};
use crate::scenario::stream::Time;
use crate::scenario::watermark::{
    CombinedWatermarkStatus, GeneratorSpec, GeneratorStep, InputStep, MultiplexerStep,
    StatusWatermarkValve, StepMode, WatermarkGenerator, WatermarkOutputMultiplexer,
};

/// What the clock of a generator shows at first.
const CLOCK_START: Millis = 1000;

fn watermark_value(watermark: Millis) -> Value {
    json!({ "w": Time(watermark) })
}

fn status_value(status: StreamStatus) -> Value {
    match status {
        StreamStatus::Idle => json!("idle"),
        StreamStatus::Active => json!("active"),
    }
}

fn output_value(output: WatermarkOutput) -> Value {
    let watermark = output.watermark.map(watermark_value);
    watermark
        .into_iter()
        .chain(output.status.map(status_value))
        .collect()
}

fn control_value(control: Control) -> Option<Value> {
    match control {
        Control::Watermark(watermark) => Some(watermark_value(watermark)),
        Control::Status(status) => Some(status_value(status)),
        _ => None,
    }
}

fn beyond(what: &str, index: usize, count: usize) -> RunError {
    RunError::Failed(format!("{what} {index} of {count}"))
}

/// `watermarkGenerator`.
pub(super) struct Generator;

fn strategy(spec: &GeneratorSpec) -> WatermarkStrategy<i64> {
    let (strategy, idleness) = match *spec {
        GeneratorSpec::BoundedOutOfOrderness { bound, idleness } => {
            let bound = Duration::from_millis(bound);
            (
                WatermarkStrategy::for_bounded_out_of_orderness(bound),
                idleness,
            )
        }
        GeneratorSpec::Monotonous { idleness } => {
            (WatermarkStrategy::for_monotonous_timestamps(), idleness)
        }
        GeneratorSpec::Punctuated { modulus, idleness } => {
            let of_row = move |value: &i64, timestamp| {
                (value.checked_rem(modulus) == Some(0)).then_some(timestamp)
            };
            (WatermarkStrategy::punctuated(of_row), idleness)
        }
    };
    match idleness {
        Some(timeout) => strategy.with_idleness(Duration::from_millis(timeout)),
        None => strategy,
    }
}

impl Runner<WatermarkGenerator> for Generator {
    fn run(&self, scenario: &WatermarkGenerator, _: u32) -> Result<Outcome, RunError> {
        let strategy = strategy(&scenario.spec);
        strategy
            .validate()
            .map_err(|e| RunError::Failed(e.to_string()))?;
        let mut generator = strategy.generator();
        let mut now = CLOCK_START;
        let steps = scenario.input.iter().map(|step| {
            let mut out = WatermarkOutput::default();
            match *step {
                // A batch of one row: what the source stage calls.
                GeneratorStep::Event(value, ts) => {
                    generator.on_batch(&[value], &[ts.0], 0, &mut out);
                }
                GeneratorStep::Periodic(_) => generator.on_periodic(now, &mut out),
                GeneratorStep::Advance(millis) => now += millis,
            }
            output_value(out)
        });
        Ok(Outcome::of_steps(steps.collect()))
    }
}

/// `statusWatermarkValve`.
pub(super) struct Valve;

impl Runner<StatusWatermarkValve> for Valve {
    fn run(&self, scenario: &StatusWatermarkValve, _: u32) -> Result<Outcome, RunError> {
        let mut valve = time::StatusWatermarkValve::new(scenario.channels);
        let steps = scenario.input.iter().map(|step| {
            let mut given = Vec::new();
            let mut emit = |control| given.extend(control_value(control));
            let channel = match *step {
                InputStep::Watermark(channel, watermark) => {
                    valve.watermark(channel, watermark.0, &mut emit);
                    channel
                }
                InputStep::Idle(channel) => {
                    valve.status(channel, true, &mut emit);
                    channel
                }
                InputStep::Active(channel) => {
                    valve.status(channel, false, &mut emit);
                    channel
                }
            };
            if channel >= scenario.channels {
                return Err(beyond("channel", channel, scenario.channels));
            }
            Ok(Value::Array(given))
        });
        Ok(Outcome::of_steps(steps.collect::<Result<_, _>>()?))
    }
}

/// `combinedWatermarkStatus`.
pub(super) struct Combined;

impl Runner<CombinedWatermarkStatus> for Combined {
    fn run(&self, scenario: &CombinedWatermarkStatus, _: u32) -> Result<Outcome, RunError> {
        let mut status = time::CombinedWatermarkStatus::new(scenario.inputs);
        let steps = scenario.input.iter().map(|step| {
            let (input, change) = match *step {
                InputStep::Watermark(input, watermark) => {
                    (input, status.watermark(input, watermark.0))
                }
                InputStep::Idle(input) => (input, status.status(input, true)),
                InputStep::Active(input) => (input, status.status(input, false)),
            };
            if input >= scenario.inputs {
                return Err(beyond("input", input, scenario.inputs));
            }
            Ok(json!({
                "updated": change.watermark.is_some(),
                "watermark": Time(status.combined()),
                "idle": change.idle,
            }))
        });
        Ok(Outcome::of_steps(steps.collect::<Result<_, _>>()?))
    }
}

/// `watermarkOutputMultiplexer`.
pub(super) struct Multiplexer;

fn mode(mode: StepMode) -> Mode {
    match mode {
        StepMode::Immediate => Mode::Immediate,
        StepMode::Deferred => Mode::Deferred,
    }
}

fn of_name<'a>(
    outputs: &'a HashMap<String, OutputId>,
    name: &str,
) -> Result<&'a OutputId, RunError> {
    outputs
        .get(name)
        .ok_or_else(|| RunError::Failed(format!("no output {name:?} is registered")))
}

impl Runner<WatermarkOutputMultiplexer> for Multiplexer {
    fn run(&self, scenario: &WatermarkOutputMultiplexer, _: u32) -> Result<Outcome, RunError> {
        let mut multiplexer = time::WatermarkOutputMultiplexer::new();
        let mut outputs: HashMap<String, OutputId> = HashMap::new();
        let steps = scenario.input.iter().map(|step| {
            let given = match step {
                MultiplexerStep::Register(name) => {
                    outputs.insert(name.clone(), multiplexer.register());
                    WatermarkOutput::default()
                }
                MultiplexerStep::Unregister(name) => {
                    if let Some(output) = outputs.remove(name) {
                        multiplexer.unregister(output);
                    }
                    WatermarkOutput::default()
                }
                MultiplexerStep::Watermark(name, watermark, when) => {
                    multiplexer.watermark(of_name(&outputs, name)?, watermark.0, mode(*when))
                }
                MultiplexerStep::Idle(name, when) => {
                    let output = of_name(&outputs, name)?;
                    multiplexer.status(output, StreamStatus::Idle, mode(*when))
                }
                MultiplexerStep::Active(name, when) => {
                    let output = of_name(&outputs, name)?;
                    multiplexer.status(output, StreamStatus::Active, mode(*when))
                }
                MultiplexerStep::Periodic => multiplexer.on_periodic(),
            };
            Ok(output_value(given))
        });
        Ok(Outcome::of_steps(steps.collect::<Result<_, _>>()?))
    }
}
