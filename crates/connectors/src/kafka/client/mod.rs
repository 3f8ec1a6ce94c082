//! The client: connections to brokers, and what is asked of the cluster.

mod cluster;
mod connection;
mod sasl;
mod scan;
mod settings;
mod transactions;

pub use cluster::{Cluster, Patience};
pub use connection::Connection;
pub use sasl::Credentials;
pub use scan::PartitionScan;
pub use settings::{CLIENT_PROPERTIES, ClientSettings};
pub use transactions::{Outgoing, Transactions};
