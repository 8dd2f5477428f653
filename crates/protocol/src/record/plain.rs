//! The short way through records as most are: no headers, no length over three bytes.

use super::Frame;

/// The record that `bytes` begin with. None when it is another one, or none at all: [`super::read_frame`] tells which.
#[inline(always)]
pub(super) fn read(bytes: &[u8]) -> Option<Frame> {
    let mut cursor = Cursor { bytes, at: 0 };
    let length = cursor.number()?;
    let end = cursor.at + usize::try_from(length).ok()?;
    cursor.at += 1; // Attributes of a record: none is defined.
    let timestamp_delta = i64::from(cursor.number()?);
    let offset_delta = cursor.number()?;
    let (key_length, key_at) = cursor.part()?;
    let (value_length, value_at) = cursor.part()?;
    let headers_count = cursor.number()?;
    let is_plain = headers_count == 0 && cursor.at == end;
    is_plain.then_some(Frame {
        timestamp_delta,
        offset_delta,
        key_length,
        key_at,
        value_length,
        value_at,
        headers_count: 0,
        headers_at: end,
        size: end,
    })
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    /// A signed number of three bytes at most.
    #[inline(always)]
    fn number(&mut self) -> Option<i32> {
        let byte = |at: usize| self.bytes.get(at).map(|&byte| u32::from(byte));
        let mut value = byte(self.at)?;
        let mut size = 1;
        if value >= 0x80 {
            let second = byte(self.at + 1)?;
            value = value & 0x7f | (second & 0x7f) << 7;
            size = 2;
            if second >= 0x80 {
                let third = byte(self.at + 2).filter(|&third| third < 0x80)?;
                value |= third << 14;
                size = 3;
            }
        }
        self.at += size;
        Some((value >> 1) as i32 ^ -((value & 1) as i32))
    }

    /// Length and place of a key or value; -1 where there is none.
    #[inline(always)]
    fn part(&mut self) -> Option<(i32, usize)> {
        let length = self.number()?;
        let at = self.at;
        match length {
            -1 => {}
            0.. => self.at += length as usize,
            _ => return None,
        }
        Some((length, at))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{read_frame, Blind, Slice};
    use super::*;
    use crate::batch::HEADER_SIZE;
    use crate::batch_builder::{BatchBuilder, BuilderConfig};
    use crate::record::Header;

    proptest! {
        #[test]
        fn what_it_reads_is_what_the_long_way_reads(
            key in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200)),
            value in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20_000)),
            header: bool,
            timestamp in 0i64..1 << 24,
            damage in proptest::option::of((0usize..40, any::<u8>())),
            cut in proptest::option::of(0usize..300),
        ) {
            let mut builder = BatchBuilder::new(BuilderConfig::default());
            let headers = [Header { key: b"h", value: None }];
            builder.append(0, None, None, &[]).unwrap();
            let before = builder.uncompressed_size();
            let headers = if header { &headers[..] } else { &[] };
            builder.append(timestamp, key.as_deref(), value.as_deref(), headers).unwrap();
            let mut bytes = builder.into_buffer().split_off(before.max(HEADER_SIZE));
            if let Some((at, byte)) = damage {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            bytes.truncate(cut.unwrap_or(bytes.len()));
            let short = read(&bytes);
            let long = read_frame(&mut Slice { rest: &bytes }, 0, &mut Blind);
            if let Some(frame) = short {
                prop_assert_eq!(Ok(frame), long);
            } else if damage.is_none() && cut.is_none() && !header && timestamp < 1 << 19 {
                prop_assert!(false, "a plain record went the long way");
            }
        }
    }
}
