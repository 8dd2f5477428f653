//! Why bytes are no message, and why a message can't be written.

use super::STRING_BYTES_MAX;

/// Why bytes are not what they should be. Positions count from the start of the reader's buffer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The buffer ends inside a value.
    #[error("{needed} bytes wanted at byte {at}, {remaining} remain")]
    End {
        /// Bytes of the value.
        needed: usize,
        /// Bytes left.
        remaining: usize,
        /// Where the value begins.
        at: usize,
    },
    /// A length that no value has.
    #[error("length {length} at byte {at} is not valid")]
    Length {
        /// What was read.
        length: i64,
        /// Where the length ends.
        at: usize,
    },
    /// An array that can't be in the bytes that are left.
    #[error(
        "array of {count} elements at byte {at}, of at least {element_bytes} bytes each, {remaining} remain"
    )]
    ArrayLength {
        /// Elements announced.
        count: usize,
        /// The least that one element takes.
        element_bytes: usize,
        /// Bytes left.
        remaining: usize,
        /// Where the length ends.
        at: usize,
    },
    /// More elements or tagged fields than are read.
    #[error("{count} elements at byte {at} are over the limit of {limit}")]
    TooMany {
        /// Elements announced.
        count: usize,
        /// The limit.
        limit: usize,
        /// Where the count ends.
        at: usize,
    },
    /// Elements that are small on the wire and would take too much memory.
    #[error("{count} elements at byte {at} would take {wanted} bytes of memory, {left} are left")]
    Memory {
        /// Elements announced.
        count: usize,
        /// Bytes of memory that they would take.
        wanted: usize,
        /// Bytes of memory that this buffer may still cost.
        left: usize,
        /// Where the count ends.
        at: usize,
    },
    /// A variable-length number of more bytes than its type can have.
    #[error("variable-length number at byte {at} is too long")]
    Varint {
        /// Where it begins.
        at: usize,
    },
    /// A string that is not UTF-8.
    #[error("string at byte {at} is not UTF-8")]
    Utf8 {
        /// Where it begins.
        at: usize,
    },
    /// Null where the field may not be null.
    #[error("null at byte {at} in a field that can't be null")]
    Null {
        /// Where the length ends.
        at: usize,
    },
    /// A tagged field whose content is shorter than its size.
    #[error("tagged field {tag} ends {unread} bytes before its size at byte {at}")]
    TagSize {
        /// The tag.
        tag: u32,
        /// Bytes of it that nothing reads.
        unread: usize,
        /// Where it ended.
        at: usize,
    },
    /// Bytes after the end of a message.
    #[error("{count} bytes after the end at byte {at}")]
    Trailing {
        /// How many.
        count: usize,
        /// Where the message ended.
        at: usize,
    },
    /// A version that the message does not have.
    #[error("version {version} of {message} is not in {lowest}-{highest}")]
    Version {
        /// Kafka's name of the message.
        message: &'static str,
        /// The version asked for.
        version: i16,
        /// Lowest version.
        lowest: i16,
        /// Highest version.
        highest: i16,
    },
    /// A metadata record of a type that is not known, or in a frame that is not known.
    #[error("unknown metadata record: frame version {frame_version}, type {record_type}")]
    UnknownRecord {
        /// Version of the frame; 1 is known.
        frame_version: u32,
        /// Type of the record.
        record_type: u32,
    },
}

/// Why a message can't be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A version that the message does not have.
    #[error("version {version} of {message} is not in {lowest}-{highest}")]
    Version {
        /// Kafka's name of the message.
        message: &'static str,
        /// The version asked for.
        version: i16,
        /// Lowest version.
        lowest: i16,
        /// Highest version.
        highest: i16,
    },
    /// A field that the version lacks has a value that may not get lost.
    #[error("{field} has a value, which version {version} can't carry")]
    NotInVersion {
        /// `Message.field`.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// Null in a field that can't be null in the version.
    #[error("{field} is null, which version {version} can't carry")]
    Null {
        /// `Message.field`.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A number that does not fit into its field.
    #[error("{field} is {value}, which does not fit")]
    Range {
        /// `Message.field`.
        field: &'static str,
        /// The number.
        value: i64,
    },
    /// A value of another type than its field.
    #[error("{field} has a value of the wrong type")]
    Type {
        /// `Message.field`.
        field: &'static str,
    },
    /// A string of more than [`STRING_BYTES_MAX`] bytes.
    #[error("string of {length} bytes is over {STRING_BYTES_MAX}")]
    StringTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// Bytes or an array longer than a length can say.
    #[error("length {length} does not fit into 31 bits")]
    TooLong {
        /// Bytes or elements.
        length: usize,
    },
}
