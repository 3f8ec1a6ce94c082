//! TLS by rustls: between processes with certificates on both sides, to REST as a web site has it.

use std::error::Error as StdError;
use std::fmt::Display;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore,
    ServerConfig, SignatureScheme,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{SecurityError, Wire};

/// How long who is refused may go on speaking before it is hung up on.
const FAREWELL: Duration = Duration::from_secs(1);

/// What REST speaks over TLS.
const HTTP: &[u8] = b"http/1.1";

/// What is said of a side's files, and of who does not speak TLS to it.
pub struct Words {
    /// The option that names its own certificate.
    keystore: &'static str,
    /// The option that names whom it trusts.
    truststore: &'static str,
    /// What to do about another side that speaks no TLS.
    without_tls: &'static str,
    /// What another side does that wants to see a certificate.
    asks: &'static str,
}

pub const INTERNAL: Words = Words {
    keystore: "security.ssl.internal.keystore",
    truststore: "security.ssl.internal.truststore",
    without_tls: "set security.ssl.internal.enabled in every process",
    asks: "it wants to be shown a certificate: give this process security.ssl.internal.keystore",
};

const REST_SERVER: Words = Words {
    keystore: "security.ssl.rest.keystore",
    truststore: "security.ssl.rest.truststore",
    without_tls: "it has to ask at https://",
    asks: "it wants to be shown another certificate",
};

const REST_CLIENT: Words = Words {
    without_tls: "ask at http://, or set security.ssl.rest.enabled there",
    asks: "it wants to be shown a certificate: set security.ssl.rest.authentication-enabled, and \
           security.ssl.rest.keystore to a PEM file with a certificate and its key",
    ..REST_SERVER
};

/// The side that is connected to; cheap to clone.
#[derive(Clone)]
pub struct Server {
    config: Arc<ServerConfig>,
    words: &'static Words,
}

/// The side that connects; cheap to clone.
#[derive(Clone)]
pub struct Client {
    config: Arc<ClientConfig>,
    words: &'static Words,
}

/// A certificate, those that vouch for it, and its key.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// Both sides of a process: see [`super::Security::tls`].
pub fn of_the_cluster(
    keystore: &Path,
    truststore: &Path,
) -> Result<(Server, Client), SecurityError> {
    let words = &INTERNAL;
    let roots = authorities(truststore, words)?;
    let server = server_config(keystore, Some((truststore, roots.clone())), words)?;
    let own = |error: Error| of_keystore(words, keystore, &error);
    let identity = identity(keystore, words)?;
    let provider = provider();
    let client = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(own)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(OfTheCluster { roots, provider }))
        .with_client_auth_cert(identity.chain, identity.key)
        .map_err(own)?;
    let server = Server {
        config: Arc::new(server),
        words,
    };
    let client = Client {
        config: Arc::new(client),
        words,
    };
    Ok((server, client))
}

/// See [`super::ServerSecurity::of_rest`].
pub fn rest_server(keystore: &Path, clients: Option<&Path>) -> Result<Server, SecurityError> {
    let words = &REST_SERVER;
    let clients = clients.map(|path| Ok((path, authorities(path, words)?)));
    let mut config = server_config(keystore, clients.transpose()?, words)?;
    config.alpn_protocols = vec![HTTP.to_vec()];
    Ok(Server {
        config: Arc::new(config),
        words,
    })
}

