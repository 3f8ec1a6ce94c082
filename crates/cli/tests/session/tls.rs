//! A session whose REST is over TLS: its jobs' own JobManagers are asked by it alone, and have none.

use super::certificates::{certificates, key};
use super::cluster::{Session, until};

pub fn a_session_is_asked_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    certificates(folder, &["127.0.0.1"]);
    let session = Session::start(
        &[1],
        &[
            "security.ssl.rest.enabled=true",
            &key("keystore", folder, "127.0.0.1.pem"),
            &key("truststore", folder, "trust.pem"),
        ],
    );
    assert!(session.rest.starts_with("https://"), "{}", session.rest);
    // One that has keys of its own for REST is asked as the others are.
    let own = ["-D", "security.ssl.rest.enabled=true"];
    let count = ["--count", "100000000", "--rate", "1000", "-p", "1"];
    let job = session.submit("encrypted", &[&count[..], &own].concat());
    until("it runs", || {
        session.well(&["info", "encrypted"]).contains("RUNNING")
    });
    let taken = session.well(&["checkpoints", "encrypted", "--json"]);
    assert!(taken.contains("counts"), "{taken}");
    session.well(&["cancel", &job]);
    until("it is cancelled", || {
        session.well(&["list"]).contains("CANCELED")
    });
}
