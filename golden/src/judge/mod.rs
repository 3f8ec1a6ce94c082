//! Compares what Rheos gave with what Flink gave, as far as Flink guarantees an order.
//!
//! | kind | compared |
//! |---|---|
//! | `window` | the records of each (key, start, end) as a sequence; all of them in order of `i`; without keys all as one sequence; `late` as a sequence |
//! | `keyedProcess` | the records of each key as a sequence; all of them in order of `i` |
//! | `intervalJoin`, `windowJoin`, `coGroup` | all records as a multiset |
//! | `intervalJoinLockstep` | the records of each `i` as a multiset, in order of `i`; `lateLeft`, `lateRight` as sequences |
//! | `watermark` and `restart` kinds | what each step gave |

mod compare;

use serde_json::Value;

use crate::run::Outcome;
use crate::scenario::window::Function;
use crate::scenario::{Expected, Program};
use compare::{in_order_of_cause, multiset, sequence, sequences};

/// Whether the outcome is what Flink gave.
///
/// # Errors
/// The first difference, for people to read.
pub fn judge(program: &Program, outcome: &Outcome, expected: &Expected) -> Result<(), String> {
    let (ours, flinks) = (outcome.output.as_slice(), expected.output.as_slice());
    match program {
        Program::Window(window) => {
            if window.spec.keyed {
                in_order_of_cause(ours)?;
                multiset("output", ours, flinks)?;
                sequences("output", ours, flinks, window_of(window.spec.function))?;
            } else {
                sequence("output", ours, flinks)?;
            }
            sequence("late", &outcome.late, &expected.late)
        }
        Program::KeyedProcess(_) => {
            in_order_of_cause(ours)?;
            multiset("output", ours, flinks)?;
            sequences("output", ours, flinks, &["key"])
        }
        Program::IntervalJoin(_) | Program::WindowJoin(_) => multiset("output", ours, flinks),
        Program::CoGroup(_) => {
            let sorted: Vec<Value> = ours.iter().map(with_sides_sorted).collect();
            multiset("output", &sorted, flinks)
        }
        Program::IntervalJoinLockstep(_) => {
            in_order_of_cause(ours)?;
            multiset("output", ours, flinks)?;
            sequence("lateLeft", &outcome.late_left, &expected.late_left)?;
            sequence("lateRight", &outcome.late_right, &expected.late_right)
        }
        Program::WatermarkGenerator(_)
        | Program::StatusWatermarkValve(_)
        | Program::CombinedWatermarkStatus(_)
        | Program::WatermarkOutputMultiplexer(_)
        | Program::ExponentialDelay(_)
        | Program::FailureRate(_)
        | Program::FixedDelay(_) => sequence("output", ours, flinks),
        Program::Cep => Err("there is no judge for this kind".to_owned()),
    }
}

/// What tells the windows of records apart. A plain reduction's record does not name its window, but
/// carries its greatest timestamp.
fn window_of(function: Function) -> &'static [&'static str] {
    match function {
        Function::ReducePlain => &["key", "recordTimestamp"],
        _ => &["key", "start", "end"],
    }
}

/// A co-group's record with the elements of each side by timestamp, then value, as they are
/// recorded: the order within a side is not guaranteed.
fn with_sides_sorted(record: &Value) -> Value {
    let mut record = record.clone();
    for side in ["l", "r"] {
        if let Some(Value::Array(elements)) = record.get_mut(side) {
            elements.sort_by_key(|e| {
                (
                    e.get(1).and_then(Value::as_i64),
                    e.get(0).and_then(Value::as_i64),
                )
            });
        }
    }
    record
}
