//! Who is answered: who knows the token, where there is one; else whoever calls this machine by a
//! name that is its own, which over TLS the certificate says. A page in a browser that has another site's
//! name resolve to this machine, or that sends requests here from elsewhere, is neither.

use std::net::IpAddr;

use super::answer::errors;
use super::settings::RestSettings;
use crate::http::{Request, Response, StatusCode, header};

/// Why a request is not answered, if it isn't.
pub(super) fn refusal(settings: &RestSettings, request: &Request) -> Option<Response> {
    let text = |name| request.headers.get(name)?.to_str().ok();
    if let Some(token) = &settings.token {
        let given = text(header::AUTHORIZATION).and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        if given.is_some_and(|given| token.is(given)) {
            return None;
        }
        let response = errors(
            StatusCode::UNAUTHORIZED,
            "say who you are: Authorization: Bearer TOKEN, with the token of rheos.rest.token",
        );
        return Some(response.with(header::WWW_AUTHENTICATE, "Bearer"));
    }
    let host = text(header::HOST)?;
    // Over TLS a browser has held that name against the certificate.
    if !settings.security.is_on() && !is_own(host_of(host), &settings.host) {
        return Some(errors(
            StatusCode::FORBIDDEN,
            format!("'{host}' is not a name of this server: call it by its address"),
        ));
    }
    let origin = text(header::ORIGIN)?;
    let same = origin.split_once("://").is_some_and(|(_, of)| of == host);
    (!same).then(|| {
        let message = format!("a page of '{origin}' may not ask here");
        errors(StatusCode::FORBIDDEN, message)
    })
}

/// A host without its port.
fn host_of(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.rsplit_once(':').map_or(host, |(host, _)| host),
    }
}

fn is_own(host: &str, bound: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
        || host.eq_ignore_ascii_case("localhost")
        || host.eq_ignore_ascii_case(bound)
}

#[cfg(test)]
mod tests {
    use rheos_core::config::Configuration;

    use super::*;
    use crate::http::{HeaderMap, Method};

    fn status(token: Option<&str>, headers: &[(&'static str, &str)]) -> u16 {
        let token = token.map(|token| ("rheos.rest.token", token));
        status_by(token.as_slice(), headers)
    }

    fn status_by(pairs: &[(&str, &str)], headers: &[(&'static str, &str)]) -> u16 {
        let mut configuration = Configuration::new();
        for (key, value) in pairs {
            configuration.set(key, value);
        }
        let settings = RestSettings::of(&configuration, true).unwrap().unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let request = Request {
            method: Method::PATCH,
            path: "/".to_owned(),
            query: String::new(),
            headers: map,
            body: Vec::new(),
        };
        refusal(&settings, &request).map_or(200, |refused| refused.status.as_u16())
    }

    #[test]
    fn a_token_is_asked_for_where_there_is_one() {
        let token = Some("s3cret");
        assert_eq!(status(token, &[("host", "127.0.0.1:8081")]), 401);
        assert_eq!(status(token, &[("authorization", "Bearer s3cre")]), 401);
        assert_eq!(status(token, &[("authorization", "Basic s3cret")]), 401);
        assert_eq!(status(token, &[("authorization", "bearer s3cret")]), 200);
    }

    #[test]
    fn pages_of_other_sites_are_not_answered() {
        for own in [
            "127.0.0.1:8081",
            "localhost:8081",
            "localhost",
            "[::1]:8081",
        ] {
            assert_eq!(status(None, &[("host", own)]), 200, "{own}");
            let page = format!("http://{own}");
            assert_eq!(status(None, &[("host", own), ("origin", &page)]), 200);
            let other = [("host", own), ("origin", "http://elsewhere.example")];
            assert_eq!(status(None, &other), 403);
        }
        assert_eq!(status(None, &[("host", "elsewhere.example:8081")]), 403);
    }

    #[cfg(feature = "tls")]
    #[test]
    fn over_tls_the_certificate_says_which_names_are_its_own() {
        let authority = crate::tls::tests::Authority::new();
        let own = authority.keystore("rest", &["rest.example"]);
        let encrypted = [
            ("security.ssl.rest.enabled", "true"),
            ("security.ssl.rest.keystore", &*own),
        ];
        let host = ("host", "rest.example:8081");
        assert_eq!(status_by(&encrypted, &[host]), 200);
        let own = ("origin", "https://rest.example:8081");
        assert_eq!(status_by(&encrypted, &[host, own]), 200);
        let other = ("origin", "https://elsewhere.example");
        assert_eq!(status_by(&encrypted, &[host, other]), 403);
    }
}
