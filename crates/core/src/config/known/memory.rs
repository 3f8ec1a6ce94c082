//! Slots and memory.

use super::Area::Cluster;
use super::Kind::{Bool, Duration, Float, Int, Map, MemorySize};
use super::Verdict::{Honoured, Later, NoMeaning};
use super::reason::{
    FRAMES, JM_NO_JVM, NO_INTERRUPTS, NO_JVM, ONE_BUDGET, STATE_ALONE, STREAMING_ONLY,
    TIMERS_IN_TASKS,
};
use super::{KnownOption, opt};

#[rustfmt::skip]
pub(super) const OPTIONS: &[KnownOption] = &[
    opt("jobmanager.heap.size", &["jobmanager.heap.mb"], MemorySize, "", Later(Cluster)),
    opt("jobmanager.memory.enable-jvm-direct-memory-limit", &[], Bool, "false", NoMeaning(JM_NO_JVM)),
    opt("jobmanager.memory.flink.size", &[], MemorySize, "", Later(Cluster)),
    opt("jobmanager.memory.heap.size", &[], MemorySize, "", NoMeaning(JM_NO_JVM)),
    opt("jobmanager.memory.jvm-metaspace.size", &[], MemorySize, "256 mb", NoMeaning(JM_NO_JVM)),
    opt("jobmanager.memory.jvm-overhead.fraction", &[], Float, "0.1", NoMeaning(JM_NO_JVM)),
    opt("jobmanager.memory.jvm-overhead.max", &[], MemorySize, "1 gb", NoMeaning(JM_NO_JVM)),
    opt("jobmanager.memory.jvm-overhead.min", &[], MemorySize, "192 mb", NoMeaning(JM_NO_JVM)),
    opt("jobmanager.memory.off-heap.size", &[], MemorySize, "128 mb", NoMeaning(JM_NO_JVM)),
    opt("jobmanager.memory.process.size", &[], MemorySize, "", Honoured),
    opt("task.cancellation.interval", &[], Duration, "30 s", NoMeaning(NO_INTERRUPTS)),
    opt("task.cancellation.timeout", &[], Duration, "3 min", Honoured),
    opt("task.cancellation.timers.timeout", &["timerservice.exceptional.shutdown.timeout"], Duration, "7500 ms", NoMeaning(TIMERS_IN_TASKS)),
    opt("taskmanager.cpu.cores", &[], Float, "", Later(Cluster)),
    opt("taskmanager.memory.flink.size", &[], MemorySize, "", Honoured),
    opt("taskmanager.memory.fraction", &[], Float, "0.7", NoMeaning(ONE_BUDGET)),
    opt("taskmanager.memory.framework.heap.size", &[], MemorySize, "128 mb", NoMeaning(ONE_BUDGET)),
    opt("taskmanager.memory.framework.off-heap.batch-shuffle.size", &[], MemorySize, "64 mb", NoMeaning(STREAMING_ONLY)),
    opt("taskmanager.memory.framework.off-heap.size", &[], MemorySize, "128 mb", NoMeaning(ONE_BUDGET)),
    opt("taskmanager.memory.heap.size", &["taskmanager.heap.size", "taskmanager.heap.mb"], MemorySize, "", NoMeaning(ONE_BUDGET)),
    opt("taskmanager.memory.jvm-metaspace.size", &[], MemorySize, "256 mb", NoMeaning(NO_JVM)),
    opt("taskmanager.memory.jvm-overhead.fraction", &[], Float, "0.1", NoMeaning(NO_JVM)),
    opt("taskmanager.memory.jvm-overhead.max", &[], MemorySize, "1 gb", NoMeaning(NO_JVM)),
    opt("taskmanager.memory.jvm-overhead.min", &[], MemorySize, "192 mb", NoMeaning(NO_JVM)),
    opt("taskmanager.memory.managed.consumer-weights", &[], Map, "OPERATOR:70,STATE_BACKEND:70,PYTHON:30", NoMeaning(STATE_ALONE)),
    opt("taskmanager.memory.managed.fraction", &[], Float, "0.4", Honoured),
    opt("taskmanager.memory.managed.size", &["taskmanager.memory.size"], MemorySize, "", Honoured),
    opt("taskmanager.memory.min-segment-size", &[], MemorySize, "256 bytes", NoMeaning(FRAMES)),
    opt("taskmanager.memory.network.fraction", &["taskmanager.network.memory.fraction"], Float, "0.1", Later(Cluster)),
    opt("taskmanager.memory.network.max", &["taskmanager.network.memory.max"], MemorySize, "", Later(Cluster)),
    opt("taskmanager.memory.network.min", &["taskmanager.network.memory.min"], MemorySize, "64 mb", Later(Cluster)),
    opt("taskmanager.memory.network.size", &[], MemorySize, "", Later(Cluster)),
    opt("taskmanager.memory.off-heap", &[], Bool, "false", NoMeaning(ONE_BUDGET)),
    opt("taskmanager.memory.off-heap.size", &[], MemorySize, "", NoMeaning(ONE_BUDGET)),
    opt("taskmanager.memory.preallocate", &[], Bool, "false", NoMeaning(ONE_BUDGET)),
    opt("taskmanager.memory.process.size", &[], MemorySize, "", Honoured),
    opt("taskmanager.memory.segment-size", &[], MemorySize, "32 kb", Later(Cluster)),
    opt("taskmanager.memory.starting-segment-size", &[], MemorySize, "1 kb", NoMeaning(FRAMES)),
    opt("taskmanager.memory.task.heap.size", &[], MemorySize, "", NoMeaning(ONE_BUDGET)),
    opt("taskmanager.memory.task.off-heap.size", &[], MemorySize, "0 bytes", NoMeaning(ONE_BUDGET)),
    opt("taskmanager.numberOfTaskSlots", &[], Int, "1", Honoured),
];
