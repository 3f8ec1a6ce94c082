//! `docs/metrics.md` holds the tables that the code holds.
//!
//! `UPDATE_DOCS=1 cargo test -p rheos-runtime --test metrics_docs` writes them anew.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use rheos_runtime::metrics::metric::render_markdown;

const BEGIN: &str = "<!-- metrics: begin, written by a test -->\n\n";
const END: &str = "\n<!-- metrics: end -->";

#[test]
fn the_tables_of_metrics_are_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once(BEGIN).unwrap();
    let (tables, tail) = rest.split_once(END).unwrap();
    let fresh = render_markdown();
    let fresh = fresh.trim_end();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{head}{BEGIN}{fresh}\n{END}{tail}")).unwrap();
    } else {
        assert!(
            tables.trim_end() == fresh,
            "docs/metrics.md is out of date: run \
             `UPDATE_DOCS=1 cargo test -p rheos-runtime --test metrics_docs`"
        );
    }
}
