//! Columns to be sent, from anything with Arrow's C data interface.

use std::ffi::{c_void, CStr};

use barnabas_protocol::Millis;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};

use super::abi::{ArrowArray, ArrowArrayStream, ArrowSchema, Released, ARRAY, SCHEMA, STREAM};
use super::rows::{
    view, Bounds, Buffer, BytesLayout, BytesRows, HeaderRows, IntLayout, IntRows, Owner, Rows, Scale, Valid,
    VIEW_INLINE_MAX,
};

/// An array with its type.
pub(crate) struct Imported {
    pub(crate) schema: ArrowSchema,
    pub(crate) array: ArrowArray,
}

/// Takes a struct out of a capsule.
fn taken<T: Released>(capsule: &Bound<'_, PyAny>, name: &'static CStr) -> PyResult<T> {
    let place = capsule.cast::<PyCapsule>()?.pointer_checked(Some(name))?;
    // SAFETY: a capsule of this name holds this struct, and the interpreter's lock keeps others away.
    Ok(unsafe { T::take(place.as_ptr().cast()) })
}

/// Arrays of a Python object, as it gives them; None when it has no such interface.
pub(crate) fn arrays(object: &Bound<'_, PyAny>) -> PyResult<Option<Vec<Imported>>> {
    if object.hasattr("__arrow_c_stream__")? {
        let capsule = object.call_method0("__arrow_c_stream__")?;
        return stream(taken(&capsule, STREAM)?).map(Some);
    }
    if object.hasattr("__arrow_c_array__")? {
        let pair = object.call_method0("__arrow_c_array__")?;
        let pair = pair.cast::<PyTuple>()?;
        let (schema, array) = (pair.get_item(0)?, pair.get_item(1)?);
        let one = Imported { schema: taken(&schema, SCHEMA)?, array: taken(&array, ARRAY)? };
        return Ok(Some(vec![one]));
    }
    Ok(None)
}

fn stream(mut stream: ArrowArrayStream) -> PyResult<Vec<Imported>> {
    let mut arrays = Vec::new();
    loop {
        let (mut schema, mut array) = (ArrowSchema::empty(), ArrowArray::empty());
        let (Some(get_schema), Some(get_next)) = (stream.get_schema, stream.get_next) else {
            return Err(PyValueError::new_err("an Arrow stream that was used already"));
        };
        // SAFETY: functions of a stream that is not released, called as the interface says.
        let failed = unsafe {
            get_schema(&raw mut stream, &raw mut schema) != 0
                || get_next(&raw mut stream, &raw mut array) != 0
        };
        if failed {
            let text = stream.get_last_error.map(|last| {
                // SAFETY: as above; the text is valid until the next call.
                unsafe { text(last(&raw mut stream)) }
            });
            return Err(PyValueError::new_err(format!(
                "an Arrow stream failed: {}",
                text.unwrap_or_default()
            )));
        }
        if array.release.is_none() {
            return Ok(arrays);
        }
        arrays.push(Imported { schema, array });
    }
}

/// # Safety
/// `text` is null or ends with a zero.
unsafe fn text(text: *const std::ffi::c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: by the contract.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A type and its data, borrowed from what owns both.
#[derive(Clone, Copy)]
struct Column<'a> {
    schema: &'a ArrowSchema,
    array: &'a ArrowArray,
    /// What the error messages call it.
    name: &'a str,
}

impl<'a> Column<'a> {
    fn format(&self) -> String {
        // SAFETY: a format ends with a zero.
        unsafe { text(self.schema.format) }
    }

    fn refused(&self, why: &str) -> PyErr {
        PyTypeError::new_err(format!("column {}: {why} (Arrow format {:?})", self.name, self.format()))
    }

    /// Elements from the beginning of its memory to its end.
    fn end(&self) -> usize {
        (self.array.offset + self.array.length).max(0) as usize
    }

    fn offset(&self) -> usize {
        self.array.offset.max(0) as usize
    }

    fn pointer(&self, index: usize) -> PyResult<*const c_void> {
        if index as i64 >= self.array.n_buffers || self.array.buffers.is_null() {
            return Err(self.refused("a buffer is missing"));
        }
        // SAFETY: there are `n_buffers` of them.
        Ok(unsafe { *self.array.buffers.add(index) })
    }

    /// Buffer `index` with `length` elements.
    fn buffer<T: Copy>(&self, index: usize, length: usize) -> PyResult<Buffer<T>> {
        let pointer = self.pointer(index)?;
        if pointer.is_null() && length > 0 {
            return Err(self.refused("a buffer is null"));
        }
        // SAFETY: the interface says how long a buffer is; the array that owns it outlives the rows.
        Ok(unsafe { Buffer::new(pointer.cast(), length) })
    }

