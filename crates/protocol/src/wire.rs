//! Primitives of Kafka's wire: a bounded reader that borrows, and a writer that appends.
//!
//! Always true:
//!   nothing is allocated for a length before that many bytes are known to be there
//!   every read either advances inside the buffer or returns an error; no input panics
//!   a string is valid UTF-8 and at most 32,767 bytes long
//!   an array has at most [`ARRAY_ELEMENTS_MAX`] elements, a tagged section at most [`TAGGED_FIELDS_MAX`]
//!   all arrays of a buffer together take at most [`MEMORY_FACTOR_MAX`] times its size, and a constant, in memory

use crate::types::Uuid;

/// Largest number of elements of one array that Apache Kafka 4.4.0 reads.
pub const ARRAY_ELEMENTS_MAX: usize = 1_000_000;
/// Largest number of fields of one tagged section that Apache Kafka 4.4.0 reads.
pub const TAGGED_FIELDS_MAX: usize = 10_000;
/// Elements read from a buffer take at most this many times its size in memory …
pub const MEMORY_FACTOR_MAX: usize = 4;
/// … and this many bytes more, so that short messages of short names are never refused.
pub const MEMORY_EXTRA_MAX: usize = 1 << 20;
/// Largest length of a string in bytes, in both encodings.
pub const STRING_BYTES_MAX: usize = 0x7fff;

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

/// The value of a field that holds record batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Records<'a> {
    /// No batches, not even an empty sequence.
    #[default]
    Null,
    /// Batches in memory.
    Bytes(&'a [u8]),
    /// Batches that are elsewhere, in a file say. Only their length is written; where they belong is noted
    /// in [`Writer::splices`].
    External {
        /// Chosen by the caller, repeated in the splice.
        index: u32,
        /// Their size in bytes.
        length: usize,
    },
}

impl<'a> Records<'a> {
    /// Size in bytes; 0 when null.
    pub fn len(&self) -> usize {
        match self {
            Records::Null => 0,
            Records::Bytes(bytes) => bytes.len(),
            Records::External { length, .. } => *length,
        }
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, when they are in memory.
    pub fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Records::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// Reads values from a buffer and borrows from it.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Position of the end of `rest`, counted from the start of the outermost buffer.
    end: usize,
    /// Bytes of memory that elements of arrays may still take.
    memory: usize,
}

macro_rules! numbers {
    ($($name:ident: $type:ty, $doc:literal;)*) => {
        $(
            #[doc = $doc]
            #[inline]
            pub fn $name(&mut self) -> Result<$type, DecodeError> {
                const SIZE: usize = size_of::<$type>();
                match self.rest.split_first_chunk::<SIZE>() {
                    Some((head, rest)) => {
                        self.rest = rest;
                        Ok(<$type>::from_be_bytes(*head))
                    }
                    None => Err(self.short(SIZE)),
                }
            }
        )*
    };
}

impl<'a> Reader<'a> {
    /// A reader of the whole of `data`.
    #[inline]
    pub fn new(data: &'a [u8]) -> Self {
        let memory = data.len().saturating_mul(MEMORY_FACTOR_MAX).saturating_add(MEMORY_EXTRA_MAX);
        Reader { rest: data, end: data.len(), memory }
    }

    /// Bytes that are left.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Bytes read so far.
    #[inline]
    pub fn position(&self) -> usize {
        self.end - self.rest.len()
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is left, without reading it.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// An error unless everything was read.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            count => Err(DecodeError::Trailing { count, at: self.position() }),
        }
    }

    #[cold]
    fn short(&self, needed: usize) -> DecodeError {
        DecodeError::End { needed, remaining: self.remaining(), at: self.position() }
    }

    numbers! {
        i8: i8, "One signed byte.";
        i16: i16, "Two bytes, signed.";
        i32: i32, "Four bytes, signed.";
        i64: i64, "Eight bytes, signed.";
        u8: u8, "One byte.";
        u16: u16, "Two bytes, unsigned.";
        u32: u32, "Four bytes, unsigned.";
        f64: f64, "Eight bytes, IEEE 754.";
    }

