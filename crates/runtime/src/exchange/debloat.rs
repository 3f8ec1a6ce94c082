//! How large a window a receiver grants: as much as it takes in a short while, so that little is in
//! flight before a slow task and enough before a fast one.
//!
//! Flink calls this buffer debloating. The rate is measured over the time in which the channel had
//! something to give; the window follows it, at most doubling at a time.

/// Bounds of the window of a channel.
#[derive(Debug, Clone, Copy)]
pub struct WindowLimits {
    /// Bytes granted before anything is known of the receiver.
    pub initial: usize,
    /// Least window.
    pub min: usize,
    /// Greatest window.
    pub max: usize,
    /// How much time's worth of its rate a receiver is to have queued, in microseconds.
    pub target_micros: i64,
}

impl Default for WindowLimits {
    fn default() -> Self {
        Self { initial: 16 << 10, min: 256, max: 512 << 10, target_micros: 200_000 }
    }
}

/// The window of one gate's channels, in time with the gate's rate.
#[derive(Debug)]
pub struct Debloat {
    limits: WindowLimits,
    window: usize,
    consumed: usize,
    since_micros: i64,
}

/// How often a window is set anew, in microseconds.
const PERIOD_MICROS: i64 = 5_000;

impl Debloat {
    /// Starts with the initial window at this time.
    pub fn new(limits: WindowLimits, now_micros: i64) -> Self {
        Self { limits, window: limits.initial, consumed: 0, since_micros: now_micros }
    }

    /// Notes that `bytes` were taken; the new window per channel, if it changes.
    ///
    /// `channels` share the rate.
    pub fn consumed(&mut self, bytes: usize, channels: usize, now_micros: i64) -> Option<usize> {
        self.consumed += bytes;
        let elapsed = now_micros - self.since_micros;
        if elapsed < PERIOD_MICROS {
            return None;
        }
        let per_second = self.consumed as f64 * 1e6 / elapsed as f64;
        let wanted =
            per_second * self.limits.target_micros as f64 / 1e6 / channels.max(1) as f64;
        let window = (wanted as usize)
            .min(self.window.saturating_mul(2))
            .clamp(self.limits.min, self.limits.max);
        self.consumed = 0;
        self.since_micros = now_micros;
        if window == self.window {
            return None;
        }
        self.window = window;
        Some(window)
    }

    /// Forgets a period in which the gate had nothing to take: it says nothing about the rate.
    pub fn idle(&mut self, now_micros: i64) {
        if self.consumed == 0 {
            self.since_micros = now_micros;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_follows_the_rate_of_the_receiver() {
        let limits = WindowLimits::default();
        let mut debloat = Debloat::new(limits, 0);
        // A fast receiver: 64 KiB a millisecond.
        let mut now = 0;
        for _ in 0..100 {
            now += 1_000;
            debloat.consumed(64 << 10, 1, now);
        }
        assert_eq!(debloat.window, limits.max);
        // A slow one: 1,000 rows of 64 bytes a second. Two seconds later, 0.2 s worth is granted.
        for _ in 0..2_000 {
            now += 1_000;
            debloat.consumed(64, 1, now);
        }
        assert!((12_000..14_000).contains(&debloat.window), "{}", debloat.window);
    }
}
