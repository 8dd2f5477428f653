//! Records as API v3 has them in JSON, where they are plain: a format without a schema, no headers, no timestamp.
//!
//! Always true:
//!   what is read here comes to the very bytes that Python's reading would come to; all else is left to it

use base64::engine::general_purpose::STANDARD;
use base64::Engine;

use crate::json::{Members, Reader};

/// Formats without a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Binary,
    Json,
    String,
}

impl Kind {
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

/// A record. Its key and value are None where the request has none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PlainRecord {
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<Part>,
    pub(crate) value: Option<Part>,
}

/// The record that a whole object stands for; None where it is not plain, or nothing that can be read.
pub(crate) fn record(object: &[u8]) -> Option<PlainRecord> {
    let mut reader = Reader::new(std::str::from_utf8(object).ok()?);
    let mut found = PlainRecord::default();
    let mut seen = Members::default();
    reader.space();
    let mut is_open = reader.opens(b'{', b'}')?;
    while is_open {
        let name = reader.member()?;
        seen.add(name)?;
        match name {
            "partition_id" => found.partition = partition(&mut reader)?,
            "key" => found.key = part(&mut reader)?,
            "value" => found.value = part(&mut reader)?,
            _ => return None,
        }
        is_open = reader.goes_on(b'}')?;
    }
    reader.ends().then_some(found)
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

/// A key or value: its type first, then what it is.
fn part(reader: &mut Reader<'_>) -> Option<Option<Part>> {
    if reader.word("null").is_some() {
        return Some(None);
    }
    reader.opens(b'{', b'}')?.then_some(())?;
    (reader.member()? == "type").then_some(())?;
    let kind = match reader.raw_string()?.0 {
        "BINARY" => Kind::Binary,
        "JSON" => Kind::Json,
        "STRING" => Kind::String,
        _ => return None,
    };
    if !reader.goes_on(b'}')? {
        return Some(Some(Part(None)));
    }
    (reader.member()? == "data").then_some(())?;
    let data = if reader.word("null").is_some() { None } else { Some((kind, data(reader, kind)?)) };
    (!reader.goes_on(b'}')?).then_some(Some(Part(data)))
}

fn data(reader: &mut Reader<'_>, kind: Kind) -> Option<Vec<u8>> {
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
    fn records_that_are_not_plain_are_left_to_python() {
        for text in [
            r#"{"headers": []}"#,
            r#"{"value": {"type": "AVRO", "data": 1}}"#,
            r#"{"value": {"data": 1, "type": "JSON"}}"#,
            r#"{"value": {"type": "BINARY", "data": "A"}}"#,
            r#"{"value": {"type": "JSON", "data": 1, "schema_id": 2}}"#,
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
