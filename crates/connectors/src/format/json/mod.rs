//! JSON: rows to text and back, straight, without a tree of values in between.
//!
//! | row | JSON |
//! |---|---|
//! | record | object; fields that the row doesn't know are skipped |
//! | tuple | list, or an object with `f0`, `f1` … |
//! | `Option` | the value or `null`; an absent field is `None` |
//! | enum | the variant's name; with fields `{"Name": {…}}` |
//! | map | object; keys that are numbers or booleans stand as strings |
//! | `Vec<u8>` | base64 in a string, as Flink has it |
//! | `NaN`, infinities | an error: JSON has none |

mod lines;
mod parser;
#[cfg(test)]
mod tests;
mod writer;

pub use lines::{JsonDecoder, JsonEncoder, JsonLines};
pub(crate) use parser::JsonParser;
pub(crate) use writer::{JsonNesting, JsonWriter};
