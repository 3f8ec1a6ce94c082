//! Addresses and times of the control plane, under Flink's keys.

use std::time::Duration;

use rheos_core::config::{ConfigError, Configuration, options};
use rheos_runtime::network::{Compression, Security};

use crate::tls;

/// See the [module](self).
#[derive(Debug, Clone)]
pub struct RemoteSettings {
    /// Where the JobManager is, or listens.
    pub jobmanager: String,
    /// Its port; 0 for a JobManager is any that is free.
    pub port: u16,
    /// The address that a TaskManager takes data connections at, and is known by.
    pub host: String,
    /// Its port; 0 is any that is free.
    pub data_port: u16,
    /// Slots of a TaskManager.
    pub slots: u32,
    /// How often signs of life are given.
    pub heartbeat: Duration,
    /// After how long without one the other side is lost.
    pub timeout: Duration,
    /// How long a TaskManager looks for its JobManager.
    pub registration_timeout: Duration,
    /// How connections between the processes are made safe.
    pub security: Security,
    /// Whether rows are compressed on their way to another TaskManager.
    pub compression: Compression,
}

fn loopback(host: Option<String>) -> String {
    host.filter(|host| !host.trim().is_empty())
        .unwrap_or_else(|| "127.0.0.1".to_owned())
}

impl RemoteSettings {
    /// Whether others can find the JobManager at its address: where it listens on all of a machine's, they
    /// are told none.
    ///
    /// # Errors
    /// If not, in words.
    pub fn findable(&self) -> Result<(), String> {
        let host = &self.jobmanager;
        let address = host.parse::<std::net::IpAddr>();
        if !address.is_ok_and(|address| address.is_unspecified()) {
            return Ok(());
        }
        Err(format!(
            "{} is '{host}', where nobody can reach this JobManager: it is the address that TaskManagers \
             and other JobManagers find it at",
            options::JOBMANAGER_RPC_ADDRESS.key
        ))
    }

    /// What a configuration says.
    ///
    /// # Errors
    /// If a value can't be used.
    pub fn of(configuration: &Configuration) -> Result<Self, ConfigError> {
        Ok(Self {
            jobmanager: loopback(configuration.get_set(&options::JOBMANAGER_RPC_ADDRESS)?),
            port: configuration.get(&options::JOBMANAGER_RPC_PORT)?,
            host: loopback(configuration.get_set(&options::TASKMANAGER_HOST)?),
            data_port: configuration.get(&options::TASKMANAGER_DATA_PORT)?,
            slots: configuration.get(&options::TASKMANAGER_NUM_TASK_SLOTS)?,
            heartbeat: configuration.get(&options::HEARTBEAT_INTERVAL)?,
            timeout: configuration.get(&options::HEARTBEAT_TIMEOUT)?,
            registration_timeout: configuration.get(&options::TASKMANAGER_REGISTRATION_TIMEOUT)?,
            security: tls::between_processes(configuration)?,
            compression: compression(configuration)?,
        })
    }
}

fn compression(configuration: &Configuration) -> Result<Compression, ConfigError> {
    if !configuration.get(&options::NETWORK_COMPRESSION_ENABLED)? {
        return Ok(Compression::None);
    }
    let codec = &options::NETWORK_COMPRESSION_CODEC;
    let value = configuration.get(codec)?;
    match value.eq_ignore_ascii_case("LZ4") {
        true => Ok(Compression::Lz4),
        false => Err(ConfigError::Unusable {
            key: codec.key,
            value,
            reason: "rows are compressed by LZ4 only".to_owned(),
        }),
    }
}
