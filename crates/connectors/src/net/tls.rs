//! TLS: whom we trust, and who we are.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Whose certificates are trusted.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Those that the system trusts.
    System,
    /// Those of these certificates, in PEM.
    Pem(Vec<u8>),
}

/// A certificate of ours with its key, in PEM; both may stand in one text.
#[derive(Clone)]
pub struct Identity {
    /// The certificate and those that vouch for it.
    pub certificates: Vec<u8>,
    /// The key, not encrypted.
    pub key: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(***)")
    }
}

/// What a TLS handshake needs; cheap to clone.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// TLS 1.2 and 1.3 with this trust and identity.
    ///
    /// # Errors
    /// What is wrong with the certificates or the key.
    pub fn new(trust: &Trust, identity: Option<&Identity>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        match trust {
            Trust::System => {
                let found = rustls_native_certs::load_native_certs();
                for certificate in found.certs {
                    // A certificate of the system that rustls can't read is one less to trust.
                    let _ = roots.add(certificate);
                }
                if roots.is_empty() {
                    return Err(
                        "the system has no trusted certificates: name those to trust".into(),
                    );
                }
            }
            Trust::Pem(pem) => {
                for certificate in CertificateDer::pem_slice_iter(pem) {
                    let certificate = certificate.map_err(|e| format!("certificates: {e}"))?;
                    roots.add(certificate).map_err(|e| e.to_string())?;
                }
                if roots.is_empty() {
                    return Err("there is no certificate in the PEM".into());
                }
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let certificates: Result<Vec<_>, _> =
                    CertificateDer::pem_slice_iter(&identity.certificates).collect();
                let certificates = certificates.map_err(|e| format!("certificate: {e}"))?;
                let key = PrivateKeyDer::from_pem_slice(&identity.key)
                    .map_err(|e| format!("the certificate's key: {e}"))?;
                builder
                    .with_client_auth_cert(certificates, key)
                    .map_err(|e| e.to_string())?
            }
        };
        Ok(Self {
            config: Arc::new(config),
        })
    }

    pub(super) async fn handshake(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        TlsConnector::from(self.config.clone())
            .connect(name, stream)
            .await
    }
}
