//! A view in words and bars. Pure.

use std::fmt::Write as _;

use super::number;
use super::view::{EventTime, VertexView, View};

/// Columns of a chain's name.
const NAME: usize = 36;
/// Cells of a bar.
const BAR: usize = 20;
/// Chains that a frame shows at most.
const MOST_VERTICES: usize = 12;

/// The lines of a live display.
pub fn frame(view: &View) -> Vec<String> {
    let mut lines = vec![
        format!("── {} · {} ", view.job, number::duration(view.seconds)),
        format!("   {}", figures(view)),
    ];
    for vertex in view.vertices.iter().take(MOST_VERTICES) {
        lines.push(format!("   {}", vertex_line(vertex)));
    }
    let hidden = view.vertices.len().saturating_sub(MOST_VERTICES);
    if hidden > 0 {
        lines.push(format!("   … and {hidden} more"));
    }
    lines.push(match &view.bottleneck {
        Some(bottleneck) => format!("   {bottleneck}"),
        None => "   nothing holds it up".to_owned(),
    });
    if let Some(growth) = &view.growth {
        lines.push(format!("   {growth}"));
    }
    lines
}

/// A view in one line of a log.
pub fn line(view: &View) -> String {
    let mut line = format!("{}: {}", number::duration(view.seconds), figures(view));
    if let Some(bottleneck) = &view.bottleneck {
        // Writing to a string can't fail.
        let _ = write!(line, "; {bottleneck}");
    }
    if let Some(growth) = &view.growth {
        let _ = write!(line, "; {growth}");
    }
    line
}

fn figures(view: &View) -> String {
    let mut text = format!(
        "{} events/s · {} read",
        number::rate(view.rows_per_second),
        number::grouped(view.read)
    );
    match view.event_time {
        EventTime::Unknown => {}
        EventTime::At(at) => {
            let _ = write!(text, " · watermark {}", number::date(at));
        }
        EventTime::Ended => text.push_str(" · input ended"),
    }
    if let Some(windows) = view.windows {
        let _ = write!(text, " · {} windows fired", number::grouped(windows));
    }
    let _ = write!(text, " · {} late", number::grouped(view.late));
    text
}

fn vertex_line(vertex: &VertexView) -> String {
    let name = shortened(&vertex.name, NAME);
    format!(
        "{name:<NAME$} ×{:<3} {} {:>3.0} % busy {:>3.0} % back-pressured {:>12}/s",
        vertex.parallelism,
        bar(vertex.busy, vertex.back_pressured),
        vertex.busy * 100.0,
        vertex.back_pressured * 100.0,
        number::rate(vertex.rows_per_second),
    )
}

/// Busy, then back-pressured, then idle.
fn bar(busy: f64, back_pressured: f64) -> String {
    let cells = |share: f64| ((share * BAR as f64).round() as usize).min(BAR);
    let busy_cells = cells(busy);
    let held = cells(busy + back_pressured).saturating_sub(busy_cells);
    let idle = BAR - busy_cells - held;
    format!(
        "{}{}{}",
        "█".repeat(busy_cells),
        "▒".repeat(held),
        "·".repeat(idle)
    )
}

/// A chain's name in so many columns: its head, and what is at its end if not all of it fits.
pub(super) fn shortened(name: &str, columns: usize) -> String {
    if name.chars().count() <= columns {
        return name.to_owned();
    }
    let (head, tail) = match (name.split_once(" -> "), name.rsplit_once(" -> ")) {
        (Some((head, _)), Some((_, tail))) => (head, tail),
        _ => (name, ""),
    };
    let both = format!("{head} … {tail}");
    if !tail.is_empty() && both.chars().count() <= columns {
        return both;
    }
    let mut cut: String = name.chars().take(columns.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use rheos_cluster::bottleneck::{Bottleneck, Cause};

    use super::*;

    fn view() -> View {
        let vertex = |name: &str, busy, back_pressured| VertexView {
            name: name.to_owned(),
            parallelism: 2,
            busy,
            back_pressured,
            rows_per_second: 1_000.0,
        };
        View {
            job: "flights".to_owned(),
            seconds: 83.2,
            rows_per_second: 1_000.4,
            read: 1_234_567,
            event_time: EventTime::At(1_367_670_800_000),
            windows: Some(4_321),
            late: 12,
            vertices: vec![
                vertex(
                    "Source: flights -> event-filter -> event-enrichment",
                    0.05,
                    0.95,
                ),
                vertex("postgres-sink", 0.998, 0.0),
            ],
            bottleneck: Some(Bottleneck {
                vertex: 1,
                vertex_name: "postgres-sink".to_owned(),
                busy: 998.0,
                rows: 1_000.0,
                cause: Cause::Sink,
                holds_up: true,
            }),
            growth: Some("state 'seen' of 'session' grows".to_owned()),
        }
    }

    #[test]
    fn a_frame_shows_the_pace_the_chains_and_what_holds_them_up() {
        let frame = frame(&view());
        assert_eq!(
            frame,
            [
                "── flights · 1:23 min ",
                "   1,000 events/s · 1,234,567 read · watermark 2013-05-04 12:33:20 · 4,321 windows \
                 fired · 12 late",
                "   Source: flights … event-enrichment   ×2   █▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒   5 % busy  95 % \
                 back-pressured        1,000/s",
                "   postgres-sink                        ×2   ████████████████████ 100 % busy   0 % \
                 back-pressured        1,000/s",
                "   'postgres-sink' limits the job to 1,000 rows/s: busy 998 ms/s writing, and what \
                 feeds it is back-pressured; the sink, or the system behind it, sets the pace",
                "   state 'seen' of 'session' grows",
            ]
        );
    }

    #[test]
    fn a_line_says_it_in_one() {
        let line = line(&view());
        assert!(
            line.starts_with("1:23 min: 1,000 events/s · 1,234,567 read"),
            "{line}"
        );
        assert!(line.contains("; 'postgres-sink' limits the job"), "{line}");
    }

    #[test]
    fn long_names_keep_head_and_tail() {
        assert_eq!(shortened("a -> b", 10), "a -> b");
        assert_eq!(
            shortened("read -> filter -> map -> write", 14),
            "read … write"
        );
        assert_eq!(shortened("a-very-long-single-name", 10), "a-very-lo…");
    }
}
