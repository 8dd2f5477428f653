//! Columns to be sent, from lists and mappings of Python: copied once, into Arrow's layout.

use barnabas_protocol::Millis;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use super::super::text::{data, headers};
use super::import::arrays;
use super::rows::{
    Bounds, Buffer, BytesLayout, BytesRows, HeaderRows, IntLayout, IntRows, Owner, Rows, Valid,
};

/// Bytes that are copied one after another.
#[derive(Default)]
struct Copied {
    bits: Vec<u8>,
    bounds: Vec<i64>,
    data: Vec<u8>,
}

impl Copied {
    fn new() -> Copied {
        Copied { bounds: vec![0], ..Default::default() }
    }

    fn push(&mut self, bytes: Option<&[u8]>) {
        let index = self.bounds.len() - 1;
        if index % 8 == 0 {
            self.bits.push(0);
        }
        self.bits[index / 8] |= u8::from(bytes.is_some()) << (index % 8);
        self.data.extend_from_slice(bytes.unwrap_or_default());
        self.bounds.push(self.data.len() as i64);
    }

    fn into_rows(self, owners: &mut Vec<Owner>) -> BytesRows {
        let bits = bytes_of(self.bits, owners);
        let bounds = numbers_of(self.bounds, owners);
        let data = bytes_of(self.data, owners);
        let layout = BytesLayout::Bounded(Bounds::Large(bounds), data);
        BytesRows { valid: Valid { bits: Some(bits) }, offset: 0, layout }
    }
}

fn bytes_of(bytes: Vec<u8>, owners: &mut Vec<Owner>) -> Buffer<u8> {
    // SAFETY: the vector is not changed any more, and kept as long as the rows are; moving it moves no bytes.
    let buffer = unsafe { Buffer::new(bytes.as_ptr(), bytes.len()) };
    owners.push(Owner::Bytes(bytes));
    buffer
}

fn numbers_of(numbers: Vec<i64>, owners: &mut Vec<Owner>) -> Buffer<i64> {
    // SAFETY: as above.
    let buffer = unsafe { Buffer::new(numbers.as_ptr(), numbers.len()) };
    owners.push(Owner::Numbers(numbers));
    buffer
}

impl Rows {
    /// Records of a Python object, in as many pieces as it has.
    pub(crate) fn of(object: &Bound<'_, PyAny>, partition: Option<i32>, now: Millis) -> PyResult<Vec<Rows>> {
        if let Some(arrays) = arrays(object)? {
            return arrays.into_iter().map(|array| Rows::of_array(array, partition, now)).collect();
        }
        if object.is_instance_of::<PyBytes>() || object.is_instance_of::<PyString>() {
            return Err(PyTypeError::new_err("one value is no batch: use produce()"));
        }
        let mut rows = Rows::new(0, partition, now);
        match object.cast::<PyDict>() {
            Ok(columns) => rows.add_columns(columns)?,
            Err(_) => {
                rows.length = object.len().map_err(|_| {
                    let kind = object.get_type().to_string();
                    PyTypeError::new_err(format!(
                        "{kind} is neither Arrow, nor a list of values, nor a dict of columns"
                    ))
                })?;
                rows.add_list("value", object)?;
            }
        }
        Ok(vec![rows])
    }

    fn add_columns(&mut self, columns: &Bound<'_, PyDict>) -> PyResult<()> {
        let mut first: Option<String> = None;
        for (name, column) in columns.iter() {
            let name: String = name.extract()?;
            if column.is_none() {
                continue;
            }
            let arrays = arrays(&column)?;
            let length = match &arrays {
                Some(arrays) => arrays.iter().map(|one| one.array.length.max(0) as usize).sum(),
                None => column.len()?,
            };
            match &first {
                None => (self.length, first) = (length, Some(name.clone())),
                Some(first) if self.length != length => {
                    let text = format!("column {name} has {length} elements, {first} has {}", self.length);
                    return Err(PyValueError::new_err(text));
                }
                Some(_) => {}
            }
            match arrays {
                None => self.add_list(&name, &column)?,
                Some(mut arrays) => match (arrays.pop(), arrays.is_empty()) {
                    (Some(one), true) => self.add_array(&name, one)?,
                    (None, _) => {}
                    (Some(_), false) => {
                        let text = format!("column {name} is in pieces: combine its chunks, or pass a table");
                        return Err(PyValueError::new_err(text));
                    }
                },
            }
        }
        Ok(())
    }

    /// Adds a column of Python objects.
    fn add_list(&mut self, name: &str, list: &Bound<'_, PyAny>) -> PyResult<()> {
        match name {
            "key" => self.keys = Some(bytes_list(name, list, self.length, &mut self.owners)?),
            "value" => self.values = Some(bytes_list(name, list, self.length, &mut self.owners)?),
            "timestamp" => self.timestamps = Some(numbers_list(list, self.length, &mut self.owners)?),
            "partition" => self.partitions = Some(numbers_list(list, self.length, &mut self.owners)?),
            "headers" => self.headers = Some(headers_list(list, self.length, &mut self.owners)?),
            "offset" => {}
            _ => {
                let text = format!("records have no column {name:?}");
                return Err(PyValueError::new_err(text));
            }
        }
        Ok(())
    }
}

/// What a list gave is compared with what it promised: it may have changed meanwhile.
fn counted(count: usize, length: usize) -> PyResult<()> {
    if count == length {
        return Ok(());
    }
    Err(PyValueError::new_err(format!("a column has {count} elements, not {length}")))
}

fn bytes_list(
    name: &str,
    list: &Bound<'_, PyAny>,
    length: usize,
    owners: &mut Vec<Owner>,
) -> PyResult<BytesRows> {
    let mut copied = Copied::new();
    for element in list.try_iter()? {
        let element = element?;
        match element.is_none() {
            true => copied.push(None),
            false => copied.push(Some(data(&element, name)?.bytes())),
        }
    }
    counted(copied.bounds.len() - 1, length)?;
    Ok(copied.into_rows(owners))
}

fn numbers_list(list: &Bound<'_, PyAny>, length: usize, owners: &mut Vec<Owner>) -> PyResult<IntRows> {
    let (mut numbers, mut bits) = (Vec::new(), vec![0u8; length.div_ceil(8)]);
    for element in list.try_iter()? {
        let element: Option<i64> = element?.extract()?;
        if let (Some(_), Some(byte)) = (element, bits.get_mut(numbers.len() / 8)) {
            *byte |= 1 << (numbers.len() % 8);
        }
        numbers.push(element.unwrap_or(0));
    }
    counted(numbers.len(), length)?;
    let valid = Valid { bits: Some(bytes_of(bits, owners)) };
    Ok(IntRows { valid, offset: 0, layout: IntLayout::I64(numbers_of(numbers, owners)), scale: (1, 1) })
}

fn headers_list(list: &Bound<'_, PyAny>, length: usize, owners: &mut Vec<Owner>) -> PyResult<HeaderRows> {
    let (mut names, mut values, mut bounds) = (Copied::new(), Copied::new(), vec![0i64]);
    for element in list.try_iter()? {
        let element = element?;
        if !element.is_none() {
            for (name, value) in headers(&element)? {
                names.push(Some(name.as_bytes()));
                values.push(value.as_deref());
            }
        }
        bounds.push(names.bounds.len() as i64 - 1);
    }
    counted(bounds.len() - 1, length)?;
    Ok(HeaderRows {
        valid: Valid { bits: None },
        offset: 0,
        bounds: Bounds::Large(numbers_of(bounds, owners)),
        names: names.into_rows(owners),
        values: values.into_rows(owners),
    })
}
