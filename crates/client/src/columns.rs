//! Fetched records as columns, in Arrow's layout: an array for each field.
//!
//! Always true:
//!   all columns have the same length
//!   the bounds of a column of bytes never go down, begin with 0 and end with the length of its data
//!   no column of bytes is over 2 GiB, for its bounds are 32-bit numbers

use barnabas_protocol::record::{Headers, Record};
use barnabas_protocol::{Millis, Offset};

/// Which elements are there, a bit each, lowest first.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Validity {
    bits: Vec<u8>,
    length: usize,
    nulls: usize,
}

impl Validity {
    #[inline]
    fn push(&mut self, valid: bool) {
        let bit = self.length % 8;
        if bit == 0 {
            self.bits.push(0);
        }
        if let Some(last) = self.bits.last_mut() {
            *last |= u8::from(valid) << bit;
        }
        self.length += 1;
        self.nulls += usize::from(!valid);
    }

    /// How many elements are absent.
    pub fn nulls(&self) -> usize {
        self.nulls
    }

    /// The bits; elements that are not there read as 0.
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }
}

/// A column of bytes, any of which may be absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BytesColumn {
    bounds: Vec<i32>,
    data: Vec<u8>,
    validity: Validity,
}

impl Default for BytesColumn {
    fn default() -> Self {
        BytesColumn { bounds: vec![0], data: Vec::new(), validity: Validity::default() }
    }
}

impl BytesColumn {
    /// Whether `size` more bytes fit.
    #[inline]
    fn has_room(&self, size: usize) -> bool {
        self.data.len() + size <= i32::MAX as usize
    }

    #[inline]
    fn push(&mut self, bytes: Option<&[u8]>) {
        self.data.extend_from_slice(bytes.unwrap_or_default());
        self.bounds.push(self.data.len() as i32);
        self.validity.push(bytes.is_some());
    }

    /// Where each element begins, and where the last one ends.
    pub fn bounds(&self) -> &[i32] {
        &self.bounds
    }

    /// All elements, one after another.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Which elements are there.
    pub fn validity(&self) -> &Validity {
        &self.validity
    }

    /// How many elements.
    pub fn len(&self) -> usize {
        self.validity.length
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One element; None when it is absent.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let valid = self.validity.bits[index / 8] >> (index % 8) & 1 == 1;
        valid.then(|| &self.data[self.bounds[index] as usize..self.bounds[index + 1] as usize])
    }
}

/// The headers of records: names and values of all of them, and where each record's begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadersColumn {
    bounds: Vec<i32>,
    /// Names, always there, always UTF-8.
    pub names: BytesColumn,
    /// Values.
    pub values: BytesColumn,
}

impl Default for HeadersColumn {
    fn default() -> Self {
        HeadersColumn { bounds: vec![0], names: BytesColumn::default(), values: BytesColumn::default() }
    }
}

impl HeadersColumn {
    fn push(&mut self, headers: Headers<'_>) {
        for header in headers {
            // No broker checks names, but a column of text must be text.
            self.names.push(Some(String::from_utf8_lossy(header.key).as_bytes()));
            self.values.push(header.value);
        }
        self.bounds.push(self.names.len() as i32);
    }

    /// Where the headers of each record begin, and where the last one's end.
    pub fn bounds(&self) -> &[i32] {
        &self.bounds
    }
}

/// Records of one partition as columns.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Columns {
    /// Offsets.
    pub offsets: Vec<Offset>,
    /// Milliseconds since the Unix epoch.
    pub timestamps: Vec<Millis>,
    /// Keys.
    pub keys: BytesColumn,
    /// Values.
    pub values: BytesColumn,
    /// Headers.
    pub headers: HeadersColumn,
}

impl Columns {
    /// Makes room for records that take `bytes` in all.
    pub fn reserve(&mut self, count: usize, bytes: usize) {
        self.offsets.reserve(count);
        self.timestamps.reserve(count);
        for column in [&mut self.keys, &mut self.values] {
            column.bounds.reserve(count);
            column.validity.bits.reserve(count / 8 + 1);
        }
        self.headers.bounds.reserve(count);
        self.values.data.reserve(bytes);
    }

    /// Adds a record; false when a column would take more than 2 GiB.
    #[inline]
    pub fn push(&mut self, record: &Record<'_>) -> bool {
        let size = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        // A name that is no UTF-8 grows to three times its size at most.
        let headers = if record.headers.len() == 0 { 0 } else { record.headers.bytes().len() * 3 };
        let room = self.keys.has_room(size(record.key))
            && self.values.has_room(size(record.value))
            && self.headers.names.has_room(headers)
            && self.headers.values.has_room(headers);
        if room {
            self.offsets.push(record.offset);
            self.timestamps.push(record.timestamp);
            self.keys.push(record.key);
            self.values.push(record.value);
            self.headers.push(record.headers);
        }
        room
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barnabas_protocol::batch::{batches, Batch};
    use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};
    use barnabas_protocol::record::Header;
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    type Row = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>);

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let bytes = || option::of(vec(any::<u8>(), 0..20));
        let headers = vec(("[a-zé]{0,4}", bytes()), 0..3);
        vec((0..1_000i64, bytes(), bytes(), headers), 1..40)
    }

    fn encoded(rows: &[Row]) -> Vec<u8> {
        let mut builder = BatchBuilder::new(BuilderConfig { base_offset: 7, ..Default::default() });
        for (timestamp, key, value, headers) in rows {
            let headers: Vec<Header<'_>> =
                headers.iter().map(|(k, v)| Header { key: k.as_bytes(), value: v.as_deref() }).collect();
            builder.append(*timestamp, key.as_deref(), value.as_deref(), &headers).unwrap();
        }
        builder.finish().unwrap()
    }

    proptest! {
        #[test]
        fn columns_hold_what_the_records_did(rows in rows()) {
            let bytes = encoded(&rows);
            let batch: Batch<'_> = batches(&bytes).next().unwrap().unwrap();
            let records = batch.records(1 << 20).unwrap();
            let mut columns = Columns::default();
            for record in records.iter() {
                prop_assert!(columns.push(&record.unwrap()));
            }
            prop_assert_eq!(columns.len(), rows.len());
            for (index, (timestamp, key, value, headers)) in rows.iter().enumerate() {
                prop_assert_eq!(columns.offsets[index], 7 + index as i64);
                prop_assert_eq!(columns.timestamps[index], *timestamp);
                prop_assert_eq!(columns.keys.get(index), key.as_deref());
                prop_assert_eq!(columns.values.get(index), value.as_deref());
                let bounds = columns.headers.bounds();
                let range = bounds[index] as usize..bounds[index + 1] as usize;
                let read: Vec<(String, Option<Vec<u8>>)> = range
                    .map(|at| {
                        let name = columns.headers.names.get(at).unwrap().to_vec();
                        (String::from_utf8(name).unwrap(), columns.headers.values.get(at).map(<[u8]>::to_vec))
                    })
                    .collect();
                prop_assert_eq!(&read, headers);
            }
            let nulls = rows.iter().filter(|row| row.2.is_none()).count();
            prop_assert_eq!(columns.values.validity().nulls(), nulls);
        }
    }
}
