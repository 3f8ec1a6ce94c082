//! Which failures pass by themselves, which are a row's, and which end the job.

use tokio_postgres::Error;

/// What a failure means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// It passes: the server is away, overloaded or was in another's way. Whether what was asked for
    /// has happened is not known when the connection is gone.
    Passing(String),
    /// A row is wrong: it breaks a constraint, or a value is none of its column's type.
    Row(String),
    /// It will not pass: mend what it says.
    Fatal(String),
}

/// Classes of SQLSTATE (the first two characters) and single codes; PostgreSQL's appendix A.
const PASSING: &[&str] = &[
    "08", "40", "53", "57P01", "57P02", "57P03", "57P05", "57014", "55P03", "55006", "25006", "58",
    "XX000",
];
const OF_A_ROW: &[&str] = &["22", "23", "44"];

pub(super) fn fault(error: &Error) -> Fault {
    let Some(db) = error.as_db_error() else {
        // A value that the client could not write is none that the server has been asked about.
        let text = told(error);
        return if text.starts_with("error serializing") {
            Fault::Row(text)
        } else if error.is_closed() || is_io(error) {
            Fault::Passing(text)
        } else {
            Fault::Fatal(text)
        };
    };
    let code = db.code().code();
    let is = |list: &[&str]| list.iter().any(|begin| code.starts_with(begin));
    let mut text = format!("{} (SQLSTATE {code})", db.message());
    if let Some(detail) = db.detail() {
        text = format!("{text}: {detail}");
    }
    if let Some(hint) = db.hint() {
        text = format!("{text}; {hint}");
    }
    if is(OF_A_ROW) {
        Fault::Row(text)
    } else if is(PASSING) {
        Fault::Passing(text)
    } else {
        Fault::Fatal(text)
    }
}

fn is_io(error: &Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            // What TLS refuses stays refused.
            return io.kind() != std::io::ErrorKind::InvalidData;
        }
        source = cause.source();
    }
    // What the client itself says when a connection could not be made in time.
    told(error).starts_with("error connecting")
}

/// An error with its causes, in a line.
fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
