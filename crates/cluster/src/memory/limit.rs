//! When a process that runs out of memory has to end its job: while it still can, and not when the
//! system ends the process. Pure.

/// Of what a process may have, so much is kept free to end in: a table of two million keys grows by
/// about that at once.
const KEPT_FREE: f64 = 0.1;
/// Seconds of growth that must still fit: until the next look, and until the tasks have ended.
const AHEAD: f64 = 2.0;

/// What the process has in memory at two moments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resident {
    /// When, in seconds.
    pub at: f64,
    /// Bytes.
    pub bytes: f64,
}

/// Bytes from which on the job ends, if nothing grows.
pub fn threshold(limit: u64) -> f64 {
    limit as f64 * (1.0 - KEPT_FREE)
}

/// Whether the job must end now.
pub fn is_reached(before: Option<Resident>, now: Resident, limit: u64) -> bool {
    let growth = match before {
        Some(before) if now.at > before.at => {
            ((now.bytes - before.bytes) / (now.at - before.at)).max(0.0)
        }
        _ => 0.0,
    };
    now.bytes >= threshold(limit)
        // Far from the limit a burst is no reason: memory that was just taken may soon be given back.
        || (now.bytes >= limit as f64 / 2.0 && now.bytes + growth * AHEAD >= limit as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_ends_while_there_is_room_to_end_in() {
        let at = |at, bytes| Resident { at, bytes };
        assert!(!is_reached(None, at(0.0, 890.0), 1_000));
        assert!(is_reached(None, at(0.0, 900.0), 1_000));
        // 100 a second: at 800 there are two seconds left.
        assert!(!is_reached(Some(at(0.0, 690.0)), at(1.0, 790.0), 1_000));
        assert!(is_reached(Some(at(0.0, 700.0)), at(1.0, 800.0), 1_000));
        // A burst from far below.
        assert!(!is_reached(Some(at(0.0, 0.0)), at(1.0, 400.0), 1_000));
        assert!(!is_reached(Some(at(0.0, 900.0)), at(1.0, 800.0), 1_000));
    }
}
