//! The TaskManagers: of a job in one process, that; of a JobManager, those that are registered.

use rheos_runtime::metrics::metric::Metric;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::metrics::{self, Of};
use super::route::Asked;
use super::state::{State, TASK_MANAGER};
use crate::embedded::JobHandle;
use crate::memory::system;
use crate::remote::AgentView;

/// Finds out whether the path names a TaskManager that there is.
pub(super) fn known(asked: &Asked) -> Result<(), Refusal> {
    match asked.param("taskmanagerid") {
        TASK_MANAGER => Ok(()),
        other => Err(Refusal::NotFound(format!(
            "TaskManager {other} not found: there is {TASK_MANAGER}"
        ))),
    }
}

/// Slots, where they are not limited as many as are used.
fn used_slots(jobs: &[JobHandle]) -> u32 {
    let running = jobs.iter().filter(|job| !job.status().has_ended());
    running.map(|job| job.graph().slots_needed()).sum()
}

impl State {
    /// Slots in all, and free ones.
    pub(super) fn slot_counts(&self) -> (u32, u32) {
        if let Some(agents) = &self.agents {
            let agents = agents.views();
            let total = agents.iter().map(|agent| agent.slots).sum();
            let used: u32 = agents.iter().map(|agent| agent.used).sum();
            return (total, u32::saturating_sub(total, used));
        }
        let used = used_slots(&self.jobs());
        let total = self.slots.unwrap_or(used);
        (total, total.saturating_sub(used))
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get())
}

/// A share of what there is, in Flink's units: cores, and megabytes.
fn resource(state: &State, share: f64) -> Value {
    let megabytes = |bytes: u64| (bytes as f64 * share / f64::from(1 << 20)) as u64;
    let budget = state.process.budget;
    let (managed, network) = budget.map_or((0, 0), |b| (b.managed, b.network));
    let heap = budget.map_or(0, |b| b.total.saturating_sub(b.managed + b.network));
    json!({
        "cpuCores": cores() as f64 * share,
        "taskHeapMemory": megabytes(heap),
        "taskOffHeapMemory": 0,
        "managedMemory": megabytes(managed),
        "networkMemory": megabytes(network),
        "extendedResources": {},
    })
}

fn manager(state: &State) -> Value {
    let (total, free) = state.slot_counts();
    let free_share = f64::from(free) / f64::from(total.max(1));
    let tasks = state.jobs();
    let tasks = tasks.iter().filter(|job| !job.status().has_ended());
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let of_system = |key| system::kilobytes(&meminfo, key).unwrap_or(0);
    let budget = state.process.budget;
    let (all, managed, network) = budget.map_or((0, 0, 0), |b| (b.total, b.managed, b.network));
    json!({
        "id": TASK_MANAGER,
        "path": "embedded",
        "dataPort": -1,
        "jmxPort": -1,
        "timeSinceLastHeartbeat": state.now(),
        "slotsNumber": total,
        "freeSlots": free,
        "assignedTasks": tasks.map(|job| job.graph().tasks()).sum::<usize>(),
        "totalResource": resource(state, 1.0),
        "freeResource": resource(state, free_share),
        "hardware": {
            "cpuCores": cores(),
            "physicalMemory": of_system("MemTotal:"),
            "freeMemory": of_system("MemAvailable:"),
            "managedMemory": managed,
        },
        "memoryConfiguration": {
            "frameworkHeap": 0,
            "taskHeap": all.saturating_sub(managed + network),
            "frameworkOffHeap": 0,
            "taskOffHeap": 0,
            "networkMemory": network,
            "managedMemory": managed,
            "jvmMetaspace": 0,
            "jvmOverhead": 0,
            "totalFlinkMemory": all,
            "totalProcessMemory": all,
        },
    })
}

