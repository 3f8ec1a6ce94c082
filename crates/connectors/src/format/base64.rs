//! Base64 with the standard alphabet and padding: how text formats hold bytes.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn digit(bits: u32) -> u8 {
    ALPHABET
        .get((bits & 0x3f) as usize)
        .copied()
        .unwrap_or(b'=')
}

fn bits(digit: u8) -> Option<u32> {
    Some(u32::from(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

/// Appends the text of `bytes`.
pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    for group in bytes.chunks(3) {
        let byte = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        let pad = |i: usize, digit: u8| if i <= group.len() { digit } else { b'=' };
        out.extend_from_slice(&[
            digit(word >> 18),
            digit(word >> 12),
            pad(2, digit(word >> 6)),
            pad(3, digit(word)),
        ]);
    }
}

/// Replaces `out` with the bytes of `text`, whose padding may be missing; false if it is no base64.
pub(crate) fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let end = text
        .iter()
        .rposition(|byte| *byte != b'=')
        .map_or(0, |last| last + 1);
    let (digits, padding) = text.split_at(end);
    if padding.len() > 2 || digits.len() % 4 == 1 {
        return false;
    }
    for group in digits.chunks(4) {
        let mut word = 0;
        for digit in group {
            let Some(bits) = bits(*digit) else {
                return false;
            };
            word = word << 6 | bits;
        }
        word <<= 6 * (4 - group.len());
        let [_, a, b, c] = word.to_be_bytes();
        out.extend([a, b, c].iter().take(group.len() - 1));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = Vec::new();
            encode(bytes.as_bytes(), &mut out);
            assert_eq!(out, text.as_bytes());
            assert!(decode(text.as_bytes(), &mut out));
            assert_eq!(out, bytes.as_bytes());
        }
    }

    #[test]
    fn text_that_is_none_is_refused() {
        let mut out = Vec::new();
        for text in ["Z", "Zg=a", "Zm9v!", "Zg==="] {
            assert!(!decode(text.as_bytes(), &mut out), "{text}");
        }
    }
}
