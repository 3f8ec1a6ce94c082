//! The rows of the job, and what makes an event valid.

use rheos::prelude::*;

/// An event as it is reported.
#[derive(Row, Clone, Debug, PartialEq)]
pub struct Event {
    pub event_id: Str,
    /// The plane's tail number.
    pub user_id: Str,
    /// The carrier.
    pub category: Str,
    pub event_type: Str,
    /// Milliseconds since the epoch.
    pub event_time: i64,
    /// The delay of the departure in minutes.
    pub value: Option<f64>,
}

/// The years 1 to 9999, in milliseconds since the epoch.
const YEARS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;
const CATEGORY_BYTES: usize = 400;

impl Event {
    /// Whether the event takes part: ids that are not empty, a finite value, a category that every
    /// sink can hold, a time that a calendar has.
    pub fn is_valid(&self) -> bool {
        !self.event_id.is_empty()
            && !self.user_id.is_empty()
            && self.value.is_none_or(f64::is_finite)
            && self.category.len() <= CATEGORY_BYTES
            && !self.category.contains('\0')
            && YEARS.contains(&self.event_time)
    }
}

/// An event with what the table of planes says of its user.
#[derive(Row, Clone, Debug, PartialEq)]
pub struct EnrichedEvent {
    pub event: Event,
    pub manufacturer: Option<Str>,
    pub model: Option<Str>,
}

/// One firing of a window.
#[derive(Row, Clone, Debug, PartialEq)]
pub struct WindowedResult {
    pub category: Str,
    pub window_start: i64,
    pub window_end: i64,
    /// Events, those without a value included.
    pub events: i64,
    pub value_sum: f64,
}

/// The document that every sink takes.
#[derive(Row, Clone, Debug, PartialEq)]
pub struct EnrichedResult {
    pub category: Str,
    pub window_start: i64,
    pub window_end: i64,
    pub events: i64,
    pub value_sum: f64,
    pub category_name: Str,
}

/// A message that no event can be read from.
#[derive(Row, Clone, Debug, PartialEq)]
pub struct DeadLetterLine {
    pub topic: Str,
    pub partition: i32,
    pub offset: u64,
    pub timestamp: Option<i64>,
    pub key_base64: Option<Vec<u8>>,
    pub value_base64: Vec<u8>,
    pub error: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event {
            event_id: "e1".into(),
            user_id: "N1".into(),
            category: "UA".into(),
            event_type: "on_time".into(),
            event_time: 1_357_035_420_000,
            value: Some(2.0),
        }
    }

    #[test]
    fn what_makes_an_event_invalid() {
        assert!(event().is_valid());
        assert!(
            Event {
                value: None,
                ..event()
            }
            .is_valid()
        );
        assert!(
            Event {
                category: "".into(),
                ..event()
            }
            .is_valid()
        );
        assert!(
            !Event {
                event_id: "".into(),
                ..event()
            }
            .is_valid()
        );
        assert!(
            !Event {
                user_id: "".into(),
                ..event()
            }
            .is_valid()
        );
        assert!(
            !Event {
                value: Some(f64::NAN),
                ..event()
            }
            .is_valid()
        );
        assert!(
            !Event {
                value: Some(f64::INFINITY),
                ..event()
            }
            .is_valid()
        );
        assert!(
            !Event {
                category: "a\0b".into(),
                ..event()
            }
            .is_valid()
        );
        assert!(
            !Event {
                category: Str::from("ä".repeat(201).as_str()),
                ..event()
            }
            .is_valid()
        );
        assert!(
            Event {
                category: Str::from("ä".repeat(200).as_str()),
                ..event()
            }
            .is_valid()
        );
        assert!(
            !Event {
                event_time: *YEARS.end() + 1,
                ..event()
            }
            .is_valid()
        );
        assert!(
            !Event {
                event_time: *YEARS.start() - 1,
                ..event()
            }
            .is_valid()
        );
        assert!(
            Event {
                event_time: *YEARS.start(),
                ..event()
            }
            .is_valid()
        );
    }
}
