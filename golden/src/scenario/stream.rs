//! The streams of scenarios: elements and watermarks, and times with their two special values.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A time in milliseconds. In the files the least and the greatest are written `"min"` and `"max"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            i64::MIN => serializer.serialize_str("min"),
            i64::MAX => serializer.serialize_str("max"),
            time => serializer.serialize_i64(time),
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimeVisitor;
        impl Visitor<'_> for TimeVisitor {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("milliseconds as a signed 64-bit integer, \"min\" or \"max\"")
            }

            fn visit_i64<E: de::Error>(self, time: i64) -> Result<Time, E> {
                Ok(Time(time))
            }

            fn visit_u64<E: de::Error>(self, time: u64) -> Result<Time, E> {
                i64::try_from(time).map(Time).map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Time, E> {
                match name {
                    "min" => Ok(Time(i64::MIN)),
                    "max" => Ok(Time(i64::MAX)),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }
        }
        deserializer.deserialize_any(TimeVisitor)
    }
}

/// An element, written `[key, value, timestamp]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "(String, i64, Time)", into = "(String, i64, Time)")]
pub struct Element {
    /// The key.
    pub key: String,
    /// The value.
    pub value: i64,
    /// The event timestamp.
    pub ts: i64,
}

impl From<(String, i64, Time)> for Element {
    fn from((key, value, ts): (String, i64, Time)) -> Self {
        Self {
            key,
            value,
            ts: ts.0,
        }
    }
}

impl From<Element> for (String, i64, Time) {
    fn from(element: Element) -> Self {
        (element.key, element.value, Time(element.ts))
    }
}

/// An item of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub enum Item {
    /// An element.
    #[serde(rename = "e")]
    Element(Element),
    /// A watermark.
    #[serde(rename = "w")]
    Watermark(Time),
}

/// An item of two streams that are processed in one order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub enum LockstepItem {
    /// An element of the left stream.
    #[serde(rename = "l")]
    Left(Element),
    /// An element of the right stream.
    #[serde(rename = "r")]
    Right(Element),
    /// A watermark of the left stream.
    #[serde(rename = "lw")]
    LeftWatermark(Time),
    /// A watermark of the right stream.
    #[serde(rename = "rw")]
    RightWatermark(Time),
}
