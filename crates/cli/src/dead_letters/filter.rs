//! Which dead letters are meant.

use clap::Args;
use rheos::core::time::Millis;

use super::letter::Letter;

/// What a letter must have to be meant; without any, all are.
#[derive(Debug, Clone, Args)]
pub(super) struct Filter {
    /// Only letters whose error has this text in it, whatever its case.
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// Only letters of messages from this topic; may be given several times.
    #[arg(long, value_name = "TOPIC")]
    origin: Vec<String>,
    /// Only letters of messages from then on: milliseconds since 1970, or 2026-11-23T07:30:00Z.
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Millis>,
    /// Only letters of messages from before then.
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Millis>,
    /// Only the first so many of them.
    #[arg(long, value_name = "NUMBER")]
    pub limit: Option<u64>,
}

impl Filter {
    /// Whether a letter is meant, but for the limit.
    pub fn admits(&self, letter: &Letter) -> bool {
        let error = letter.error.to_lowercase();
        let of_error = |text: &String| error.contains(&text.to_lowercase());
        // A message without a time lies in no stretch of it.
        let time = |holds: &dyn Fn(i64) -> bool| letter.timestamp.is_some_and(holds);
        self.error.as_ref().is_none_or(of_error)
            && (self.origin.is_empty() || self.origin.contains(&letter.topic))
            && self.since.is_none_or(|since| time(&|at| at >= since))
            && self.until.is_none_or(|until| time(&|at| at < until))
    }
}

fn time(text: &str) -> Result<Millis, String> {
    let parsed = text
        .parse()
        .ok()
        .or_else(|| rheos::command::time_in_utc(text));
    parsed.ok_or_else(|| {
        "say milliseconds since 1970, or a time in UTC as 2026-11-23T07:30:00Z".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(topic: &str, timestamp: Option<i64>, error: &str) -> Letter {
        Letter {
            topic: topic.into(),
            partition: 0,
            offset: 0,
            timestamp,
            key: None,
            value: None,
            headers: Vec::new(),
            error: error.into(),
        }
    }

    #[test]
    fn all_that_is_asked_for_must_hold() {
        let all = Filter {
            error: None,
            origin: Vec::new(),
            since: None,
            until: None,
            limit: None,
        };
        let one = letter("events", Some(1_000), "Unknown schema id 7");
        assert!(all.admits(&one) && all.admits(&letter("x", None, "")));
        let by_error = Filter {
            error: Some("unknown SCHEMA".into()),
            ..all.clone()
        };
        assert!(by_error.admits(&one) && !by_error.admits(&letter("events", None, "cut off")));
        let by_topic = Filter {
            origin: vec!["orders".into(), "events".into()],
            ..all.clone()
        };
        assert!(by_topic.admits(&one) && !by_topic.admits(&letter("clicks", None, "")));
        let by_time = Filter {
            since: Some(1_000),
            until: Some(2_000),
            ..all
        };
        assert!(by_time.admits(&one));
        for at in [Some(999), Some(2_000), None] {
            assert!(!by_time.admits(&letter("events", at, "")), "{at:?}");
        }
    }

    #[test]
    fn times_are_numbers_or_of_the_calendar() {
        assert_eq!(time("1500"), Ok(1_500));
        assert_eq!(time("1970-01-01T00:00:01Z"), Ok(1_000));
        assert!(time("yesterday").is_err());
    }
}
