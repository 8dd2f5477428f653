//! Records as API v3 has them in JSON, where they are plain: keys and values of formats without a schema.
//!
//! Always true:
//!   what is read here comes to the very bytes that Python's reading would come to; all else is left to it

use std::borrow::Cow;
use std::collections::HashSet;

use base64::engine::general_purpose::STANDARD;
use base64::Engine;

use super::time;
use crate::json::{Members, Reader};

/// Records of a request; one with more is left to Python, which sees to others between them.
const RECORDS_MAX: usize = 1_000;
const HEADERS_MAX: usize = 1_000;
const ENTRY_ID_BYTES_MAX: usize = 80;

/// Formats without a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Binary,
    Json,
    String,
}

impl Kind {
    /// As requests call it, in whatever case.
    fn named(name: &str) -> Option<Kind> {
        let is_called = |kind: &Kind| name.eq_ignore_ascii_case(kind.name());
        [Kind::Binary, Kind::Json, Kind::String].into_iter().find(is_called)
    }

    /// Its name in requests and replies.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Binary => "BINARY",
            Kind::Json => "JSON",
            Kind::String => "STRING",
        }
    }
}

/// A key or a value; None is null.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part(pub(crate) Option<(Kind, Vec<u8>)>);

impl Part {
    /// The bytes that are written.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        self.0.as_ref().map(|(_, bytes)| bytes.as_slice())
    }
}

/// A header's name and value.
pub(crate) type PlainHeader<'a> = (Cow<'a, str>, Option<Vec<u8>>);

/// A record. Its key and value are None where the request has none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PlainRecord<'a> {
    pub(crate) partition: Option<i32>,
    /// In milliseconds since the Unix epoch.
    pub(crate) timestamp: Option<i64>,
    pub(crate) key: Option<Part>,
    pub(crate) value: Option<Part>,
    pub(crate) headers: Vec<PlainHeader<'a>>,
}

/// The record that a whole object stands for; None where it is not plain, or nothing that can be read.
pub(crate) fn record(object: &[u8]) -> Option<PlainRecord<'_>> {
    let mut reader = Reader::new(std::str::from_utf8(object).ok()?);
    reader.space();
    let found = one(&mut reader, |_, reader| reader.skip())?;
    reader.ends().then_some(found)
}

/// The records of a body, one behind the other; None where there is none, or one is not plain.
pub(crate) fn records(body: &[u8]) -> Option<Vec<PlainRecord<'_>>> {
    let mut reader = Reader::new(std::str::from_utf8(body).ok()?);
    let mut found = Vec::new();
    while !reader.ends() {
        found.push(one(&mut reader, |_, reader| reader.skip())?);
        (found.len() <= RECORDS_MAX).then_some(())?;
    }
    (!found.is_empty()).then_some(found)
}

/// The records of a batch, and what they are called; as [`records`].
pub(crate) fn entries(body: &[u8]) -> Option<(Vec<String>, Vec<PlainRecord<'_>>)> {
    let mut reader = Reader::new(std::str::from_utf8(body).ok()?);
    reader.space();
    reader.opens(b'{', b'}')?.then_some(())?;
    (reader.member()? == "entries").then_some(())?;
    let (mut names, mut found, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    let mut is_open = reader.opens(b'[', b']')?;
    while is_open {
        let mut name = None;
        found.push(one(&mut reader, |member, reader| match member {
            "id" => {
                name = Some(reader.raw_string()?.0);
                Some(())
            }
            _ => reader.skip(),
        })?);
        let name = name.filter(|name| is_entry_id(name) && seen.insert(*name))?;
        names.push(name.to_owned());
        (found.len() <= RECORDS_MAX).then_some(())?;
        is_open = reader.goes_on(b']')?;
    }
    let is_whole = !found.is_empty() && !reader.goes_on(b'}')? && reader.ends();
    is_whole.then_some((names, found))
}

fn is_entry_id(name: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=ENTRY_ID_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_good)
}

