//! What can be wrong with a job before it starts, and how a run can end.

use std::fmt;
use std::sync::Arc;

use rheos_cluster::JobError;
use rheos_runtime::BoxError;

/// Something wrong with one operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The operator's name.
    pub operator: String,
    /// What is wrong, and the way out.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operator '{}' {}", self.operator, self.message)
    }
}

/// Why a job did not start or did not finish.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The job is not sound: mend what each line names.
    #[error("{}", lines(.0))]
    Job(Vec<Problem>),
    /// The job has no operators: add a source and a sink.
    #[error("the job has no operators: add a source and a sink")]
    Empty,
    /// The configuration can't be used: mend the keys that are named.
    #[error("{0}")]
    Configuration(String),
    /// What the job does before it runs failed: see what it says.
    #[error("before the run: {0}")]
    Preparation(BoxError),
    /// The job ran and did not finish.
    #[error(transparent)]
    Run(Arc<JobError>),
    /// The job has nothing left to do: it had run to its end before. To run it again, start it from
    /// nothing.
    #[error(
        "job '{job}' has finished, says {location}: there is nothing to do; to run it again, resume \
         from none"
    )]
    Finished {
        /// The job's name.
        job: String,
        /// Where its checkpoints are.
        location: String,
    },
    /// The job has ended while this JobManager stood by: there is nothing to do here.
    #[error("job '{job}' has ended while this JobManager stood by: {how}")]
    OverElsewhere {
        /// The job's name.
        job: String,
        /// How, and where.
        how: String,
    },
    /// The session that the job was submitted to does not let it begin: see why.
    #[error("job '{job}' may not begin: {why}")]
    Refused {
        /// The job's name.
        job: String,
        /// What it says.
        why: String,
    },
    /// One of several JobManagers was told to end, by this signal, and has not run the job to a good end.
    #[error("told to end by signal {0}: another JobManager may go on with the job")]
    Interrupted(i32),
    /// The system refused something.
    #[error("{what}: {error}")]
    System {
        /// What was attempted.
        what: String,
        /// What the system said.
        error: std::io::Error,
    },
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

impl From<JobError> for ApiError {
    fn from(error: JobError) -> Self {
        Self::Run(Arc::new(error))
    }
}

impl From<Arc<JobError>> for ApiError {
    fn from(error: Arc<JobError>) -> Self {
        Self::Run(error)
    }
}
