//! What the configuration says of REST.

use std::fmt;
use std::net::{IpAddr, ToSocketAddrs};

use rheos_core::config::options::{
    REST_BIND_ADDRESS, REST_BIND_PORT, REST_INSECURE, REST_PORT, REST_TOKEN,
    SSL_REST_AUTHENTICATION_ENABLED, SSL_REST_ENABLED,
};
use rheos_core::config::{ConfigError, Configuration};
use rheos_runtime::network::ServerSecurity;

use super::RestError;
use crate::http::ports;
use crate::tls;

/// What a client has to know.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Whether this is it, found out in a time that does not tell how much of it is right.
    pub(super) fn is(&self, given: &str) -> bool {
        let (own, given) = (self.0.as_bytes(), given.as_bytes());
        let pairs = own.iter().zip(given.iter().chain(std::iter::repeat(&0)));
        let differs = pairs.fold(own.len() ^ given.len(), |differs, (a, b)| {
            differs | usize::from(a ^ b)
        });
        differs == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(******)")
    }
}

/// Where REST listens, and whom it answers.
#[derive(Debug, Clone)]
pub struct RestSettings {
    /// The address to listen on.
    pub host: String,
    /// Ports to try in this order; 0 is any.
    pub ports: Vec<u16>,
    /// The ports as configured, for messages.
    pub ports_text: String,
    /// What a client has to know, if anything.
    pub token: Option<Token>,
    /// How connections are made safe.
    pub security: ServerSecurity,
}

impl RestSettings {
    /// The settings of REST, if the configuration has it: `rest.port` or `rest.bind-port` is set, or
    /// it is `wanted` anyway.
    ///
    /// # Errors
    /// If a value can't be used; if others than this machine could reach it and nothing says that
    /// they may.
    pub fn of(configuration: &Configuration, wanted: bool) -> Result<Option<Self>, RestError> {
        let refused = |error: ConfigError| RestError::Configuration(error.to_string());
        let bind_port = configuration.get_set(&REST_BIND_PORT).map_err(refused)?;
        let port = configuration.get_set(&REST_PORT).map_err(refused)?;
        if bind_port.is_none() && port.is_none() && !wanted {
            return Ok(None);
        }
        let (key, ports_text) = match (bind_port, port) {
            (Some(ports), _) => (REST_BIND_PORT.key, ports),
            (None, Some(port)) => (REST_PORT.key, port.to_string()),
            (None, None) => {
                let default = configuration.get(&REST_PORT).map_err(refused)?;
                (REST_PORT.key, default.to_string())
            }
        };
        let Some(ports) = ports(&ports_text) else {
            return Err(RestError::Configuration(format!(
                "{key}: '{ports_text}' is no port, list of ports (8081,8083) or range (8081-8090)"
            )));
        };
        let token = configuration.get_set(&REST_TOKEN).map_err(refused)?;
        if token.as_ref().is_some_and(|token| token.trim().is_empty()) {
            return Err(RestError::Configuration(format!(
                "{} is empty: give a secret, or leave it out",
                REST_TOKEN.key
            )));
        }
        let host: String = configuration.get(&REST_BIND_ADDRESS).map_err(refused)?;
        let insecure = configuration.get(&REST_INSECURE).map_err(refused)?;
        let security = tls::of_rest(configuration).map_err(refused)?;
        // TLS without it keeps out nobody: it says who the server is, not who asks.
        let asks = configuration.get(&SSL_REST_AUTHENTICATION_ENABLED);
        let knows = token.is_some() || asks.map_err(refused)?;
        if !knows && !insecure && !stays_here(&host) {
            return Err(RestError::Configuration(format!(
                "{} is '{host}', where others than this machine can reach REST, and whoever reaches \
                 it can stop jobs: set {} to a secret, best with {}, or {}, or {} to true if the \
                 network keeps others out",
                REST_BIND_ADDRESS.key,
                REST_TOKEN.key,
                SSL_REST_ENABLED.key,
                SSL_REST_AUTHENTICATION_ENABLED.key,
                REST_INSECURE.key
            )));
        }
        Ok(Some(Self {
            host,
            ports,
            ports_text,
            token: token.map(Token),
            security,
        }))
    }
}

