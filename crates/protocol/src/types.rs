//! Names for the numbers that travel together, and the 16-byte id.

use std::fmt;

/// Position of a record in a partition's log.
pub type Offset = i64;
/// Counts the leaderships of a partition; grows by one with each election.
pub type LeaderEpoch = i32;
/// Number of a broker or controller in its cluster.
pub type NodeId = i32;
/// Number of a partition in its topic.
pub type PartitionIndex = i32;
/// Number given to a producer by InitProducerId.
pub type ProducerId = i64;
/// Counts the incarnations of a producer id.
pub type ProducerEpoch = i16;
/// Milliseconds since the Unix epoch, or a duration in milliseconds.
pub type Millis = i64;

/// A topic id, directory id, incarnation id: 16 bytes, written as unpadded base64url.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Uuid(pub [u8; 16]);

/// Names a topic for its life; a topic of the same name created later has another one.
pub type TopicId = Uuid;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Uuid {
    /// No id.
    pub const ZERO: Uuid = Uuid([0; 16]);
    /// Topic id of `__cluster_metadata`; also the directory id "unassigned".
    pub const METADATA_TOPIC: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    /// Directory id of a replica whose broker has not chosen a directory yet (KIP-858).
    pub const DIRECTORY_UNASSIGNED: Uuid = Uuid::METADATA_TOPIC;
    /// Directory id of a replica that is moving between directories (KIP-858).
    pub const DIRECTORY_MIGRATING: Uuid = Uuid::ZERO;
    /// Directory id of a replica whose directory has failed (KIP-858).
    pub const DIRECTORY_LOST: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);

    /// Whether no id was given.
    pub fn is_zero(&self) -> bool {
        *self == Uuid::ZERO
    }

    /// Reads 22 characters of base64url; None when the text is anything else.
    pub fn parse(text: &str) -> Option<Uuid> {
        let text = text.trim_end_matches('=');
        if text.len() != 22 {
            return None;
        }
        // 21 digits carry 126 bits; the last carries two more and four of padding.
        let mut digits = text.bytes().map(|byte| ALPHABET.iter().position(|&c| c == byte).map(|d| d as u128));
        let mut head: u128 = 0;
        for digit in digits.by_ref().take(21) {
            head = (head << 6) | digit?;
        }
        let last = digits.next()??;
        Some(Uuid(((head << 2) | (last >> 4)).to_be_bytes()))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = u128::from_be_bytes(self.0);
        let mut text = [0u8; 22];
        for (i, slot) in text.iter_mut().enumerate() {
            let digit = if i < 21 { value >> (122 - 6 * i) } else { value << 4 };
            *slot = ALPHABET[(digit & 63) as usize];
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_kafkas() {
        assert_eq!(Uuid::METADATA_TOPIC.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(Uuid::parse("AAAAAAAAAAAAAAAAAAAAAQ"), Some(Uuid::METADATA_TOPIC));
        let id = Uuid(*b"0123456789abcdef");
        assert_eq!(Uuid::parse(&id.to_string()), Some(id));
        assert_eq!(Uuid::parse("too short"), None);
    }
}
