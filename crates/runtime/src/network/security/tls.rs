//! TLS with certificates on both sides, by rustls.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore,
    ServerConfig, SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{SecurityError, Wire};

const KEYSTORE: &str = "security.ssl.internal.keystore";
const TRUSTSTORE: &str = "security.ssl.internal.truststore";

/// Both sides' configuration; cheap to clone.
#[derive(Clone)]
pub struct Tls {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Tls {
    /// Reads the files: see [`super::Security::tls`].
    pub fn new(keystore: &Path, truststore: &Path) -> Result<Self, SecurityError> {
        let refused = |key, path: &Path, reason: &dyn Display| SecurityError::File {
            key,
            path: path.display().to_string(),
            reason: reason.to_string(),
        };
        let own = |reason: &dyn Display| refused(KEYSTORE, keystore, reason);
        let trust = |reason: &dyn Display| refused(TRUSTSTORE, truststore, reason);

        let mut roots = RootCertStore::empty();
        for certificate in certificates(truststore).map_err(|reason| trust(&reason))? {
            roots.add(certificate).map_err(|error| trust(&error))?;
        }
        let roots = Arc::new(roots);
        let chain = certificates(keystore).map_err(|reason| own(&reason))?;
        let key = PrivateKeyDer::from_pem_file(keystore)
            .map_err(|error| own(&format!("it has no key in PEM, not encrypted: {error}")))?;

        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
            roots.clone(),
            provider.clone(),
        );
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| own(&error))?
            .with_client_cert_verifier(verifier.build().map_err(|error| trust(&error))?)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(|error| own(&error))?;
        let client = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| own(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(OfTheCluster { roots, provider }))
            .with_client_auth_cert(chain, key)
            .map_err(|error| own(&error))?;
        Ok(Self {
            server: Arc::new(server),
            client: Arc::new(client),
        })
    }

    /// See [`super::Security::accept`].
    pub async fn accept(&self, stream: TcpStream) -> Result<Wire, SecurityError> {
        match TlsAcceptor::from(self.server.clone()).accept(stream).await {
            Ok(stream) => Ok(Wire::Tls(Box::new(stream.into()))),
            Err(error) => Err(explain(&error)),
        }
    }

    /// See [`super::Security::connect`].
    pub async fn connect(&self, stream: TcpStream) -> Result<Wire, SecurityError> {
        // No name is asked for: see `OfTheCluster`.
        let name = stream.peer_addr().map_err(|error| explain(&error))?.ip();
        let connector = TlsConnector::from(self.client.clone());
        match connector.connect(ServerName::from(name), stream).await {
            Ok(stream) => Ok(Wire::Tls(Box::new(stream.into()))),
            Err(error) => Err(explain(&error)),
        }
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match read {
        Ok(found) if found.is_empty() => {
            Err("there is no certificate in it: it must be a PEM file".to_owned())
        }
        Ok(found) => Ok(found),
        Err(error) => Err(error.to_string()),
    }
}

/// What the library says of a handshake, in words of the configuration.
pub fn explain(error: &io::Error) -> SecurityError {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    let said = match cause {
        None if error.kind() == io::ErrorKind::UnexpectedEof => return SecurityError::Ended,
        Some(Error::InvalidMessage(_)) => {
            "it does not speak TLS: set security.ssl.internal.enabled in every process".to_owned()
        }
        Some(Error::NoCertificatesPresented) => {
            format!("it shows no certificate: give it {KEYSTORE}")
        }
        Some(Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        )) => {
            format!("its certificate is by an authority that is not in {TRUSTSTORE}")
        }
        Some(Error::InvalidCertificate(reason)) => format!("its certificate is no good: {reason}"),
        Some(Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::DecryptError
            | AlertDescription::CertificateExpired,
        )) => format!("it does not trust the certificate of {KEYSTORE} ({error})"),
        _ => format!("TLS: {error}"),
    };
    SecurityError::Handshake(said)
}

/// Verifies who is connected to as the other side does who connects: by the authority, and not by a
/// name. See the [module above](super).
#[derive(Debug)]
struct OfTheCluster {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for OfTheCluster {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        rustls::client::verify_server_cert_signed_by_trust_anchor(
            &rustls::server::ParsedCertificate::try_from(certificate)?,
            &self.roots,
            intermediates,
            now,
            self.provider.signature_verification_algorithms.all,
        )?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
