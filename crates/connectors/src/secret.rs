//! Secrets in options: `${env:NAME}` and `${file:PATH}` are replaced where a connection is made, so
//! that plans, logs and errors never hold what they stand for.

use std::fmt;

use crate::error::ConnectorError;

/// A text that may name secrets, such as a password or an address with one.
///
/// ```
/// use rheos_connectors::Secret;
///
/// let password = Secret::from("${env:DATABASE_PASSWORD}");
/// assert_eq!(format!("{password:?}"), "Secret(***)");
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&String> for Secret {
    fn from(text: &String) -> Self {
        Self(text.clone())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl Secret {
    /// The text with what it names; the line ends at the end of a file are left out.
    ///
    /// # Errors
    /// What is not there, by its name; never what was found.
    pub fn reveal(&self) -> Result<String, ConnectorError> {
        let mut out = String::new();
        let mut rest = self.0.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                return Err(ConnectorError::Setting(
                    "a secret begins with ${ and has no }".to_owned(),
                ));
            };
            out.push_str(&lookup(name)?);
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
}

fn lookup(name: &str) -> Result<String, ConnectorError> {
    if let Some(variable) = name.strip_prefix("env:") {
        return std::env::var(variable).map_err(|_| {
            ConnectorError::Setting(format!(
                "${{env:{variable}}}: the environment has no such variable, or it is no text"
            ))
        });
    }
    if let Some(path) = name.strip_prefix("file:") {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConnectorError::file("reading the secret in", path, error))?;
        return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
    }
    Err(ConnectorError::Setting(
        "a secret is named ${env:NAME} or ${file:PATH}".to_owned(),
    ))
}

/// An address without its user and password, for messages.
#[cfg(any(
    test,
    feature = "http",
    feature = "kafka",
    feature = "postgres",
    feature = "redis"
))]
pub(crate) fn without_user(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let (authority, path) = match rest.find(['/', '?']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let path = path.split('?').next().unwrap_or("");
    if scheme.is_empty() {
        format!("{host}{path}")
    } else {
        format!("{scheme}://{host}{path}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_put_in_and_never_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hunter2\n").unwrap();
        let secret = Secret::from(format!("a:${{file:{}}}@b", file.path().display()));
        assert_eq!(secret.reveal().unwrap(), "a:hunter2@b");
        assert!(!format!("{secret:?}").contains("a:"));
        let path = std::env::var("PATH").unwrap();
        assert_eq!(Secret::from("${env:PATH}").reveal().unwrap(), path);
        assert_eq!(Secret::from("plain $5").reveal().unwrap(), "plain $5");
        for wrong in [
            "${env:RHEOS_NOT_THERE}",
            "${vault:x}",
            "${env:PATH",
            "${file:/nowhere}",
        ] {
            let error = Secret::from(wrong).reveal().unwrap_err().to_string();
            assert!(!error.contains(&path), "{error}");
        }
    }

    #[test]
    fn an_address_is_shown_without_its_user() {
        for (address, shown) in [
            (
                "postgres://u:p@w@h:5432/db?password=x",
                "postgres://h:5432/db",
            ),
            ("https://key@search:9200", "https://search:9200"),
            ("redis://h:1", "redis://h:1"),
            ("u:p@h:1", "h:1"),
        ] {
            assert_eq!(without_user(address), shown);
        }
    }
}
