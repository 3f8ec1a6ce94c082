//! Programs, under the paths that Flink has for jars: uploaded, listed, run. The id of one is the SHA-256 of
//! what is in it, which may be followed by `_` and its name.

use serde_json::{Value, json};

use super::super::answer::{Answer, Refusal};
use super::super::route::Asked;
use super::Rest;
use crate::session::artifacts::{ArtifactError, Artifacts, sha256};

impl From<ArtifactError> for Refusal {
    fn from(error: ArtifactError) -> Self {
        let message = error.to_string();
        match error {
            ArtifactError::Name(_) | ArtifactError::Hash { .. } => Self::BadRequest(message),
            ArtifactError::Offset { .. } | ArtifactError::System { .. } => Self::Conflict(message),
        }
    }
}

/// The hash in an id.
fn hash(asked: &Asked) -> &str {
    let id = asked.param("jarid");
    id.split_once('_').map_or(id, |(hash, _)| hash)
}

fn number(asked: &Asked, name: &str) -> Result<Option<u64>, Refusal> {
    let given = asked.query(name).map(str::parse).transpose();
    given.map_err(|_| Refusal::BadRequest(format!("{name} is no whole number")))
}

fn id_of(artifacts: &Artifacts, hash: &str) -> String {
    format!("{hash}_{}", artifacts.name(hash))
}

/// `POST /jars/upload`: the whole program. `PUT /jars/:jarid`: a piece of it, which with `size` bytes is whole.
pub(super) async fn take(
    rest: &Rest,
    whole: bool,
    asked: &Asked,
    body: Vec<u8>,
) -> Result<Answer, Refusal> {
    if body.is_empty() {
        return Err(Refusal::BadRequest(
            "the body is empty: it is the program, as it is in its file".to_owned(),
        ));
    }
    let artifacts = rest.dispatcher.artifacts().clone();
    let name = asked.query("name").unwrap_or("program").to_owned();
    let (hash, offset) = (
        hash(asked).to_owned(),
        number(asked, "offset")?.unwrap_or(0),
    );
    let size = match whole {
        true => Some(body.len() as u64),
        false => number(asked, "size")?,
    };
    // Hashing and writing takes a while: not on the threads that answer.
    let taking = rest.io.spawn_blocking(move || {
        let hash = match whole {
            true => sha256(body.as_slice()).map_err(|error| ArtifactError::System {
                path: "the body".to_owned(),
                error,
            })?,
            false => hash,
        };
        // Of one that was broken off, or is there, the rest.
        let (there, complete) = artifacts.received(&hash)?;
        let (from, bytes) = match whole && !complete {
            true => (there, body.get(there as usize..).unwrap_or_default()),
            false => (offset, body.as_slice()),
        };
        let received = artifacts.add(&hash, from, bytes)?;
        let complete = size.is_some_and(|size| received >= size);
        if complete {
            artifacts.finish(&hash)?;
            artifacts.set_name(&hash, &name)?;
        }
        let id = id_of(&artifacts, &hash);
        Ok::<Value, ArtifactError>(json!({
            "filename": id,
            "status": "success",
            "rheos.received": received,
            "rheos.complete": complete,
        }))
    });
    let taken = taking.await;
    let taken = taken.map_err(|error| Refusal::Conflict(error.to_string()))?;
    Ok(Answer::Json(taken?))
}

/// `GET /jars/:jarid`
pub(super) fn received(rest: &Rest, asked: &Asked) -> Result<Answer, Refusal> {
    let (received, complete) = rest.dispatcher.artifacts().received(hash(asked))?;
    Ok(Answer::Json(json!({
        "rheos.received": received,
        "rheos.complete": complete,
    })))
}

/// `GET /jars`
pub(super) fn list(rest: &Rest, asked: &Asked) -> Result<Answer, Refusal> {
    let artifacts = rest.dispatcher.artifacts();
    let files = artifacts.list()?.into_iter().map(|hash| {
        json!({
            "id": id_of(artifacts, &hash),
            "name": artifacts.name(&hash),
            "uploaded": artifacts.uploaded(&hash),
            "entry": [],
        })
    });
    let host = asked.host.as_deref().unwrap_or("localhost");
    Ok(Answer::Json(json!({
        "address": format!("{}://{host}", rest.state.scheme),
        "files": files.collect::<Vec<_>>(),
    })))
}

