//! What stands between quotes, with escapes and without.

/// The text that stands there so; None where it is none, for half of a character is escaped.
pub(super) fn read(raw: &str) -> Option<String> {
    // By the byte: what is escaped is ASCII, and schemas are full of it.
    let mut text = Vec::with_capacity(raw.len());
    let mut left = raw.as_bytes();
    while let [byte, rest @ ..] = left {
        left = rest;
        if *byte != b'\\' {
            text.push(*byte);
            continue;
        }
        let [escaped, rest @ ..] = left else { return None };
        left = rest;
        text.push(match escaped {
            b'b' => 0x8,
            b'f' => 0xc,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let character = by_number(&mut left)?;
                text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            itself => *itself,
        });
    }
    String::from_utf8(text).ok()
}

/// The character of four digits, or of twice four as UTF-16 has it; None for half of one, which is no text.
fn by_number(left: &mut &[u8]) -> Option<char> {
    let first = unit(left)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first);
    }
    *left = left.strip_prefix(b"\\u")?;
    let second = unit(left)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    char::from_u32(0x10000 + ((first - 0xd800) << 10) + second)
}

fn unit(left: &mut &[u8]) -> Option<u32> {
    let (digits, rest) = left.split_at_checked(4)?;
    *left = rest;
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

/// Writes a text as Python does without `ensure_ascii`.
pub(super) fn write(text: &str, out: &mut Vec<u8>) {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0x8 => b"\\b",
            0xc => b"\\f",
            0..0x20 => b"",
            _ => continue,
        };
        out.extend_from_slice(&text.as_bytes()[from..at]);
        if escape.is_empty() {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        } else {
            out.extend_from_slice(escape);
        }
        from = at + 1;
    }
    out.extend_from_slice(&text.as_bytes()[from..]);
}
