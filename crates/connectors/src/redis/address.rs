//! Where servers are, as users write it:
//! `redis[s][-cluster]://[USER:PASSWORD@]HOST[:PORT][,HOST:PORT…][/DATABASE]`.

use crate::error::ConnectorError;
use crate::secret::without_user;

/// An address, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// `HOST:PORT`.
    pub hosts: Vec<String>,
    pub cluster: bool,
    pub tls: bool,
    pub user: Option<String>,
    pub password: Option<String>,
    pub database: u32,
}

const PORT: u16 = 6_379;

impl Address {
    pub fn parse(text: &str) -> Result<Self, ConnectorError> {
        Self::taken_apart(text).map_err(|message| {
            let shown = match text.contains("://") {
                true => without_user(text),
                false => "***".to_owned(),
            };
            ConnectorError::Setting(format!(
                "'{shown}' is no address of Redis: {message}; redis://HOST:PORT, rediss:// with \
                 TLS, redis-cluster://HOST:PORT,HOST:PORT"
            ))
        })
    }

    fn taken_apart(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or("it has no ://")?;
        let (tls, cluster) = match scheme {
            "redis" => (false, false),
            "rediss" => (true, false),
            "redis-cluster" => (false, true),
            "rediss-cluster" => (true, true),
            _ => return Err(format!("there is no scheme '{scheme}'")),
        };
        let (login, rest) = match rest.rsplit_once('@') {
            Some((login, rest)) => (login, rest),
            None => ("", rest),
        };
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(decoded(password)?)),
            None => (login, None),
        };
        let user = Some(decoded(user)?).filter(|user| !user.is_empty());
        let (hosts, database) = rest.split_once('/').unwrap_or((rest, ""));
        let database = match database {
            "" => 0,
            number => number
                .parse()
                .map_err(|_| "what stands behind the / is no number of a database".to_owned())?,
        };
        let hosts = hosts.split(',').map(|host| with_port(host.trim()));
        let hosts = hosts.collect::<Result<Vec<_>, _>>()?;
        if !cluster && hosts.len() > 1 {
            return Err("it has several hosts, and is none of a cluster".to_owned());
        }
        if cluster && database != 0 {
            return Err("a cluster has no database but 0".to_owned());
        }
        Ok(Self {
            hosts,
            cluster,
            tls,
            user,
            password,
            database,
        })
    }
}

fn with_port(host: &str) -> Result<String, String> {
    let behind = host.rsplit_once(']').map_or(host, |(_, behind)| behind);
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    if name.is_empty() {
        return Err("a host has no name".to_owned());
    }
    match behind.rsplit_once(':') {
        None => Ok(format!("{host}:{PORT}")),
        Some((_, port)) if port.parse::<u16>().is_ok() => Ok(host.to_owned()),
        Some(_) => Err("a port is no number up to 65535".to_owned()),
    }
}

/// `HOST:PORT` taken apart; an IPv6 address without its brackets.
pub(super) fn host_and_port(address: &str) -> (&str, u16) {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (host, port.parse().unwrap_or(PORT))
}

/// `%40` and its like, as characters.
fn decoded(text: &str) -> Result<String, String> {
    let wrong = || "in user or password a % is not followed by two hexadecimal digits".to_owned();
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = after.get(..2).ok_or_else(wrong)?;
        let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        rest = after.get(2..).unwrap_or_default();
    }
    String::from_utf8(bytes).map_err(|_| "user or password are no UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let plain = Address::parse("redis://h").unwrap();
        assert_eq!(plain.hosts, ["h:6379"]);
        assert!(!plain.cluster && !plain.tls && plain.user.is_none());
        let whole = Address::parse("rediss://u:p%40%2Fw@[::1]:7000/3").unwrap();
        assert_eq!(whole.hosts, ["[::1]:7000"]);
        assert_eq!(whole.user.as_deref(), Some("u"));
        assert_eq!(whole.password.as_deref(), Some("p@/w"));
        assert!(whole.tls && whole.database == 3);
        let cluster = Address::parse("redis-cluster://:p@a:1,b:2").unwrap();
        assert_eq!(cluster.hosts, ["a:1", "b:2"]);
        assert_eq!((cluster.user, cluster.password), (None, Some("p".into())));
        assert_eq!(host_and_port("[::1]:7000"), ("::1", 7_000));
    }

    #[test]
    fn what_is_none_is_told_without_its_password() {
        for wrong in [
            "http://u:secret@h",
            "redis://u:secret@",
            "redis://u:secret@h:x",
            "redis://u:secret@a,b",
            "redis://u:secret@h/x",
            "redis-cluster://u:secret@h/1",
            "redis://u:secret%@h",
            "u:secret@h",
        ] {
            let error = Address::parse(wrong).unwrap_err().to_string();
            assert!(error.contains("is no address of Redis"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
