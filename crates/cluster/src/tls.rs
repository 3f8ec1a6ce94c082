//! What a configuration says of TLS: between the processes of a cluster (`docs/cluster.md`), and to REST
//! (`docs/rest.md`). Stores are PEM files.

use rheos_core::config::{ConfigError, ConfigOption, Configuration, options};
use rheos_runtime::network::{ClientSecurity, Security, ServerSecurity};

/// The options of one use of TLS.
struct Keys {
    enabled: &'static ConfigOption<bool>,
    keystore: &'static ConfigOption<String>,
    keystore_type: &'static ConfigOption<String>,
    truststore: &'static ConfigOption<String>,
    truststore_type: &'static ConfigOption<String>,
}

const INTERNAL: Keys = Keys {
    enabled: &options::SSL_INTERNAL_ENABLED,
    keystore: &options::SSL_INTERNAL_KEYSTORE,
    keystore_type: &options::SSL_INTERNAL_KEYSTORE_TYPE,
    truststore: &options::SSL_INTERNAL_TRUSTSTORE,
    truststore_type: &options::SSL_INTERNAL_TRUSTSTORE_TYPE,
};

const REST: Keys = Keys {
    enabled: &options::SSL_REST_ENABLED,
    keystore: &options::SSL_REST_KEYSTORE,
    keystore_type: &options::SSL_REST_KEYSTORE_TYPE,
    truststore: &options::SSL_REST_TRUSTSTORE,
    truststore_type: &options::SSL_REST_TRUSTSTORE_TYPE,
};

/// How connections between processes are made safe.
///
/// # Errors
/// If a value can't be used.
pub fn between_processes(configuration: &Configuration) -> Result<Security, ConfigError> {
    if !configuration.get(INTERNAL.enabled)? {
        return Ok(Security::default());
    }
    let keystore = INTERNAL.needed_keystore(configuration)?;
    let truststore = INTERNAL.needed_truststore(configuration)?;
    built::between_processes(&keystore, &truststore)
}

/// How REST makes connections safe that are made to it.
///
/// # Errors
/// If a value can't be used.
pub fn of_rest(configuration: &Configuration) -> Result<ServerSecurity, ConfigError> {
    let clients = configuration.get(&options::SSL_REST_AUTHENTICATION_ENABLED)?;
    if !configuration.get(REST.enabled)? {
        // Whoever asks for certificates must not go without them.
        return match clients {
            true => Err(ConfigError::Unusable {
                key: options::SSL_REST_AUTHENTICATION_ENABLED.key,
                value: "true".to_owned(),
                reason: format!(
                    "clients show certificates over TLS: set {}",
                    REST.enabled.key
                ),
            }),
            false => Ok(ServerSecurity::default()),
        };
    }
    let keystore = REST.needed_keystore(configuration)?;
    let clients = clients.then(|| REST.needed_truststore(configuration));
    built::of_rest(&keystore, clients.transpose()?.as_deref())
}

/// How a client of REST makes its connections safe, once it has been told to: it shows a certificate where
/// `security.ssl.rest.authentication-enabled` is set.
///
/// # Errors
/// If a value can't be used.
pub fn to_rest(configuration: &Configuration) -> Result<ClientSecurity, ConfigError> {
    let shows = configuration.get(&options::SSL_REST_AUTHENTICATION_ENABLED)?;
    let keystore = shows.then(|| REST.needed_keystore(configuration));
    let truststore = REST.truststore(configuration)?;
    built::to_rest(truststore.as_deref(), keystore.transpose()?.as_deref())
}

impl Keys {
    fn needed_keystore(&self, configuration: &Configuration) -> Result<String, ConfigError> {
        let keys = (self.keystore, self.keystore_type);
        let path = store(configuration, keys, &options::SSL_KEYSTORE)?;
        path.ok_or(ConfigError::Missing {
            key: self.keystore.key,
        })
    }

    fn needed_truststore(&self, configuration: &Configuration) -> Result<String, ConfigError> {
        let path = self.truststore(configuration)?;
        path.ok_or(ConfigError::Missing {
            key: self.truststore.key,
        })
    }

    fn truststore(&self, configuration: &Configuration) -> Result<Option<String>, ConfigError> {
        let keys = (self.truststore, self.truststore_type);
        store(configuration, keys, &options::SSL_TRUSTSTORE)
    }
}

/// Where a store is, by its own option or the general one.
fn store(
    configuration: &Configuration,
    (own, kind): (&ConfigOption<String>, &ConfigOption<String>),
    general: &ConfigOption<String>,
) -> Result<Option<String>, ConfigError> {
    let value = configuration.get_set(kind)?;
    if let Some(value) = value.filter(|kind| !kind.eq_ignore_ascii_case("PEM")) {
        return Err(ConfigError::Unusable {
            key: kind.key,
            value,
            reason: "stores are PEM files here: `keytool -importkeystore -deststoretype PKCS12` \
                     and `openssl pkcs12 -nodes -in STORE -out STORE.pem` make one of a Java one"
                .to_owned(),
        });
    }
    match configuration.get_set(own)? {
        None => configuration.get_set(general),
        set => Ok(set),
    }
}

#[cfg(feature = "tls")]
mod built {
    //! In a program that is built with TLS.

    use std::path::Path;

    use rheos_runtime::network::SecurityError;

    use super::*;

    pub fn between_processes(keystore: &str, truststore: &str) -> Result<Security, ConfigError> {
        Security::tls(keystore.as_ref(), truststore.as_ref()).map_err(|error| of(&INTERNAL, error))
    }

    pub fn of_rest(keystore: &str, clients: Option<&str>) -> Result<ServerSecurity, ConfigError> {
        ServerSecurity::of_rest(keystore.as_ref(), clients.map(Path::new))
            .map_err(|error| of(&REST, error))
    }

    pub fn to_rest(
        truststore: Option<&str>,
        keystore: Option<&str>,
    ) -> Result<ClientSecurity, ConfigError> {
        ClientSecurity::to_rest(truststore.map(Path::new), keystore.map(Path::new))
            .map_err(|error| of(&REST, error))
    }

    fn of(keys: &Keys, error: SecurityError) -> ConfigError {
        match error {
            SecurityError::File { key, path, reason } => ConfigError::Unusable {
                key,
                value: path,
                reason,
            },
            other => ConfigError::Unusable {
                key: keys.enabled.key,
                value: "true".to_owned(),
                reason: other.to_string(),
            },
        }
    }
}

#[cfg(not(feature = "tls"))]
mod built {
    //! In a program that is built without TLS.

    use super::*;

    pub fn between_processes(_keystore: &str, _truststore: &str) -> Result<Security, ConfigError> {
        Err(without(&INTERNAL))
    }

    pub fn of_rest(_keystore: &str, _clients: Option<&str>) -> Result<ServerSecurity, ConfigError> {
        Err(without(&REST))
    }

    pub fn to_rest(
        _truststore: Option<&str>,
        _keystore: Option<&str>,
    ) -> Result<ClientSecurity, ConfigError> {
        Err(without(&REST))
    }

    fn without(keys: &Keys) -> ConfigError {
        ConfigError::Unusable {
            key: keys.enabled.key,
            value: "true".to_owned(),
            reason: "the program was built without the feature `tls` of rheos".to_owned(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
