//! Dead letters for people.

use std::fmt::Write as _;

use rheos::monitor::number;

use super::letter::Letter;

/// Bytes of a message that are shown.
const SHOWN: usize = 512;

/// A letter in one line.
pub(super) fn line(letter: &Letter) -> String {
    let size = letter.value.as_ref().map_or(0, Vec::len);
    let error: String = letter.error.chars().take(100).collect();
    format!(
        "{:<28} {}  {size:>7} bytes  {error}",
        letter.id(),
        date(letter)
    )
}

fn date(letter: &Letter) -> String {
    letter
        .timestamp
        .map_or_else(|| format!("{:<19}", "-"), number::date)
}

/// All of a letter.
pub(super) fn full(letter: &Letter) -> String {
    let mut text = format!(
        "{}\n  time   {}\n  error  {}\n",
        letter.id(),
        date(letter),
        letter.error
    );
    for (name, value) in &letter.headers {
        // Writing to a string can't fail.
        let _ = writeln!(text, "  header {name}: {}", String::from_utf8_lossy(value));
    }
    for (name, bytes) in [("key", &letter.key), ("value", &letter.value)] {
        let _ = match bytes {
            None => writeln!(text, "  {name}  none"),
            Some(bytes) => writeln!(text, "  {name}  {} bytes\n{}", bytes.len(), dump(bytes)),
        };
    }
    text
}

/// Bytes in hexadecimal and as text, sixteen a line.
fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    let shown = bytes.get(..SHOWN.min(bytes.len())).unwrap_or_default();
    for (row, line) in shown.chunks(16).enumerate() {
        let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let plain: String = line
            .iter()
            .map(|byte| match byte {
                b' '..=b'~' => char::from(*byte),
                _ => '.',
            })
            .collect();
        let _ = writeln!(text, "    {:06x}  {:<47}  {plain}", row * 16, hex.join(" "));
    }
    if bytes.len() > SHOWN {
        let _ = writeln!(text, "    … and {} more", bytes.len() - SHOWN);
    }
    text
}

/// How many letters there are of each topic and error, the most first. Errors that differ in numbers
/// only are one.
#[derive(Debug, Default)]
pub(super) struct Groups(std::collections::BTreeMap<(String, String), u64>);

/// Groups that are shown.
const MOST: usize = 20;

impl Groups {
    pub fn count(&mut self, letter: &Letter) {
        let mut error = String::new();
        for c in letter.error.chars().take(100) {
            match c {
                '0'..='9' if error.ends_with('#') => {}
                '0'..='9' => error.push('#'),
                c => error.push(c),
            }
        }
        *self.0.entry((letter.topic.clone(), error)).or_default() += 1;
    }

    pub fn text(&self) -> String {
        let mut groups: Vec<_> = self.0.iter().collect();
        groups.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let mut text = String::new();
        for ((topic, error), count) in groups.iter().take(MOST) {
            let _ = writeln!(text, "{count:>10}  {topic}: {error}");
        }
        if groups.len() > MOST {
            let _ = writeln!(text, "            … and {} more kinds", groups.len() - MOST);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(error: &str) -> Letter {
        Letter {
            topic: "events".into(),
            partition: 1,
            offset: 7,
            timestamp: Some(0),
            key: None,
            value: Some(b"ab\x00cdefghijklmnopq".to_vec()),
            headers: vec![("trace".into(), b"1".to_vec())],
            error: error.into(),
        }
    }

    #[test]
    fn a_letter_is_shown_with_its_bytes() {
        assert_eq!(
            full(&letter("too short")),
            "events/1/7\n  time   1970-01-01 00:00:00\n  error  too short\n  header trace: 1\n  key  \
             none\n  value  18 bytes\n    \
             000000  61 62 00 63 64 65 66 67 68 69 6a 6b 6c 6d 6e 6f  ab.cdefghijklmno\n    \
             000010  70 71                                            pq\n\n"
        );
        assert!(line(&letter("too short")).ends_with("18 bytes  too short"));
    }

    #[test]
    fn errors_that_differ_in_numbers_are_one_kind() {
        let mut groups = Groups::default();
        for error in ["schema 17 is unknown", "schema 4 is unknown", "cut off"] {
            groups.count(&letter(error));
        }
        assert_eq!(
            groups.text(),
            "         2  events: schema # is unknown\n         1  events: cut off\n"
        );
    }
}
