//! What most jobs import.

pub use std::time::Duration;

pub use rheos_core::change::{Change, RowKind};
pub use rheos_core::config::Configuration;
pub use rheos_core::row::{Row, Str};
pub use rheos_core::time::{MAX_WATERMARK, MIN_TIMESTAMP, Millis};
pub use rheos_runtime::BoxError;
pub use rheos_runtime::async_io::{
    AsyncError, AsyncFunction, AsyncOptions, CircuitBreaker, RetryStrategy,
};
pub use rheos_runtime::chain::collector::Collector;
pub use rheos_runtime::chain::side_output::{OutputTag, SideOutput};
pub use rheos_runtime::connect::broadcast_context::{
    BroadcastContext, BroadcastOpenContext, KeyedBroadcastContext, KeyedBroadcastOpenContext,
    KeyedReadOnlyContext, ReadOnlyContext,
};
pub use rheos_runtime::connect::broadcast_function::{
    BroadcastProcessFunction, KeyedBroadcastProcessFunction,
};
pub use rheos_runtime::connect::broadcast_states::BroadcastHandle;
pub use rheos_runtime::connect::function::{CoProcessFunction, KeyedCoProcessFunction};
pub use rheos_runtime::join::interval_function::{JoinContext, ProcessJoinFunction};
pub use rheos_runtime::join::tagged::Tagged;
pub use rheos_runtime::keyed::context::{KeyedContext, ProcessContext, TimeDomain};
pub use rheos_runtime::keyed::function::{KeyedProcessFunction, ProcessFunction};
pub use rheos_runtime::keyed::open::OpenContext;
pub use rheos_runtime::sink::committer::{Committer, CommitterContext, Fence, StagedEpoch};
pub use rheos_runtime::sink::writer::{Sink, SinkWriter, WriterContext};
pub use rheos_runtime::source::output::SourceOutput;
pub use rheos_runtime::source::reader::{
    Assignment, Boundedness, ReaderContext, ReaderStatus, Source, SourceReader, SplitEnumerator,
};
pub use rheos_runtime::time::{WatermarkGenerator, WatermarkOutput, WatermarkStrategy};
pub use rheos_runtime::window::assigner::{AssignContext, DefaultTrigger, WindowAssigner};
pub use rheos_runtime::window::evictor::{Evictor, TimestampedRow};
pub use rheos_runtime::window::evictors::{CountEvictor, DeltaEvictor, TimeEvictor};
pub use rheos_runtime::window::function::{ProcessWindowFunction, WindowContext, WindowFunction};
pub use rheos_runtime::window::global::GlobalWindows;
pub use rheos_runtime::window::open::WindowOpenContext;
pub use rheos_runtime::window::session::{EventTimeSessionWindows, ProcessingTimeSessionWindows};
pub use rheos_runtime::window::sliding::{SlidingEventTimeWindows, SlidingProcessingTimeWindows};
pub use rheos_runtime::window::trigger::{Trigger, TriggerContext, TriggerResult};
pub use rheos_runtime::window::triggers::{
    ContinuousEventTimeTrigger, ContinuousProcessingTimeTrigger, CountTrigger, DeltaTrigger,
    EventTimeTrigger, ProcessingTimeTrigger, PurgingTrigger,
};
pub use rheos_runtime::window::tumbling::{
    TumblingEventTimeWindows, TumblingProcessingTimeWindows,
};
pub use rheos_runtime::window::window::{GlobalWindow, TimeWindow, Window};
pub use rheos_state::{
    AggregateFunction, AggregatingState, AggregatingStateDescriptor, BroadcastState,
    BroadcastStateDescriptor, ListState, ListStateDescriptor, MapState, MapStateDescriptor,
    ReducingState, ReducingStateDescriptor, StateTtlConfig, StateVisibility, UpdateType,
    ValueState, ValueStateDescriptor,
};

pub use crate::env::StreamEnv;
pub use crate::error::ApiError;
pub use crate::stream::data_stream::DataStream;
pub use crate::stream::keyed_stream::KeyedStream;
pub use crate::stream::sink_ext::SinkExt;
pub use crate::stream::windowed_stream::WindowedStream;