/// See [`super::ClientSecurity::to_rest`].
pub fn rest_client(
    truststore: Option<&Path>,
    keystore: Option<&Path>,
) -> Result<Client, SecurityError> {
    let words = &REST_CLIENT;
    let roots = match truststore {
        Some(path) => authorities(path, words)?,
        None => authorities_of_the_system(words)?,
    };
    let broken = |error: Error| SecurityError::Handshake(format!("TLS: {error}"));
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(broken)?
        .with_root_certificates(roots);
    let mut config = match keystore {
        Some(path) => {
            let identity = identity(path, words)?;
            let built = builder.with_client_auth_cert(identity.chain, identity.key);
            built.map_err(|error| of_keystore(words, path, &error))?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![HTTP.to_vec()];
    Ok(Client {
        config: Arc::new(config),
        words,
    })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A server that shows what is in `keystore`; clients have to show certificates by these authorities, if
/// there are any.
fn server_config(
    keystore: &Path,
    clients: Option<(&Path, Arc<RootCertStore>)>,
    words: &Words,
) -> Result<ServerConfig, SecurityError> {
    let own = |error: Error| of_keystore(words, keystore, &error);
    let Identity { chain, key } = identity(keystore, words)?;
    let provider = provider();
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(own)?;
    let builder = match clients {
        Some((path, roots)) => {
            let verifier =
                rustls::server::WebPkiClientVerifier::builder_with_provider(roots, provider);
            let built = verifier.build();
            let verifier = built.map_err(|error| of_file(words.truststore, path, &error))?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    builder.with_single_cert(chain, key).map_err(own)
}

impl Server {
    /// See [`super::ServerSecurity::accept`].
    pub async fn accept(&self, stream: TcpStream) -> Result<Wire, SecurityError> {
        let acceptor = TlsAcceptor::from(self.config.clone());
        match acceptor.accept(stream).into_fallible().await {
            Ok(stream) => Ok(Wire::Tls(Box::new(stream.into()))),
            Err((error, stream)) => {
                hang_up(stream).await;
                Err(explain(&error, self.words))
            }
        }
    }
}

/// Who was just told why it is refused may be in the middle of a sentence: a connection that is closed
/// with something unread in it is reset, and takes what was told with it.
async fn hang_up(mut stream: TcpStream) {
    let heard = async {
        stream.shutdown().await?;
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await? > 0 {}
        Ok::<_, io::Error>(())
    };
    let _gone = tokio::time::timeout(FAREWELL, heard).await;
}

impl Client {
    /// See [`super::ClientSecurity::connect`].
    pub async fn connect(&self, host: &str, stream: TcpStream) -> Result<Wire, SecurityError> {
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| {
            SecurityError::Handshake(format!("'{host}' is no name of a host, nor an address"))
        })?;
        let connector = TlsConnector::from(self.config.clone());
        match connector.connect(name, stream).await {
            Ok(stream) => Ok(Wire::Tls(Box::new(stream.into()))),
            Err(error) => Err(explain(&error, self.words)),
        }
    }

    /// See [`super::ClientSecurity::said`].
    pub fn said(&self, error: &(dyn StdError + 'static)) -> Option<SecurityError> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let io: Option<&io::Error> = error.downcast_ref();
            let of_tls = |io: &&io::Error| io.get_ref().is_some_and(|cause| cause.is::<Error>());
            if let Some(io) = io.filter(of_tls) {
                return Some(explain(io, self.words));
            }
            cause = error.source();
        }
        None
    }
}

fn of_file(key: &'static str, path: &Path, reason: &dyn Display) -> SecurityError {
    SecurityError::File {
        key,
        path: path.display().to_string(),
        reason: reason.to_string(),
    }
}

fn of_keystore(words: &Words, path: &Path, error: &Error) -> SecurityError {
    match error {
        Error::InvalidCertificate(reason) => of_file(words.keystore, path, &flaw(reason)),
        error => of_file(words.keystore, path, error),
    }
}

fn identity(path: &Path, words: &Words) -> Result<Identity, SecurityError> {
    let refused = |reason: &dyn Display| of_file(words.keystore, path, reason);
    let chain = certificates(path).map_err(|reason| refused(&reason))?;
    let key = PrivateKeyDer::from_pem_file(path)
        .map_err(|error| refused(&format!("it has no key in PEM, not encrypted: {error}")))?;
    Ok(Identity { chain, key })
}

fn authorities(path: &Path, words: &Words) -> Result<Arc<RootCertStore>, SecurityError> {
    let refused = |reason: &dyn Display| of_file(words.truststore, path, reason);
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path).map_err(|reason| refused(&reason))? {
        roots.add(certificate).map_err(|error| refused(&error))?;
    }
    Ok(Arc::new(roots))
}

fn authorities_of_the_system(words: &Words) -> Result<Arc<RootCertStore>, SecurityError> {
    let mut roots = RootCertStore::empty();
    // A certificate of the system that rustls can't read is one less to trust.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    match roots.is_empty() {
        true => Err(SecurityError::Handshake(format!(
            "the system trusts no authorities: set {} to a PEM file with that of the server",
            words.truststore
        ))),
        false => Ok(Arc::new(roots)),
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
pub fn explain(error: &io::Error, words: &Words) -> SecurityError {
    let (keystore, truststore) = (words.keystore, words.truststore);
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    let said = match cause {
        None if error.kind() == io::ErrorKind::UnexpectedEof => return SecurityError::Ended,
        Some(Error::InvalidMessage(_)) => {
            format!("it does not speak TLS: {}", words.without_tls)
        }
        Some(Error::NoCertificatesPresented) => {
            format!("it shows no certificate: give it {keystore}")
        }
        Some(Error::InvalidCertificate(reason)) => distrust(reason, truststore),
        Some(Error::AlertReceived(AlertDescription::CertificateRequired)) => words.asks.to_owned(),
        Some(Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::DecryptError
            | AlertDescription::CertificateExpired,
        )) => format!("it does not trust the certificate of {keystore} ({error})"),
        _ => format!("TLS: {error}"),
    };
    SecurityError::Handshake(said)
}

/// Why a certificate is not trusted, and what to do about it.
fn distrust(reason: &CertificateError, truststore: &str) -> String {
    match reason {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            format!("its certificate is by an authority that is not in {truststore}")
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            let names = match presented.is_empty() {
                true => "no name".to_owned(),
                false => {
                    let names = presented.iter().map(|name| bare(name));
                    names.collect::<Vec<_>>().join(", ")
                }
            };
            let expected = expected.to_str();
            format!(
                "its certificate is not for {expected} but for {names}: ask it by that, or give it a \
                 certificate with {expected} among its subject alternative names"
            )
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("its certificate has expired: give it another, and start it again ({reason})")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("its certificate is not valid yet: compare the clocks ({reason})")
        }
        _ => format!("its certificate is no good: {}", flaw(reason)),
    }
}

/// What is wrong with a certificate, whoever looks at it.
fn flaw(reason: &CertificateError) -> String {
    let said = reason.to_string();
    // The library has no names for these, which `openssl` makes when it is told no more.
    if said.contains("UnsupportedCertVersion") {
        "it is of X.509 version 1, and has no extensions: have `openssl x509 -req` take some by \
         -extfile"
            .to_owned()
    } else if said.contains("CaUsedAsEndEntity") {
        "it is that of an authority (CA:TRUE), which vouches for others: have it vouch for one"
            .to_owned()
    } else {
        said
    }
}

/// A name of a certificate without what the library says of its kind: `DnsName("rest.example")`.
fn bare(name: &str) -> &str {
    let inner = name
        .split_once('(')
        .and_then(|(_, inner)| inner.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
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
