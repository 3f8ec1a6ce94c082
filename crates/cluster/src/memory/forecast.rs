//! How fast something grows, and when it reaches a limit: a pure function of samples.
//!
//! The rate is the median of the slopes between all pairs of samples (Theil and Sen): up to a quarter
//! of the samples may be off, by a window that was purged or a burst, without moving it. What only
//! fills up at the start is not called growth: the later half has to go on as the whole does.

use std::collections::VecDeque;

/// Samples that are kept; the median is over at most half their square of slopes.
const MOST: usize = 48;
/// Below so many there is nothing to tell by.
const LEAST: usize = 8;
/// A history that covers this many seconds slides on; a shorter one is thinned out.
const SPAN: f64 = 900.0;
/// The later half grows if its rate is at least this share of that of the whole.
const GOES_ON: f64 = 0.25;
/// Seconds ahead for each second of history.
const REACH: f64 = 100.0;
/// In its history something must have grown by this share to be called growing.
const NOTICEABLE: f64 = 0.01;

/// Sizes over time.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Seconds and bytes, oldest first.
    samples: VecDeque<(f64, f64)>,
    /// Seconds between two samples that are kept.
    apart: f64,
}

impl History {
    /// Takes a sample, if the one before is long enough ago.
    pub fn push(&mut self, seconds: f64, bytes: f64) {
        if let Some((last, _)) = self.samples.back()
            && seconds - last < self.apart
        {
            return;
        }
        self.samples.push_back((seconds, bytes));
        if self.samples.len() <= MOST {
            return;
        }
        let first = self.samples.front().map_or(seconds, |(first, _)| *first);
        if seconds - first >= SPAN {
            self.samples.pop_front();
        } else {
            let mut index = 0;
            self.samples.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            let kept = self.samples.len().saturating_sub(1).max(1);
            self.apart = (seconds - first) / kept as f64;
        }
    }

    /// When `room` bytes are used up, as far as that can be told: no further ahead than a hundred times
    /// what was seen.
    pub fn seconds_to(&self, room: f64) -> Option<f64> {
        let first = self.samples.front().map_or(0.0, |(at, _)| *at);
        let seen = self.samples.back().map_or(0.0, |(at, _)| *at) - first;
        seconds_to(room, self.rate()?).filter(|left| *left <= seen * REACH)
    }

    /// Bytes a second, as far as the samples tell; 0 where what there is does not go on.
    pub fn rate(&self) -> Option<f64> {
        let samples: Vec<(f64, f64)> = self.samples.iter().copied().collect();
        if samples.len() < LEAST {
            return None;
        }
        let whole = slope(&samples)?;
        let later = slope(samples.get(samples.len() / 2..)?)?;
        let (first, last) = (samples.first()?, samples.last()?);
        let grown = whole * (last.0 - first.0);
        if whole > 0.0 && (later < whole * GOES_ON || grown < last.1 * NOTICEABLE) {
            return Some(0.0);
        }
        // What grows faster and faster is taken by its end, what slows down too.
        Some(if whole > 0.0 { later } else { whole })
    }
}

/// The median of the slopes between all pairs.
fn slope(samples: &[(f64, f64)]) -> Option<f64> {
    let mut slopes: Vec<f64> = Vec::new();
    for (index, (from, low)) in samples.iter().enumerate() {
        for (to, high) in samples.iter().skip(index + 1) {
            if to > from {
                slopes.push((high - low) / (to - from));
            }
        }
    }
    slopes.sort_by(f64::total_cmp);
    let middle = slopes.len() / 2;
    let upper = slopes.get(middle).copied()?;
    Some(match slopes.len() % 2 {
        1 => upper,
        _ => (upper + slopes.get(middle.saturating_sub(1)).copied()?) / 2.0,
    })
}

/// Seconds until `room` bytes are used up at `rate` bytes a second.
fn seconds_to(room: f64, rate: f64) -> Option<f64> {
    (rate > 0.0).then(|| (room / rate).max(0.0))
}

