//! How the memory of a TaskManager is divided.
//!
//! One number bounds the process: `taskmanager.memory.process.size`, or what there is if that is
//! less (the cgroup's limit, the machine). State and rows in flight have shares of it, given as
//! sizes or fractions; the rest is for user code and the process itself. A configuration written
//! for a larger machine keeps its proportions on a smaller one.

use super::configuration::Configuration;
use super::error::ConfigError;
use super::memory_size::MemorySize;
use super::options::{
    TASKMANAGER_MEMORY_FLINK_SIZE, TASKMANAGER_MEMORY_MANAGED_FRACTION,
    TASKMANAGER_MEMORY_MANAGED_SIZE, TASKMANAGER_MEMORY_NETWORK_FRACTION,
    TASKMANAGER_MEMORY_NETWORK_MAX, TASKMANAGER_MEMORY_NETWORK_MIN,
    TASKMANAGER_MEMORY_NETWORK_SIZE, TASKMANAGER_MEMORY_PROCESS_SIZE,
};

/// Bytes for the process and for its two large users; `managed + network <= total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryBudget {
    /// All that the process may use.
    pub total: u64,
    /// State.
    pub managed: u64,
    /// Rows in flight.
    pub network: u64,
}

impl MemoryBudget {
    /// Divides the configured memory, or `available` bytes if that is less or none is configured.
    ///
    /// # Errors
    /// A value is not of its type, or the parts exceed the configured whole.
    pub fn divide(conf: &Configuration, available: u64) -> Result<Self, ConfigError> {
        let whole = Self::configured(conf)?;
        let Some(whole) = whole else {
            return Self::of(conf, available);
        };
        if whole.total <= available {
            return Ok(whole);
        }
        let scaled = |part: u64| {
            let part = u128::from(part) * u128::from(available) / u128::from(whole.total.max(1));
            u64::try_from(part).unwrap_or(u64::MAX)
        };
        Ok(Self {
            total: available,
            managed: scaled(whole.managed),
            network: scaled(whole.network),
        })
    }

    /// The division as configured, whatever the machine has; `None` if no whole is configured.
    pub(super) fn configured(conf: &Configuration) -> Result<Option<Self>, ConfigError> {
        let process = conf.get_set(&TASKMANAGER_MEMORY_PROCESS_SIZE)?;
        let flink = conf.get_set(&TASKMANAGER_MEMORY_FLINK_SIZE)?;
        match process.or(flink) {
            Some(MemorySize(total)) => Self::of(conf, total).map(Some),
            None => Ok(None),
        }
    }

    fn of(conf: &Configuration, total: u64) -> Result<Self, ConfigError> {
        let share = |fraction: f64| (total as f64 * fraction) as u64;
        let managed = match conf.get_set(&TASKMANAGER_MEMORY_MANAGED_SIZE)? {
            Some(size) => size.bytes(),
            None => share(
                conf.get(&TASKMANAGER_MEMORY_MANAGED_FRACTION)?
                    .clamp(0.0, 1.0),
            ),
        };
        let network = match conf.get_set(&TASKMANAGER_MEMORY_NETWORK_SIZE)? {
            Some(size) => size.bytes(),
            None => {
                let fraction = conf
                    .get(&TASKMANAGER_MEMORY_NETWORK_FRACTION)?
                    .clamp(0.0, 1.0);
                let most = conf.get_set(&TASKMANAGER_MEMORY_NETWORK_MAX)?;
                let least = conf.get(&TASKMANAGER_MEMORY_NETWORK_MIN)?.bytes();
                // A default must not make a small process impossible.
                let least = if conf.get_set(&TASKMANAGER_MEMORY_NETWORK_MIN)?.is_some() {
                    least
                } else {
                    least.min(total.saturating_sub(managed) / 2)
                };
                share(fraction)
                    .max(least)
                    .min(most.map_or(u64::MAX, MemorySize::bytes))
            }
        };
        if managed
            .checked_add(network)
            .is_none_or(|parts| parts > total)
        {
            let (state, flight, whole) =
                (MemorySize(managed), MemorySize(network), MemorySize(total));
            return Err(ConfigError::Conflict {
                detail: format!(
                    "memory for state ({state}, `taskmanager.memory.managed.*`) and for rows in \
                     flight ({flight}, `taskmanager.memory.network.*`) exceeds the process's \
                     {whole}; lower them or raise `taskmanager.memory.process.size`"
                ),
            });
        }
        Ok(Self {
            total,
            managed,
            network,
        })
    }
}