    fn valid(&self) -> PyResult<Valid> {
        if self.array.null_count == 0 || self.pointer(0)?.is_null() {
            return Ok(Valid { bits: None });
        }
        Ok(Valid { bits: Some(self.buffer(0, self.end().div_ceil(8))?) })
    }

    fn child(&self, index: usize) -> PyResult<Column<'a>> {
        let count = self.schema.n_children.min(self.array.n_children);
        if index as i64 >= count {
            return Err(self.refused("a child is missing"));
        }
        // SAFETY: there are that many children, which live as long as their parents.
        unsafe {
            Ok(Column {
                schema: &**self.schema.children.add(index),
                array: &**self.array.children.add(index),
                name: self.name,
            })
        }
    }

    /// Bounds of elements, in `data_length` elements at most; where the last one ends.
    fn bounds(&self, large: bool) -> PyResult<(Bounds, usize)> {
        let count = self.end() + 1;
        let (first, last, ordered, bounds);
        // An empty column may have no bounds at all.
        if self.array.length == 0 {
            // SAFETY: nothing is read of a buffer without elements.
            return Ok((Bounds::Small(unsafe { Buffer::new(std::ptr::null(), 0) }), 0));
        }
        if large {
            let numbers: Buffer<i64> = self.buffer(1, count)?;
            ordered = (self.offset() + 1..count).all(|index| numbers.get(index - 1) <= numbers.get(index));
            (first, last) = (numbers.get(self.offset()), numbers.get(count - 1));
            bounds = Bounds::Large(numbers);
        } else {
            let numbers: Buffer<i32> = self.buffer(1, count)?;
            ordered = (self.offset() + 1..count).all(|index| numbers.get(index - 1) <= numbers.get(index));
            (first, last) = (i64::from(numbers.get(self.offset())), i64::from(numbers.get(count - 1)));
            bounds = Bounds::Small(numbers);
        }
        if first < 0 || !ordered {
            return Err(self.refused("its bounds go down"));
        }
        Ok((bounds, last as usize))
    }

    fn bytes(&self) -> PyResult<BytesRows> {
        if !self.schema.dictionary.is_null() {
            return Err(self.refused("dictionary-encoded columns can't be sent: decode it first"));
        }
        let format = self.format();
        let layout = match format.as_str() {
            "z" | "u" | "Z" | "U" => {
                let (bounds, last) = self.bounds(format == "Z" || format == "U")?;
                BytesLayout::Bounded(bounds, self.buffer(2, last)?)
            }
            "vz" | "vu" => self.views()?,
            "n" => BytesLayout::Absent,
            _ => match format.strip_prefix("w:").and_then(|size| size.parse::<usize>().ok()) {
                Some(size) => BytesLayout::Fixed(size, self.buffer(1, self.end() * size)?),
                None => return Err(self.refused("must be binary or text")),
            },
        };
        let valid = if format == "n" { Valid { bits: None } } else { self.valid()? };
        Ok(BytesRows { valid, offset: self.offset(), layout })
    }

    fn views(&self) -> PyResult<BytesLayout> {
        let views: Buffer<[u8; 16]> = self.buffer(1, self.end())?;
        let count = usize::try_from(self.array.n_buffers - 3).map_err(|_| self.refused("no sizes"))?;
        let sizes: Buffer<i64> = self.buffer(count + 2, count)?;
        let data = (0..count).map(|index| self.buffer(index + 2, sizes.get(index).max(0) as usize));
        let data: Vec<Buffer<u8>> = data.collect::<PyResult<_>>()?;
        let valid = self.valid()?;
        for index in self.offset()..self.end() {
            let (length, buffer, from) = view(&views.get(index));
            if !valid.at(index) || (0..=VIEW_INLINE_MAX as i32).contains(&length) {
                continue;
            }
            let size = usize::try_from(buffer).ok().and_then(|index| data.get(index)).map(Buffer::length);
            let inside =
                length > 0 && from >= 0 && size.is_some_and(|size| from as usize + length as usize <= size);
            if !inside {
                return Err(self.refused("a view lies outside of its data"));
            }
        }
        Ok(BytesLayout::Views(views, data))
    }

    fn numbers(&self) -> PyResult<IntRows> {
        let (format, end) = (self.format(), self.end());
        let unit = |text: &str| -> Option<Scale> {
            match text.as_bytes().get(..3)? {
                b"tss" => Some((1_000, 1)),
                b"tsm" => Some((1, 1)),
                b"tsu" => Some((1, 1_000)),
                b"tsn" => Some((1, 1_000_000)),
                _ => None,
            }
        };
        let scale = unit(&format);
        let layout = match format.as_str() {
            "c" => IntLayout::I8(self.buffer(1, end)?),
            "s" => IntLayout::I16(self.buffer(1, end)?),
            "i" => IntLayout::I32(self.buffer(1, end)?),
            "l" => IntLayout::I64(self.buffer(1, end)?),
            "n" => IntLayout::Absent,
            _ if scale.is_some() && self.name == TIMESTAMP => IntLayout::I64(self.buffer(1, end)?),
            _ => return Err(self.refused("must be whole numbers with a sign, or a time for timestamps")),
        };
        let valid = if format == "n" { Valid { bits: None } } else { self.valid()? };
        Ok(IntRows { valid, offset: self.offset(), layout, scale: scale.unwrap_or((1, 1)) })
    }

    fn headers(&self) -> PyResult<Option<HeaderRows>> {
        let format = self.format();
        let large = match format.as_str() {
            "n" => return Ok(None),
            "+l" | "+m" => false,
            "+L" => true,
            _ => return Err(self.refused("must be a list of structs of key and value, or a map")),
        };
        let pairs = self.child(0)?;
        let (bounds, last) = self.bounds(large)?;
        if last > pairs.array.length.max(0) as usize {
            return Err(self.refused("a list ends behind its elements"));
        }
        let part = |index| {
            let part: Column<'_> = pairs.child(index)?;
            let rows = part.bytes()?;
            if part.end() < pairs.offset() + last {
                return Err(self.refused("a column of the pairs is too short"));
            }
            // A struct's own offset comes on top of its columns'.
            Ok(BytesRows { offset: rows.offset + pairs.offset(), ..rows })
        };
        Ok(Some(HeaderRows {
            valid: self.valid()?,
            offset: self.offset(),
            bounds,
            names: part(0)?,
            values: part(1)?,
        }))
    }
}

