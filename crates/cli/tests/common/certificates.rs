//! An authority of the test's own, and the keys of the configuration that name what it vouches for.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// PEM files in a folder: `trust.pem`, and `NAME.pem` with a certificate for each of these hosts or people.
pub fn certificates(folder: &Path, names: &[&str]) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(folder.join("trust.pem"), issuer.pem()).unwrap();
    for name in names {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![(*name).to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let pem = certificate.pem() + &key.serialize_pem();
        std::fs::write(folder.join(format!("{name}.pem")), pem).unwrap();
    }
}

pub fn key(name: &str, folder: &Path, file: &str) -> String {
    let path = folder.join(file);
    format!("security.ssl.rest.{name}={}", path.display())
}
