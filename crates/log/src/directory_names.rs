//! Names of the directories of logs.
//!
//! ```text
//! topic-partition                    a log
//! topic-partition.<32 hex>-future    a log that is to replace the one in another directory
//! topic-partition.<32 hex>-delete    a log whose topic or replica is gone, to be removed
//! topic-partition.<32 hex>-stray     a log that nobody knew when the node started, kept for somebody to look at
//! ```
//! A name has at most 255 bytes; the topic is cut where the suffixes leave no room for it.

use barnabas_protocol::{PartitionIndex, Uuid};

const NAME_BYTES_MAX: usize = 255;
const DELETE: &str = "-delete";
const FUTURE: &str = "-future";
const STRAY: &str = "-stray";

/// What a directory's name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DirectoryName<'a> {
    /// A log.
    Log(&'a str, PartitionIndex),
    /// A log that is to replace another.
    Future(&'a str, PartitionIndex),
    /// To be removed.
    Deleted,
    /// Set aside.
    Stray,
    /// None of ours.
    Other,
}

pub(crate) fn parse(name: &str) -> DirectoryName<'_> {
    if name.ends_with(DELETE) && split_unique(name, DELETE).is_some() {
        return DirectoryName::Deleted;
    }
    if name.ends_with(STRAY) && split_unique(name, STRAY).is_some() {
        return DirectoryName::Stray;
    }
    if let Some(log) = split_unique(name, FUTURE) {
        return match parse_log(log) {
            // The topic's name may have been cut: what it was is not known, so the move must begin again.
            Some(_) if name.len() == NAME_BYTES_MAX => DirectoryName::Deleted,
            Some((topic, partition)) => DirectoryName::Future(topic, partition),
            None => DirectoryName::Other,
        };
    }
    match parse_log(name) {
        Some((topic, partition)) => DirectoryName::Log(topic, partition),
        None => DirectoryName::Other,
    }
}

/// `topic-partition` out of `topic-partition.<unique>-suffix`.
fn split_unique<'a>(name: &'a str, suffix: &str) -> Option<&'a str> {
    let (log, unique) = name.strip_suffix(suffix)?.rsplit_once('.')?;
    let is_id = unique.len() == 32 && unique.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then_some(log)
}

fn parse_log(name: &str) -> Option<(&str, PartitionIndex)> {
    let (topic, partition) = name.rsplit_once('-')?;
    let digits = !topic.is_empty() && partition.bytes().all(|byte| byte.is_ascii_digit());
    Some((topic, digits.then(|| partition.parse().ok())??))
}

pub(crate) fn log(topic: &str, partition: PartitionIndex) -> String {
    format!("{topic}-{partition}")
}

pub(crate) fn future(topic: &str, partition: PartitionIndex, unique: Uuid) -> String {
    suffixed(topic, partition, unique, FUTURE)
}

pub(crate) fn deleted(topic: &str, partition: PartitionIndex, unique: Uuid) -> String {
    suffixed(topic, partition, unique, DELETE)
}

pub(crate) fn stray(topic: &str, partition: PartitionIndex, unique: Uuid) -> String {
    suffixed(topic, partition, unique, STRAY)
}

fn suffixed(topic: &str, partition: PartitionIndex, unique: Uuid, suffix: &str) -> String {
    let rest = format!("-{partition}.{:032x}{suffix}", u128::from_be_bytes(unique.0));
    // Topic names are ASCII, so any byte is a boundary.
    let kept = topic.len().min(NAME_BYTES_MAX - rest.len());
    format!("{}{rest}", topic.get(..kept).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_were_written() {
        let id = Uuid([0xab; 16]);
        assert_eq!(parse("a-b.c-12"), DirectoryName::Log("a-b.c", 12));
        assert_eq!(parse(&future("a-b.c", 3, id)), DirectoryName::Future("a-b.c", 3));
        assert_eq!(parse(&deleted("a-b.c", 3, id)), DirectoryName::Deleted);
        assert_eq!(parse(&stray("a-b.c", 3, id)), DirectoryName::Stray);
        for other in ["lost+found", "a", "a-", "-1", "a-b", "a-+1", "a-99999999999", "a-1.xyz-future"] {
            assert_eq!(parse(other), DirectoryName::Other, "{other}");
        }
        // A topic may be called so.
        assert_eq!(parse("x-delete-0"), DirectoryName::Log("x-delete", 0));
    }

    #[test]
    fn the_longest_topic_fits() {
        let topic = "t".repeat(249);
        assert_eq!(parse(&log(&topic, 9)), DirectoryName::Log(&topic, 9));
        let name = deleted(&topic, 10_000, Uuid([1; 16]));
        assert_eq!(name.len(), 255);
        assert_eq!(parse(&name), DirectoryName::Deleted);
        assert_eq!(parse(&future(&topic, 0, Uuid([1; 16]))), DirectoryName::Deleted);
    }
}