/// The order of magnitude of a time: it is told again when it falls.
pub fn magnitude(seconds: f64) -> i32 {
    seconds.max(1.0).log10().floor() as i32
}

/// A time as people say it.
pub fn in_words(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5_400.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3_600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(sizes: impl IntoIterator<Item = f64>) -> History {
        let mut history = History::default();
        for (second, size) in sizes.into_iter().enumerate() {
            history.push(second as f64, size);
        }
        history
    }

    #[test]
    fn a_straight_line_is_told_to_the_byte() {
        let rate = history((0..40).map(|s| 500.0 + 25.0 * f64::from(s))).rate();
        assert_eq!(rate, Some(25.0));
        assert_eq!(seconds_to(1_000.0, 25.0), Some(40.0));
        assert_eq!(seconds_to(1_000.0, 0.0), None);
        assert_eq!(seconds_to(-5.0, 1.0), Some(0.0));
    }

    #[test]
    fn a_few_wild_samples_do_not_move_it() {
        let sizes = (0..40).map(|s| {
            let wild = if s % 6 == 5 { 40_000.0 } else { 0.0 };
            25.0 * f64::from(s) + wild
        });
        let rate = history(sizes).rate().unwrap();
        assert!((15.0..40.0).contains(&rate), "{rate}");
    }

    #[test]
    fn what_fills_up_and_what_comes_and_goes_does_not_grow() {
        let fills = history((0..40).map(|s| f64::from(s.min(12)) * 1_000.0));
        assert_eq!(fills.rate(), Some(0.0));
        let windows = history((0..48).map(|s| 10_000.0 + f64::from(s % 6) * 1_000.0));
        let rate = windows.rate().unwrap();
        assert!(rate.abs() < 50.0, "{rate}");
        let constant = history((0..40).map(|_| 77.0));
        assert_eq!(constant.rate(), Some(0.0));
        let shrinks = history((0..40).map(|s| 4_000.0 - 10.0 * f64::from(s)));
        assert_eq!(shrinks.rate(), Some(-10.0));
    }

    #[test]
    fn a_forecast_reaches_no_further_than_a_hundred_times_what_was_seen() {
        let history = history((0..21).map(|s| 10.0 * f64::from(s)));
        assert_eq!(history.seconds_to(20_000.0), Some(2_000.0));
        assert_eq!(history.seconds_to(20_010.0), None);
        assert_eq!(history.seconds_to(-1.0), Some(0.0));
    }

    #[test]
    fn nothing_is_told_by_too_little_and_a_long_history_stays_small() {
        assert_eq!(history([1.0, 2.0, 3.0]).rate(), None);
        let mut history = History::default();
        for second in 0..100_000 {
            history.push(f64::from(second), f64::from(second) * 3.0);
            assert!(history.samples.len() <= MOST);
        }
        let covered = history.samples.back().unwrap().0 - history.samples.front().unwrap().0;
        assert!((SPAN / 2.0..SPAN * 2.0).contains(&covered), "{covered}");
        assert_eq!(history.rate(), Some(3.0));
    }

    #[test]
    fn times_are_said_in_words_and_told_again_by_magnitude() {
        let said: Vec<String> = [40.0, 600.0, 9_000.0, 864_000.0].map(in_words).to_vec();
        assert_eq!(said, ["40 s", "10 min", "2.5 h", "10 days"]);
        assert_eq!((magnitude(999.0), magnitude(1_000.0)), (2, 3));
    }

    proptest::proptest! {
        #[test]
        /// Whatever noise of a tenth lies on a line, the forecast is within a factor of two of it.
        #[test]
        fn a_noisy_line_is_found(
            rate in 100.0f64..1e7, noise in proptest::collection::vec(-1.0f64..1.0, 48)
        ) {
            let sizes = noise.iter().enumerate().map(|(s, noise)| {
                rate * (s as f64) + noise * rate
            });
            let found = history(sizes.collect::<Vec<_>>()).rate().unwrap();
            proptest::prop_assert!((rate / 2.0..rate * 2.0).contains(&found), "{found} of {rate}");
        }
    }
}
