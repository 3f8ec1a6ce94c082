//! Columns of text.

use std::fmt::Write as _;

/// Rows under a heading, each column as wide as its widest cell; a column whose heading begins with `>`
/// has its cells at the right.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let bare = |heading: &str| heading.trim_start_matches('>').to_owned();
    let columns = |text: &str| text.chars().count();
    let mut widths: Vec<usize> = headings.iter().map(|h| columns(&bare(h))).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = columns(cell).max(*width);
        }
    }
    let mut text = String::new();
    let mut line = |cells: &[String]| {
        let mut line = String::new();
        for ((cell, width), heading) in cells.iter().zip(&widths).zip(headings) {
            let pad = " ".repeat(width.saturating_sub(columns(cell)));
            match heading.starts_with('>') {
                true => line.push_str(&format!("{pad}{cell}  ")),
                false => line.push_str(&format!("{cell}{pad}  ")),
            }
        }
        // Writing to a string can't fail.
        let _ = writeln!(text, "{}", line.trim_end());
    };
    let heading: Vec<String> = headings.iter().map(|h| bare(h)).collect();
    line(&heading);
    for row in rows {
        line(row);
    }
    text
}

/// Bytes as people read them.
pub(crate) fn bytes(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if size < 1024.0 {
            return match unit {
                "B" => format!("{bytes} B"),
                unit => format!("{size:.1} {unit}"),
            };
        }
        size /= 1024.0;
    }
    format!("{size:.1} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [
            vec!["a".to_owned(), "1".to_owned(), "x".to_owned()],
            vec!["long".to_owned(), "100".to_owned(), String::new()],
        ];
        let expected = "name    n  more\na       1  x\nlong  100\n";
        assert_eq!(table(&["name", ">n", "more"], &rows), expected);
        assert_eq!((bytes(17), bytes(1536)), ("17 B".into(), "1.5 KiB".into()));
    }
}
