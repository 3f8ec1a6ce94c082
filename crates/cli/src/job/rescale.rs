//! `rheos rescale`: from what is asked for on the command line to the requirements of all vertices, and
//! waiting for what becomes of them.

use hyper::Method;
use rheos::runtime::BoxError;
use serde_json::{Map, Value, json};

use super::client::Client;
use super::{ASK_AGAIN, pause, show};

/// What is asked for.
#[derive(Debug)]
pub(super) struct Wanted {
    all: Option<u32>,
    /// By the vertex's id, the beginning of it, or its name.
    each: Vec<(String, u32)>,
}

impl Wanted {
    pub(super) fn new(all: Option<u32>, vertices: &[String]) -> Result<Self, BoxError> {
        if all.is_none() && vertices.is_empty() {
            return Err("how wide? Give --parallelism N, --vertex ID=N, or both".into());
        }
        let each = vertices.iter().map(|given| {
            let parts = given.rsplit_once('=');
            let parsed = parts.and_then(|(vertex, number)| {
                let number = number.trim().parse().ok()?;
                Some((vertex.trim().to_owned(), number))
            });
            parsed.ok_or_else(|| {
                BoxError::from(format!("--vertex is '{given}'; it is ID=N, as in 5f7a=4"))
            })
        });
        Ok(Self {
            all,
            each: each.collect::<Result<_, _>>()?,
        })
    }

    /// The body of the request: what is in force now, changed. `job` is the answer about the job.
    fn body(&self, job: &Value, now: &Value) -> Result<Value, BoxError> {
        let mut body = now.as_object().cloned().unwrap_or_default();
        let vertices: Vec<(&str, &str)> = show::all(job, "vertices")
            .map(|vertex| (show::text(vertex, "id"), show::text(vertex, "name")))
            .collect();
        if let Some(all) = self.all {
            for vertex in show::all(job, "vertices") {
                // What sees all rows in one subtask stays as it is.
                if vertex.get("maxParallelism").and_then(Value::as_u64) != Some(1) {
                    set(&mut body, show::text(vertex, "id"), all);
                }
            }
        }
        for (wanted, parallelism) in &self.each {
            let mut found = vertices
                .iter()
                .filter(|(id, name)| id.starts_with(wanted.as_str()) || name == wanted);
            match (found.next(), found.next()) {
                (Some((id, _)), None) => set(&mut body, id, *parallelism),
                (one, _) => {
                    let known: Vec<String> = vertices
                        .iter()
                        .map(|(id, name)| format!("{id} ({name})"))
                        .collect();
                    let what = match one {
                        Some(_) => "several vertices are",
                        None => "no vertex is",
                    };
                    let known = known.join(", ");
                    return Err(format!("{what} '{wanted}': there are {known}").into());
                }
            }
        }
        Ok(Value::Object(body))
    }
}

/// Gives a vertex another parallelism: where fewer subtasks were allowed before, they are still.
fn set(body: &mut Map<String, Value>, id: &str, parallelism: u32) {
    let of = |name: &str| {
        let bound = body.get(id).and_then(|vertex| vertex.pointer(name));
        bound.and_then(Value::as_u64)
    };
    let (lower, upper) = (of("/parallelism/lowerBound"), of("/parallelism/upperBound"));
    let lower = match lower {
        Some(lower) if Some(lower) != upper => lower.min(u64::from(parallelism)),
        _ => u64::from(parallelism),
    };
    let bounds = json!({ "lowerBound": lower, "upperBound": parallelism });
    body.insert(id.to_owned(), json!({ "parallelism": bounds }));
}

/// Asks for it, and waits until it has ended: what REST says of it.
pub(super) fn rescale(client: &Client, job: &str, wanted: &Wanted) -> Result<Value, BoxError> {
    let path = format!("/jobs/{job}/resource-requirements");
    let body = wanted.body(&client.get(&format!("/jobs/{job}"))?, &client.get(&path)?)?;
    let asked = client.tell(Method::PUT, &path, Some(&body))?;
    let id = show::text(&asked, "rheos.rescaleUuid").to_owned();
    loop {
        let details = client.get(&format!("/jobs/{job}/rescales/details/{id}"))?;
        if details.get("terminalState").is_some_and(Value::is_string) {
            return Ok(details);
        }
        pause(ASK_AGAIN);
    }
}

/// Whether the job has now what was asked for.
pub(super) fn outcome(ended: &Value) -> Result<(), BoxError> {
    let why = show::all(ended, "schedulerStates").find_map(|step| {
        let text = step.get("stringifiedException").and_then(Value::as_str);
        text.filter(|text| !text.is_empty())
    });
    match show::text(ended, "terminatedReason") {
        "SUCCEEDED" | "NO_RESOURCES_OR_PARALLELISMS_CHANGE" => Ok(()),
        reason => Err(format!("the job is not rescaled: {}", why.unwrap_or(reason)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> (Value, Value) {
        let vertex = |id: &str, name: &str, most: u32| json!({ "id": id, "name": name, "maxParallelism": most });
        let bounds = |lower: u32, upper: u32| json!({ "parallelism": { "lowerBound": lower, "upperBound": upper } });
        (
            json!({ "vertices": [vertex("ab1", "a", 8), vertex("ab2", "b", 8), vertex("c", "all", 1)] }),
            json!({ "ab1": bounds(2, 2), "ab2": bounds(1, 4), "c": bounds(1, 1) }),
        )
    }

    fn bounds_of(body: &Value, id: &str) -> (u64, u64) {
        let of = |name: &str| {
            let path = format!("/{id}/parallelism/{name}");
            body.pointer(&path).and_then(Value::as_u64).unwrap_or(0)
        };
        (of("lowerBound"), of("upperBound"))
    }

    #[test]
    fn what_was_fixed_stays_fixed_and_what_sees_all_rows_stays_one() {
        let (job, now) = job();
        let wanted = Wanted::new(Some(6), &["b=3".to_owned()]).unwrap();
        let body = wanted.body(&job, &now).unwrap();
        assert_eq!(bounds_of(&body, "ab1"), (6, 6));
        assert_eq!(bounds_of(&body, "ab2"), (1, 3));
        assert_eq!(bounds_of(&body, "c"), (1, 1));
    }

    #[test]
    fn a_vertex_is_named_so_that_it_is_the_only_one() {
        let (job, now) = job();
        let body = |vertex: &str| {
            let wanted = Wanted::new(None, &[vertex.to_owned()]);
            wanted.and_then(|wanted| wanted.body(&job, &now))
        };
        assert_eq!(bounds_of(&body("ab1=5").unwrap(), "ab1"), (5, 5));
        assert_eq!(bounds_of(&body("all=5").unwrap(), "c"), (5, 5));
        let several = body("ab=5").unwrap_err().to_string();
        assert!(
            several.contains("several") && several.contains("ab2 (b)"),
            "{several}"
        );
        let none = body("x=5").unwrap_err().to_string();
        assert!(none.contains("no vertex is 'x'"), "{none}");
        for wrong in ["ab1", "ab1=", "ab1=x", "ab1=-1"] {
            let error = body(wrong).unwrap_err().to_string();
            assert!(error.contains("ID=N"), "{error}");
        }
    }
}
