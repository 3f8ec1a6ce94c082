//! What takes its time: these tests have a program, and so the machine, of their own.

mod asleep;
mod timer_burst;
