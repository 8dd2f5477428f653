//! JSON that is plain: read from its bytes without objects for what is in it.
//!
//! Always true:
//!   what is read here is what Python's json would read, and what is written what it would write, to the byte
//!   what might not be is not read at all: names with escapes, numbers with exponents, members that stand twice

mod escapes;

use std::borrow::Cow;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyInt, PyList, PyString};

const DEPTH_MAX: usize = 32;
/// Members of an object, each of which is compared with all before it.
const MEMBERS_MAX: usize = 32;
/// Digits of whole numbers.
const DIGITS_MAX: usize = 18;
/// Digits of numbers with a fraction, of which a double keeps each.
const FLOAT_DIGITS_MAX: usize = 15;
/// Zeros behind the point, before the first other digit of a number below one, that Python writes without exponent.
const LEADING_ZEROS_MAX: usize = 3;
const WORDS: [&str; 3] = ["true", "false", "null"];

/// The object of texts, whole numbers, truth values and nulls that stands in `data`; None where it is not as plain as
/// that, or no JSON.
#[pyfunction]
pub(crate) fn flat_json<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Option<Bound<'py, PyDict>>> {
    let Some(members) = std::str::from_utf8(data).ok().and_then(flat_members) else { return Ok(None) };
    let object = PyDict::new(py);
    for (name, value) in members {
        match value {
            Flat::Null => object.set_item(name, py.None())?,
            Flat::Truth(truth) => object.set_item(name, truth)?,
            Flat::Number(number) => object.set_item(name, number)?,
            Flat::Text(text) => object.set_item(name, text)?,
        }
    }
    Ok(Some(object))
}

/// A value of plain dicts, lists, texts, whole numbers, truth values and nulls as JSON without space, as Python's
/// encoder writes it without `ensure_ascii`; None for any other.
#[pyfunction]
pub(crate) fn compact_json<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let mut out = Vec::with_capacity(512);
    let is_plain = write_plain(value, &mut out, 0)?;
    Ok(is_plain.then(|| PyBytes::new(value.py(), &out)))
}

/// False where the value is not plain.
fn write_plain(value: &Bound<'_, PyAny>, out: &mut Vec<u8>, depth: usize) -> PyResult<bool> {
    if depth > DEPTH_MAX {
        return Ok(false);
    }
    if let Ok(text) = value.cast_exact::<PyString>() {
        return Ok(write_text(text, out));
    }
    if value.is_none() {
        out.extend_from_slice(b"null");
    } else if let Ok(truth) = value.cast_exact::<PyBool>() {
        out.extend_from_slice(if truth.is_true() { b"true" } else { b"false" });
    } else if let Ok(number) = value.cast_exact::<PyInt>() {
        let Ok(number) = number.extract::<i64>() else { return Ok(false) };
        out.extend_from_slice(number.to_string().as_bytes());
    } else if let Ok(members) = value.cast_exact::<PyDict>() {
        out.push(b'{');
        for (at, (name, member)) in members.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            let Ok(name) = name.cast_exact::<PyString>() else { return Ok(false) };
            if !write_text(name, out) {
                return Ok(false);
            }
            out.push(b':');
            if !write_plain(&member, out, depth + 1)? {
                return Ok(false);
            }
        }
        out.push(b'}');
    } else if let Ok(items) = value.cast_exact::<PyList>() {
        out.push(b'[');
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            if !write_plain(&item, out, depth + 1)? {
                return Ok(false);
            }
        }
        out.push(b']');
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// False for a text that is no UTF-8: half a character.
fn write_text(text: &Bound<'_, PyString>, out: &mut Vec<u8>) -> bool {
    let Ok(text) = text.to_str() else { return false };
    out.push(b'"');
    escapes::write(text, out);
    out.push(b'"');
    true
}

#[derive(Debug, PartialEq, Eq)]
enum Flat<'a> {
    Null,
    Truth(bool),
    Number(i64),
    Text(Cow<'a, str>),
}

