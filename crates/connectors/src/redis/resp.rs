//! Commands and replies on the wire: RESP 2, which every version of Redis speaks.

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    Text(Vec<u8>),
    /// Its first word says which.
    Error(String),
    Integer(i64),
    Nil,
    List(Vec<Reply>),
}

impl Reply {
    /// The text, or nothing if it is none.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => String::from_utf8_lossy(text).into_owned(),
            _ => String::new(),
        }
    }
}

/// Appends a command.
pub(super) fn put_command<'a>(
    out: &mut Vec<u8>,
    arguments: impl ExactSizeIterator<Item = &'a [u8]>,
) {
    put_head(out, b'*', arguments.len());
    for argument in arguments {
        put_head(out, b'$', argument.len());
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }
}

fn put_head(out: &mut Vec<u8>, kind: u8, count: usize) {
    out.push(kind);
    out.extend_from_slice(count.to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Longest line, such as an error; what is longer is none of Redis's.
const LONGEST_LINE: usize = 64 * 1024;
/// Longest text, which is Redis's own bound.
pub(super) const LONGEST_TEXT: usize = 512 * 1024 * 1024;
/// Lists within lists.
const DEEPEST: usize = 8;

/// What bytes begin with: a reply and its length; none if it is not whole yet.
///
/// # Errors
/// What is no reply.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Reply, usize)>, String> {
    let mut rest = bytes;
    let reply = take(&mut rest, 0)?;
    Ok(reply.map(|reply| (reply, bytes.len() - rest.len())))
}

fn take(rest: &mut &[u8], depth: usize) -> Result<Option<Reply>, String> {
    let Some(end) = rest
        .windows(2)
        .take(LONGEST_LINE)
        .position(|w| w == b"\r\n")
    else {
        if rest.len() > LONGEST_LINE {
            return Err(format!("a line of more than {LONGEST_LINE} bytes"));
        }
        return Ok(None);
    };
    let (line, after) = rest.split_at(end);
    let after = after.get(2..).unwrap_or_default();
    let Some((kind, line)) = line.split_first() else {
        return Err("an empty line in place of a reply".to_owned());
    };
    let said = || String::from_utf8_lossy(line).into_owned();
    let number = || -> Result<i64, String> {
        let number = said().parse();
        number.map_err(|_| format!("'{}' in place of a number", said().escape_debug()))
    };
    *rest = after;
    Ok(Some(match kind {
        b'+' => Reply::Text(line.to_vec()),
        b'-' => Reply::Error(said()),
        b':' => Reply::Integer(number()?),
        b'$' => match usize::try_from(number()?) {
            Err(_) => Reply::Nil,
            Ok(length) if length > LONGEST_TEXT => {
                return Err(format!("a text of {length} bytes"));
            }
            Ok(length) => {
                let Some(text) = rest.get(..length) else {
                    return Ok(None);
                };
                match rest.get(length..length + 2) {
                    None => return Ok(None),
                    Some(b"\r\n") => {}
                    Some(_) => return Err("a text that does not end where it says".to_owned()),
                }
                let text = text.to_vec();
                *rest = rest.get(length + 2..).unwrap_or_default();
                Reply::Text(text)
            }
        },
        b'*' => match usize::try_from(number()?) {
            Err(_) => Reply::Nil,
            Ok(_) if depth == DEEPEST => return Err(format!("lists more than {DEEPEST} deep")),
            Ok(count) => {
                let mut list = Vec::new();
                for _ in 0..count {
                    let Some(reply) = take(rest, depth + 1)? else {
                        return Ok(None);
                    };
                    list.push(reply);
                }
                Reply::List(list)
            }
        },
        other => return Err(format!("a reply that begins with byte {other}")),
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_command_is_written_as_redis_wants_it() {
        let mut out = Vec::new();
        put_command(&mut out, [&b"SET"[..], b"a\r\n", b""].into_iter());
        assert_eq!(out, b"*3\r\n$3\r\nSET\r\n$3\r\na\r\n\r\n$0\r\n\r\n");
    }

    #[test]
    fn replies_are_read_once_they_are_whole() {
        let bytes = b"*5\r\n+OK\r\n-MOVED 1 h:1\r\n:-7\r\n$-1\r\n*1\r\n$3\r\na\r\n\r\n:1\r\n";
        let whole = Reply::List(vec![
            Reply::Text(b"OK".to_vec()),
            Reply::Error("MOVED 1 h:1".to_owned()),
            Reply::Integer(-7),
            Reply::Nil,
            Reply::List(vec![Reply::Text(b"a\r\n".to_vec())]),
        ]);
        let length = bytes.len() - 4;
        for short in 0..length {
            assert_eq!(parse(&bytes[..short]).unwrap(), None, "{short}");
        }
        assert_eq!(parse(bytes).unwrap(), Some((whole, length)));
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        let deep = b"*1\r\n".repeat(20);
        for wrong in [
            &b"HTTP/1.1 400\r\n"[..],
            b"\r\n",
            b"$x\r\n",
            b"$1\r\nabc",
            &deep,
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(parse(&vec![b'+'; LONGEST_LINE + 2]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, head in "[*$:+-][0-9]{0,20}\r\n") {
            let mut text = head.into_bytes();
            text.extend(bytes);
            let _ = parse(&text);
        }
    }
}
