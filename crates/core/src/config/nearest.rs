//! The nearest known key to one that is not known.
//!
//! A file may hold any number of keys of any length, each of which is compared with some thousand
//! spellings: a comparison is given up as soon as it can't come to less than what is looked for.

use super::known;

/// Bytes of a key that are compared; the longest known ones have far fewer.
const COMPARED: usize = 160;

/// Counts what comparing costs: entries of its tables that were worked out.
#[derive(Default)]
pub(super) struct Work(pub usize);

/// Edit distance with transpositions of neighbours (optimal string alignment), over bytes, if it is no
/// more than `limit`: two prefixes whose lengths differ by more than that are never looked at.
pub(super) fn distance(a: &[u8], b: &[u8], limit: usize, work: &mut Work) -> Option<usize> {
    let far = limit.saturating_add(1);
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut before: Vec<usize> = vec![far; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).map(|j| j.min(far)).collect();
    let mut row = before.clone();
    let mut previous = None;
    for (i, &x) in a.iter().enumerate() {
        let (from, to) = (i.saturating_sub(limit), b.len().min(i + 1 + limit));
        row.fill(far);
        if let Some(first) = row.first_mut() {
            *first = far.min(i + 1);
        }
        let mut least = row.first().copied().unwrap_or(far);
        for (j, &y) in b.iter().enumerate().take(to).skip(from) {
            let at = |row: &[usize], k: usize| row.get(k).copied().unwrap_or(far);
            let mut best = at(&last, j) + usize::from(x != y);
            best = best.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            if let Some(two) = j.checked_sub(1)
                && b.get(two) == Some(&x)
                && previous == Some(y)
            {
                best = best.min(at(&before, two) + 1);
            }
            work.0 += 1;
            least = least.min(best);
            if let Some(here) = row.get_mut(j + 1) {
                *here = best.min(far);
            }
        }
        if least > limit {
            return None;
        }
        std::mem::swap(&mut before, &mut last);
        std::mem::swap(&mut last, &mut row);
        previous = Some(x);
    }
    last.last().copied().filter(|&found| found <= limit)
}

/// The known key whose current or old spelling is nearest, and how far it is, if that is no more than
/// `limit`. Of a key that is longer than any known one, only the beginning is compared.
pub(super) fn nearest(key: &str, limit: usize, work: &mut Work) -> Option<(&'static str, usize)> {
    let (key, rest) = key.as_bytes().split_at(key.len().min(COMPARED));
    // No two that are compared are further apart.
    let mut limit = limit.checked_sub(rest.len())?.min(COMPARED);
    let mut found = None;
    for option in known::all() {
        for spelling in option.spellings() {
            let Some(distance) = distance(key, spelling.as_bytes(), limit, work) else {
                continue;
            };
            found = Some((option.key, distance + rest.len()));
            match distance.checked_sub(1) {
                Some(less) => limit = less,
                None => return found,
            }
        }
    }
    found
}
