//! Metrics by name, as Flink's `…/metrics` paths list and give them.

use rheos_core::id::{JobId, VertexId};
use rheos_runtime::metrics::metric::Scope;
use rheos_runtime::metrics::sample::{Sample, Value as Measured};
use rheos_runtime::metrics::user::QUANTILES;
use serde_json::{Value, json};

use super::aggregate::aggregated;
use super::answer::{Answer, Refusal};
use super::route::Asked;
use super::state::{State, TASK_MANAGER, vertex};

/// Whose metrics.
pub(super) enum Of {
    JobManager,
    TaskManager,
    Job(JobId),
    /// With the subtask's index before each name.
    Vertex(JobId, VertexId),
}

/// One value.
pub(super) struct MetricValue {
    pub id: String,
    pub number: f64,
    text: String,
}

/// What there is at this moment.
pub(super) fn of(state: &State, whose: &Of) -> Vec<MetricValue> {
    let mut samples = state.registry.snapshot();
    if let Of::JobManager | Of::TaskManager = whose {
        samples = state.process.samples(&samples);
    }
    samples
        .iter()
        .filter_map(|sample| named(sample, whose))
        .flatten()
        .collect()
}

fn named(sample: &Sample, whose: &Of) -> Option<Vec<MetricValue>> {
    let of_job = |job: &JobId| sample.label("job_id") == Some(job.to_string().as_str());
    let name = match (whose, sample.scope) {
        (Of::JobManager, Scope::JobManager) | (Of::TaskManager, Scope::TaskManager) => {
            sample.name.clone()
        }
        (Of::Job(job), Scope::JobManagerJob) if of_job(job) => sample.name.clone(),
        (Of::Job(job), Scope::Job) if of_job(job) => {
            let mut name = String::new();
            for key in ["source_id", "operator_id", "operator_subtask_index"] {
                let value = sample.label(key).unwrap_or_default();
                name.push_str(&format!("{key}.{value}."));
            }
            format!("latency.{name}{}", sample.name)
        }
        (Of::Vertex(job, vertex), Scope::Task | Scope::Operator) if of_job(job) => {
            if sample.label("task_id") != Some(vertex.to_string().as_str()) {
                return None;
            }
            let subtask = sample.label("subtask_index")?;
            match (sample.scope, sample.label("operator_name")) {
                (Scope::Operator, Some(operator)) => {
                    let operator = plain(operator);
                    let state = sample
                        .label("state")
                        .map(|state| format!("{}.", plain(state)));
                    let state = state.unwrap_or_default();
                    format!("{subtask}.{operator}.{state}{}", sample.name)
                }
                _ => format!("{subtask}.{}", sample.name),
            }
        }
        _ => return None,
    };
    Some(values(name, &sample.value))
}

/// A name as a part of a metric's.
fn plain(name: &str) -> String {
    let each = name.chars();
    each.map(|c| if " .:,".contains(c) { '_' } else { c })
        .collect()
}

fn values(id: String, value: &Measured) -> Vec<MetricValue> {
    let number = |id: String, number: f64| MetricValue {
        id,
        number,
        text: format!("{number:?}"),
    };
    match value {
        Measured::Integer(value) => vec![MetricValue {
            id,
            number: *value as f64,
            text: value.to_string(),
        }],
        Measured::Number(value) => vec![number(id, *value)],
        Measured::Distribution(summary) => {
            let mut all = vec![
                MetricValue {
                    id: format!("{id}_count"),
                    number: summary.count as f64,
                    text: summary.count.to_string(),
                },
                number(format!("{id}_min"), summary.min),
                number(format!("{id}_max"), summary.max),
                number(format!("{id}_mean"), summary.mean),
            ];
            for (quantile, value) in QUANTILES.iter().zip(summary.quantiles) {
                let name = match quantile {
                    q if *q == 0.5 => "median".to_owned(),
                    q => format!("p{}", (q * 1000.0).round())
                        .trim_end_matches('0')
                        .to_owned(),
                };
                all.push(number(format!("{id}_{name}"), value));
            }
            all
        }
    }
}

/// All names, or the values of those that are asked for.
fn answer(found: Vec<MetricValue>, asked: &Asked) -> Answer {
    let wanted = asked.list("get");
    if asked.query("get").is_none() {
        let names = found.iter().map(|value| json!({ "id": value.id }));
        return Answer::Json(names.collect());
    }
    let given = found
        .iter()
        .filter(|value| wanted.contains(&value.id.as_str()));
    let given = given.map(|value| json!({ "id": value.id, "value": value.text }));
    Answer::Json(given.collect())
}

/// The same over several whose metrics have the same names.
fn aggregate(several: &[Vec<MetricValue>], asked: &Asked) -> Result<Answer, Refusal> {
    let wanted = asked.list("agg");
    if let Some(other) = wanted
        .iter()
        .find(|agg| !["min", "max", "avg", "sum"].contains(agg))
    {
        let message = format!("agg is '{other}'; it can be min, max, avg and sum");
        return Err(Refusal::BadRequest(message));
    }
    let mut names: Vec<&str> = Vec::new();
    for value in several.iter().flatten() {
        if !names.contains(&value.id.as_str()) {
            names.push(&value.id);
        }
    }
    if asked.query("get").is_none() {
        let names = names.iter().map(|name| json!({ "id": name }));
        return Ok(Answer::Json(names.collect()));
    }
    let get = asked.list("get");
    let all = names.iter().filter(|name| get.contains(name)).map(|name| {
        let of_name = several.iter().flatten().filter(|value| value.id == *name);
        let numbers: Vec<f64> = of_name.map(|value| value.number).collect();
        aggregated(name, &numbers, &wanted)
    });
    Ok(Answer::Json(Value::Array(all.collect())))
}