/// Whether only this machine reaches an address.
fn stays_here(host: &str) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        return address.is_loopback();
    }
    match (host, 0).to_socket_addrs() {
        Ok(mut found) => found.all(|address| address.ip().is_loopback()),
        // What can't be resolved can't be listened on either, and that says so.
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)], wanted: bool) -> Result<Option<RestSettings>, RestError> {
        let mut configuration = Configuration::new();
        for (key, value) in pairs {
            configuration.set(key, value);
        }
        RestSettings::of(&configuration, wanted)
    }

    #[test]
    fn it_is_there_when_a_port_is_or_somebody_wants_it() {
        assert!(of(&[], false).unwrap().is_none());
        let open = of(&[("rest.bind-address", "0.0.0.0")], false);
        assert!(open.unwrap().is_none());
        let wanted = of(&[], true).unwrap().unwrap();
        assert_eq!(
            (wanted.host.as_str(), &*wanted.ports),
            ("127.0.0.1", &[8081][..])
        );
        let by_port = of(&[("rest.port", "18081")], false).unwrap().unwrap();
        assert_eq!(by_port.ports, [18081]);
        let range = [("rest.port", "1"), ("rest.bind-port", "8081-8083")];
        assert_eq!(
            of(&range, false).unwrap().unwrap().ports,
            [8081, 8082, 8083]
        );
    }

    #[test]
    fn others_reach_it_only_if_something_says_that_they_may() {
        let open = ("rest.bind-address", "0.0.0.0");
        let error = of(&[open], true).unwrap_err().to_string();
        assert!(error.contains("rheos.rest.token"), "{error}");
        assert!(of(&[("rest.bind-address", "::")], true).is_err());
        for here in ["localhost", "127.0.0.2", "::1"] {
            assert!(of(&[("rest.bind-address", here)], true).is_ok(), "{here}");
        }
        let told = of(&[open, ("rheos.rest.insecure", "true")], true);
        assert_eq!(told.unwrap().unwrap().token, None);
        let secret = of(&[open, ("rheos.rest.token", "s3cret")], true);
        let token = secret.unwrap().unwrap().token.unwrap();
        assert!(token.is("s3cret"));
        for wrong in ["", "s3cre", "s3crets", "S3cret", "s3cret\0"] {
            assert!(!token.is(wrong), "{wrong}");
        }
        assert_eq!(format!("{token:?}"), "Token(******)");
    }

    #[test]
    fn what_can_t_be_used_is_told() {
        for (key, value) in [
            ("rest.port", "http"),
            ("rest.bind-port", "9-8"),
            ("rheos.rest.token", " "),
            ("rheos.rest.insecure", "perhaps"),
        ] {
            let error = of(&[(key, value)], true).unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn tls_alone_lets_in_nobody_but_certificates_of_clients_do() {
        let authority = crate::tls::tests::Authority::new();
        let (own, trust) = (
            authority.keystore("rest", &["rest"]),
            authority.truststore(),
        );
        let encrypted = [
            ("rest.bind-address", "0.0.0.0"),
            ("security.ssl.rest.enabled", "true"),
            ("security.ssl.rest.keystore", &own),
            ("security.ssl.rest.truststore", &trust),
        ];
        let error = of(&encrypted, true).unwrap_err().to_string();
        assert!(error.contains("rheos.rest.token"), "{error}");
        for knows in [
            ("security.ssl.rest.authentication-enabled", "true"),
            ("rheos.rest.token", "s3cret"),
        ] {
            let pairs = [&encrypted[..], &[knows]].concat();
            let settings = of(&pairs, true).unwrap().unwrap();
            assert!(settings.security.is_on());
        }
    }
}
