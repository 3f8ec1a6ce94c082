//! What the configuration says of the Prometheus reporter.

use rheos_core::config::Configuration;
use rheos_core::config::options::{
    REPORTER_PROM_FACTORY_CLASS, REPORTER_PROM_FILTER, REPORTER_PROM_HOST, REPORTER_PROM_PORT,
    REPORTERS,
};

use super::ReporterError;
use crate::http::ports;

/// Flink's classes of it, by the ends of their names.
const CLASSES: [&str; 2] = ["PrometheusReporterFactory", "PrometheusReporter"];

/// Where metrics are shown, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The address to listen on.
    pub host: String,
    /// Ports to try in this order; 0 is any.
    pub ports: Vec<u16>,
    /// The ports as configured, for messages.
    pub ports_text: String,
    /// Whether values of labels are filtered.
    pub filter_values: bool,
}

impl Settings {
    /// The settings of the reporter `prom`, if the configuration has one: its class or its port is
    /// set, and `metrics.reporters`, if set, names it.
    ///
    /// # Errors
    /// If a value can't be used, or the class is none of Prometheus.
    pub fn of(configuration: &Configuration) -> Result<Option<Self>, ReporterError> {
        let refused = |error: rheos_core::config::ConfigError| {
            ReporterError::Configuration(error.to_string())
        };
        let class = configuration
            .get_set(&REPORTER_PROM_FACTORY_CLASS)
            .map_err(refused)?;
        let port = configuration
            .get_set(&REPORTER_PROM_PORT)
            .map_err(refused)?;
        if class.is_none() && port.is_none() {
            return Ok(None);
        }
        let listed = configuration.get_set(&REPORTERS).map_err(refused)?;
        if let Some(listed) = listed
            && !listed
                .split([',', ';', ' '])
                .any(|name| name.trim() == "prom")
        {
            return Ok(None);
        }
        if let Some(class) = class
            && !CLASSES.iter().any(|known| class.ends_with(known))
        {
            return Err(ReporterError::Configuration(format!(
                "{}: '{class}' is not known; there is \
                 org.apache.flink.metrics.prometheus.PrometheusReporterFactory",
                REPORTER_PROM_FACTORY_CLASS.key
            )));
        }
        let ports_text = configuration.get(&REPORTER_PROM_PORT).map_err(refused)?;
        let Some(ports) = ports(&ports_text) else {
            return Err(ReporterError::Configuration(format!(
                "{}: '{ports_text}' is no port, list of ports (9249,9251) or range (9249-9260)",
                REPORTER_PROM_PORT.key
            )));
        };
        Ok(Some(Self {
            host: configuration.get(&REPORTER_PROM_HOST).map_err(refused)?,
            ports,
            ports_text,
            filter_values: configuration.get(&REPORTER_PROM_FILTER).map_err(refused)?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Option<Settings>, ReporterError> {
        let mut configuration = Configuration::new();
        for (key, value) in pairs {
            configuration.set(key, value);
        }
        Settings::of(&configuration)
    }

    const CLASS: (&str, &str) = (
        "metrics.reporter.prom.factory.class",
        "org.apache.flink.metrics.prometheus.PrometheusReporterFactory",
    );

    #[test]
    fn it_is_there_when_its_class_or_its_port_is() {
        assert_eq!(of(&[]).unwrap(), None);
        let by_class = of(&[CLASS]).unwrap().unwrap();
        assert_eq!(by_class.ports, [9249]);
        assert_eq!(by_class.host, "127.0.0.1");
        assert!(by_class.filter_values);
        let by_port = of(&[("metrics.reporter.prom.port", "9250-9252, 9300")]);
        assert_eq!(by_port.unwrap().unwrap().ports, [9250, 9251, 9252, 9300]);
        assert_eq!(of(&[CLASS, ("metrics.reporters", "jmx")]).unwrap(), None);
        assert!(
            of(&[CLASS, ("metrics.reporters", "jmx,prom")])
                .unwrap()
                .is_some()
        );
    }

    #[test]
    fn what_can_t_be_used_is_told() {
        for (key, value) in [
            ("metrics.reporter.prom.port", "9260-9250"),
            ("metrics.reporter.prom.port", "http"),
            ("metrics.reporter.prom.port", "70000"),
            (
                "metrics.reporter.prom.factory.class",
                "org.apache.flink.metrics.jmx.JMXReporterFactory",
            ),
        ] {
            let error = of(&[(key, value)]).unwrap_err().to_string();
            assert!(error.contains(key) && error.contains(value), "{error}");
        }
    }
}
