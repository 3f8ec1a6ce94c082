//! Scenarios of kind `keyedProcess`.

use serde::Deserialize;

use super::stream::Item;

/// A stream through a process function with state and timers.
#[derive(Debug)]
pub struct KeyedProcess {
    /// The function.
    pub spec: KeyedProcessSpec,
    /// The stream.
    pub input: Vec<Item>,
}

/// A process function of a given program.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Fields")]
pub struct KeyedProcessSpec {
    /// What it does.
    pub program: ProcessProgram,
    /// The program's time, in milliseconds.
    pub t: i64,
    /// Whether the final watermark follows the last item.
    pub final_watermark: bool,
}

/// The programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessProgram {
    /// Moves one timer with each element.
    Debounce {
        /// Whether the timer drops the state.
        clear: bool,
    },
    /// Registers timers at or below the watermark.
    Past,
    /// A timer registers the next one.
    Chain {
        /// How many timers follow the first.
        n: i64,
    },
    /// The same into the past.
    ChainPast {
        /// How many timers follow the first.
        n: i64,
    },
    /// Registers one timer three times.
    Dedup {
        /// Whether the timer drops the state.
        clear: bool,
        /// Whether elements of even value delete the timer.
        delete_even: bool,
    },
    /// Sums by time in map state.
    Buckets,
    /// Sorts elements by time in list state.
    Sort,
    /// A timer deletes another one.
    Cancel {
        /// Whether at odd counts, or at even ones.
        odd: bool,
    },
    /// A timer registers itself again.
    Reregister,
    /// A timer at the end of time.
    Flush,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fields {
    program: String,
    #[serde(rename = "T")]
    t: i64,
    #[serde(rename = "N")]
    n: Option<i64>,
    clear: Option<bool>,
    delete_even: Option<bool>,
    odd: Option<bool>,
    final_watermark: bool,
}

impl TryFrom<Fields> for KeyedProcessSpec {
    type Error = String;

    fn try_from(fields: Fields) -> Result<Self, String> {
        let Fields {
            program,
            t,
            n,
            clear,
            delete_even,
            odd,
            final_watermark,
        } = fields;
        let program = match (program.as_str(), n, clear, delete_even, odd) {
            ("debounce", None, Some(clear), None, None) => ProcessProgram::Debounce { clear },
            ("past", None, None, None, None) => ProcessProgram::Past,
            ("chain", Some(n), None, None, None) => ProcessProgram::Chain { n },
            ("chainPast", Some(n), None, None, None) => ProcessProgram::ChainPast { n },
            ("dedup", None, Some(clear), Some(delete_even), None) => {
                ProcessProgram::Dedup { clear, delete_even }
            }
            ("buckets", None, None, None, None) => ProcessProgram::Buckets,
            ("sort", None, None, None, None) => ProcessProgram::Sort,
            ("cancel", None, None, None, Some(odd)) => ProcessProgram::Cancel { odd },
            ("reregister", None, None, None, None) => ProcessProgram::Reregister,
            ("flush", None, None, None, None) => ProcessProgram::Flush,
            (name, ..) => return Err(format!("program {name:?} with these fields is not known")),
        };
        Ok(Self {
            program,
            t,
            final_watermark,
        })
    }
}
