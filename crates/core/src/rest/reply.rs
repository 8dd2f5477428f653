//! What is told of a record: the body of API v3, as Python writes it.

use std::fmt::Write;

use super::plain::{Part, PlainRecord};
use super::time::IsoTime;
use crate::clock;

/// Room for what a reply says besides the names of cluster and topic.
const REST_BYTES: usize = 192;

/// Where a record lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivered {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// When it was appended, where the topic stamps records; else -1.
    pub(crate) timestamp: i64,
}

/// What the reply to a record says besides where it lies.
pub(crate) struct Told {
    /// When it was made, in milliseconds since the Unix epoch.
    pub(crate) timestamp: i64,
    key: Option<Size>,
    value: Option<Size>,
}

/// The type and the size of a key or value; None is null.
type Size = Option<(&'static str, usize)>;

impl Told {
    /// Of a record that is made now, unless it says when.
    pub(super) fn of(record: &PlainRecord<'_>) -> Told {
        let size = |part: &Part| part.0.as_ref().map(|(kind, bytes)| (kind.name(), bytes.len()));
        let (key, value) = (record.key.as_ref().map(size), record.value.as_ref().map(size));
        Told { timestamp: record.timestamp.unwrap_or_else(clock::now), key, value }
    }

    /// The reply of which `begin` is what stands before `names`, the members that name the cluster and the topic.
    pub(super) fn body(&self, begin: std::fmt::Arguments<'_>, names: &str, delivered: Delivered) -> String {
        let Delivered { partition, offset, timestamp } = delivered;
        let time = IsoTime(if timestamp >= 0 { timestamp } else { self.timestamp });
        let mut text = String::with_capacity(names.len() + REST_BYTES);
        // Writing to a String can't fail.
        let _ = write!(
            text,
            "{{{begin},{names},\"partition_id\":{partition},\"offset\":{offset},\"timestamp\":\"{time}\""
        );
        for (name, part) in [("key", &self.key), ("value", &self.value)] {
            let _ = match part {
                Some(Some((kind, size))) => {
                    write!(text, ",\"{name}\":{{\"type\":\"{kind}\",\"size\":{size}}}")
                }
                Some(None) => write!(text, ",\"{name}\":{{\"type\":null,\"size\":0}}"),
                None => Ok(()),
            };
        }
        text.push('}');
        text
    }

    /// The reply to a record that is told of by itself.
    pub(super) fn line(&self, names: &str, delivered: Delivered) -> String {
        self.body(format_args!("\"error_code\":200"), names, delivered)
    }
}