/// A TaskManager in a process of its own: its memory and its machine are not known here.
fn remote(state: &State, agent: &AgentView) -> Value {
    let port = agent.data_address.rsplit(':').next();
    let port: i64 = port.and_then(|port| port.parse().ok()).unwrap_or(-1);
    let mut told = manager(state);
    let added = json!({
        "id": agent.name,
        "path": agent.data_address,
        "dataPort": port,
        "timeSinceLastHeartbeat": agent.heard_at,
        "slotsNumber": agent.slots,
        "freeSlots": agent.slots.saturating_sub(agent.used),
        "assignedTasks": agent.tasks,
    });
    if let (Value::Object(told), Value::Object(added)) = (&mut told, added) {
        told.extend(added);
    }
    told
}

/// `GET /taskmanagers`
pub(super) fn list(state: &State, _asked: &Asked) -> Result<Answer, Refusal> {
    if let Some(agents) = &state.agents {
        let agents = agents.views();
        let managers: Vec<Value> = agents.iter().map(|agent| remote(state, agent)).collect();
        return Ok(Answer::Json(json!({ "taskmanagers": managers })));
    }
    Ok(Answer::Json(json!({ "taskmanagers": [manager(state)] })))
}

/// `GET /taskmanagers/:taskmanagerid`: what belongs to a JVM is 0.
pub(super) fn details(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    known(asked)?;
    let mut told = manager(state);
    let metrics = metrics::of(state, &Of::TaskManager);
    let value = |metric: Metric| {
        let found = metrics.iter().find(|value| value.id == metric.name());
        found.map_or(0, |value| value.number as u64)
    };
    let network = state.process.budget.map_or(0, |budget| budget.network);
    let collector = |name: &str| json!({ "name": name, "count": 0, "time": 0 });
    let mut slots = Vec::new();
    for job in state.jobs().iter().filter(|job| !job.status().has_ended()) {
        let needed = job.graph().slots_needed().max(1);
        let view = job.view();
        for slot in 0..needed {
            let tasks = view.execution.tasks().iter();
            let (total, _) = state.slot_counts();
            slots.push(json!({
                "jobId": job.id().to_string(),
                "resource": resource(state, 1.0 / f64::from(total.max(1))),
                "assignedTasks": tasks.filter(|task| task.subtask == slot).count(),
            }));
        }
    }
    let added = json!({
        "allocatedSlots": slots,
        "metrics": {
            "heapUsed": value(Metric::HeapUsed),
            "heapCommitted": value(Metric::HeapMax),
            "heapMax": value(Metric::HeapMax),
            "nonHeapUsed": 0,
            "nonHeapCommitted": 0,
            "nonHeapMax": 0,
            "directCount": 0,
            "directUsed": 0,
            "directMax": 0,
            "mappedCount": 0,
            "mappedUsed": 0,
            "mappedMax": 0,
            "nettyShuffleMemorySegmentsAvailable": 0,
            "nettyShuffleMemorySegmentsUsed": 0,
            "nettyShuffleMemorySegmentsTotal": 0,
            "nettyShuffleMemoryAvailable": network,
            "nettyShuffleMemoryUsed": 0,
            "nettyShuffleMemoryTotal": network,
            "garbageCollectors": [collector("All")],
        },
    });
    if let (Value::Object(told), Value::Object(added)) = (&mut told, added) {
        told.extend(added);
    }
    Ok(Answer::Json(told))
}

/// `GET /taskmanagers/:taskmanagerid/logs`: the process has one log.
pub(super) fn logs(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    known(asked)?;
    super::cluster::logs(state, asked)
}

/// `GET /taskmanagers/:taskmanagerid/log`
pub(super) fn log(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    known(asked)?;
    super::cluster::log(state, asked)
}

/// `GET /taskmanagers/:taskmanagerid/logs/:filename`
pub(super) fn log_file(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    known(asked)?;
    super::cluster::log_file(state, asked)
}

/// `GET /taskmanagers/:taskmanagerid/thread-dump`
pub(super) fn threads(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    known(asked)?;
    super::cluster::threads(state, asked)
}
