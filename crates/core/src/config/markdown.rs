//! The table of all keys, as the documentation shows it.

use std::fmt::Write as _;

use super::known::{FAMILIES, Family, KnownOption, SECTIONS, Verdict};

/// The verdict tables in Markdown. `docs/configuration.md` holds them between two comments, and a
/// test compares.
pub fn render_markdown() -> String {
    let mut out = String::new();
    for section in SECTIONS {
        let _ = writeln!(out, "### {}\n", section.title);
        let _ = writeln!(
            out,
            "| Key | Old spellings | Default | Answer |\n|---|---|---|---|"
        );
        for option in section.options {
            row(&mut out, option);
        }
        out.push('\n');
    }
    let _ = writeln!(out, "### Families of keys\n");
    let _ = writeln!(
        out,
        "| Prefix | Keys that the tables do not have |\n|---|---|"
    );
    for Family { prefix, verdict } in FAMILIES {
        let answer = verdict.map_or_else(|| "error".to_owned(), answer);
        let _ = writeln!(out, "| `{prefix}` | {answer} |");
    }
    out
}

fn row(out: &mut String, option: &KnownOption) {
    let old: Vec<String> = option
        .old_keys
        .iter()
        .map(|key| format!("`{key}`"))
        .collect();
    let default = match (option.our_default, option.flink_default) {
        (Some(ours), "") => format!("`{ours}`"),
        (Some(ours), flink) => format!("`{ours}` (Flink: `{flink}`)"),
        (None, "") => String::new(),
        (None, flink) => format!("`{flink}`"),
    };
    let (key, old) = (option.key, old.join(", "));
    let _ = writeln!(
        out,
        "| `{key}` | {old} | {default} | {} |",
        answer(option.verdict)
    );
}

fn answer(verdict: Verdict) -> String {
    match verdict {
        Verdict::Honoured => "**honoured**".into(),
        Verdict::Later(area) => format!("not yet: {area}"),
        Verdict::NoMeaning(reason) => format!("no meaning: {reason}"),
    }
}