const TIMESTAMP: &str = "timestamp";
/// Columns that are taken.
const NAMES: &str = "key, value, timestamp, headers and partition (and offset, which is passed over)";

impl Rows {
    /// Records of an array: of a struct's columns, or of values alone.
    pub(crate) fn of_array(imported: Imported, partition: Option<i32>, now: Millis) -> PyResult<Rows> {
        let Imported { schema, array } = imported;
        let column = Column { schema: &schema, array: &array, name: "value" };
        let length = usize::try_from(array.length).map_err(|_| column.refused("a negative length"))?;
        let mut rows = Rows::new(length, partition, now);
        if column.format() != "+s" {
            rows.values = Some(column.bytes()?);
        } else {
            if column.valid()?.bits.is_some() {
                return Err(column.refused("a row of a table can't be null"));
            }
            for index in 0..array.n_children.max(0) as usize {
                let child = column.child(index)?;
                // SAFETY: a name is null or ends with a zero.
                let name = unsafe { text(child.schema.name) };
                rows.add(&name, child, column.offset(), column.end())?;
            }
        }
        rows.owners.push(Owner::Array(array));
        Ok(rows)
    }

    /// Adds one column, by its name, from an array of its own.
    pub(crate) fn add_array(&mut self, name: &str, imported: Imported) -> PyResult<()> {
        let Imported { schema, array } = imported;
        self.add(name, Column { schema: &schema, array: &array, name }, 0, self.length)?;
        self.owners.push(Owner::Array(array));
        Ok(())
    }

    /// `skipped` elements come before the first record's; `end` are needed.
    fn add(&mut self, name: &str, column: Column<'_>, skipped: usize, end: usize) -> PyResult<()> {
        let column = Column { name, ..column };
        if (column.array.length.max(0) as usize) < end {
            return Err(column.refused(&format!("has {} elements, not {end}", column.array.length)));
        }
        let moved = |rows: BytesRows| BytesRows { offset: rows.offset + skipped, ..rows };
        let moved_numbers = |rows: IntRows| IntRows { offset: rows.offset + skipped, ..rows };
        match name {
            "key" => self.keys = Some(moved(column.bytes()?)),
            "value" => self.values = Some(moved(column.bytes()?)),
            TIMESTAMP => self.timestamps = Some(moved_numbers(column.numbers()?)),
            "partition" => self.partitions = Some(moved_numbers(column.numbers()?)),
            "headers" => {
                let headers = column.headers()?;
                self.headers = headers.map(|rows| HeaderRows { offset: rows.offset + skipped, ..rows });
            }
            "offset" => {}
            _ => {
                let text = format!("records have no column {name:?}: those that can be sent are {NAMES}");
                return Err(PyValueError::new_err(text));
            }
        }
        Ok(())
    }
}
