//! Whose certificate it is: the subject's distinguished name, as text.
//!
//! The text is that of RFC 2253, as Java gives it to Kafka's brokers, so that one set of rules makes principals of names
//! there and here: the last part first, the few short names that the RFC has, everything else by its number, in hex.
//!
//! Always true:
//!   whatever the bytes are, reading them ends, and takes no more than they have

use std::fmt::Write;

/// A value's tag, what is in it, and all of it.
struct Value<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
}

/// Reads values of DER, one after the other.
struct Values<'a>(&'a [u8]);

impl<'a> Iterator for Values<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let (&[tag, first], rest) = self.0.split_first_chunk()?;
        let (length, head) = match first {
            0..=0x7f => (usize::from(first), 2),
            // Nothing in a certificate is longer than four bytes of length can say.
            0x81..=0x84 => {
                let bytes = rest.get(..usize::from(first & 0x7f))?;
                let length = bytes.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
                (length, 2 + bytes.len())
            }
            _ => return None,
        };
        let end = head.checked_add(length)?;
        let whole = self.0.get(..end)?;
        self.0 = &self.0[end..];
        Some(Value { tag, content: &whole[head..], whole })
    }
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// Explicit tag of a certificate's version, which the oldest have not.
const VERSION: u8 = 0xa0;

/// The name of the subject of a certificate in DER. None where it is no certificate.
pub(crate) fn name(certificate: &[u8]) -> Option<String> {
    let signed = inside(Values(certificate).next()?, SEQUENCE)?.next()?;
    let mut fields = inside(signed, SEQUENCE)?.skip_while(|value| value.tag == VERSION);
    // Serial number, algorithm, issuer and validity come first.
    let subject = inside(fields.nth(4)?, SEQUENCE)?;
    let mut parts = Vec::new();
    for part in subject {
        let members: Option<Vec<String>> = inside(part, SET)?.map(member).collect();
        parts.push(members?.join("+"));
    }
    parts.reverse();
    Some(parts.join(","))
}

fn inside(value: Value<'_>, tag: u8) -> Option<Values<'_>> {
    (value.tag == tag).then_some(Values(value.content))
}

/// `CN=…`, or `1.2.3=#…`.
fn member(member: Value<'_>) -> Option<String> {
    let mut values = inside(member, SEQUENCE)?;
    let kind = values.next().filter(|kind| kind.tag == OBJECT_IDENTIFIER)?;
    let value = values.next()?;
    match (keyword(kind.content), text(&value)) {
        (Some(keyword), Some(text)) => Some(format!("{keyword}={}", escaped(&text))),
        (keyword, _) => {
            let mut written = keyword.map_or_else(|| dotted(kind.content), str::to_owned);
            written.push_str("=#");
            // Writing to a String can't fail.
            value.whole.iter().for_each(|byte| write!(written, "{byte:02x}").unwrap_or_default());
            Some(written)
        }
    }
}

/// The short names of RFC 2253.
fn keyword(kind: &[u8]) -> Option<&'static str> {
    match kind {
        [0x55, 4, 3] => Some("CN"),
        [0x55, 4, 6] => Some("C"),
        [0x55, 4, 7] => Some("L"),
        [0x55, 4, 8] => Some("ST"),
        [0x55, 4, 9] => Some("STREET"),
        [0x55, 4, 10] => Some("O"),
        [0x55, 4, 11] => Some("OU"),
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19] => Some("DC"),
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01] => Some("UID"),
        _ => None,
    }
}

/// The text of a value of one of the kinds of text that are still written.
fn text(value: &Value<'_>) -> Option<String> {
    match value.tag {
        // UTF8String, PrintableString, IA5String.
        0x0c | 0x13 | 0x16 => String::from_utf8(value.content.to_vec()).ok(),
        // T61String, which everybody writes as Latin-1.
        0x14 => Some(value.content.iter().map(|byte| char::from(*byte)).collect()),
        // BMPString.
        0x1e if value.content.len() % 2 == 0 => {
            let units = value.content.chunks_exact(2).map(|unit| u16::from_be_bytes([unit[0], unit[1]]));
            char::decode_utf16(units).collect::<Result<_, _>>().ok()
        }
        _ => None,
    }
}

fn escaped(text: &str) -> String {
    let last = text.chars().count().saturating_sub(1);
    let mut escaped = String::with_capacity(text.len());
    for (index, character) in text.chars().enumerate() {
        let special = matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';')
            || (character == '#' && index == 0)
            || (character == ' ' && (index == 0 || index == last));
        if special {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// An object identifier by its numbers.
fn dotted(kind: &[u8]) -> String {
    let mut numbers = Vec::new();
    let mut number = 0_u128;
    for byte in kind {
        number = number.wrapping_shl(7) | u128::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if numbers.is_empty() {
                let first = (number / 40).min(2);
                numbers.push(first.to_string());
                number -= first * 40;
            }
            numbers.push(number.to_string());
            number = 0;
        }
    }
    numbers.join(".")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
        let content = contents.concat();
        let mut whole = vec![tag];
        match content.len() {
            length @ 0..=0x7f => whole.push(length as u8),
            length => whole.extend([0x82, (length >> 8) as u8, length as u8]),
        }
        whole.extend(content);
        whole
    }

    fn part(kind: &[u8], tag: u8, text: &[u8]) -> Vec<u8> {
        let member = value(SEQUENCE, &[&value(OBJECT_IDENTIFIER, &[kind]), &value(tag, &[text])]);
        value(SET, &[&member])
    }

    fn certificate(subject: &[&[u8]]) -> Vec<u8> {
        let name = value(SEQUENCE, subject);
        let other = value(SEQUENCE, &[]);
        let version = value(VERSION, &[&value(2, &[&[2]])]);
        let serial = value(2, &[&[7]]);
        let signed = value(SEQUENCE, &[&version, &serial, &other, &other, &other, &name, &other]);
        value(SEQUENCE, &[&signed, &other])
    }

    #[test]
    fn name_has_the_last_part_first_and_what_is_special_escaped() {
        let subject = [
            part(&[0x55, 4, 6], 0x13, b"DE"),
            part(&[0x55, 4, 10], 0x0c, "Ü, \"Co\"+".as_bytes()),
            part(&[0x55, 4, 3], 0x0c, b" a#b "),
        ];
        let subject: Vec<&[u8]> = subject.iter().map(Vec::as_slice).collect();
        assert_eq!(name(&certificate(&subject)).unwrap(), "CN=\\ a#b\\ ,O=Ü\\, \\\"Co\\\"\\+,C=DE");
    }

    #[test]
    fn what_the_rfc_has_no_name_for_is_told_by_number_and_in_hex() {
        let email = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];
        let subject = part(&email, 0x16, b"a@b");
        let told = name(&certificate(&[&subject])).unwrap();
        assert_eq!(told, "1.2.840.113549.1.9.1=#1603614062");
        assert_eq!(name(&certificate(&[])).unwrap(), "");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            name(&bytes);
        }

        #[test]
        fn cut_certificates_are_none(at in 0_usize..60) {
            let whole = certificate(&[&part(&[0x55, 4, 3], 0x0c, b"a name of some length that is cut")]);
            prop_assert!(at >= whole.len() || name(&whole[..at]).is_none());
        }
    }
}
