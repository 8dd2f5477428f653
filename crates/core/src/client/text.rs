//! Keys and values as Python gives them: bytes, text as UTF-8, or anything with a buffer.

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// Bytes of an object, copied only where they must be.
pub(crate) enum Data<'a> {
    /// Of bytes or text, which don't change.
    Borrowed(&'a [u8]),
    /// Of anything else with a buffer.
    Copied(Vec<u8>),
}

impl Data<'_> {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Data::Borrowed(bytes) => bytes,
            Data::Copied(bytes) => bytes,
        }
    }
}

/// The bytes of an object.
#[inline]
pub(crate) fn data<'a>(object: &'a Bound<'_, PyAny>, what: &str) -> PyResult<Data<'a>> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(Data::Borrowed(bytes.as_bytes()));
    }
    other(object, what)
}

fn other<'a>(object: &'a Bound<'_, PyAny>, what: &str) -> PyResult<Data<'a>> {
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(Data::Borrowed(text.to_str()?.as_bytes()));
    }
    match PyBuffer::<u8>::get(object) {
        Ok(buffer) => buffer.to_vec(object.py()).map(Data::Copied),
        Err(_) => {
            let kind = object.get_type().name()?.to_string();
            Err(PyTypeError::new_err(format!(
                "{what} must be bytes, str, a buffer of bytes or None, not {kind}"
            )))
        }
    }
}

/// Headers as pairs: a mapping, or a sequence of name and value.
pub(crate) fn headers(object: &Bound<'_, PyAny>) -> PyResult<Vec<(String, Option<Vec<u8>>)>> {
    let pairs = match object.call_method0("items") {
        Ok(items) => items,
        Err(_) => object.clone(),
    };
    let mut headers = Vec::new();
    for pair in pairs.try_iter()? {
        let (name, value): (String, Bound<'_, PyAny>) = pair?.extract()?;
        let value = match value.is_none() {
            true => None,
            false => Some(data(&value, "the value of a header")?.bytes().to_vec()),
        };
        headers.push((name, value));
    }
    Ok(headers)
}
