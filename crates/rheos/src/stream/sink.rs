//! The end of a stream.

use std::sync::Arc;

use rheos_core::Row;
use rheos_core::job_graph::Chaining;
use rheos_runtime::chain::side_output::OutputTag;
use rheos_runtime::sink::operator::SinkOperator;
use rheos_runtime::sink::writer::Sink;

use super::data_stream::DataStream;
use crate::graph_builder::{Node, SharedBuilder, Upstream};

/// A sink at the end of a stream, to be described further.
pub struct DataStreamSink {
    builder: SharedBuilder,
    node: usize,
}

impl<T: Row> DataStream<T> {
    /// Ends the stream in a sink.
    pub fn sink_to<S: Sink<T>>(&self, sink: S) -> DataStreamSink {
        if let Some(rate) = sink.rate_limit()
            && !(rate.is_finite() && rate > 0.0)
        {
            let problem = format!("has a limit of {rate} rows a second; it must be positive");
            self.builder.borrow_mut().problem("Sink", problem);
        }
        let sink = Arc::new(sink);
        let stream: DataStream<()> = self.transform("Sink", move |context| {
            SinkOperator::open(sink.as_ref(), context)
        });
        let node = stream.upstreams.first().map_or(0, |upstream| upstream.node);
        let sink = DataStreamSink {
            builder: self.builder.clone(),
            node,
        };
        sink.name("Sink")
    }
}

impl DataStreamSink {
    fn modify(self, change: impl FnOnce(&mut Node)) -> Self {
        self.builder.borrow_mut().modify_node(self.node, change);
        self
    }

    /// A side output of the sink: the rows that it could not write, if it gives them out.
    pub fn side_output<S: Row>(&self, tag: &OutputTag<S>) -> DataStream<S> {
        let upstream = Upstream {
            node: self.node,
            side_output: Some(tag.name().to_owned()),
            partitioning: None,
        };
        DataStream::new(self.builder.clone(), vec![upstream])
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
