//! Files in and out of jobs, and connectors that meet no server.

mod avro;
mod bad_input;
mod formats;
mod in_memory;
