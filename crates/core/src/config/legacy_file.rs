//! `flink-conf.yaml` of Flink 1.x: not YAML but lines `key: value`, read as Flink's own parser
//! reads them.
//!
//! A `#` begins a comment wherever it stands, the first `: ` divides key and value, and a line
//! that is not such a pair is skipped. Flink logs the latter and says nothing of a cut value; here
//! both become notes.

/// What a line gave.
pub(super) enum Line {
    /// A key with a value.
    Pair {
        /// The line, from 1.
        number: usize,
        key: String,
        value: String,
    },
    /// Something that its author should know.
    Note {
        /// The line, from 1.
        number: usize,
        text: String,
    },
}

/// Whether the text uses what only YAML has: an indented line below a key without a value.
pub(super) fn is_nested(text: &str) -> bool {
    let mut below_key = false;
    for line in text.lines() {
        let content = line.split('#').next().unwrap_or("").trim_end();
        if content.is_empty() {
            continue;
        }
        if below_key && content.starts_with([' ', '\t', '-']) {
            return true;
        }
        below_key = content.ends_with(':');
    }
    false
}

/// Reads all lines.
pub(super) fn parse(text: &str) -> impl Iterator<Item = Line> {
    text.trim_start_matches('\u{feff}')
        .lines()
        .enumerate()
        .flat_map(|(i, line)| pair(i + 1, line))
}

fn pair(number: usize, line: &str) -> Vec<Line> {
    let (content, comment) = match line.split_once('#') {
        Some((content, _)) => (content, true),
        None => (line, false),
    };
    let cut = comment && content.ends_with(|c: char| !c.is_whitespace());
    let content = content.trim();
    if content.is_empty() || content == "---" {
        return Vec::new();
    }
    let note = |text: String| vec![Line::Note { number, text }];
    let Some((key, value)) = content.split_once(": ") else {
        // Only what stands before a colon is shown: the rest may be a secret.
        return match content.split_once(':') {
            Some((key, "")) => note(format!("`{key}` has no value; the line is skipped")),
            Some((key, _)) => note(format!(
                "`{key}` is skipped: a space is missing after its colon; write `{key}: value`"
            )),
            None => note("the line is skipped: it is not `key: value`".into()),
        };
    };
    let (key, value) = (key.trim(), value.trim());
    if key.is_empty() || value.is_empty() {
        return note("the line is skipped: its key or value is empty".into());
    }
    let mut lines = vec![Line::Pair {
        number,
        key: key.into(),
        value: value.into(),
    }];
    if cut {
        lines.push(Line::Note {
            number,
            text: format!(
                "the value of `{key}` ends at a `#`, which begins a comment in this format; \
                 `config.yaml` takes it in quotes"
            ),
        });
    }
    lines
}