fn flat_members(text: &str) -> Option<Vec<(&str, Flat<'_>)>> {
    let mut reader = Reader::new(text);
    let mut seen = Members::default();
    let mut found = Vec::new();
    reader.space();
    let mut is_open = reader.opens(b'{', b'}')?;
    while is_open {
        let name = reader.member()?;
        seen.add(name)?;
        found.push((name, reader.flat()?));
        is_open = reader.goes_on(b'}')?;
    }
    reader.ends().then_some(found)
}

/// A value, with what it is made of.
#[derive(Debug, Clone)]
pub(crate) enum Json<'a> {
    /// `true`, `false` or `null`.
    Word(&'static str),
    /// A whole number.
    Number(&'a str),
    Text(Text<'a>),
    Array(Vec<Json<'a>>),
    Object(Vec<(&'a str, Json<'a>)>),
}

/// What is between quotes; its own where there were escapes in it.
#[derive(Debug, Clone)]
pub(crate) struct Text<'a>(Cow<'a, str>);

impl<'a> Text<'a> {
    /// What it says; None where there are escapes in it.
    pub(crate) fn plain(&self) -> Option<&'a str> {
        match self.0 {
            Cow::Borrowed(text) => Some(text),
            Cow::Owned(_) => None,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        match &self.0 {
            Cow::Borrowed(text) => out.extend_from_slice(text.as_bytes()),
            Cow::Owned(text) => escapes::write(text, out),
        }
        out.push(b'"');
    }
}

impl Json<'_> {
    /// Writes it without space.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Json::Word(word) => out.extend_from_slice(word.as_bytes()),
            Json::Number(digits) => out.extend_from_slice(digits.as_bytes()),
            Json::Text(text) => text.write(out),
            Json::Array(values) => {
                out.push(b'[');
                for (at, value) in values.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    value.write(out);
                }
                out.push(b']');
            }
            Json::Object(members) => {
                out.push(b'{');
                for (at, (name, value)) in members.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    out.push(b'"');
                    out.extend_from_slice(name.as_bytes());
                    out.extend_from_slice(b"\":");
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }
}

/// Names of an object's members.
#[derive(Default)]
pub(crate) struct Members<'a>(Vec<&'a str>);

impl<'a> Members<'a> {
    /// Notes one; None when it stands there twice, or there are too many to tell.
    pub(crate) fn add(&mut self, name: &'a str) -> Option<()> {
        if self.0.len() == MEMBERS_MAX || self.0.contains(&name) {
            return None;
        }
        self.0.push(name);
        Some(())
    }
}

