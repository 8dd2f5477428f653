//! The reading half: a cursor over borrowed bytes that believes no length.

use super::{
    DecodeError, Records, ARRAY_ELEMENTS_MAX, MEMORY_EXTRA_MAX, MEMORY_FACTOR_MAX, STRING_BYTES_MAX,
    TAGGED_FIELDS_MAX,
};
use crate::types::Uuid;

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
