//! Why a job could not start or did not finish, as it is told at the end of a run.

use std::error::Error;
use std::fmt::Write as _;

use rheos_cluster::JobError;
use rheos_runtime::TaskError;

use crate::error::ApiError;

/// The error with what caused it, a line each: operator, subtask and cause come first.
pub(super) fn told(error: &(dyn Error + 'static)) -> String {
    let mut text = format!("{error}\n");
    let mut cause = of_user(error).unwrap_or(error).source();
    while let Some(error) = cause {
        let said = error.to_string();
        // Many errors say their cause in their own words.
        if !text.contains(&said) {
            // Writing to a string can't fail.
            let _ = writeln!(text, "  caused by: {said}");
        }
        cause = error.source();
    }
    text
}

/// What the user's code, the source or the sink said.
fn of_user<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let ApiError::Run(error) = error.downcast_ref::<ApiError>()? else {
        return None;
    };
    let error = match error.as_ref() {
        JobError::Task(error) => error,
        JobError::Source { error, .. } => return Some(error.as_ref()),
        _ => return None,
    };
    match error.as_ref() {
        TaskError::User { error, .. }
        | TaskError::Source { error, .. }
        | TaskError::Sink { error, .. } => Some(error.as_ref()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rheos_core::id::Place;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the look-up failed")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn operator_subtask_and_causes_are_told() {
        let error = TaskError::User {
            place: Place {
                operator: "lookup".to_owned(),
                subtask: 1,
                parallelism: 2,
            },
            error: Box::new(Outer(std::io::Error::other("no route"))),
        };
        let error = ApiError::from(JobError::Task(Box::new(error)));
        assert_eq!(
            told(&error),
            "lookup (2/2): the look-up failed\n  caused by: no route\n"
        );
    }
}
