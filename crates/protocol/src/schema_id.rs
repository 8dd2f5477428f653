//! How a record says which schema its key and its value have: Confluent's wire format.
//!
//! ```text
//! key or value: 0, id of four bytes, payload; or 1, GUID of 16 bytes, payload
//! or a header of the record, `__key_schema_id` or `__value_schema_id`: one of these without a payload
//! ```
//!
//! Always true: a header goes before what the bytes have, and the last header of its name counts, as for the
//! serdes that read the record. Nothing is allocated, and of no part more than [`HEAD_BYTES_MAX`] bytes are
//! looked at, unless a judge reads payloads.

use std::fmt;

use crate::record::{Glance, Headers, Part};

/// Header that names the schema of the key.
pub const KEY_HEADER: &[u8] = b"__key_schema_id";
/// Header that names the schema of the value.
pub const VALUE_HEADER: &[u8] = b"__value_schema_id";
/// What of a part must be seen to know what it says: a GUID with its first byte, or the name of a header.
pub const HEAD_BYTES_MAX: usize = 17;

const ID: u8 = 0;
const GUID: u8 = 1;

/// What names a schema in a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SchemaId {
    /// The number that its registry has given to it.
    Id(u32),
    /// What is the same in all registries.
    Guid([u8; 16]),
}

impl SchemaId {
    /// Bytes that it takes on the wire.
    fn size(&self) -> usize {
        match self {
            SchemaId::Id(_) => 5,
            SchemaId::Guid(_) => HEAD_BYTES_MAX,
        }
    }

    /// The schema that `bytes` name first; None when they name none.
    pub fn read(bytes: &[u8]) -> Option<SchemaId> {
        match bytes.split_first()? {
            (&ID, rest) => rest.first_chunk().map(|id| SchemaId::Id(u32::from_be_bytes(*id))),
            (&GUID, rest) => rest.first_chunk().map(|guid| SchemaId::Guid(*guid)),
            _ => None,
        }
    }
}

impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemaId::Id(id) => write!(f, "{id}"),
            SchemaId::Guid(guid) => {
                for (at, byte) in guid.iter().enumerate() {
                    let dash = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
                    write!(f, "{dash}{byte:02x}")?;
                }
                Ok(())
            }
        }
    }
}

/// What a record says of the schema of its key, or of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Said {
    /// There is no key or value that could have a schema.
    #[default]
    Nothing,
    /// There are bytes, and they name no schema.
    Unnamed,
    /// They have this schema.
    Schema(SchemaId),
}

/// What a record says of its schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecordSchemas {
    /// Of its key.
    pub key: Said,
    /// Of its value.
    pub value: Said,
}

/// What is to be a value of the schema that a key or value names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Payload<'r> {
    /// What stands in the header behind the schema's name; None when the name stands before the payload.
    pub in_header: Option<&'r [u8]>,
    /// The bytes, without a name before them.
    pub bytes: &'r [u8],
}

/// The payloads of a record; empty where no schema is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecordPayloads<'r> {
    /// Of its key.
    pub key: Payload<'r>,
    /// Of its value.
    pub value: Payload<'r>,
}

/// Judges the records of a batch while they are checked.
pub trait SchemaJudge {
    /// Whether records are looked at: without, nothing is done for them.
    const LOOKS: bool = true;

    /// Whether payloads are shown too, which takes each record as a whole.
    fn reads_payloads(&self) -> bool {
        false
    }

    /// What is wrong with a record, as its producer is told.
    fn judge(&mut self, schemas: &RecordSchemas, payloads: &RecordPayloads<'_>) -> Result<(), String>;
}

/// Has nothing against any record.
#[derive(Debug, Clone, Copy)]
pub struct AnySchema;

impl SchemaJudge for AnySchema {
    const LOOKS: bool = false;

    fn judge(&mut self, _schemas: &RecordSchemas, _payloads: &RecordPayloads<'_>) -> Result<(), String> {
        Ok(())
    }
}

/// What a record says that is at hand as a whole, and its payloads.
pub(crate) fn read_whole<'r>(
    key: Option<&'r [u8]>,
    value: Option<&'r [u8]>,
    headers: Headers<'r>,
) -> (RecordSchemas, RecordPayloads<'r>) {
    let (mut key_header, mut value_header) = (None, None);
    for header in headers {
        match header.key {
            KEY_HEADER => key_header = header.value.or(key_header),
            VALUE_HEADER => value_header = header.value.or(value_header),
            _ => {}
        }
    }
    let (key_said, key) = payload(key, key_header);
    let (value_said, value) = payload(value, value_header);
    (RecordSchemas { key: key_said, value: value_said }, RecordPayloads { key, value })
}

fn payload<'r>(bytes: Option<&'r [u8]>, header: Option<&'r [u8]>) -> (Said, Payload<'r>) {
    let Some(bytes) = bytes else { return (Said::Nothing, Payload::default()) };
    let named_by = header.unwrap_or(bytes);
    let Some(id) = SchemaId::read(named_by) else { return (Said::Unnamed, Payload::default()) };
    let rest = &named_by[id.size()..];
    let payload = match header {
        Some(_) => Payload { in_header: Some(rest), bytes },
        None => Payload { in_header: None, bytes: rest },
    };
    (Said::Schema(id), payload)
}

/// Gathers what one record says while it is read.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    bytes: RecordSchemas,
    /// What headers say; the last of a name counts.
    key_header: Option<Said>,
    value_header: Option<Said>,
    /// Whose header's value comes next.
    named: Option<Named>,
}

#[derive(Debug, Clone, Copy)]
enum Named {
    Key,
    Value,
}

impl Reading {
    /// What the record said, once it has been read.
    pub(crate) fn schemas(&self) -> RecordSchemas {
        let of = |bytes: Said, header: Option<Said>| match bytes {
            Said::Nothing => Said::Nothing, // A tombstone, whatever its headers say.
            bytes => header.unwrap_or(bytes),
        };
        RecordSchemas {
            key: of(self.bytes.key, self.key_header),
            value: of(self.bytes.value, self.value_header),
        }
    }
}

impl Glance for Reading {
    const BYTES: usize = HEAD_BYTES_MAX;

    #[inline]
    fn see(&mut self, part: Part, length: i32, head: &[u8]) {
        match part {
            Part::Key => self.bytes.key = said(length, head),
            Part::Value => self.bytes.value = said(length, head),
            Part::HeaderKey => {
                let is = |name: &[u8]| usize::try_from(length) == Ok(name.len()) && head == name;
                self.named = if is(KEY_HEADER) {
                    Some(Named::Key)
                } else if is(VALUE_HEADER) {
                    Some(Named::Value)
                } else {
                    None
                };
            }
            Part::HeaderValue => match (self.named.take(), said(length, head)) {
                (None, _) | (_, Said::Nothing) => {}
                (Some(Named::Key), said) => self.key_header = Some(said),
                (Some(Named::Value), said) => self.value_header = Some(said),
            },
        }
    }
}

fn said(length: i32, head: &[u8]) -> Said {
    match SchemaId::read(head) {
        _ if length < 0 => Said::Nothing,
        None => Said::Unnamed,
        Some(id) => Said::Schema(id),
    }
}

#[cfg(test)]
mod tests;
