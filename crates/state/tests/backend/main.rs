//! Keyed and operator state, on the heap and in RocksDB, against models of it.

mod damaged_image;
mod directory;
mod evolution;
mod frozen;
mod operator_state;
mod snapshot;
mod stored;
mod ttl;
