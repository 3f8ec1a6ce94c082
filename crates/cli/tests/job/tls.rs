//! The same over TLS, to a job that wants to see certificates.

use super::certificates::{certificates, key};
use super::*;

const ENABLED: &str = "security.ssl.rest.enabled=true";
const ASKS: &str = "security.ssl.rest.authentication-enabled=true";

#[test]
fn a_job_is_asked_over_tls_and_what_is_wrong_is_said() {
    let (folder, others) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (folder, others) = (folder.path(), others.path());
    certificates(folder, &["localhost", "somebody"]);
    certificates(others, &["somebody"]);
    let (own, trust) = (
        key("keystore", folder, "localhost.pem"),
        key("truststore", folder, "trust.pem"),
    );
    let pairs = [ENABLED, ASKS, &own, &trust].map(|pair| pair.split_once('=').unwrap());
    let job = start(&folder.join("checkpoints"), &pairs);
    let port = job.rest_address().unwrap().port();
    let shell = |address: String| Shell {
        address,
        token: TOKEN,
    };
    let encrypted = shell(format!("https://localhost:{port}"));
    let client = key("keystore", folder, "somebody.pem");
    let list = |keys: &[&str]| -> Vec<String> {
        let keys = keys.iter().flat_map(|key| ["-D", key]);
        ["list"]
            .into_iter()
            .chain(keys)
            .map(str::to_owned)
            .collect()
    };
    let well = |shell: &Shell, keys: &[&str]| {
        let arguments = list(keys);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        shell.well(&arguments)
    };
    let ill = |shell: &Shell, keys: &[&str]| {
        let arguments = list(keys);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        shell.ill(&arguments)
    };

    assert!(well(&encrypted, &[ASKS, &trust, &client]).contains("numbers"));
    // The configuration can say so in place of the address.
    let bare = shell(format!("localhost:{port}"));
    assert!(well(&bare, &[ENABLED, ASKS, &trust, &client]).contains("numbers"));

    let error = ill(&encrypted, &[&trust]);
    let wanted = "set security.ssl.rest.authentication-enabled";
    assert!(error.contains(wanted), "{error}");
    let error = ill(&encrypted, &[&trust, ASKS]);
    assert!(
        error.contains("`security.ssl.rest.keystore` is not set"),
        "{error}"
    );
    let stranger = key("keystore", others, "somebody.pem");
    let error = ill(&encrypted, &[&trust, ASKS, &stranger]);
    assert!(
        error.contains("it does not trust the certificate"),
        "{error}"
    );
    let foreign = key("truststore", others, "trust.pem");
    let error = ill(&encrypted, &[&foreign, ASKS, &client]);
    assert!(
        error.contains("not in security.ssl.rest.truststore"),
        "{error}"
    );
    let by_address = shell(format!("https://127.0.0.1:{port}"));
    let error = ill(&by_address, &[&trust, ASKS, &client]);
    assert!(
        error.contains("not for 127.0.0.1 but for localhost"),
        "{error}"
    );
    let error = ill(&bare, &[]);
    assert!(
        error.contains("400") && error.contains("ask at https://"),
        "{error}"
    );
    let missing = key("truststore", folder, "missing.pem");
    let error = ill(&encrypted, &[&missing]);
    assert!(error.contains("missing.pem"), "{error}");

    // Who shows a certificate needs the token all the same, where there is one.
    let stranger = Shell {
        address: encrypted.address.clone(),
        token: "another",
    };
    let error = ill(&stranger, &[ASKS, &trust, &client]);
    assert!(error.contains("401"), "{error}");
    job.handle.control().cancel();
    assert!(job.wait().is_err());
}