/// `DELETE /jars/:jarid`
pub(super) fn delete(rest: &Rest, asked: &Asked) -> Result<Answer, Refusal> {
    let hash = hash(asked);
    let jobs = rest.dispatcher.jobs();
    let user = jobs
        .iter()
        .find(|job| job.ended.is_none() && job.submission.artifact == hash);
    if let Some(job) = user {
        let message = format!("job {} of this program has not ended", job.id);
        return Err(Refusal::Conflict(message));
    }
    match rest.dispatcher.artifacts().delete(hash)? {
        true => Ok(Answer::Json(json!({}))),
        false => Err(Refusal::NotFound(format!("there is no program {hash}"))),
    }
}

/// The arguments of a program as a request says them: those that have a field of their own first, so that they
/// are read as flags whatever follows.
fn arguments(asked: &Asked) -> Result<Vec<String>, Refusal> {
    let refused = |message: &str| Err(Refusal::BadRequest(message.to_owned()));
    let mut arguments = Vec::new();
    let empty = serde_json::Map::new();
    let fields = match &asked.body {
        Value::Null => &empty,
        Value::Object(fields) => fields,
        _ => return refused("the body is a JSON object"),
    };
    let query = |name: &str| asked.query(name).map(|text| Value::from(text.to_owned()));
    let field = |name: &str| {
        let given = fields.get(name).filter(|value| !value.is_null());
        given.cloned().or_else(|| query(name))
    };
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    for known in fields.keys() {
        match known.as_str() {
            "programArgsList"
            | "parallelism"
            | "savepointPath"
            | "allowNonRestoredState"
            | "flinkConfiguration" => {}
            "programArgs" => return refused("programArgs is no more: programArgsList is a list"),
            "entryClass" => return refused("a program has no entry class"),
            other => {
                let message = format!("there is no field '{other}' here");
                return Err(Refusal::BadRequest(message));
            }
        }
    }
    if let Some(parallelism) = field("parallelism") {
        arguments.extend(["--parallelism".to_owned(), text(&parallelism)]);
    }
    if let Some(path) = field("savepointPath") {
        arguments.extend(["--from-savepoint".to_owned(), text(&path)]);
    }
    if field("allowNonRestoredState").is_some_and(|value| text(&value) == "true") {
        arguments.push("--allow-non-restored-state".to_owned());
    }
    match fields.get("flinkConfiguration") {
        None | Some(Value::Null) => {}
        Some(Value::Object(configuration)) => {
            for (key, value) in configuration {
                arguments.extend(["-D".to_owned(), format!("{key}={}", text(value))]);
            }
        }
        Some(_) => return refused("flinkConfiguration is an object of keys and values"),
    }
    match fields.get("programArgsList") {
        None | Some(Value::Null) => {
            arguments.extend(asked.list("programArg").into_iter().map(str::to_owned));
        }
        Some(Value::Array(list)) if list.iter().all(Value::is_string) => {
            arguments.extend(list.iter().map(text));
        }
        Some(_) => return refused("programArgsList is a list of texts"),
    }
    Ok(arguments)
}

/// `POST /jars/:jarid/run`
pub(super) fn run(rest: &Rest, asked: &Asked) -> Result<Answer, Refusal> {
    let hash = hash(asked);
    let name = rest.dispatcher.artifacts().name(hash);
    let id = rest.dispatcher.submit(hash, &name, arguments(asked)?)?;
    Ok(Answer::Json(json!({ "jobid": id.to_string() })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(body: Value, query: &[(&str, &str)]) -> Asked {
        let query = query.iter();
        Asked {
            query: query
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            body,
            ..Asked::default()
        }
    }

    #[test]
    fn what_flink_s_fields_say_become_arguments() {
        let body = json!({
            "programArgsList": ["--rows", "3"],
            "parallelism": 2,
            "savepointPath": "/s",
            "allowNonRestoredState": true,
            "flinkConfiguration": { "a.b": "c", "d": 1 },
        });
        assert_eq!(
            arguments(&asked(body, &[])).unwrap().join(" "),
            "--parallelism 2 --from-savepoint /s --allow-non-restored-state -D a.b=c -D d=1 --rows 3"
        );
        let query = [("parallelism", "4"), ("programArg", "--x,1")];
        assert_eq!(
            arguments(&asked(Value::Null, &query)).unwrap().join(" "),
            "--parallelism 4 --x 1"
        );
        for wrong in [
            json!({ "entryClass": "a.B" }),
            json!({ "programArgs": "--a" }),
            json!({ "programArgsList": "--a" }),
            json!({ "paralelism": 1 }),
            json!([]),
        ] {
            let refused = arguments(&asked(wrong.clone(), &[]));
            assert!(matches!(refused, Err(Refusal::BadRequest(_))), "{wrong}");
        }
    }
}
