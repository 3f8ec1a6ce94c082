//! What configurations come to, with and without the feature.
#![allow(clippy::unwrap_used, reason = "a test")]

use super::*;
#[cfg(feature = "tls")]
pub use certificates::Authority;

pub fn configuration(pairs: &[(&str, &str)]) -> Configuration {
    let mut configuration = Configuration::new();
    for (key, value) in pairs {
        configuration.set(key, value);
    }
    configuration
}

const ON: (&str, &str) = ("security.ssl.rest.enabled", "true");

#[test]
fn nothing_is_encrypted_unless_told_so() {
    let plain = configuration(&[
        ("security.ssl.rest.keystore", "/nowhere"),
        ("security.ssl.rest.keystore-type", "JKS"),
    ]);
    assert!(!of_rest(&plain).unwrap().is_on());
    assert!(!between_processes(&plain).unwrap().is_on());
}

#[test]
fn certificates_of_clients_are_not_asked_for_in_the_clear() {
    let asks = configuration(&[("security.ssl.rest.authentication-enabled", "true")]);
    let error = of_rest(&asks).unwrap_err().to_string();
    assert!(error.contains("set security.ssl.rest.enabled"), "{error}");
}

#[test]
fn what_is_missing_or_of_java_is_named() {
    let keystore = ("security.ssl.rest.keystore", "/nowhere/rest.pem");
    let asks = ("security.ssl.rest.authentication-enabled", "true");
    let java = ("security.ssl.rest.keystore-type", "JKS");
    for (pairs, wanted) in [
        (&[ON][..], "security.ssl.rest.keystore"),
        (&[ON, keystore, asks], "security.ssl.rest.truststore"),
        (&[ON, keystore, java], "openssl pkcs12"),
    ] {
        let error = of_rest(&configuration(pairs)).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
    let shows = configuration(&[asks]);
    let error = to_rest(&shows).unwrap_err().to_string();
    assert!(error.contains("security.ssl.rest.keystore"), "{error}");
}

#[cfg(not(feature = "tls"))]
#[test]
fn a_program_without_tls_says_so() {
    let stores = [
        ON,
        ("security.ssl.internal.enabled", "true"),
        ("security.ssl.keystore", "/etc/own.pem"),
        ("security.ssl.truststore", "/etc/trust.pem"),
    ];
    let stores = configuration(&stores);
    let errors = [
        between_processes(&stores).unwrap_err(),
        of_rest(&stores).unwrap_err(),
        to_rest(&stores).unwrap_err(),
    ];
    for error in errors {
        assert!(error.to_string().contains("feature `tls`"), "{error}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn the_general_stores_are_taken_where_there_are_no_own_ones() {
    let authority = Authority::new();
    let own = authority.keystore("own", &["localhost"]);
    let trust = authority.truststore();
    let general = configuration(&[
        ON,
        ("security.ssl.rest.authentication-enabled", "true"),
        ("security.ssl.keystore", &own),
        ("security.ssl.truststore", &trust),
    ]);
    assert!(of_rest(&general).unwrap().is_on());
    assert!(to_rest(&general).unwrap().is_on());
    let error = of_rest(&configuration(&[
        ON,
        ("security.ssl.keystore", &own),
        ("security.ssl.rest.keystore", "/nowhere/rest.pem"),
    ]));
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("`security.ssl.rest.keystore: /nowhere/rest.pem`"),
        "{error}"
    );
}

#[cfg(feature = "tls")]
mod certificates {
    use rcgen::{
        BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair,
        date_time_ymd,
    };

    /// An authority, and PEM files with what it vouches for.
    pub struct Authority {
        issuer: CertifiedIssuer<'static, KeyPair>,
        folder: tempfile::TempDir,
    }

    impl Authority {
        pub fn new() -> Self {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let key = KeyPair::generate().unwrap();
            let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
            let folder = tempfile::tempdir().unwrap();
            Self { issuer, folder }
        }

        fn file(&self, name: &str, pem: String) -> String {
            let path = self.folder.path().join(format!("{name}.pem"));
            std::fs::write(&path, pem).unwrap();
            path.display().to_string()
        }

        pub fn truststore(&self) -> String {
            self.file("trust", self.issuer.pem())
        }

        /// A certificate for these hosts, with its key.
        pub fn keystore(&self, name: &str, hosts: &[&str]) -> String {
            self.of(name, params(hosts))
        }

        /// The same, which was valid once.
        pub fn expired(&self, hosts: &[&str]) -> String {
            let mut params = params(hosts);
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
            self.of("expired", params)
        }

        fn of(&self, name: &str, params: CertificateParams) -> String {
            let key = KeyPair::generate().unwrap();
            let certificate: Certificate = params.signed_by(&key, &self.issuer).unwrap();
            self.file(name, certificate.pem() + &key.serialize_pem())
        }
    }

    fn params(hosts: &[&str]) -> CertificateParams {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        CertificateParams::new(hosts).unwrap()
    }
}
