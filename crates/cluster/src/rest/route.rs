//! How a request finds its handler.

use serde_json::Value;

use super::answer::{Answer, Refusal};
use super::state::State;
use crate::http::{Method, Request};

/// What a request asks, taken apart.
#[derive(Debug, Default)]
pub struct Asked {
    /// What stands at the places of the path that have names.
    pub params: Vec<(&'static str, String)>,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The body; null if there is none.
    pub body: Value,
    /// The host that the client calls this server.
    pub host: Option<String>,
}

impl Asked {
    /// What stands at a named place of the path.
    pub fn param(&self, name: &str) -> &str {
        let found = self.params.iter().find(|(key, _)| *key == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// A parameter of the query.
    pub fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A parameter of the query that is a list: commas part it, and it may be given several times.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let given = self.query.iter().filter(|(key, _)| key == name);
        given
            .flat_map(|(_, value)| value.split(','))
            .filter(|part| !part.is_empty())
            .collect()
    }
}

/// Answers one route. Called on the server's thread.
pub type Handler = fn(&State, &Asked) -> Result<Answer, Refusal>;

/// A path with what can be done there, and what answers it.
pub struct Route<H = Handler> {
    /// GET, POST, PATCH …
    pub method: Method,
    /// Flink's path; a segment that begins with a colon is a name for what stands there.
    pub path: &'static str,
    /// The names of what the query may have.
    pub query: &'static [&'static str],
    /// What it is for, in a line.
    pub about: &'static str,
    /// Whether the answer is 202 rather than 200.
    pub accepted: bool,
    /// Answers it.
    pub handler: H,
}

/// What came of looking for a route.
pub enum Found<'a, H = Handler> {
    /// It, and what stands at the named places.
    Route(&'a Route<H>, Vec<(&'static str, String)>),
    /// The path is known, with other methods.
    Methods(Vec<&'static str>),
    /// There is no such path.
    Nothing,
}

/// Finds the first route that a request fits; those without names come before those with.
pub fn find<'a, H>(routes: &'a [Route<H>], method: &Method, path: &str) -> Found<'a, H> {
    let path = without_version(path);
    let mut methods = Vec::new();
    for route in routes {
        let Some(params) = fits(route.path, path) else {
            continue;
        };
        let head = *method == Method::HEAD && route.method == Method::GET;
        if route.method == *method || head {
            return Found::Route(route, params);
        }
        methods.push(match route.method {
            Method::POST => "POST",
            Method::PUT => "PUT",
            Method::PATCH => "PATCH",
            Method::DELETE => "DELETE",
            _ => "GET",
        });
    }
    if methods.is_empty() {
        Found::Nothing
    } else {
        Found::Methods(methods)
    }
}

/// A path without the `/v1` that it may begin with.
pub(super) fn without_version(path: &str) -> &str {
    path.strip_prefix("/v1")
        .filter(|p| p.starts_with('/'))
        .unwrap_or(path)
}

fn fits(pattern: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let mut segments = path.trim_end_matches('/').split('/');
    let mut params = Vec::new();
    for expected in pattern.split('/') {
        let given = segments.next()?;
        match expected.strip_prefix(':') {
            Some(name) => params.push((name, decoded(given))),
            None if expected == given => {}
            None => return None,
        }
    }
    segments.next().is_none().then_some(params)
}

/// Takes a request apart.
pub(super) fn asked(
    request: &Request,
    params: Vec<(&'static str, String)>,
) -> Result<Asked, Refusal> {
    let body = match request.body.iter().all(u8::is_ascii_whitespace) {
        true => Value::Null,
        false => serde_json::from_slice(&request.body)
            .map_err(|error| Refusal::BadRequest(format!("the body is not JSON: {error}")))?,
    };
    Ok(Asked {
        body,
        ..asked_without_body(request, params)
    })
}

/// As [`asked`], of a request whose body is none of JSON.
pub(super) fn asked_without_body(request: &Request, params: Vec<(&'static str, String)>) -> Asked {
    let query = request.query.split('&').filter(|pair| !pair.is_empty());
    let query = query.map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (
            decoded(&key.replace('+', " ")),
            decoded(&value.replace('+', " ")),
        )
    });
    let host = request.headers.get(crate::http::header::HOST);
    Asked {
        params,
        query: query.collect(),
        body: Value::Null,
        host: host.and_then(|h| h.to_str().ok()).map(str::to_owned),
    }
}

/// Undoes percent-encoding; what is not well encoded stands for itself.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.get(..2).filter(|_| *first == b'%');
        let byte = code
            .and_then(|code| std::str::from_utf8(code).ok())
            .filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        match byte {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::routes::ROUTES;
    use super::*;

    fn path_of(method: Method, path: &str) -> String {
        match find(ROUTES, &method, path) {
            Found::Route(route, params) => {
                let params: Vec<_> = params.iter().map(|(k, v)| format!("{k}={v}")).collect();
                format!("{} {}", route.path, params.join(","))
            }
            Found::Methods(methods) => methods.join(","),
            Found::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn what_is_said_literally_goes_before_what_has_a_name() {
        assert_eq!(path_of(Method::GET, "/jobs/overview"), "/jobs/overview ");
        assert_eq!(
            path_of(Method::GET, "/v1/jobs/ab/"),
            "/jobs/:jobid jobid=ab"
        );
        assert_eq!(
            path_of(Method::GET, "/jobs/1/vertices/2/subtasks/metrics"),
            "/jobs/:jobid/vertices/:vertexid/subtasks/metrics jobid=1,vertexid=2"
        );
        assert_eq!(path_of(Method::POST, "/overview"), "GET");
        assert_eq!(path_of(Method::GET, "/jobs/1/nothing"), "nothing");
        assert_eq!(path_of(Method::GET, "/v1"), "nothing");
    }

    #[test]
    fn queries_are_decoded_and_lists_parted() {
        let request = Request {
            method: Method::GET,
            path: String::new(),
            query: "get=a,b%20c&get=0.x%2Fy+z&agg=&odd=%zz%4".to_owned(),
            headers: Default::default(),
            body: b" \n".to_vec(),
        };
        let asked = asked(&request, Vec::new()).unwrap();
        assert_eq!(asked.list("get"), ["a", "b c", "0.x/y z"]);
        assert_eq!(asked.query("agg"), Some(""));
        assert_eq!(asked.query("odd"), Some("%zz%4"));
        assert_eq!(asked.body, Value::Null);
    }
}