/// `GET /jobmanager/metrics`
pub(super) fn of_job_manager(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    Ok(answer(of(state, &Of::JobManager), asked))
}

/// `GET /taskmanagers/:taskmanagerid/metrics`
pub(super) fn of_task_manager(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    super::task_manager::known(asked)?;
    Ok(answer(of(state, &Of::TaskManager), asked))
}

/// `GET /taskmanagers/metrics`
pub(super) fn of_task_managers(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let wanted = asked.list("taskmanagers");
    if let Some(other) = wanted.iter().find(|id| **id != TASK_MANAGER) {
        return Err(Refusal::NotFound(format!("TaskManager {other} not found")));
    }
    aggregate(&[of(state, &Of::TaskManager)], asked)
}

/// `GET /jobs/:jobid/metrics`
pub(super) fn of_job(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let job = state.job(asked)?;
    Ok(answer(of(state, &Of::Job(job.id())), asked))
}

/// `GET /jobs/metrics`
pub(super) fn of_jobs(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let wanted = asked.list("jobs");
    let jobs = state.jobs();
    let jobs = jobs
        .iter()
        .map(|job| job.id())
        .filter(|id| wanted.is_empty() || wanted.contains(&id.to_string().as_str()));
    let each: Vec<_> = jobs.map(|id| of(state, &Of::Job(id))).collect();
    aggregate(&each, asked)
}

/// `GET /jobs/:jobid/vertices/:vertexid/metrics`
pub(super) fn of_vertex(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let job = state.job(asked)?;
    let vertex = vertex(&job, asked)?;
    Ok(answer(of(state, &Of::Vertex(job.id(), vertex.id)), asked))
}

/// A vertex's metrics, subtask by subtask, without the subtask's index.
fn by_subtask(state: &State, asked: &Asked) -> Result<Vec<Vec<MetricValue>>, Refusal> {
    let job = state.job(asked)?;
    let vertex = vertex(&job, asked)?;
    let mut each: Vec<Vec<MetricValue>> = Vec::new();
    each.resize_with(vertex.of.parallelism as usize, Vec::new);
    for mut value in of(state, &Of::Vertex(job.id(), vertex.id)) {
        let Some((subtask, name)) = value.id.split_once('.') else {
            continue;
        };
        let of_subtask = subtask.parse::<usize>().ok().and_then(|s| each.get_mut(s));
        if let Some(of_subtask) = of_subtask {
            value.id = name.to_owned();
            of_subtask.push(value);
        }
    }
    Ok(each)
}

/// `GET /jobs/:jobid/vertices/:vertexid/subtasks/:subtaskindex/metrics`
pub(super) fn of_subtask(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let text = asked.param("subtaskindex");
    let index = text.parse::<usize>();
    let index =
        index.map_err(|_| Refusal::BadRequest(format!("'{text}' is no subtask's index")))?;
    let mut each = by_subtask(state, asked)?;
    if index >= each.len() {
        let message = format!("subtask {index}: the vertex has {}", each.len());
        return Err(Refusal::NotFound(message));
    }
    Ok(answer(each.swap_remove(index), asked))
}

/// `GET /jobs/:jobid/vertices/:vertexid/subtasks/metrics`
pub(super) fn of_subtasks(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let each = by_subtask(state, asked)?;
    let ranges = asked.list("subtasks");
    let mut chosen = Vec::new();
    for (index, values) in each.into_iter().enumerate() {
        if ranges.is_empty() || within(&ranges, index)? {
            chosen.push(values);
        }
    }
    aggregate(&chosen, asked)
}

/// Whether a number is in a list of numbers and ranges: `0,2-4`.
fn within(ranges: &[&str], index: usize) -> Result<bool, Refusal> {
    for range in ranges {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let (Ok(from), Ok(to)) = (from.trim().parse::<usize>(), to.trim().parse::<usize>()) else {
            let message = format!("subtasks: '{range}' is no number and no range such as 0-3");
            return Err(Refusal::BadRequest(message));
        };
        if (from..=to).contains(&index) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use rheos_runtime::metrics::user::Summary;

    use super::*;

    #[test]
    fn names_are_flink_s() {
        assert_eq!(plain("sink-sessions: Writer"), "sink-sessions__Writer");
        let summary = Summary {
            count: 3,
            ..Summary::default()
        };
        let names = values("x".to_owned(), &Measured::Distribution(summary));
        let names: Vec<_> = names.iter().map(|value| value.id.as_str()).collect();
        assert_eq!(
            names,
            [
                "x_count", "x_min", "x_max", "x_mean", "x_median", "x_p75", "x_p95", "x_p98",
                "x_p99", "x_p999"
            ]
        );
        assert_eq!(
            values("y".to_owned(), &Measured::Number(0.0))[0].text,
            "0.0"
        );
        assert_eq!(values("y".to_owned(), &Measured::Integer(0))[0].text, "0");
    }

    #[test]
    fn ranges_are_read() {
        assert!(within(&["0", "2-4"], 3).unwrap());
        assert!(!within(&["0", "2-4"], 1).unwrap());
        assert!(within(&["x"], 1).is_err());
    }
}
