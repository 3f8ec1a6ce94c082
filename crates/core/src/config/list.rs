//! Lists and maps in one line of text, with Flink's quoting.
//!
//! A list is separated by `;`, a map is `key:value` pairs separated by `,`. A part that holds a
//! separator is put in single or double quotes, in which the quote itself is doubled. The flow
//! forms of YAML, `[a, b]` and `{k: v}`, are read too.

use std::collections::BTreeMap;

/// Splits at `separator` where it stands outside quotes; parts are trimmed and still quoted.
/// `None` if a quote is never closed.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let (mut start, mut quote, mut may_open) = (0, None, true);
    for (at, c) in text.char_indices() {
        match quote {
            Some(q) if c == q => quote = None,
            Some(_) => {}
            None if c == separator => {
                parts.push(text.get(start..at)?.trim());
                start = at + c.len_utf8();
                may_open = true;
            }
            // A doubled quote closes and opens again, which comes to the same.
            None if matches!(c, '\'' | '"') && may_open => quote = Some(c),
            None if c.is_whitespace() => {}
            None => may_open = matches!(c, ';' | ',' | ':'),
        }
    }
    if quote.is_some() {
        return None;
    }
    parts.push(text.get(start..)?.trim());
    parts.retain(|part| !part.is_empty());
    Some(parts)
}

fn unquote(part: &str) -> String {
    for quote in ['\'', '"'] {
        let inner = part
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote));
        if let Some(inner) = inner {
            let doubled: String = [quote, quote].iter().collect();
            return inner.replace(&doubled, quote.encode_utf8(&mut [0; 4]));
        }
    }
    part.to_owned()
}

/// Puts `part` in quotes if a list or map would break it.
pub(super) fn quote(part: &str) -> String {
    let plain = !part.is_empty()
        && part.trim() == part
        && !part.starts_with(['\'', '"', '[', '{'])
        && !part.contains([';', ',']);
    if plain {
        part.to_owned()
    } else {
        format!("'{}'", part.replace('\'', "''"))
    }
}

/// The parts of a list; `None` if a quote is never closed.
pub(super) fn parse_list(text: &str) -> Option<Vec<String>> {
    let text = text.trim();
    let flow = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let parts = match flow {
        Some(inner) => split(inner, ',')?,
        None => split(text, ';')?,
    };
    Some(parts.into_iter().map(unquote).collect())
}

/// The pairs of a map; `None` if a quote is never closed or a pair has no colon.
pub(super) fn parse_map(text: &str) -> Option<BTreeMap<String, String>> {
    let text = text.trim();
    let flow = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    let mut map = BTreeMap::new();
    for pair in split(flow.unwrap_or(text), ',')? {
        let mut halves = split(pair, ':')?.into_iter();
        let key = halves.next()?;
        let value = match (halves.next(), halves.next()) {
            (Some(value), None) => unquote(value),
            // What follows the first colon is the value: `url:http://host:80`.
            (Some(_), Some(_)) => pair.split_once(':')?.1.trim().to_owned(),
            (None, _) => return None,
        };
        map.insert(unquote(key), value);
    }
    Some(map)
}
