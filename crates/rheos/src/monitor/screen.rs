//! The bottom lines of the terminal.
//!
//! The terminal is told to scroll only what is above them, so whatever else is written, by the log or
//! by the job on stdout, goes by as ever. A frame is one write, which no other can cut in two.
//! Invariant: once [`leave`] has returned, the terminal scrolls as it did before.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::sync::{Mutex, TryLockError};

/// The rows of the terminal, and how many of them are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    rows: usize,
    taken: usize,
}

/// What has been taken of the process's terminal: there is one for all jobs.
static TAKEN: Mutex<Option<Layout>> = Mutex::new(None);

/// Whether stderr is a terminal that lines can be kept at the bottom of.
pub fn is_there() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    std::io::stderr().is_terminal() && !dumb && size().is_some()
}

/// Rows and columns.
fn size() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then(|| (size.ws_row.into(), size.ws_col.into()))
}

/// Draws lines at the bottom of the terminal, in place of those drawn before.
pub fn draw(lines: &[String]) {
    let Some((rows, columns)) = size() else {
        return;
    };
    let mut taken = TAKEN
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let layout = Layout {
        rows,
        taken: lines.len().min(rows / 2),
    };
    let mut text = String::new();
    if *taken != Some(layout) {
        text.push_str(&taken.map_or_else(String::new, release));
        text.push_str(&take(layout));
        *taken = Some(layout);
    }
    text.push_str(&frame(layout, columns, lines));
    put(&text);
}

/// Gives the terminal back; nothing if it was never taken.
pub fn leave() {
    // From the thread of a second signal the lock may be held by a frame that is being drawn.
    let mut taken = match TAKEN.try_lock() {
        Ok(taken) => taken,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return put("\x1b7\x1b[r\x1b8"),
    };
    if let Some(layout) = taken.take() {
        put(&release(layout));
    }
}

/// Nothing can be done about a terminal that has gone.
fn put(text: &str) {
    let _gone = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Makes room, and keeps scrolling above it. Setting the region moves the cursor, hence 7 and 8.
fn take(layout: Layout) -> String {
    let Layout { rows, taken } = layout;
    let room = "\n".repeat(taken);
    format!(
        "{room}\x1b[{taken}A\x1b7\x1b[1;{}r\x1b8",
        rows.saturating_sub(taken).max(1)
    )
}

/// Clears the lines, and scrolls everywhere again.
fn release(layout: Layout) -> String {
    let first = layout.rows.saturating_sub(layout.taken) + 1;
    format!("\x1b7\x1b[r\x1b[{first};1H\x1b[J\x1b8")
}

fn frame(layout: Layout, columns: usize, lines: &[String]) -> String {
    let first = layout.rows.saturating_sub(layout.taken) + 1;
    let mut text = String::from("\x1b7");
    for (line, row) in lines.iter().take(layout.taken).zip(first..) {
        let cut: String = line.chars().take(columns).collect();
        // Writing to a string can't fail.
        let _ = write!(text, "\x1b[{row};1H\x1b[2K{cut}");
    }
    text.push_str("\x1b8");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_stands_in_the_last_rows_and_is_cut_at_the_edge() {
        let layout = Layout { rows: 24, taken: 2 };
        let lines = ["one two".to_owned(), "three".to_owned()];
        assert_eq!(
            frame(layout, 5, &lines),
            "\x1b7\x1b[23;1H\x1b[2Kone t\x1b[24;1H\x1b[2Kthree\x1b8"
        );
        assert_eq!(take(layout), "\n\n\x1b[2A\x1b7\x1b[1;22r\x1b8");
        assert_eq!(release(layout), "\x1b7\x1b[r\x1b[23;1H\x1b[J\x1b8");
    }
}
