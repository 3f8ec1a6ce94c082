//! How large a window a receiver grants: as much as it takes in a short while, so that little is in
//! flight before a slow task and enough before a fast one.
//!
//! Flink calls this buffer debloating. What a receiver has taken counts once it takes the next batch
//! or waits for one: only then has it dealt with it. A receiver that nothing is known of is granted
//! little; the window follows its rate, at most doubling at a time, so that a fast one has all of it
//! after 40 ms.

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
        Self {
            initial: 2 << 10,
            min: 256,
            max: 512 << 10,
            target_micros: 200_000,
        }
    }
}

/// The window of one gate's channels, in time with the gate's rate.
#[derive(Debug)]
pub struct Debloat {
    limits: WindowLimits,
    window: usize,
    /// Bytes of the batch at hand.
    taken: usize,
    /// Bytes dealt with since the period began.
    consumed: usize,
    since_micros: i64,
    /// Whether the receiver waited for rows in this period.
    idled: bool,
}

/// How often a window is set anew, in microseconds.
const PERIOD_MICROS: i64 = 5_000;

impl Debloat {
    /// Starts with the initial window at this time.
    pub fn new(limits: WindowLimits, now_micros: i64) -> Self {
        Self {
            limits,
            window: limits.initial,
            taken: 0,
            consumed: 0,
            since_micros: now_micros,
            idled: false,
        }
    }

    /// Notes that a batch of `bytes` is taken, and the one before it therefore dealt with; the new
    /// window per channel, if it changes.
    ///
    /// `channels` share the rate.
    pub fn take(&mut self, bytes: usize, channels: usize, now_micros: i64) -> Option<usize> {
        let before = std::mem::replace(&mut self.taken, bytes);
        if before == 0 {
            self.since_micros = now_micros;
            return None;
        }
        self.consumed += before;
        let elapsed = now_micros - self.since_micros;
        if elapsed < PERIOD_MICROS {
            return None;
        }
        let per_second = self.consumed as f64 * 1e6 / elapsed as f64;
        let wanted = per_second * self.limits.target_micros as f64 / 1e6 / channels.max(1) as f64;
        let idled = std::mem::take(&mut self.idled);
        self.consumed = 0;
        self.since_micros = now_micros;
        let window = (wanted as usize)
            .min(self.window.saturating_mul(2))
            .clamp(self.limits.min, self.limits.max);
        if window == self.window || (idled && window < self.window) {
            return None;
        }
        self.window = window;
        Some(window)
    }

    /// The receiver waits for rows: that it took few says nothing of how many it could take, so its
    /// window will not shrink for this period.
    pub fn idle(&mut self) {
        self.idled = true;
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
            debloat.take(64 << 10, 1, now);
        }
        assert_eq!(debloat.window, limits.max);
        // A slow one: 1,000 rows of 64 bytes a second. Two seconds later, 0.2 s worth is granted.
        for _ in 0..2_000 {
            now += 1_000;
            debloat.take(64, 1, now);
        }
        assert!(
            (12_000..14_000).contains(&debloat.window),
            "{}",
            debloat.window
        );
    }
}