/// A record; `other` sees to members that it does not have.
fn one<'a, F>(reader: &mut Reader<'a>, mut other: F) -> Option<PlainRecord<'a>>
where
    F: FnMut(&'a str, &mut Reader<'a>) -> Option<()>,
{
    let mut found = PlainRecord::default();
    let mut seen = Members::default();
    let mut is_open = reader.opens(b'{', b'}')?;
    while is_open {
        let name = reader.member()?;
        seen.add(name)?;
        match name {
            "partition_id" => found.partition = partition(reader)?,
            "timestamp" => found.timestamp = time::timestamp(reader)?,
            "headers" => found.headers = headers(reader)?,
            "key" => found.key = part(reader)?,
            "value" => found.value = part(reader)?,
            _ => other(name, reader)?,
        }
        is_open = reader.goes_on(b'}')?;
    }
    Some(found)
}

fn partition(reader: &mut Reader<'_>) -> Option<Option<i32>> {
    if reader.word("null").is_some() {
        return Some(None);
    }
    let mut digits = Vec::new();
    reader.number(&mut digits)?;
    let partition: i32 = std::str::from_utf8(&digits).ok()?.parse().ok()?;
    (partition >= 0).then_some(Some(partition))
}

/// A key or value. What it has besides its type and data says something of schemas only.
fn part(reader: &mut Reader<'_>) -> Option<Option<Part>> {
    if reader.word("null").is_some() {
        return Some(None);
    }
    let mut seen = Members::default();
    let (mut kind, mut found, mut before) = (None, Part(None), None);
    let mut is_open = reader.opens(b'{', b'}')?;
    while is_open {
        let name = reader.member()?;
        seen.add(name)?;
        match name {
            "type" => kind = Some(Kind::named(reader.raw_string()?.0)?),
            "data" => match kind {
                Some(kind) => found = data(reader, kind)?,
                None => {
                    before = Some(reader.clone());
                    reader.skip()?;
                }
            },
            _ => reader.skip()?,
        }
        is_open = reader.goes_on(b'}')?;
    }
    let kind = kind?;
    if let Some(mut before) = before {
        found = data(&mut before, kind)?;
    }
    Some(Some(found))
}

fn data(reader: &mut Reader<'_>, kind: Kind) -> Option<Part> {
    if reader.word("null").is_some() {
        return Some(Part(None));
    }
    Some(Part(Some((kind, bytes(reader, kind)?))))
}

fn headers<'a>(reader: &mut Reader<'a>) -> Option<Vec<PlainHeader<'a>>> {
    let mut found = Vec::new();
    if reader.word("null").is_some() {
        return Some(found);
    }
    let mut is_open = reader.opens(b'[', b']')?;
    while is_open {
        found.push(header(reader)?);
        (found.len() <= HEADERS_MAX).then_some(())?;
        is_open = reader.goes_on(b']')?;
    }
    Some(found)
}

fn header<'a>(reader: &mut Reader<'a>) -> Option<PlainHeader<'a>> {
    let mut seen = Members::default();
    let (mut name, mut value) = (None, None);
    let mut is_open = reader.opens(b'{', b'}')?;
    while is_open {
        let member = reader.member()?;
        seen.add(member)?;
        match member {
            "name" => name = Some(reader.string()?),
            "value" if reader.word("null").is_some() => {}
            "value" => value = Some(bytes(reader, Kind::Binary)?),
            _ => reader.skip()?,
        }
        is_open = reader.goes_on(b'}')?;
    }
    Some((name?, value))
}

