//! The end of a stream.

use std::sync::Arc;

use rheos_core::Row;
use rheos_core::job_graph::Chaining;
use rheos_runtime::sink::operator::SinkOperator;
use rheos_runtime::sink::writer::Sink;

use super::data_stream::DataStream;
use crate::graph_builder::{Node, SharedBuilder};

/// A sink at the end of a stream, to be described further.
pub struct DataStreamSink {
    builder: SharedBuilder,
    node: usize,
}

impl<T: Row> DataStream<T> {
    /// Ends the stream in a sink.
    pub fn sink_to<S: Sink<T>>(&self, sink: S) -> DataStreamSink {
        let sink = Arc::new(sink);
        let stream: DataStream<()> = self
            .transform("Sink", move |context| SinkOperator::open(sink.as_ref(), context));
        let node = stream.upstreams.first().map_or(0, |upstream| upstream.node);
        let sink = DataStreamSink { builder: self.builder.clone(), node };
        sink.name("Sink")
    }
}

impl DataStreamSink {
    fn modify(self, change: impl FnOnce(&mut Node)) -> Self {
        self.builder.borrow_mut().modify_node(self.node, change);
        self
    }

    /// Names the sink: in plans, metrics, logs and errors.
    pub fn name(self, name: &str) -> Self {
        let name = name.to_owned();
        self.modify(|node| node.name = name)
    }

    /// The identity of the sink's state.
    pub fn uid(self, uid: &str) -> Self {
        let uid = uid.to_owned();
        self.modify(|node| node.uid = Some(uid))
    }

    /// Number of subtasks.
    pub fn parallelism(self, parallelism: u32) -> Self {
        self.modify(|node| node.parallelism = Some(parallelism))
    }

    /// Chains the sink to nothing.
    pub fn disable_chaining(self) -> Self {
        self.modify(|node| node.chaining = Chaining::Never)
    }

    /// Keeps the sink's slots apart from those of other groups.
    pub fn slot_sharing_group(self, group: &str) -> Self {
        let group = group.to_owned();
        self.modify(|node| node.slot_sharing_group = Some(group))
    }
}
