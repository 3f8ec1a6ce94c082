//! The nearest known key to one that is not known.

use super::known;

/// Edit distance with transpositions of neighbours (optimal string alignment), over bytes.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let b = b.as_bytes();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (i, &x) in a.as_bytes().iter().enumerate() {
        let mut row = Vec::with_capacity(last.len());
        row.push(i + 1);
        for (j, &y) in b.iter().enumerate() {
            let at = |row: &[usize], k: usize| row.get(k).copied().unwrap_or(usize::MAX - 1);
            let mut best = at(&last, j) + usize::from(x != y);
            best = best.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = j > 0 && b.get(j - 1) == Some(&x) && previous == Some(y);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
        previous = Some(x);
    }
    last.last().copied().unwrap_or(0)
}

/// The known key whose current or old spelling is nearest, and how far it is.
pub(super) fn nearest(key: &str) -> Option<(&'static str, usize)> {
    let spelling = |option: &'static known::KnownOption| {
        option
            .spellings()
            .map(|known| distance(key, known))
            .min()
            .map(|d| (option.key, d))
    };
    known::all()
        .filter_map(spelling)
        .min_by_key(|(_, distance)| *distance)
}
