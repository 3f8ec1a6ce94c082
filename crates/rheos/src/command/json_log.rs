//! A log line as a flat JSON object, under the names of the Elastic Common Schema where it has them, so
//! that a log shipper indexes it without a filter.
//!
//! `@timestamp`, `log.level`, `message`, `log.logger`, `process.thread.name`, `ecs.version`; what the
//! line's thread works on, as `job`, `operator`, `subtask` and `attempt`; and the line's own fields, of
//! which `error` is `error.message`. Invariant: a value is a text, a number or a boolean, and a name has
//! one type.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// The version of the schema whose names are used.
const ECS: &str = "8.11.0";

/// See the [module](self).
pub(super) struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let metadata = event.metadata();
        let mut line = Map::new();
        let mut put =
            |name: &str, value: String| line.insert(name.to_owned(), Value::String(value));
        put("@timestamp", time);
        put("log.level", metadata.level().as_str().to_ascii_lowercase());
        // Its place is here, whether or not the event has one.
        put("message", String::new());
        put("log.logger", metadata.target().to_owned());
        put("ecs.version", ECS.to_owned());
        let thread = std::thread::current();
        if let Some(thread) = thread.name() {
            put("process.thread.name", thread.to_owned());
        }
        for span in context
            .event_scope()
            .into_iter()
            .flat_map(|s| s.from_root())
        {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>();
            // What a span had that is no JSON was not written by this program's formatter.
            let fields =
                fields.and_then(|f| serde_json::from_str::<Map<String, Value>>(&f.fields).ok());
            for (name, value) in fields.into_iter().flatten() {
                line.insert(name_of(&name).to_owned(), flat(value));
            }
        }
        event.record(&mut Fields(&mut line));
        let text = serde_json::to_string(&line).map_err(|_| fmt::Error)?;
        writeln!(writer, "{text}")
    }
}

/// A name that is an object in the schema can't be a text too.
fn name_of(name: &str) -> &str {
    match name {
        "error" => "error.message",
        name => name,
    }
}

/// A value that holds values, as text.
fn flat(value: Value) -> Value {
    match value {
        Value::Array(_) | Value::Object(_) => Value::String(value.to_string()),
        value => value,
    }
}

/// The fields of an event.
struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(name_of(field.name()).to_owned(), value);
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::from(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::from(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::String(format!("{value:?}")));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::fmt::format::JsonFields;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Written {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn a_line_is_flat_and_says_where_it_comes_from() {
        let written = Written::default();
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(JsonFields::new())
            .event_format(JsonLines)
            .with_writer(written.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let slot = tracing::info_span!("slot", job = "flights", attempt = 2);
            let _slot = slot.enter();
            let task = tracing::info_span!("task", operator = "map \"x\"", subtask = 3);
            task.in_scope(|| tracing::warn!(error = %"two\nlines", bytes = 7, "it {}", "fails"));
            tracing::info!(many = ?[1, 2]);
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let [failed, other] = lines.as_slice() else {
            panic!("two lines are expected:\n{text}");
        };
        for (name, value) in [
            ("log.level", Value::from("warn")),
            ("message", "it fails".into()),
            ("error.message", "two\nlines".into()),
            ("job", "flights".into()),
            ("attempt", 2.into()),
            ("operator", "map \"x\"".into()),
            ("subtask", 3.into()),
            ("bytes", 7.into()),
        ] {
            assert_eq!(failed[name], value, "{name} of {failed}");
        }
        assert_eq!(failed.get("error"), None);
        assert_eq!(
            (&other["many"], &other["message"]),
            (&"[1, 2]".into(), &"".into())
        );
        assert_eq!(other.get("operator"), None);
    }
}