/// Reads a text from its beginning on.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// At the beginning of a text.
    pub(crate) fn new(text: &'a str) -> Reader<'a> {
        Reader { text, at: 0 }
    }

    /// Whether nothing but space is left.
    pub(crate) fn ends(&mut self) -> bool {
        self.space();
        self.at == self.text.len()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// A literal.
    pub(crate) fn word(&mut self, word: &str) -> Option<()> {
        self.text[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    /// Skips space.
    pub(crate) fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// The beginning of an object or array; whether there is something in it.
    pub(crate) fn opens(&mut self, open: u8, close: u8) -> Option<bool> {
        self.eat(open)?;
        self.space();
        Some(self.eat(close).is_none())
    }

    /// What follows an element; whether there is another.
    pub(crate) fn goes_on(&mut self, close: u8) -> Option<bool> {
        self.space();
        if self.eat(close).is_some() {
            return Some(false);
        }
        self.eat(b',')?;
        self.space();
        Some(true)
    }

    /// The name of a member, and the colon behind it.
    pub(crate) fn member(&mut self) -> Option<&'a str> {
        let (name, has_escapes) = self.raw_string()?;
        self.space();
        self.eat(b':')?;
        self.space();
        (!has_escapes).then_some(name)
    }

    /// What is between quotes, as it stands there, and whether there are escapes in it.
    pub(crate) fn raw_string(&mut self) -> Option<(&'a str, bool)> {
        self.eat(b'"')?;
        let begin = self.at;
        let mut bytes = self.text.as_bytes()[begin..].iter();
        let mut has_escapes = false;
        loop {
            match *bytes.next()? {
                b'"' => break,
                b'\\' => {
                    has_escapes = true;
                    // The digits behind a u are looked at by who reads it: none of them ends the text.
                    matches!(*bytes.next()?, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u')
                        .then_some(())?;
                }
                0..0x20 => return None,
                _ => {}
            }
        }
        self.at = self.text.len() - bytes.len();
        Some((&self.text[begin..self.at - 1], has_escapes))
    }

    /// A text.
    pub(crate) fn string(&mut self) -> Option<Cow<'a, str>> {
        let (raw, has_escapes) = self.raw_string()?;
        Some(if has_escapes { Cow::Owned(escapes::read(raw)?) } else { Cow::Borrowed(raw) })
    }

    fn flat(&mut self) -> Option<Flat<'a>> {
        match self.peek()? {
            b'"' => Some(Flat::Text(self.string()?)),
            b'-' | b'0'..=b'9' => {
                let mut digits = Vec::new();
                self.number(&mut digits)?;
                Some(Flat::Number(std::str::from_utf8(&digits).ok()?.parse().ok()?))
            }
            _ if self.word("true").is_some() => Some(Flat::Truth(true)),
            _ if self.word("false").is_some() => Some(Flat::Truth(false)),
            _ => self.word("null").map(|()| Flat::Null),
        }
    }

    /// Passes over a value.
    pub(crate) fn skip(&mut self) -> Option<()> {
        self.value(&mut Vec::new(), 0)
    }

    /// A value as it is written: without space.
    pub(crate) fn value(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        match self.peek()? {
            b'"' => self.copy_string(out),
            b'{' => self.object(out, depth),
            b'[' => self.array(out, depth),
            b'-' | b'0'..=b'9' => self.number(out),
            _ => {
                let word = WORDS.into_iter().find(|word| self.word(word).is_some())?;
                out.extend_from_slice(word.as_bytes());
                Some(())
            }
        }
    }

    fn object(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        let mut seen = Members::default();
        let mut is_open = self.opens(b'{', b'}')?;
        out.push(b'{');
        while is_open {
            let name = self.member()?;
            seen.add(name)?;
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            self.value(out, depth + 1)?;
            is_open = self.goes_on(b'}')?;
            if is_open {
                out.push(b',');
            }
        }
        out.push(b'}');
        Some(())
    }

    fn array(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        let mut is_open = self.opens(b'[', b']')?;
        out.push(b'[');
        while is_open {
            self.value(out, depth + 1)?;
            is_open = self.goes_on(b']')?;
            if is_open {
                out.push(b',');
            }
        }
        out.push(b']');
        Some(())
    }

    fn copy_string(&mut self, out: &mut Vec<u8>) -> Option<()> {
        self.text()?.write(out);
        Some(())
    }

    fn text(&mut self) -> Option<Text<'a>> {
        self.string().map(Text)
    }

    /// A value with all that is in it, where the numbers are whole.
    pub(crate) fn tree(&mut self, depth: usize) -> Option<Json<'a>> {
        if depth > DEPTH_MAX {
            return None;
        }
        match self.peek()? {
            b'"' => Some(Json::Text(self.text()?)),
            b'{' => {
                let mut members = Vec::new();
                let mut seen = Members::default();
                let mut is_open = self.opens(b'{', b'}')?;
                while is_open {
                    let name = self.member()?;
                    seen.add(name)?;
                    members.push((name, self.tree(depth + 1)?));
                    is_open = self.goes_on(b'}')?;
                }
                Some(Json::Object(members))
            }
            b'[' => {
                let mut values = Vec::new();
                let mut is_open = self.opens(b'[', b']')?;
                while is_open {
                    values.push(self.tree(depth + 1)?);
                    is_open = self.goes_on(b']')?;
                }
                Some(Json::Array(values))
            }
            b'-' | b'0'..=b'9' => {
                let begin = self.at;
                self.number(&mut Vec::new())?;
                let digits = &self.text[begin..self.at];
                (!digits.contains('.')).then_some(Json::Number(digits))
            }
            _ => WORDS.into_iter().find(|word| self.word(word).is_some()).map(Json::Word),
        }
    }

    /// A number that is written as it stands there.
    pub(crate) fn number(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let begin = self.at;
        let is_negative = self.eat(b'-').is_some();
        let whole = self.digits();
        let fraction = if self.eat(b'.').is_some() { Some(self.digits()) } else { None };
        if matches!(self.peek(), Some(b'e' | b'E'))
            || whole.is_empty()
            || (whole.len() > 1 && whole.starts_with('0'))
        {
            return None;
        }
        let is_kept = match fraction {
            None => whole.len() <= DIGITS_MAX && !(is_negative && whole == "0"),
            Some(fraction) => {
                let zeros = fraction.len() - fraction.trim_start_matches('0').len();
                let is_shortest = fraction == "0" || (!fraction.is_empty() && !fraction.ends_with('0'));
                let is_small = whole == "0" && fraction != "0" && zeros > LEADING_ZEROS_MAX;
                is_shortest && !is_small && whole.len() + fraction.len() <= FLOAT_DIGITS_MAX
            }
        };
        out.extend_from_slice(&self.text.as_bytes()[begin..self.at]);
        is_kept.then_some(())
    }

    fn digits(&mut self) -> &'a str {
        let begin = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        &self.text[begin..self.at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_objects_are_read() {
        let text = r#" {"a": "\"x\\n\n\/", "b" : -12, "c":true,"d":null , "e": false} "#;
        let read = flat_members(text).unwrap();
        let names: Vec<&str> = read.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["a", "b", "c", "d", "e"]);
        assert_eq!(read[0].1, Flat::Text("\"x\\n\n/".into()));
        assert_eq!(read[1].1, Flat::Number(-12));
        assert_eq!(
            (&read[2].1, &read[3].1, &read[4].1),
            (&Flat::Truth(true), &Flat::Null, &Flat::Truth(false))
        );
    }

    #[test]
    fn what_is_not_flat_is_left() {
        for text in [
            r#"{"a": []}"#,
            r#"{"a": 1.5}"#,
            r#"{"a": "\ud800"}"#,
            r#"{"a": 1, "a": 2}"#,
            r#"{"a": 1} {}"#,
            r#"{"a": nul}"#,
            r#"{"a": 1,}"#,
            r#"["a"]"#,
            r#"{"a": 12345678901234567890}"#,
        ] {
            assert_eq!(flat_members(text), None, "{text}");
        }
    }

    fn written(text: &str) -> Option<String> {
        let mut reader = Reader::new(text);
        let mut out = Vec::new();
        reader.value(&mut out, 0)?;
        reader.ends().then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn what_is_written_is_what_was_read_without_space() {
        let text = "{ \"a\" : [ 1 , -2.5, 0.0001, true,null ], \"ü\" : \"\\n\\/\\\\/\\\"\" , \"b\": {} } ";
        let kept = "{\"a\":[1,-2.5,0.0001,true,null],\"ü\":\"\\n/\\\\/\\\"\",\"b\":{}}";
        assert_eq!(written(text).as_deref(), Some(kept));
    }

    #[test]
    fn escapes_by_number_are_written_as_python_writes_them() {
        for (text, kept) in [
            (r#""\u0041\u00e9\u20AC\ud83d\ude00\u007f""#, Some("\"Aé€😀\u{7f}\"")),
            (r#""\u0000\u001f\u000a\u0022\u005c\u002f""#, Some(r#""\u0000\u001f\n\"\\/""#)),
            (r#""\ud800""#, None),
            (r#""\ud800\u0041""#, None),
            (r#""\udc00\ud800""#, None),
            (r#""\ud83dx\ude00""#, None),
            (r#""\u12""#, None),
            (r#""\u+123""#, None),
            (r#""\u""#, None),
        ] {
            assert_eq!(written(text).as_deref(), kept, "{text}");
        }
    }

    #[test]
    fn what_python_would_write_otherwise_or_refuse_is_not_read() {
        for text in [
            "1e5",
            "1.50",
            "-0",
            "0.00001",
            "{\"a\":1,\"a\":2}",
            "{\"a\\n\":1}",
            "1234567.123456789",
            "01",
            "1.",
            "NaN",
            "\"a\nb\"",
            "1234567890123456789",
            "[1,]",
            "+1",
            "nul",
            "{} {}",
            "é",
        ] {
            assert_eq!(written(text), None, "{text}");
        }
        assert_eq!(written(&format!("{}{}", "[".repeat(40), "]".repeat(40))), None, "so deep");
    }
}
