//! The same over TLS.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::*;

/// Makes an authority, and a certificate by it; the configuration that names both.
fn certificates(folder: &Path) -> [String; 3] {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["rheos".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let (keystore, truststore) = (folder.join("process.pem"), folder.join("authority.pem"));
    std::fs::write(&keystore, certificate.pem() + &key.serialize_pem()).unwrap();
    std::fs::write(&truststore, issuer.pem()).unwrap();
    [
        "security.ssl.internal.enabled=true".to_owned(),
        format!("security.ssl.internal.keystore={}", keystore.display()),
        format!("security.ssl.internal.truststore={}", truststore.display()),
    ]
}

pub fn only_who_belongs_to_the_cluster_takes_part() {
    let folder = tempfile::tempdir().unwrap();
    let keys = certificates(folder.path());
    let keys = keys.each_ref().map(String::as_str);
    let (mut jobmanager, port) = jobmanager_with(folder.path(), &keys);
    let plain = Process::start(
        "the plain one",
        folder.path(),
        &["taskmanager", "-D", &port],
    );
    jobmanager.wait_for("it does not speak TLS");
    drop(plain);
    let secure = ["the first", "the second"].map(|name| {
        let keys = [port.as_str()].into_iter().chain(keys);
        let keys = keys.flat_map(|key| ["-D", key]);
        let arguments: Vec<&str> = ["taskmanager"].into_iter().chain(keys).collect();
        Process::start(name, folder.path(), &arguments)
    });
    jobmanager.wait_for_times(HAS_COME, 2);
    jobmanager.end(Duration::from_secs(60));
    for mut taskmanager in secure {
        taskmanager.end(Duration::from_secs(20));
    }
    check(&folder.path().join("out"));
}
