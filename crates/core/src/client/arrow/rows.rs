//! Records to be sent, read from columns: of Arrow's memory, or of lists copied into the same layout.
//!
//! Always true:
//!   a column has as many elements as there are records, and what its elements refer to lies in its data: both
//!   were checked when it was made, as far as Arrow's interface can be checked

use barnabas_client::bulk;
use barnabas_protocol::record::Header;
use barnabas_protocol::Millis;

use super::abi::ArrowArray;

/// Memory of a column that somebody else owns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Buffer<T> {
    start: *const T,
    length: usize,
}

// SAFETY: what it refers to does not change, and whoever made it keeps it alive.
unsafe impl<T: Send> Send for Buffer<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Buffer<T> {}

impl<T: Copy> Buffer<T> {
    /// `length` elements at `start`.
    ///
    /// # Safety
    /// They can be read, and don't change, as long as the buffer is used.
    pub(crate) unsafe fn new(start: *const T, length: usize) -> Buffer<T> {
        let length = if start.is_null() { 0 } else { length };
        Buffer { start, length }
    }

    pub(crate) fn length(&self) -> usize {
        self.length
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> T {
        assert!(index < self.length, "element {index} of {}", self.length);
        // SAFETY: inside, by the line above; the interface does not promise alignment.
        unsafe { self.start.add(index).read_unaligned() }
    }
}

impl Buffer<u8> {
    #[inline]
    pub(crate) fn slice(&self, from: usize, to: usize) -> &[u8] {
        if from == to {
            return &[];
        }
        assert!(from < to && to <= self.length, "bytes {from}..{to} of {}", self.length);
        // SAFETY: inside, by the line above; bytes need no alignment.
        unsafe { std::slice::from_raw_parts(self.start.add(from), to - from) }
    }
}

/// Which elements are there; all, without bits.
#[derive(Debug)]
pub(crate) struct Valid {
    pub(crate) bits: Option<Buffer<u8>>,
}

impl Valid {
    /// `index` counts from the beginning of the bits.
    #[inline]
    pub(crate) fn at(&self, index: usize) -> bool {
        self.bits.as_ref().is_none_or(|bits| bits.get(index / 8) >> (index % 8) & 1 == 1)
    }
}

/// Where elements of different lengths begin and end.
#[derive(Debug)]
pub(crate) enum Bounds {
    Small(Buffer<i32>),
    Large(Buffer<i64>),
}

impl Bounds {
    #[inline]
    pub(crate) fn get(&self, index: usize) -> (usize, usize) {
        match self {
            Bounds::Small(bounds) => (bounds.get(index) as usize, bounds.get(index + 1) as usize),
            Bounds::Large(bounds) => (bounds.get(index) as usize, bounds.get(index + 1) as usize),
        }
    }
}

/// How bytes are laid out.
#[derive(Debug)]
pub(crate) enum BytesLayout {
    Bounded(Bounds, Buffer<u8>),
    /// Short ones lie in the view itself.
    Views(Buffer<[u8; 16]>, Vec<Buffer<u8>>),
    Fixed(usize, Buffer<u8>),
    /// All are absent.
    Absent,
}

/// A view's length, and for long ones the buffer and where they begin in it.
pub(crate) fn view(view: &[u8; 16]) -> (i32, i32, i32) {
    let word = |at: usize| i32::from_le_bytes([view[at], view[at + 1], view[at + 2], view[at + 3]]);
    (word(0), word(8), word(12))
}

/// The longest that lies in the view itself.
pub(crate) const VIEW_INLINE_MAX: usize = 12;

/// A column of keys, values or the like.
#[derive(Debug)]
pub(crate) struct BytesRows {
    pub(crate) valid: Valid,
    /// Where the column begins in its memory.
    pub(crate) offset: usize,
    pub(crate) layout: BytesLayout,
}

impl BytesRows {
    #[inline]
    fn get(&self, index: usize) -> Option<&[u8]> {
        let at = self.offset + index;
        if !self.valid.at(at) {
            return None;
        }
        match &self.layout {
            BytesLayout::Bounded(bounds, data) => {
                let (from, to) = bounds.get(at);
                Some(data.slice(from, to))
            }
            BytesLayout::Fixed(size, data) => Some(data.slice(at * size, (at + 1) * size)),
            BytesLayout::Views(views, data) => {
                let (length, buffer, from) = view(&views.get(at));
                let length = length as usize;
                if length <= VIEW_INLINE_MAX {
                    // The bytes themselves follow the length.
                    let inline = Buffer { start: views.start.cast::<u8>(), length: views.length * 16 };
                    let from = at * 16 + 4;
                    // SAFETY: inside the views, one of which was read above; they live as long as `self`.
                    return Some(unsafe { std::slice::from_raw_parts(inline.start.add(from), length) });
                }
                Some(data[buffer as usize].slice(from as usize, from as usize + length))
            }
            BytesLayout::Absent => None,
        }
    }
}

/// How numbers are laid out.
#[derive(Debug)]
pub(crate) enum IntLayout {
    I8(Buffer<i8>),
    I16(Buffer<i16>),
    I32(Buffer<i32>),
    I64(Buffer<i64>),
    /// All are absent.
    Absent,
}

/// What a number is to be multiplied with, then divided by.
pub(crate) type Scale = (i64, i64);

/// A column of timestamps or partitions.
#[derive(Debug)]
pub(crate) struct IntRows {
    pub(crate) valid: Valid,
    /// Where the column begins in its memory.
    pub(crate) offset: usize,
    pub(crate) layout: IntLayout,
    pub(crate) scale: Scale,
}

impl IntRows {
    #[inline]
    fn get(&self, index: usize) -> Option<i64> {
        let at = self.offset + index;
        if !self.valid.at(at) {
            return None;
        }
        let number = match &self.layout {
            IntLayout::I8(numbers) => i64::from(numbers.get(at)),
            IntLayout::I16(numbers) => i64::from(numbers.get(at)),
            IntLayout::I32(numbers) => i64::from(numbers.get(at)),
            IntLayout::I64(numbers) => numbers.get(at),
            IntLayout::Absent => return None,
        };
        Some(number.saturating_mul(self.scale.0).div_euclid(self.scale.1))
    }
}

/// A column of headers.
#[derive(Debug)]
pub(crate) struct HeaderRows {
    pub(crate) valid: Valid,
    /// Where the column begins in its memory.
    pub(crate) offset: usize,
    pub(crate) bounds: Bounds,
    pub(crate) names: BytesRows,
    pub(crate) values: BytesRows,
}

/// What must live as long as columns are read.
#[allow(dead_code, reason = "held, not read: the columns refer to it")]
pub(crate) enum Owner {
    Array(ArrowArray),
    Bytes(Vec<u8>),
    Numbers(Vec<i64>),
}

/// Records to be sent, in columns; what there is no column for is absent.
pub(crate) struct Rows {
    pub(crate) length: usize,
    pub(crate) keys: Option<BytesRows>,
    pub(crate) values: Option<BytesRows>,
    pub(crate) timestamps: Option<IntRows>,
    pub(crate) partitions: Option<IntRows>,
    pub(crate) headers: Option<HeaderRows>,
    /// The partition of those that name none.
    pub(crate) partition: Option<i32>,
    /// The time of those that have none.
    pub(crate) now: Millis,
    pub(crate) owners: Vec<Owner>,
}

impl Rows {
    pub(crate) fn new(length: usize, partition: Option<i32>, now: Millis) -> Rows {
        Rows {
            length,
            keys: None,
            values: None,
            timestamps: None,
            partitions: None,
            headers: None,
            partition,
            now,
            owners: Vec::new(),
        }
    }
}

impl bulk::Rows for Rows {
    fn length(&self) -> usize {
        self.length
    }

    #[inline]
    fn row<'a>(&'a self, index: usize, headers: &mut Vec<Header<'a>>) -> bulk::Row<'a> {
        if let Some(column) = &self.headers {
            let at = column.offset + index;
            let (from, to) = if column.valid.at(at) { column.bounds.get(at) } else { (0, 0) };
            headers.extend((from..to).map(|at| Header {
                key: column.names.get(at).unwrap_or_default(),
                value: column.values.get(at),
            }));
        }
        let partition = self.partitions.as_ref().and_then(|column| column.get(index));
        bulk::Row {
            // A number that is no partition's is refused by the partition's check.
            partition: partition.map(|number| i32::try_from(number).unwrap_or(-1)).or(self.partition),
            timestamp: self.timestamps.as_ref().and_then(|column| column.get(index)).unwrap_or(self.now),
            key: self.keys.as_ref().and_then(|column| column.get(index)),
            value: self.values.as_ref().and_then(|column| column.get(index)),
        }
    }
}