fn bytes(reader: &mut Reader<'_>, kind: Kind) -> Option<Vec<u8>> {
    match kind {
        Kind::String => Some(reader.string()?.into_owned().into_bytes()),
        Kind::Binary => STANDARD.decode(reader.string()?.as_bytes()).ok(),
        Kind::Json => {
            let mut compact = Vec::new();
            reader.value(&mut compact, 0)?;
            Some(compact)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_partitions_keys_and_values() {
        let key = r#"{"type": "BINARY", "data": "AAE="}"#;
        let text =
            format!(r#"{{"partition_id": 3, "key": {key}, "value": {{"type":"STRING","data":"a\tb"}}}}"#);
        let read = record(text.as_bytes()).unwrap();
        assert_eq!(read.partition, Some(3));
        assert_eq!(read.key, Some(Part(Some((Kind::Binary, vec![0, 1])))));
        assert_eq!(read.value, Some(Part(Some((Kind::String, b"a\tb".to_vec())))));
        assert_eq!(record(b"{}"), Some(PlainRecord::default()));
        let null = record(br#"{"key": null, "value": {"type": "JSON", "data": null}}"#).unwrap();
        assert_eq!((null.key, null.value), (None, Some(Part(None))));
    }

    #[test]
    fn records_have_headers_and_times() {
        let text =
            r#"{"headers": [{"name": "a"}, {"value": "AA==", "name": "b", "more": []}], "timestamp": 7}"#;
        let read = record(text.as_bytes()).unwrap();
        assert_eq!(read.headers, [(Cow::from("a"), None), (Cow::from("b"), Some(vec![0]))]);
        assert_eq!(read.timestamp, Some(7));
        let read = record(br#"{"headers": null, "timestamp": null, "more": {"a": [1]}}"#);
        assert_eq!(read, Some(PlainRecord::default()));
    }

    #[test]
    fn types_may_stand_behind_their_data() {
        for text in [
            r#"{"value": {"data": {"a": 1}, "type": "json"}}"#,
            r#"{"value": {"schema_id": 1, "data": {"a": 1}, "type": "Json"}}"#,
        ] {
            let read = record(text.as_bytes()).unwrap();
            assert_eq!(read.value, Some(Part(Some((Kind::Json, br#"{"a":1}"#.to_vec())))));
        }
    }

    #[test]
    fn bodies_have_several_records() {
        assert_eq!(records(b"{}{ }\r\n {} ").map(|found| found.len()), Some(3));
        for text in ["", " \n", "{},{}", "{} x", "[{}]", &"{}".repeat(RECORDS_MAX + 1)] {
            assert_eq!(records(text.as_bytes()), None, "{text}");
        }
        assert_eq!(records("{}".repeat(RECORDS_MAX).as_bytes()).map(|found| found.len()), Some(RECORDS_MAX));
    }

    #[test]
    fn batches_have_entries_with_names() {
        let text = br#" {"entries": [{"id": "a-1"}, {"value": {"type": "JSON"}, "id": "b_2"}]} "#;
        let (names, found) = entries(text).unwrap();
        assert_eq!(names, ["a-1", "b_2"]);
        assert_eq!((&found[0].value, &found[1].value), (&None, &Some(Part(None))));
        for text in [
            r#"{"entries": []}"#,
            r#"{"entries": [{}]}"#,
            r#"{"entries": [{"id": 1}]}"#,
            r#"{"entries": [{"id": ""}]}"#,
            r#"{"entries": [{"id": "a b"}]}"#,
            r#"{"entries": [{"id": "a"}, {"id": "a"}]}"#,
            r#"{"entries": [{"id": "a"}], "more": 1}"#,
            r#"{"entries": [{"id": "a"}]} {}"#,
            r#"{"entries": [{"id": "a"}"#,
            r#"[]"#,
        ] {
            assert_eq!(entries(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn records_that_are_not_plain_are_left_to_python() {
        for text in [
            r#"{"headers": {}}"#,
            r#"{"headers": [{}]}"#,
            r#"{"headers": [{"name": null}]}"#,
            r#"{"headers": [{"name": "a", "value": "A"}]}"#,
            r#"{"timestamp": -1}"#,
            r#"{"timestamp": "yesterday"}"#,
            r#"{"value": {"type": "AVRO", "data": 1}}"#,
            r#"{"value": {"data": 1}}"#,
            r#"{"value": {"type": "BINARY", "data": "A"}}"#,
            r#"{"value": {"type": "JSON", "data": 1, "data": 2}}"#,
            r#"{"partition_id": -1}"#,
            r#"{"partition_id": 4294967296}"#,
            r#"{"key": null, "key": null}"#,
            r#"{} {}"#,
            r#"{"#,
        ] {
            assert_eq!(record(text.as_bytes()), None, "{text}");
        }
    }
}
