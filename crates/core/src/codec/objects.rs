//! Builds Python messages while the tables are walked.

use barnabas_protocol::table::{Build, Struct};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyString};

use super::classes::{Class, Classes};
use super::CodecError;
use crate::uuid::Uuid;

/// Builds the objects of one message.
pub(super) struct Objects<'py> {
    pub(super) py: Python<'py>,
    pub(super) classes: &'static Classes,
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
        // SAFETY: a new reference, or null with an exception set.
        Ok(unsafe { Bound::from_owned_ptr_or_err(self.py, ffi::PyLong_FromLongLong(value)) }?)
    }

    fn float(&mut self, value: f64) -> Result<Self::Value, CodecError> {
        Ok(PyFloat::new(self.py, value).into_any())
    }

    fn uuid(&mut self, value: barnabas_protocol::Uuid) -> Result<Self::Value, CodecError> {
        if value.is_zero() {
            return Ok(self.classes.zero_uuid(self.py));
        }
        Ok(Bound::new(self.py, Uuid(value))?.into_any())
    }

    fn string(&mut self, value: &'a str) -> Result<Self::Value, CodecError> {
        Ok(PyString::new(self.py, value).into_any())
    }

    fn bytes(&mut self, value: &'a [u8]) -> Result<Self::Value, CodecError> {
        Ok(PyBytes::new(self.py, value).into_any())
    }

    fn array(&mut self, length: usize) -> Result<OpenList<'py>, CodecError> {
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
        let class = self.classes.class(schema);
        Ok(Open { object: class.allocate(self.py)?, schema, class })
    }

    fn set(&mut self, open: &mut Open<'py>, index: usize, value: Self::Value) -> Result<(), CodecError> {
        Ok(open.class.set(&open.object, index, &value)?)
    }

    fn set_default(&mut self, open: &mut Open<'py>, index: usize) -> Result<(), CodecError> {
        let value = self.classes.default(self.py, open.schema, index)?;
        Ok(open.class.set(&open.object, index, &value)?)
    }

    fn close(&mut self, open: Open<'py>) -> Result<Self::Value, CodecError> {
        Ok(open.object)
    }
}
