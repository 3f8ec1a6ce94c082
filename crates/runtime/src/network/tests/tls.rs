//! The same over TLS: who belongs to the cluster is taken in, and nobody else.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::*;

/// An authority, and files of processes that it vouches for.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("trust.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    fn truststore(&self) -> PathBuf {
        self.folder.path().join("trust.pem")
    }

    /// A process: it is of no host in particular.
    fn keystore(&self) -> PathBuf {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["rheos".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let path = self.folder.path().join("process.pem");
        std::fs::write(&path, certificate.pem() + &key.serialize_pem()).unwrap();
        path
    }

    fn security(&self) -> Security {
        Security::tls(&self.keystore(), &self.truststore()).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn what_comes_over_tls_is_what_comes_within_the_process(
        shape in shape(),
        ops in prop::collection::vec(op(), 0..150),
    ) {
        let io = io();
        let cluster = Authority::new();
        let security = [cluster.security(), cluster.security()];
        let mut pair = Pair::with(&io, [incarnation(3); 2], security, Compression::Lz4);
        let wanted = shape.senders * shape.receivers;
        let mut joined = Joined { pair: &mut pair, wanted };
        let seen = run_world(&shape, &ops, &mut joined, true)?;
        prop_assert!(pair.mailboxes.iter().all(|mailbox| mailbox.take().is_none()));
        prop_assert_eq!(seen, run_local(&shape, &ops, true)?);
    }
}

/// What the one that connects, the first of the two, is told.
fn refusal(security: [Security; 2]) -> String {
    let io = io();
    let mut pair = Pair::with(&io, [incarnation(1); 2], security, Compression::None);
    let _channel = pair.between::<String>(0, 1_000);
    pair.join();
    pair.failure(0)
}

#[test]
fn who_is_of_another_authority_is_refused_on_both_sides() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let told = refusal([ours.security(), theirs.security()]);
    let wanted =
        "its certificate is by an authority that is not in security.ssl.internal.truststore";
    assert!(told.contains(wanted), "{told}");

    // It trusts us, and we do not trust it.
    let stranger = Security::tls(&theirs.keystore(), &ours.truststore()).unwrap();
    let told = refusal([stranger, ours.security()]);
    assert!(told.contains("it does not trust the certificate"), "{told}");
}

#[test]
fn nothing_goes_between_processes_of_which_one_has_no_tls() {
    let cluster = Authority::new();
    let told = refusal([cluster.security(), Security::default()]);
    assert!(told.contains("it does not speak TLS"), "{told}");
    let told = refusal([Security::default(), cluster.security()]);
    assert!(told.contains("the other side speaks TLS"), "{told}");
}

#[test]
fn files_that_are_no_good_are_named() {
    let cluster = Authority::new();
    let (own, trust) = (cluster.keystore(), cluster.truststore());
    let missing = cluster.folder.path().join("missing.pem");
    let java = cluster.folder.path().join("store.jks");
    std::fs::write(&java, [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2]).unwrap();
    for (keystore, truststore, wanted) in [
        (&missing, &trust, "security.ssl.internal.keystore"),
        (&own, &missing, "missing.pem"),
        (&java, &trust, "it must be a PEM file"),
        (&own, &java, "security.ssl.internal.truststore"),
        // It has a certificate, and no key.
        (&trust, &trust, "no key in PEM"),
    ] {
        let error = Security::tls(keystore, truststore).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
}