    /// One byte; everything but 0 is true, as in Apache Kafka.
    #[inline]
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        Ok(self.i8()? != 0)
    }

    /// Sixteen bytes.
    #[inline]
    pub fn uuid(&mut self) -> Result<Uuid, DecodeError> {
        match self.rest.split_first_chunk::<16>() {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(Uuid(*head))
            }
            None => Err(self.short(16)),
        }
    }

    /// Exactly `count` bytes.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(count) {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(head)
            }
            None => Err(self.short(count)),
        }
    }

    /// An unsigned number of 1 to 5 bytes, 7 bits each, low bits first.
    #[inline]
    pub fn uvarint(&mut self) -> Result<u32, DecodeError> {
        match *self.rest {
            [byte, ref rest @ ..] if byte < 0x80 => {
                self.rest = rest;
                Ok(u32::from(byte))
            }
            [low, high, ref rest @ ..] if high < 0x80 => {
                self.rest = rest;
                Ok(u32::from(low & 0x7f) | u32::from(high) << 7)
            }
            _ => self.uvarint_long(),
        }
    }

    fn uvarint_long(&mut self) -> Result<u32, DecodeError> {
        let at = self.position();
        let mut value = 0u32;
        for shift in (0..35).step_by(7) {
            let byte = self.u8()?;
            if shift == 28 && byte > 0x0f {
                break;
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::Varint { at })
    }

    /// A signed number of 1 to 5 bytes, zigzag.
    #[inline]
    pub fn varint(&mut self) -> Result<i32, DecodeError> {
        let value = self.uvarint()?;
        Ok((value >> 1) as i32 ^ -((value & 1) as i32))
    }

    /// An unsigned number of 1 to 10 bytes.
    #[inline]
    pub fn uvarlong(&mut self) -> Result<u64, DecodeError> {
        match *self.rest {
            [byte, ref rest @ ..] if byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(byte))
            }
            [low, high, ref rest @ ..] if high < 0x80 => {
                self.rest = rest;
                Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => self.uvarlong_long(),
        }
    }

    fn uvarlong_long(&mut self) -> Result<u64, DecodeError> {
        let at = self.position();
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = self.u8()?;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::Varint { at })
    }

    /// A signed number of 1 to 10 bytes, zigzag.
    #[inline]
    pub fn varlong(&mut self) -> Result<i64, DecodeError> {
        let value = self.uvarlong()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A length of bytes or elements; None is null.
    #[inline]
    fn length(&mut self, flexible: bool) -> Result<Option<usize>, DecodeError> {
        if flexible {
            // One more than the length, so that 0 is free for null.
            match self.uvarint()? {
                0 => Ok(None),
                more if more <= 1 << 31 => Ok(Some(more as usize - 1)),
                more => Err(DecodeError::Length { length: i64::from(more) - 1, at: self.position() }),
            }
        } else {
            let length = self.i32()?;
            Ok(usize::try_from(length).ok()) // Every negative length is null, as in Apache Kafka.
        }
    }

    #[cold]
    fn null(&self) -> DecodeError {
        DecodeError::Null { at: self.position() }
    }

    /// A string that may be null. `flexible` chooses the compact encoding.
    #[inline]
    pub fn nullable_string(&mut self, flexible: bool) -> Result<Option<&'a str>, DecodeError> {
        let length = if flexible { self.length(true)? } else { usize::try_from(self.i16()?).ok() };
        let Some(length) = length else { return Ok(None) };
        let at = self.position();
        if length > STRING_BYTES_MAX {
            return Err(DecodeError::Length { length: length as i64, at });
        }
        match std::str::from_utf8(self.take(length)?) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(DecodeError::Utf8 { at }),
        }
    }

    /// A string. `flexible` chooses the compact encoding.
    #[inline]
    pub fn string(&mut self, flexible: bool) -> Result<&'a str, DecodeError> {
        self.nullable_string(flexible)?.ok_or_else(|| self.null())
    }

    /// Bytes that may be null.
    #[inline]
    pub fn nullable_bytes(&mut self, flexible: bool) -> Result<Option<&'a [u8]>, DecodeError> {
        match self.length(flexible)? {
            None => Ok(None),
            Some(length) => self.take(length).map(Some),
        }
    }

    /// Bytes.
    #[inline]
    pub fn bytes(&mut self, flexible: bool) -> Result<&'a [u8], DecodeError> {
        self.nullable_bytes(flexible)?.ok_or_else(|| self.null())
    }

    /// Record batches.
    #[inline]
    pub fn records(&mut self, flexible: bool) -> Result<Records<'a>, DecodeError> {
        Ok(self.nullable_bytes(flexible)?.map_or(Records::Null, Records::Bytes))
    }

    /// The length of an array that may be null. An element takes at least `element_bytes`: a count above
    /// what can remain is refused before anything is allocated for it.
    #[inline]
    pub fn nullable_array_length(
        &mut self,
        flexible: bool,
        element_bytes: usize,
    ) -> Result<Option<usize>, DecodeError> {
        let Some(count) = self.length(flexible)? else { return Ok(None) };
        let element_bytes = element_bytes.max(1);
        if count > self.remaining() / element_bytes {
            let (remaining, at) = (self.remaining(), self.position());
            return Err(DecodeError::ArrayLength { count, element_bytes, remaining, at });
        }
        if count > ARRAY_ELEMENTS_MAX {
            return Err(DecodeError::TooMany { count, limit: ARRAY_ELEMENTS_MAX, at: self.position() });
        }
        Ok(Some(count))
    }

    /// The length of an array.
    #[inline]
    pub fn array_length(&mut self, flexible: bool, element_bytes: usize) -> Result<usize, DecodeError> {
        self.nullable_array_length(flexible, element_bytes)?.ok_or_else(|| self.null())
    }

    /// An array of elements that `read` reads; each takes at least `element_bytes`.
    #[inline]
    pub fn array<T, F>(
        &mut self,
        flexible: bool,
        element_bytes: usize,
        read: F,
    ) -> Result<Vec<T>, DecodeError>
    where
        F: FnMut(&mut Self) -> Result<T, DecodeError>,
    {
        let count = self.array_length(flexible, element_bytes)?;
        self.elements(count, read)
    }

    /// An array that may be null.
    #[inline]
    pub fn nullable_array<T, F>(
        &mut self,
        flexible: bool,
        element_bytes: usize,
        read: F,
    ) -> Result<Option<Vec<T>>, DecodeError>
    where
        F: FnMut(&mut Self) -> Result<T, DecodeError>,
    {
        match self.nullable_array_length(flexible, element_bytes)? {
            None => Ok(None),
            Some(count) => self.elements(count, read).map(Some),
        }
    }

    #[inline]
    fn elements<T, F>(&mut self, count: usize, mut read: F) -> Result<Vec<T>, DecodeError>
    where
        F: FnMut(&mut Self) -> Result<T, DecodeError>,
    {
        let wanted = count.saturating_mul(size_of::<T>());
        match self.memory.checked_sub(wanted) {
            Some(left) => self.memory = left,
            None => {
                return Err(DecodeError::Memory { count, wanted, left: self.memory, at: self.position() })
            }
        }
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(read(self)?);
        }
        Ok(elements)
    }

    /// The byte in front of a struct that may be null: whether the struct is there.
    #[inline]
    pub fn present(&mut self) -> Result<bool, DecodeError> {
        Ok(self.i8()? >= 0)
    }

    /// Reads a tagged section. `known` gets each tag with a reader of exactly its bytes, and answers whether
    /// it knows the tag; unknown ones are skipped and not kept.
    #[inline]
    pub fn tagged_fields<F>(&mut self, known: F) -> Result<(), DecodeError>
    where
        F: FnMut(u32, &mut Reader<'a>) -> Result<bool, DecodeError>,
    {
        match self.uvarint()? as usize {
            0 => Ok(()),
            count => self.tagged_fields_some(count, known),
        }
    }

    fn tagged_fields_some<F>(&mut self, count: usize, mut known: F) -> Result<(), DecodeError>
    where
        F: FnMut(u32, &mut Reader<'a>) -> Result<bool, DecodeError>,
    {
        if count > TAGGED_FIELDS_MAX {
            return Err(DecodeError::TooMany { count, limit: TAGGED_FIELDS_MAX, at: self.position() });
        }
        for _ in 0..count {
            let tag = self.uvarint()?;
            let size = self.uvarint()? as usize;
            let rest = self.take(size)?;
            let mut field = Reader { rest, end: self.position(), memory: self.memory };
            let is_known = known(tag, &mut field)?;
            self.memory = field.memory;
            if is_known && !field.is_empty() {
                return Err(DecodeError::TagSize { tag, unread: field.remaining(), at: field.position() });
            }
        }
        Ok(())
    }

    /// Skips a tagged section.
    #[inline]
    pub fn skip_tagged_fields(&mut self) -> Result<(), DecodeError> {
        self.tagged_fields(|_, _| Ok(false))
    }
}

/// A place in written bytes where bytes from elsewhere belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Splice {
    /// They come before the byte at this position of [`Writer::bytes`].
    pub position: usize,
    /// Which of the caller's pieces.
    pub index: u32,
    /// Their size in bytes.
    pub length: usize,
}

