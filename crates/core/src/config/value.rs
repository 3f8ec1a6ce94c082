//! How a configuration's text becomes a value, type by type.

use std::collections::BTreeMap;
use std::time::Duration;

use super::list::{parse_list, parse_map};
use super::memory_size::MemorySize;

/// A type that an option can have. Implemented by the types below and by enums of options, which
/// do it through [`parse_choice`]; called when an option is read or reviewed.
pub trait ConfigValue: Sized {
    /// What a value looks like, to go after "is not" in an error.
    fn expected() -> String;

    /// Reads a trimmed text; `None` if it is not of the type.
    fn parse_value(text: &str) -> Option<Self>;
}

impl ConfigValue for bool {
    fn expected() -> String {
        "`true` or `false`".into()
    }

    fn parse_value(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }
}

macro_rules! whole_numbers {
    ($($t:ty),*) => {$(
        impl ConfigValue for $t {
            fn expected() -> String {
                format!("a whole number from {} to {}", <$t>::MIN, <$t>::MAX)
            }

            fn parse_value(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )*};
}
whole_numbers!(i32, i64, u16, u32, u64, usize);

impl ConfigValue for f64 {
    fn expected() -> String {
        "a finite number".into()
    }

    fn parse_value(text: &str) -> Option<Self> {
        text.parse().ok().filter(|number: &f64| number.is_finite())
    }
}

impl ConfigValue for String {
    fn expected() -> String {
        "a text".into()
    }

    fn parse_value(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl ConfigValue for MemorySize {
    fn expected() -> String {
        "a size of memory such as `512 mb` or `8g` (b, k, m, g, t; a bare number is bytes)".into()
    }

    fn parse_value(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl ConfigValue for Duration {
    fn expected() -> String {
        "a duration such as `10 s` or `1 min` (ns, us, ms, s, min, h, d; a bare number is \
         milliseconds)"
            .into()
    }

    fn parse_value(text: &str) -> Option<Self> {
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(digits)?;
        let number: u64 = number.parse().ok()?;
        let seconds = |scale: u64| number.checked_mul(scale).map(Duration::from_secs);
        match unit.trim().to_ascii_lowercase().as_str() {
            "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => {
                Some(Duration::from_millis(number))
            }
            "ns" | "nano" | "nanos" | "nanosecond" | "nanoseconds" => {
                Some(Duration::from_nanos(number))
            }
            "us" | "µs" | "micro" | "micros" | "microsecond" | "microseconds" => {
                Some(Duration::from_micros(number))
            }
            "s" | "sec" | "secs" | "second" | "seconds" => seconds(1),
            "m" | "min" | "minute" | "minutes" => seconds(60),
            "h" | "hour" | "hours" => seconds(3600),
            "d" | "day" | "days" => seconds(86_400),
            _ => None,
        }
    }
}

impl<T: ConfigValue> ConfigValue for Vec<T> {
    fn expected() -> String {
        format!("a list separated by `;`, each part {}", T::expected())
    }

    fn parse_value(text: &str) -> Option<Self> {
        parse_list(text)?
            .iter()
            .map(|part| T::parse_value(part))
            .collect()
    }
}

impl ConfigValue for BTreeMap<String, String> {
    fn expected() -> String {
        "a map such as `key1:value1,key2:value2`".into()
    }

    fn parse_value(text: &str) -> Option<Self> {
        parse_map(text)
    }
}

/// Reads one of `choices`, whatever its case; for the enums of options.
pub fn parse_choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Option<T> {
    choices
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text))
        .map(|(_, value)| *value)
}

/// Writes a duration so that it can be read again, in the largest unit that keeps it whole.
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let units = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "min"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
    ];
    match units
        .iter()
        .find(|(scale, _)| nanos > 0 && nanos.is_multiple_of(*scale))
    {
        Some((scale, unit)) => format!("{} {unit}", nanos / scale),
        None if nanos == 0 => "0 ms".into(),
        None => format!("{nanos} ns"),
    }
}
