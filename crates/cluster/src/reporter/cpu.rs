//! CPU time of the process, as Linux tells it.

use std::sync::{Mutex, PoisonError};

/// Linux tells times in hundredths of a second, whatever the kernel's own tick is.
const NANOS_PER_TICK: f64 = 1e7;

/// What the process has used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CpuUse {
    /// Nanoseconds, of all threads.
    pub nanos: f64,
    /// Share of all cores since the look before, 0 to 1.
    pub load: f64,
}

/// CPU time at a moment; both in ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Look {
    used: f64,
    /// Since the start of the system.
    at: f64,
}

/// Looks at the CPU time of the process again and again.
#[derive(Debug, Default)]
pub(super) struct CpuMeter {
    before: Mutex<Option<Look>>,
}

impl CpuMeter {
    /// What has been used by now; none where the system does not tell.
    pub fn look(&self) -> Option<CpuUse> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
        let (now, start) = parse(&stat, &uptime)?;
        let cores = std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64);
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let since = before.replace(now).unwrap_or(Look {
            used: 0.0,
            at: start,
        });
        Some(CpuUse {
            nanos: now.used * NANOS_PER_TICK,
            load: load(since, now, cores),
        })
    }
}

fn load(before: Look, now: Look, cores: f64) -> f64 {
    let passed = (now.at - before.at).max(1.0);
    ((now.used - before.used) / passed / cores).clamp(0.0, 1.0)
}

/// A look, and when the process was started, from `/proc/self/stat` and `/proc/uptime`.
fn parse(stat: &str, uptime: &str) -> Option<(Look, f64)> {
    // The name of the process may hold blanks and parentheses: fields are counted behind it.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    let seconds: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    let look = Look {
        used: field(14)? + field(15)?,
        at: seconds * 100.0,
    };
    Some((look, field(22)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_the_share_of_all_cores_between_two_looks() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 9 0 1000 1 1";
        let (look, start) = parse(stat, "12.00 40.00\n").unwrap();
        assert_eq!((look.used, look.at, start), (200.0, 1_200.0, 1_000.0));
        let later = Look {
            used: 300.0,
            at: 1_300.0,
        };
        assert_eq!(load(look, later, 2.0), 0.5);
        assert_eq!(load(look, look, 2.0), 0.0);
        assert_eq!(parse("nothing", "12.00"), None);
    }

    #[test]
    fn this_process_has_used_some() {
        let meter = CpuMeter::default();
        let used = meter.look().unwrap();
        assert!((0.0..=1.0).contains(&used.load), "{used:?}");
        assert!(meter.look().unwrap().nanos >= used.nanos);
    }
}
