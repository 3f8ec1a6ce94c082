//! How windows of one size and slide divide event time into panes.
//!
//! A pane is the time between two neighbouring edges of windows, so each window is a run of whole
//! panes and a row has one pane, however many windows it has. With size a multiple of the slide
//! there is one pane a slide, else two; where the size is below the slide, what lies between two
//! windows is a gap, which is no pane.
//!
//! ```text
//! windows   [────────────)            size 5, slide 2
//!               [────────────)
//!                   [────────────)
//! panes     [·)[·)[·)[·)[·)[·)[·)
//! ```

use rheos_core::time::{Millis, cleanup_time};

use super::window::{TimeWindow, Window};

/// Windows of `size` milliseconds that start every `slide`, `offset` off the epoch.
#[derive(Debug)]
pub struct Slices<W> {
    /// Length of a window; positive.
    pub size: Millis,
    /// Distance of their starts; positive.
    pub slide: Millis,
    /// Where they start, relative to the epoch.
    pub offset: Millis,
    /// The window of an interval.
    pub window: fn(TimeWindow) -> W,
}

impl<W> Clone for Slices<W> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<W> Copy for Slices<W> {}

/// The time between two edges, and what is to be known of the windows that it is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub start: Millis,
    pub end: Millis,
    /// Greatest timestamp of the first window that it is part of.
    pub first_max: Millis,
    /// Start of the first one.
    pub first: Millis,
    /// Start of the last one.
    pub last: Millis,
    /// When the last one is cleaned up.
    pub cleanup: Millis,
}

impl<W: Window> Slices<W> {
    /// The span that a timestamp lies in; none in a gap between windows.
    pub(crate) fn span_of(&self, timestamp: Millis, lateness: Millis) -> Option<Span> {
        let start = slide_start(timestamp, self.offset, self.slide);
        let into = timestamp.saturating_sub(start);
        let cut = self.size % self.slide;
        let end = start.saturating_add(self.slide);
        let (from, to) = match cut {
            0 => (start, end),
            cut if into < cut => (start, start.saturating_add(cut)),
            _ if self.size < self.slide => return None,
            cut => (start.saturating_add(cut), end),
        };
        // How many windows before the last one hold the span too.
        let before = start.saturating_add(self.size).saturating_sub(to) / self.slide;
        let first = start.saturating_sub(before.saturating_mul(self.slide));
        Some(Span {
            start: from,
            end: to,
            first_max: self.max_of(first),
            first,
            last: start,
            cleanup: cleanup_time(self.max_of(start), lateness),
        })
    }

    /// The greatest timestamp of the window that starts there.
    pub(crate) fn max_of(&self, start: Millis) -> Millis {
        TimeWindow::of(start, self.size).max_timestamp()
    }

    /// The window that starts there.
    pub(crate) fn window_at(&self, start: Millis) -> W {
        (self.window)(TimeWindow::of(start, self.size))
    }
}

/// The start of the slide that holds `timestamp`: floor division, in 64 bits where they do.
#[inline]
pub(crate) fn slide_start(timestamp: Millis, offset: Millis, slide: Millis) -> Millis {
    match timestamp.checked_sub(offset) {
        Some(from_offset) => timestamp.saturating_sub(from_offset.rem_euclid(slide)),
        None => rheos_core::time::window_start(timestamp, offset, slide),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The windows of a timestamp as Flink lists them.
    fn windows_of(slices: &Slices<TimeWindow>, timestamp: Millis) -> Vec<Millis> {
        let mut starts = Vec::new();
        let mut start = slide_start(timestamp, slices.offset, slices.slide);
        while start > timestamp - slices.size {
            starts.push(start);
            start -= slices.slide;
        }
        starts.reverse();
        starts
    }

    #[test]
    fn every_timestamp_of_a_span_has_the_windows_from_its_first_to_its_last() {
        for (size, slide) in [(5, 2), (6, 3), (4, 4), (3, 7), (7, 5), (10, 3), (1, 1)] {
            for offset in [-1, 0, 1] {
                let slices = Slices::<TimeWindow> {
                    size,
                    slide,
                    offset,
                    window: |window| window,
                };
                for timestamp in -30..30 {
                    let windows = windows_of(&slices, timestamp);
                    let span = slices.span_of(timestamp, 0);
                    let Some(span) = span else {
                        assert!(windows.is_empty(), "{size}/{slide}/{offset} at {timestamp}");
                        continue;
                    };
                    assert!(span.start <= timestamp && timestamp < span.end);
                    for within in span.start..span.end {
                        assert_eq!(windows_of(&slices, within), windows);
                    }
                    assert_eq!(windows.first(), Some(&span.first));
                    assert_eq!(windows.last(), Some(&span.last));
                }
            }
        }
    }
}
