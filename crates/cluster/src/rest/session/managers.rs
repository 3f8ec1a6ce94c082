//! The TaskManagers of a session.

use serde_json::{Value, json};

use super::super::answer::{Answer, Refusal};
use super::super::cluster::VERSION;
use super::super::route::Asked;
use super::{Rest, jobs};
use crate::session::dispatcher::ManagerView;

/// `GET /overview`
pub(super) fn overview(rest: &Rest) -> Result<Answer, Refusal> {
    let (total, free) = rest.dispatcher.slot_counts();
    let mut overview = json!({
        "taskmanagers": rest.dispatcher.managers().len(),
        "slots-total": total,
        "slots-available": free,
        "flink-version": VERSION,
        "flink-commit": "",
    });
    if let Some(overview) = overview.as_object_mut() {
        overview.extend(jobs::counts(rest));
    }
    Ok(Answer::Json(overview))
}

/// What is known of one: its machine is not.
fn manager(view: &ManagerView) -> Value {
    let megabytes = |share: f64| (view.memory as f64 * share / f64::from(1 << 20)) as u64;
    let resource = |share: f64| {
        json!({
            "cpuCores": 0.0,
            "taskHeapMemory": megabytes(share),
            "taskOffHeapMemory": 0,
            "managedMemory": 0,
            "networkMemory": 0,
            "extendedResources": {},
        })
    };
    let free = f64::from(view.free) / f64::from(view.slots.max(1));
    json!({
        "id": view.name,
        "path": view.name,
        "dataPort": -1,
        "jmxPort": -1,
        "timeSinceLastHeartbeat": view.heard_at,
        "slotsNumber": view.slots,
        "freeSlots": view.free,
        "assignedTasks": view.workers,
        "totalResource": resource(1.0),
        "freeResource": resource(free),
        "hardware": {
            "cpuCores": 0,
            "physicalMemory": 0,
            "freeMemory": 0,
            "managedMemory": 0,
        },
        "memoryConfiguration": {
            "frameworkHeap": 0,
            "taskHeap": view.memory,
            "frameworkOffHeap": 0,
            "taskOffHeap": 0,
            "networkMemory": 0,
            "managedMemory": 0,
            "jvmMetaspace": 0,
            "jvmOverhead": 0,
            "totalFlinkMemory": view.memory,
            "totalProcessMemory": view.memory,
        },
        "rheos.process": view.process,
    })
}

/// `GET /taskmanagers`
pub(super) fn list(rest: &Rest) -> Result<Answer, Refusal> {
    let managers: Vec<Value> = rest.dispatcher.managers().iter().map(manager).collect();
    Ok(Answer::Json(json!({ "taskmanagers": managers })))
}

/// The TaskManager that the path names.
pub(super) fn find(rest: &Rest, asked: &Asked) -> Result<ManagerView, Refusal> {
    let name = asked.param("taskmanagerid");
    let mut managers = rest.dispatcher.managers().into_iter();
    managers
        .find(|view| view.name == name)
        .ok_or_else(|| Refusal::NotFound(format!("TaskManager {name} not found")))
}

/// `GET /taskmanagers/:taskmanagerid`
pub(super) fn details(rest: &Rest, asked: &Asked) -> Result<Answer, Refusal> {
    let view = find(rest, asked)?;
    let mut told = manager(&view);
    if let Some(told) = told.as_object_mut() {
        told.insert("allocatedSlots".to_owned(), json!([]));
        told.insert("metrics".to_owned(), json!({}));
    }
    Ok(Answer::Json(told))
}
