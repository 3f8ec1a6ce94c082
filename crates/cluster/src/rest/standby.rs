//! What a JobManager answers that does not lead: where the one is that does.

use super::answer::errors;
use crate::ha::LeaseRecord;
use crate::http::{Request, Response, StatusCode, header};

/// As Flink says it while it has no leader.
const NO_LEADER: &str =
    "Service temporarily unavailable due to an ongoing leader election. Please refresh.";

/// The same request goes to the leader, if it has REST.
pub(super) fn elsewhere(leader: Option<&LeaseRecord>, request: &Request) -> Response {
    let Some(leader) = leader else {
        return errors(StatusCode::SERVICE_UNAVAILABLE, NO_LEADER);
    };
    let Some(rest) = &leader.rest else {
        let message = format!("this JobManager stands by; {leader} leads, and has no REST");
        return errors(StatusCode::SERVICE_UNAVAILABLE, message);
    };
    let query = match request.query.as_str() {
        "" => String::new(),
        query => format!("?{query}"),
    };
    let location = format!("{rest}{}{query}", request.path);
    let message = format!("this JobManager stands by; ask the one that leads: {location}");
    errors(StatusCode::TEMPORARY_REDIRECT, message).with(header::LOCATION, location)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ha::Hold;
    use crate::http::Method;

    #[test]
    fn a_request_goes_to_the_leader_with_its_query() {
        let request = Request {
            method: Method::PATCH,
            path: "/jobs/1".to_owned(),
            query: "mode=cancel".to_owned(),
            headers: Default::default(),
            body: Vec::new(),
        };
        let mut leader = LeaseRecord {
            holder: "0123456789".to_owned(),
            rpc: "a:6123".to_owned(),
            rest: Some("https://a:8081".to_owned()),
            hold: Hold::Held,
            begun: true,
            at: 0,
        };
        let answer = elsewhere(Some(&leader), &request);
        assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
        let to = (
            header::LOCATION,
            "https://a:8081/jobs/1?mode=cancel".to_owned(),
        );
        assert_eq!(answer.headers, [to]);
        leader.rest = None;
        for nobody in [Some(&leader), None] {
            let answer = elsewhere(nobody, &request);
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        }
    }
}
