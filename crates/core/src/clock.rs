//! Time as the job sees it: the machine's, or one that a test moves by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::time::Millis;

/// A source of time. Implemented by [`SystemClock`] and [`ManualClock`]; called from any thread.
pub trait Clock: Send + Sync + 'static {
    /// Microseconds of a clock that never goes back; its zero has no meaning.
    fn monotonic_micros(&self) -> i64;

    /// Milliseconds since the Unix epoch.
    fn wall_millis(&self) -> Millis;

    /// Whether time passes by itself; a task that waits under a clock that doesn't is woken by
    /// whoever moves it.
    fn is_real(&self) -> bool {
        true
    }
}

/// A shared clock.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A shared handle on the machine's clock.
    #[allow(clippy::disallowed_methods, reason = "this is where real time enters")]
    pub fn shared() -> SharedClock {
        Arc::new(Self {
            origin: Instant::now(),
        })
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is where real time enters")]
    fn monotonic_micros(&self) -> i64 {
        let elapsed = Instant::now().duration_since(self.origin);
        i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)
    }

    #[allow(clippy::disallowed_methods, reason = "this is where real time enters")]
    fn wall_millis(&self) -> Millis {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug, Default)]
pub struct ManualClock {
    micros: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `millis`.
    pub fn at(millis: Millis) -> Arc<Self> {
        Arc::new(Self {
            micros: AtomicI64::new(millis.saturating_mul(1000)),
        })
    }

    /// Moves it forward.
    pub fn advance(&self, millis: Millis) {
        self.micros
            .fetch_add(millis.saturating_mul(1000), Ordering::SeqCst);
    }

    /// Sets it.
    pub fn set(&self, millis: Millis) {
        self.micros
            .store(millis.saturating_mul(1000), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn monotonic_micros(&self) -> i64 {
        self.micros.load(Ordering::SeqCst)
    }

    fn wall_millis(&self) -> Millis {
        self.micros.load(Ordering::SeqCst).div_euclid(1000)
    }

    fn is_real(&self) -> bool {
        false
    }
}
