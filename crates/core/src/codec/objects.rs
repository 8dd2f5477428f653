//! Builds Python messages while the tables are walked.
//!
//! Always true:
//!   the objects of one message take at most [`MEMORY_FACTOR_MAX`] times its bytes, and a constant, of memory;
//!   [`SMALL_FACTOR_MAX`] times and a smaller constant if that is less

use barnabas_protocol::table::{Build, Default, Field, Struct, Type};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyString};

use super::classes::{Class, Classes};
use super::CodecError;
use crate::uuid::Uuid;

/// Objects take at most this many times the bytes that they were read from, as Rust's structs do …
const MEMORY_FACTOR_MAX: usize = 4;
/// … and this many bytes more: Python's smallest object is 28 bytes, and a million elements of an array, which is
/// as many as Kafka reads, must find room.
const MEMORY_EXTRA_MAX: usize = 256 << 20;
/// A small message must not take that much: at most this many times its bytes …
const SMALL_FACTOR_MAX: usize = 32;
/// … and this many bytes more, so that no message of common size is refused.
const SMALL_EXTRA_MAX: usize = 4 << 20;

// What CPython takes for an object, rounded up: the part that does not depend on what is in it.
const INTEGER_BYTES: usize = 32;
const STRING_BYTES: usize = 56;
const LIST_BYTES: usize = 72;
const STRUCT_BYTES: usize = 32;
const POINTER_BYTES: usize = 8;

/// Builds the objects of one message.
pub(super) struct Objects<'py> {
    py: Python<'py>,
    classes: &'static Classes,
    memory: usize,
    limit: usize,
}

impl<'py> Objects<'py> {
    /// A builder for a message of `size` bytes.
    pub(super) fn new(py: Python<'py>, classes: &'static Classes, size: usize) -> Self {
        let limit = memory_max(size);
        Objects { py, classes, memory: limit, limit }
    }

    #[inline]
    fn charge(&mut self, bytes: usize) -> Result<(), CodecError> {
        match self.memory.checked_sub(bytes) {
            Some(left) => {
                self.memory = left;
                Ok(())
            }
            None => Err(CodecError::Memory { limit: self.limit }),
        }
    }
}

/// What the objects of a message of `size` bytes may take.
fn memory_max(size: usize) -> usize {
    let small = size.saturating_mul(SMALL_FACTOR_MAX).saturating_add(SMALL_EXTRA_MAX);
    small.min(size.saturating_mul(MEMORY_FACTOR_MAX).saturating_add(MEMORY_EXTRA_MAX))
}

/// A struct that is being filled.
pub(super) struct Open<'py> {
    object: Bound<'py, PyAny>,
    schema: &'static Struct,
    class: &'static Class,
}

/// A list of known length, of which the first `filled` elements are set. Nobody else sees it before the end.
pub(super) struct OpenList<'py> {
    list: Bound<'py, PyAny>,
    filled: isize,
}

impl<'a, 'py> Build<'a> for Objects<'py> {
    type Value = Bound<'py, PyAny>;
    type Struct = Open<'py>;
    type Array = OpenList<'py>;
    type Error = CodecError;

    fn null(&mut self) -> Result<Self::Value, CodecError> {
        Ok(self.py.None().into_bound(self.py))
    }

    fn bool(&mut self, value: bool) -> Result<Self::Value, CodecError> {
        Ok(PyBool::new(self.py, value).to_owned().into_any())
    }

    fn integer(&mut self, value: i64) -> Result<Self::Value, CodecError> {
        self.charge(INTEGER_BYTES)?;
        // SAFETY: a new reference, or null with an exception set.
        Ok(unsafe { Bound::from_owned_ptr_or_err(self.py, ffi::PyLong_FromLongLong(value)) }?)
    }

    fn float(&mut self, value: f64) -> Result<Self::Value, CodecError> {
        self.charge(INTEGER_BYTES)?;
        Ok(PyFloat::new(self.py, value).into_any())
    }

    fn uuid(&mut self, value: barnabas_protocol::Uuid) -> Result<Self::Value, CodecError> {
        if value.is_zero() {
            return Ok(self.classes.zero_uuid(self.py));
        }
        self.charge(STRUCT_BYTES)?;
        Ok(Bound::new(self.py, Uuid(value))?.into_any())
    }

    fn string(&mut self, value: &'a str) -> Result<Self::Value, CodecError> {
        // Text beyond ASCII takes up to four bytes for each character, which has at least two on the wire.
        self.charge(STRING_BYTES + 2 * value.len())?;
        Ok(PyString::new(self.py, value).into_any())
    }

    fn bytes(&mut self, value: &'a [u8]) -> Result<Self::Value, CodecError> {
        self.charge(STRING_BYTES + value.len())?;
        Ok(PyBytes::new(self.py, value).into_any())
    }

    fn array(&mut self, length: usize) -> Result<OpenList<'py>, CodecError> {
        self.charge(LIST_BYTES + POINTER_BYTES * length)?;
        // SAFETY: the length is bounded by the bytes that remain, far below isize::MAX. The elements begin
        // empty, which the list tolerates until it is dropped or filled. A new reference, or null.
        let list = unsafe { Bound::from_owned_ptr_or_err(self.py, ffi::PyList_New(length as isize)) }?;
        Ok(OpenList { list, filled: 0 })
    }

    fn push(&mut self, array: &mut OpenList<'py>, element: Self::Value) -> Result<(), CodecError> {
        // SAFETY: the list was made by PyList_New and is not shared; SetItem checks the index and takes the
        // reference that is given away here, on errors too.
        let status = unsafe { ffi::PyList_SetItem(array.list.as_ptr(), array.filled, element.into_ptr()) };
        if status != 0 {
            return Err(PyErr::fetch(self.py).into());
        }
        array.filled += 1;
        Ok(())
    }

    fn finish_array(&mut self, array: OpenList<'py>) -> Result<Self::Value, CodecError> {
        Ok(array.list)
    }

    fn open(&mut self, schema: &'static Struct) -> Result<Open<'py>, CodecError> {
        self.charge(STRUCT_BYTES + POINTER_BYTES * schema.fields.len())?;
        let class = self.classes.class(schema);
        Ok(Open { object: class.allocate(self.py)?, schema, class })
    }

    fn set(&mut self, open: &mut Open<'py>, index: usize, value: Self::Value) -> Result<(), CodecError> {
        Ok(open.class.set(&open.object, index, &value)?)
    }

    fn set_default(&mut self, open: &mut Open<'py>, index: usize) -> Result<(), CodecError> {
        self.charge(open.schema.fields.get(index).map_or(0, default_bytes))?;
        let value = self.classes.default(self.py, open.schema, index)?;
        Ok(open.class.set(&open.object, index, &value)?)
    }

    fn close(&mut self, open: Open<'py>) -> Result<Self::Value, CodecError> {
        Ok(open.object)
    }
}

/// What the default of a field takes; immutable ones are shared and cost nothing.
fn default_bytes(field: &'static Field) -> usize {
    match (field.default, field.array, field.kind) {
        (Default::Plain, true, _) => LIST_BYTES,
        (Default::Plain, false, Type::Struct(nested)) => {
            let fields: usize = nested.fields.iter().map(default_bytes).sum();
            STRUCT_BYTES + POINTER_BYTES * nested.fields.len() + fields
        }
        _ => 0,
    }
}
