//! What the manifest of a checkpoint says of its operators and tasks.

use rheos_core::job_graph::JobGraph;

use crate::checkpoint::coordinator::Pending;
use crate::checkpoint::manifest::{Manifest, OperatorManifest, SubtaskManifest, TaskManifest};
use crate::deploy::JobMetrics;

/// Fills a manifest with what has been written.
pub(super) fn describe(
    manifest: &mut Manifest,
    pending: &Pending,
    graph: &JobGraph,
    metrics: &JobMetrics,
) {
    manifest.operators = graph
        .operators
        .iter()
        .map(|node| OperatorManifest {
            id: node.id().to_string(),
            uid: node.uid.clone(),
            name: node.name.clone(),
            has_state: false,
            enumerator: None,
            subtasks: Vec::new(),
            stores: Vec::new(),
        })
        .collect();
    for (index, task) in metrics.tasks.iter().enumerate() {
        let written = pending.written.get(&index);
        for operator in &task.operators {
            let part = written
                .and_then(|written| written.operators.iter().find(|part| part.id == operator.id));
            if let Some(manifest) = manifest.operators.get_mut(operator.index) {
                manifest.has_state |= part.is_some_and(|part| part.has_state);
                manifest.subtasks.push(part.map(|part| SubtaskManifest {
                    part: part.part.clone(),
                    keyed: part.keyed.clone(),
                }));
                manifest
                    .stores
                    .push(part.and_then(|part| part.store.clone()));
            }
        }
        if let Some(written) = written {
            manifest.tasks.push(TaskManifest {
                task: task.place.to_string(),
                alignment_micros: written.cost.alignment_micros,
                sync_micros: written.cost.sync_micros,
                start_delay_micros: written.cost.start_delay_micros,
                bytes_processed: written.cost.bytes_processed,
                bytes_persisted: written.cost.bytes_persisted,
                unaligned: written.cost.unaligned,
                end_to_end_micros: written.written_micros - pending.triggered_micros,
                bytes: written.bytes,
            });
        }
    }
    for operator in &mut manifest.operators {
        if operator.stores.iter().all(Option::is_none) {
            operator.stores.clear();
        }
    }
}
