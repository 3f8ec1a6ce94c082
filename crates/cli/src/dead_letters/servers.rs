//! Where the servers are that dead letters come from and go to.

use std::sync::Arc;

use clap::Args;
use rheos::runtime::BoxError;
use rheos_connectors::kafka::client::{CLIENT_PROPERTIES, ClientSettings};
use rheos_connectors::kafka::properties::Properties;

/// See the [module](self).
#[derive(Clone, Args)]
pub(super) struct Servers {
    /// Brokers of Kafka: HOST:PORT, several with commas.
    #[arg(long, value_name = "BROKERS", global = true)]
    kafka: Option<String>,
    /// A property of Kafka's client, such as `sasl.password=${env:KAFKA_PASSWORD}`.
    #[arg(short = 'X', value_name = "NAME=VALUE", global = true)]
    property: Vec<String>,
    /// PostgreSQL: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`; `${env:NAME}` and `${file:PATH}` in
    /// it are replaced.
    #[arg(long, value_name = "URL", global = true)]
    pub postgres: Option<String>,
}

impl Servers {
    /// How the brokers are reached.
    pub fn kafka(&self) -> Result<Arc<ClientSettings>, BoxError> {
        let brokers = self
            .kafka
            .as_deref()
            .ok_or("say where Kafka is, by --kafka HOST:PORT")?;
        let mut properties = Properties::default();
        properties.set("bootstrap.servers", brokers);
        for property in &self.property {
            let (name, value) = property
                .split_once('=')
                .ok_or("-X: say NAME=VALUE, as in -X security.protocol=SSL")?;
            properties.set(name, value);
        }
        properties.check(&[CLIENT_PROPERTIES])?;
        Ok(Arc::new(ClientSettings::new(&properties)?))
    }
}
