//! A benchmark over several processes of this machine: this one is the JobManager, and starts itself as
//! TaskManagers, which say what their sinks saw once the job has ended.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};

use rheos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::jobs::Outputs;
use crate::report;

/// What a TaskManager says at its end.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    /// By name, the rows of the sinks and the sum of what they add up.
    outputs: BTreeMap<String, (u64, f64)>,
    cpu_micros: f64,
}

/// The TaskManagers of a run.
pub struct Workers {
    /// Where they look for the JobManager.
    pub port: u16,
    children: Vec<Child>,
}

impl Workers {
    /// Starts so many with this process's own arguments.
    pub fn start(processes: u32) -> Result<Self, BoxError> {
        // A port that was free a moment ago.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let mut workers = Self {
            port,
            children: Vec::new(),
        };
        for _ in 0..processes {
            let child = Command::new(std::env::current_exe()?)
                .args(std::env::args().skip(1))
                .args(["--worker", &port.to_string()])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()?;
            workers.children.push(child);
        }
        Ok(workers)
    }

    /// Waits for their ends; adds what their sinks saw to `outputs`, and gives the CPU time that they
    /// used, in microseconds.
    pub fn end(mut self, outputs: &Outputs) -> Result<f64, BoxError> {
        let mut cpu_micros = 0.0;
        for child in std::mem::take(&mut self.children) {
            let output = child.wait_with_output()?;
            if !output.status.success() {
                return Err(format!("a TaskManager ended with {}", output.status).into());
            }
            let told: Told = serde_json::from_slice(&output.stdout)?;
            cpu_micros += told.cpu_micros;
            for (name, measured) in outputs {
                if let Some((rows, checksum)) = told.outputs.get(*name) {
                    measured.add(*rows, *checksum);
                }
            }
        }
        Ok(cpu_micros)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for child in &mut self.children {
            // One that has ended already can't be killed.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What a TaskManager's sinks saw, as a line.
pub fn told(outputs: &Outputs) -> Result<String, BoxError> {
    let outputs = outputs.iter();
    let outputs = outputs.map(|(name, measured)| {
        let seen = (measured.rows(), measured.checksum());
        ((*name).to_owned(), seen)
    });
    Ok(serde_json::to_string(&Told {
        outputs: outputs.collect(),
        cpu_micros: report::cpu_micros(),
    })?)
}
