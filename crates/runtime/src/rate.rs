//! A limit on rows a second, by a token bucket.

/// Tokens that come at a steady rate, up to a tenth of a second's worth.
#[derive(Debug)]
pub struct TokenBucket {
    per_micro: f64,
    room: f64,
    tokens: f64,
    filled_micros: i64,
}

impl TokenBucket {
    /// A bucket that lets `per_second` rows through.
    pub fn new(per_second: f64, now_micros: i64) -> Self {
        let per_micro = (per_second / 1e6).max(f64::MIN_POSITIVE);
        Self {
            per_micro,
            room: (per_micro * 100_000.0).max(1.0),
            tokens: 1.0,
            filled_micros: now_micros,
        }
    }

    /// Rows that may pass now.
    pub fn allowance(&mut self, now_micros: i64) -> usize {
        let gained = (now_micros - self.filled_micros) as f64 * self.per_micro;
        self.tokens = (self.tokens + gained).min(self.room);
        self.filled_micros = now_micros;
        self.tokens.max(0.0) as usize
    }

    /// Takes the tokens of rows that passed.
    pub fn spend(&mut self, rows: usize) {
        self.tokens -= rows as f64;
    }

    /// When the next row may pass, in monotonic microseconds.
    pub fn next_micros(&self) -> i64 {
        let missing = (1.0 - self.tokens).max(0.0);
        self.filled_micros
            .saturating_add((missing / self.per_micro).ceil() as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lets_a_second_of_rows_through() {
        let mut bucket = TokenBucket::new(1_000.0, 0);
        let mut passed = 0;
        for now in (0..=1_000_000).step_by(500) {
            let allowed = bucket.allowance(now);
            bucket.spend(allowed);
            passed += allowed;
        }
        assert!((999..=1_002).contains(&passed), "{passed}");
    }
}
