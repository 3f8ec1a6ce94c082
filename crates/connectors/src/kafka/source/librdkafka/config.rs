//! The settings of librdkafka, out of the properties of Kafka's consumers.

use std::time::Duration;

use rdkafka::config::ClientConfig;

use crate::kafka::error::KafkaError;
use crate::kafka::properties::Properties;
use crate::kafka::source::builder::FetchSettings;

/// Bytes that librdkafka insists on being able to receive.
const LEAST_FETCH: i32 = 1_000_000;

/// What librdkafka is told, out of the properties of Kafka's consumers.
pub(in crate::kafka::source) fn config(
    properties: &Properties,
    settings: &FetchSettings,
) -> Result<ClientConfig, KafkaError> {
    let client = &settings.client;
    let millis = |duration: Duration| duration.as_millis().to_string();
    let bootstrap = client.bootstrap.iter();
    let bootstrap: Vec<_> = bootstrap
        .map(|(host, port)| match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        })
        .collect();
    let largest = settings.max_bytes.max(LEAST_FETCH);
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap.join(","))
        .set("client.id", &client.client_id)
        // It has to have one; without commits no broker hears of it.
        .set("group.id", settings.group.as_deref().unwrap_or("rheos"))
        .set(
            "enable.auto.commit",
            settings.commit_interval.is_some().to_string(),
        )
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .set("statistics.interval.ms", "1000")
        .set("fetch.min.bytes", settings.min_bytes.to_string())
        .set("fetch.wait.max.ms", settings.max_wait_millis.to_string())
        .set("fetch.max.bytes", largest.to_string())
        .set(
            "receive.message.max.bytes",
            largest.saturating_add(4096).to_string(),
        )
        .set(
            "max.partition.fetch.bytes",
            settings.max_partition_bytes.to_string(),
        )
        .set(
            "queued.max.messages.kbytes",
            (settings.max_buffered / 1024)
                .clamp(1, 2_097_151)
                .to_string(),
        )
        .set("check.crcs", settings.check_crcs.to_string())
        .set(
            "isolation.level",
            if settings.read_committed {
                "read_committed"
            } else {
                "read_uncommitted"
            },
        )
        .set("socket.timeout.ms", millis(client.request_timeout))
        .set("retry.backoff.ms", millis(client.backoff))
        .set("retry.backoff.max.ms", millis(client.max_backoff))
        .set("reconnect.backoff.ms", millis(client.backoff))
        .set("reconnect.backoff.max.ms", millis(client.max_backoff));
    if let Some(timeout) = client.connect.timeout {
        config.set("socket.connection.setup.timeout.ms", millis(timeout));
    }
    for (name, bytes) in [
        ("socket.receive.buffer.bytes", client.connect.receive_buffer),
        ("socket.send.buffer.bytes", client.connect.send_buffer),
    ] {
        if let Some(bytes) = bytes {
            config.set(name, bytes.to_string());
        }
    }
    if let Some(interval) = settings.commit_interval {
        config.set("auto.commit.interval.ms", millis(interval));
    }
    let protocol = properties.get("security.protocol").unwrap_or("PLAINTEXT");
    config.set("security.protocol", protocol.to_lowercase());
    if let Some(credentials) = &client.credentials {
        let (mechanism, user, password) = credentials.parts();
        config
            .set("sasl.mechanism", mechanism)
            .set("sasl.username", user)
            .set("sasl.password", password);
    }
    if client.tls.is_some() {
        // Which of them there are was checked with the own client's settings.
        for (name, its) in [
            ("ssl.ca.location", "ssl.ca.location"),
            ("ssl.truststore.location", "ssl.ca.location"),
            ("ssl.truststore.certificates", "ssl.ca.pem"),
            ("ssl.certificate.location", "ssl.certificate.location"),
            ("ssl.key.location", "ssl.key.location"),
            ("ssl.keystore.certificate.chain", "ssl.certificate.pem"),
            ("ssl.keystore.key", "ssl.key.pem"),
        ] {
            if let Some(value) = properties.get(name) {
                config.set(its, value);
            }
        }
        if let Some(both) = properties.get("ssl.keystore.location") {
            config.set("ssl.certificate.location", both);
            config.set("ssl.key.location", both);
        }
    }
    Ok(config)
}
