//! What `--resume` can be told.

use std::path::Path;

use rheos_cluster::checkpoint::{Location, Resume};
use rheos_runtime::BoxError;

/// Reads it.
///
/// # Errors
/// If it is nothing of what it can be.
pub(super) fn parse(text: &str) -> Result<Resume, BoxError> {
    match text {
        "latest" => return Ok(Resume::Latest),
        "none" => return Ok(Resume::Nothing),
        _ => {}
    }
    if let Ok(number) = text.parse() {
        return Ok(Resume::Number(number));
    }
    if let Some(time) = time_in_utc(text) {
        return Ok(Resume::Time(time));
    }
    if Path::new(text).is_dir() || text.contains(":/") {
        return Ok(Resume::Folder(Location::parse(text)?));
    }
    Err(format!(
        "--resume {text}: say latest, none, the number of a checkpoint, a time as in \
         2026-11-23T07:30:00Z, or the folder of a checkpoint; there is no such folder"
    )
    .into())
}

/// Milliseconds since the epoch of a time in UTC: `2026-11-23T07:30:00Z`, with or without seconds
/// and their fraction.
pub fn time_in_utc(text: &str) -> Option<i64> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-');
    let year: i64 = date.next()?.parse().ok()?;
    let month: i64 = date
        .next()?
        .parse()
        .ok()
        .filter(|month| (1..=12).contains(month))?;
    let day: i64 = date
        .next()?
        .parse()
        .ok()
        .filter(|day| (1..=31).contains(day))?;
    let mut clock = clock.splitn(3, ':');
    let hour: i64 = clock
        .next()?
        .parse()
        .ok()
        .filter(|hour| (0..24).contains(hour))?;
    let minute: i64 = clock
        .next()?
        .parse()
        .ok()
        .filter(|minute| (0..60).contains(minute))?;
    let seconds: f64 = clock.next().unwrap_or("0").parse().ok()?;
    if !(0.0..60.0).contains(&seconds) {
        return None;
    }
    // Days of the Gregorian calendar, counted from a March so that a leap day is the last of a year.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days =
        365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (153 * m + 2) / 5 + day
            - 1
            - 719_468;
    let millis = (seconds * 1000.0).floor() as i64;
    Some(((days * 24 + hour) * 60 + minute) * 60_000 + millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(time_in_utc("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(time_in_utc("1970-01-01T00:01Z"), Some(60_000));
        assert_eq!(
            time_in_utc("2000-02-29T12:00:00.250Z"),
            Some(951_825_600_250)
        );
        assert_eq!(time_in_utc("2026-11-23T07:30:00Z"), Some(1_795_419_000_000));
        assert_eq!(time_in_utc("1969-12-31T23:59:59Z"), Some(-1000));
        for wrong in ["2026-13-01T00:00Z", "2026-11-23", "2026-11-23T24:00Z", "x"] {
            assert_eq!(time_in_utc(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_it_can_be_told() {
        assert_eq!(parse("latest").unwrap(), Resume::Latest);
        assert_eq!(parse("none").unwrap(), Resume::Nothing);
        assert_eq!(parse("17").unwrap(), Resume::Number(17));
        let folder = |text| Resume::Folder(Location::parse(text).unwrap());
        for text in [".", "s3://bucket/job/g1/chk-3", "file:///tmp"] {
            assert_eq!(parse(text).unwrap(), folder(text), "{text}");
        }
        assert!(parse("nowhere/at/all").is_err());
    }
}
