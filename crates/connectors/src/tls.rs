//! What clients that make their own connections need of whom we trust. A system without certificates
//! is no error here: the connection may not need any.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::error::ConnectorError;
use crate::net::Trust;

impl Trust {
    /// What a client needs.
    pub(crate) fn client(&self) -> Result<ClientConfig, ConnectorError> {
        let refused = |message: String| ConnectorError::Setting(format!("TLS: {message}"));
        let mut roots = RootCertStore::empty();
        match self {
            // A certificate of the system that rustls can't read is one less to trust.
            Trust::System => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
            Trust::Pem(pem) => {
                for certificate in CertificateDer::pem_slice_iter(pem) {
                    let certificate = certificate.map_err(|error| refused(error.to_string()))?;
                    roots
                        .add(certificate)
                        .map_err(|error| refused(error.to_string()))?;
                }
                if roots.is_empty() {
                    return Err(refused("there is no certificate in the PEM".to_owned()));
                }
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| refused(error.to_string()))?;
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}
