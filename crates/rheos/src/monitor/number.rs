//! Numbers and times as people read them.

pub use rheos_cluster::bottleneck::grouped;
use rheos_core::time::Millis;

/// A rate: whole and grouped from ten on, else with a decimal.
pub fn rate(per_second: f64) -> String {
    if per_second >= 10.0 {
        grouped(per_second.round() as u64)
    } else {
        format!("{per_second:.1}")
    }
}

/// A duration: seconds below a minute, else minutes and hours as a clock shows them.
pub fn duration(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02} h")
    } else {
        format!("{minutes}:{seconds:02} min")
    }
}

/// An event time in UTC, to the second: `2013-05-04 12:33:20`.
pub fn date(millis: Millis) -> String {
    let seconds = millis.div_euclid(1000);
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Howard Hinnant's `civil_from_days`: eras of 400 years that begin on the first of March.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        let shown: Vec<String> = [0, 999, 1_000, 1_234_567].map(grouped).to_vec();
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(rate(0.24), "0.2");
        assert_eq!(rate(1_999.7), "2,000");
    }

    #[test]
    fn durations_grow_into_minutes_and_hours() {
        let shown: Vec<String> = [1.84, 61.0, 3_723.0].map(duration).to_vec();
        assert_eq!(shown, ["1.8 s", "1:01 min", "1:02:03 h"]);
    }

    #[test]
    fn dates_are_the_calendar_s() {
        assert_eq!(date(0), "1970-01-01 00:00:00");
        assert_eq!(date(951_782_400_000), "2000-02-29 00:00:00");
        assert_eq!(date(1_367_670_800_000), "2013-05-04 12:33:20");
        assert_eq!(date(-1), "1969-12-31 23:59:59");
    }
}