/// Appends values to bytes.
#[derive(Debug, Default)]
pub struct Writer {
    /// What was written.
    pub bytes: Vec<u8>,
    /// Where pieces belong that were announced as [`Records::External`], by growing position.
    pub splices: Vec<Splice>,
}

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Self::default()
    }

    /// A writer that appends to `bytes`.
    pub fn append_to(bytes: Vec<u8>) -> Self {
        Writer { bytes, splices: Vec::new() }
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// One signed byte.
    #[inline]
    pub fn i8(&mut self, value: i8) {
        self.bytes.push(value as u8);
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Two bytes, signed.
    #[inline]
    pub fn i16(&mut self, value: i16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// Four bytes, signed.
    #[inline]
    pub fn i32(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// Eight bytes, signed.
    #[inline]
    pub fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// Two bytes, unsigned.
    #[inline]
    pub fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// Four bytes, unsigned.
    #[inline]
    pub fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// Eight bytes, IEEE 754.
    #[inline]
    pub fn f64(&mut self, value: f64) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// One byte, 0 or 1.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    /// Sixteen bytes.
    #[inline]
    pub fn uuid(&mut self, value: Uuid) {
        self.bytes.extend_from_slice(&value.0);
    }

    /// An unsigned number of 1 to 5 bytes.
    #[inline]
    pub fn uvarint(&mut self, value: u32) {
        self.uvarlong(u64::from(value));
    }

    /// A signed number of 1 to 5 bytes, zigzag.
    pub fn varint(&mut self, value: i32) {
        self.uvarint(((value << 1) ^ (value >> 31)) as u32);
    }

    /// An unsigned number of 1 to 10 bytes.
    #[inline]
    pub fn uvarlong(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// A signed number of 1 to 10 bytes, zigzag.
    pub fn varlong(&mut self, value: i64) {
        self.uvarlong(((value << 1) ^ (value >> 63)) as u64);
    }

    /// A string. `flexible` chooses the compact encoding.
    #[inline]
    pub fn string(&mut self, flexible: bool, value: &str) -> Result<(), EncodeError> {
        let length = value.len();
        if length > STRING_BYTES_MAX {
            return Err(EncodeError::StringTooLong { length });
        }
        if flexible {
            self.uvarint(length as u32 + 1);
        } else {
            self.i16(length as i16);
        }
        self.bytes.extend_from_slice(value.as_bytes());
        Ok(())
    }

    /// A string that may be null.
    #[inline]
    pub fn nullable_string(&mut self, flexible: bool, value: Option<&str>) -> Result<(), EncodeError> {
        match value {
            Some(value) => self.string(flexible, value)?,
            None if flexible => self.u8(0),
            None => self.i16(-1),
        }
        Ok(())
    }

    /// Bytes.
    #[inline]
    pub fn bytes(&mut self, flexible: bool, value: &[u8]) -> Result<(), EncodeError> {
        self.array_length(flexible, value.len())?;
        self.bytes.extend_from_slice(value);
        Ok(())
    }

    /// Bytes that may be null.
    #[inline]
    pub fn nullable_bytes(&mut self, flexible: bool, value: Option<&[u8]>) -> Result<(), EncodeError> {
        match value {
            Some(value) => self.bytes(flexible, value),
            None => {
                self.null_length(flexible);
                Ok(())
            }
        }
    }

    /// Record batches, or the announcement of some that are elsewhere.
    pub fn records(&mut self, flexible: bool, value: Records<'_>) -> Result<(), EncodeError> {
        match value {
            Records::Null => self.null_length(flexible),
            Records::Bytes(bytes) => self.bytes(flexible, bytes)?,
            Records::External { index, length } => {
                self.array_length(flexible, length)?;
                self.splices.push(Splice { position: self.bytes.len(), index, length });
            }
        }
        Ok(())
    }

    /// The length of an array or of bytes.
    #[inline]
    pub fn array_length(&mut self, flexible: bool, length: usize) -> Result<(), EncodeError> {
        let Ok(signed) = i32::try_from(length) else { return Err(EncodeError::TooLong { length }) };
        if flexible {
            self.uvarint(signed as u32 + 1);
        } else {
            self.i32(signed);
        }
        Ok(())
    }

    /// The length that stands for null, of an array or of bytes.
    #[inline]
    pub fn null_length(&mut self, flexible: bool) {
        if flexible {
            self.u8(0);
        } else {
            self.i32(-1);
        }
    }

    /// An array of elements that `write` writes.
    #[inline]
    pub fn array<T, F>(&mut self, flexible: bool, elements: &[T], mut write: F) -> Result<(), EncodeError>
    where
        F: FnMut(&mut Self, &T) -> Result<(), EncodeError>,
    {
        self.array_length(flexible, elements.len())?;
        elements.iter().try_for_each(|element| write(self, element))
    }

    /// An array that may be null.
    #[inline]
    pub fn nullable_array<T, F>(
        &mut self,
        flexible: bool,
        elements: Option<&[T]>,
        write: F,
    ) -> Result<(), EncodeError>
    where
        F: FnMut(&mut Self, &T) -> Result<(), EncodeError>,
    {
        match elements {
            Some(elements) => self.array(flexible, elements, write),
            None => {
                self.null_length(flexible);
                Ok(())
            }
        }
    }

    /// The byte in front of a struct that may be null.
    #[inline]
    pub fn present(&mut self, present: bool) {
        self.i8(if present { 1 } else { -1 });
    }

    /// One field of a tagged section: its tag, its size, and what `write` appends.
    pub fn tagged<F>(&mut self, tag: u32, write: F) -> Result<(), EncodeError>
    where
        F: FnOnce(&mut Writer) -> Result<(), EncodeError>,
    {
        self.uvarint(tag);
        let splices = self.splices.len();
        let start = self.bytes.len();
        write(self)?;
        assert!(splices == self.splices.len(), "external records can't be inside a tagged field");
        let end = self.bytes.len();
        let Ok(size) = u32::try_from(end - start) else {
            return Err(EncodeError::TooLong { length: end - start });
        };
        self.uvarint(size);
        // The size is known only now: it is written behind the field and turned to its front.
        let written = self.bytes.len() - end;
        if let Some(field) = self.bytes.get_mut(start..) {
            field.rotate_right(written);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
