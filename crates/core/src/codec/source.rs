//! Reads Python messages while the tables are walked.

use barnabas_protocol::table::{Field, Source, Struct};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

use super::classes::Classes;
use super::CodecError;
use crate::uuid::Uuid;

/// A message, or a value inside it.
pub(super) struct Object<'py> {
    pub(super) value: Bound<'py, PyAny>,
    pub(super) classes: &'static Classes,
}

impl<'py> Source for Object<'py> {
    type Error = CodecError;

    fn field(&self, schema: &'static Struct, index: usize) -> Result<Self, CodecError> {
        let value = self.classes.class(schema).get(&self.value, index);
        let field = schema.fields.get(index).map_or(schema.name, |field| field.path);
        match value {
            Ok(value) => Ok(Object { value, classes: self.classes }),
            Err(error) => Err(CodecError::Field { field, error }),
        }
    }

    fn is_null(&self) -> bool {
        self.value.is_none()
    }

    fn bool(&self) -> Result<bool, CodecError> {
        Ok(self.value.extract()?)
    }

    fn integer(&self) -> Result<i64, CodecError> {
        Ok(self.value.extract()?)
    }

    fn float(&self) -> Result<f64, CodecError> {
        Ok(self.value.extract()?)
    }

    fn uuid(&self) -> Result<barnabas_protocol::Uuid, CodecError> {
        Ok(self.value.cast::<Uuid>().map_err(PyErr::from)?.get().0)
    }

    fn string<R>(&self, with: impl FnOnce(&str) -> R) -> Result<R, CodecError> {
        Ok(with(self.value.cast::<PyString>().map_err(PyErr::from)?.to_str()?))
    }

    fn bytes<R>(&self, with: impl FnOnce(&[u8]) -> R) -> Result<R, CodecError> {
        Ok(with(self.value.cast::<PyBytes>().map_err(PyErr::from)?.as_bytes()))
    }

    fn length(&self) -> Result<usize, CodecError> {
        Ok(self.value.cast::<PyList>().map_err(PyErr::from)?.len())
    }

    fn element(&self, index: usize) -> Result<Self, CodecError> {
        let value = self.value.cast::<PyList>().map_err(PyErr::from)?.get_item(index)?;
        Ok(Object { value, classes: self.classes })
    }

    fn about(error: CodecError, field: &'static Field) -> CodecError {
        match error {
            CodecError::Python(error) => CodecError::Field { field: field.path, error },
            other => other,
        }
    }
}
