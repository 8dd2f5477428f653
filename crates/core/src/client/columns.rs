//! Fetched records of one partition as columns: `barnabas.RecordBatch`.

use std::sync::Arc;

use barnabas_client::columns::Columns;
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyMemoryView, PyString};

use super::arrow::abi::{ARRAY, SCHEMA};
use super::arrow::export;

/// Records of one partition, a column for each field.
#[pyclass(frozen, module = "barnabas")]
pub(crate) struct RecordBatch {
    columns: Arc<Columns>,
    topic: Py<PyString>,
    partition: i32,
}

impl RecordBatch {
    pub(crate) fn new(columns: Columns, topic: Py<PyString>, partition: i32) -> RecordBatch {
        RecordBatch { columns: Arc::new(columns), topic, partition }
    }

    fn numbers<'py>(
        &self,
        py: Python<'py>,
        column: fn(&Columns) -> &[i64],
    ) -> PyResult<Bound<'py, PyMemoryView>> {
        let numbers = Bound::new(py, Numbers { columns: self.columns.clone(), column })?;
        PyMemoryView::from(numbers.as_any())
    }
}

#[pymethods]
impl RecordBatch {
    #[getter]
    fn topic<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        self.topic.bind(py).clone()
    }

    #[getter]
    fn partition(&self) -> i32 {
        self.partition
    }

    fn __len__(&self) -> usize {
        self.columns.len()
    }

    /// Offset of the first record.
    #[getter]
    fn first_offset(&self) -> i64 {
        self.columns.offsets.first().copied().unwrap_or(-1)
    }

    /// Offset of the last record.
    #[getter]
    fn last_offset(&self) -> i64 {
        self.columns.offsets.last().copied().unwrap_or(-1)
    }

    #[getter]
    fn offsets<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        self.numbers(py, |columns| &columns.offsets)
    }

    #[getter]
    fn timestamps<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        self.numbers(py, |columns| &columns.timestamps)
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        PyCapsule::new_with_value(py, export::batch_schema(), SCHEMA)
    }

    /// Other types than its own are not made: the interface lets consumers convert what they get.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        let _ = requested_schema;
        let schema = PyCapsule::new_with_value(py, export::batch_schema(), SCHEMA)?;
        let array = PyCapsule::new_with_value(py, export::batch_array(&self.columns), ARRAY)?;
        Ok((schema, array))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let (topic, partition) = (self.topic.bind(py), self.partition);
        let (first, last) = (self.first_offset(), self.last_offset());
        format!("RecordBatch({topic}-{partition}@{first}..{last}, {} records)", self.columns.len())
    }
}

/// One column of 64-bit numbers, as a buffer.
#[pyclass(frozen, module = "barnabas._core")]
struct Numbers {
    columns: Arc<Columns>,
    column: fn(&Columns) -> &[i64],
}

#[pymethods]
impl Numbers {
    /// # Safety
    /// `view` is Python's, to be filled.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: i32) -> PyResult<()> {
        if view.is_null() {
            return Err(PyBufferError::new_err("no view"));
        }
        if flags & ffi::PyBUF_WRITABLE != 0 {
            return Err(PyBufferError::new_err("fetched records can't be changed"));
        }
        let this = slf.get();
        let numbers = (this.column)(&this.columns);
        let format =
            if flags & ffi::PyBUF_FORMAT != 0 { c"q".as_ptr().cast_mut() } else { std::ptr::null_mut() };
        let shape = Box::new([numbers.len() as ffi::Py_ssize_t, size_of::<i64>() as ffi::Py_ssize_t]);
        let extent = Box::into_raw(shape).cast::<ffi::Py_ssize_t>();
        // SAFETY: the view is Python's to read until it is released, which the reference to `slf` outlives;
        // `extent` is two numbers, freed when it is released.
        unsafe {
            (*view).buf = numbers.as_ptr().cast_mut().cast();
            (*view).len = size_of_val(numbers) as ffi::Py_ssize_t;
            (*view).readonly = 1;
            (*view).itemsize = size_of::<i64>() as ffi::Py_ssize_t;
            (*view).format = format;
            (*view).ndim = 1;
            (*view).shape = extent;
            (*view).strides = extent.add(1);
            (*view).suboffsets = std::ptr::null_mut();
            (*view).internal = extent.cast();
            (*view).obj = slf.into_any().into_ptr();
        }
        Ok(())
    }

    /// # Safety
    /// `view` was filled by `__getbuffer__`.
    unsafe fn __releasebuffer__(&self, view: *mut ffi::Py_buffer) {
        // SAFETY: `internal` is the box of `__getbuffer__`, and a view is released once.
        drop(unsafe { Box::from_raw((*view).internal.cast::<[ffi::Py_ssize_t; 2]>()) });
    }
}
