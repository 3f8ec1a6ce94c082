//! `docs/configuration.md` holds the table that the code holds.
//!
//! `UPDATE_DOCS=1 cargo test -p rheos-core --test vocabulary configuration_docs` writes it anew.

use std::path::Path;

use rheos_core::config::render_markdown;

const BEGIN: &str = "<!-- keys: begin, written by a test -->\n\n";
const END: &str = "\n<!-- keys: end -->";

#[test]
fn the_table_of_keys_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once(BEGIN).unwrap();
    let (table, tail) = rest.split_once(END).unwrap();
    let fresh = render_markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{head}{BEGIN}{fresh}{END}{tail}")).unwrap();
    } else {
        assert!(
            table == fresh,
            "docs/configuration.md is out of date: run \
             `UPDATE_DOCS=1 cargo test -p rheos-core --test vocabulary configuration_docs`"
        );
    }
}
