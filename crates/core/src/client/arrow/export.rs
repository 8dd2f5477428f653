//! Columns of fetched records as Arrow: the arrays refer to the columns' own memory, which lives as long as
//! they do.

use std::ffi::{c_void, CStr};
use std::ptr;
use std::sync::Arc;

use barnabas_client::columns::{BytesColumn, Columns};

use super::abi::{ArrowArray, ArrowSchema, Released, NULLABLE};

/// Children of an exported struct; whoever imports it may have moved some out.
struct Children<T> {
    pointers: Vec<*mut T>,
}

impl<T> Children<T> {
    fn new(children: Vec<T>) -> Children<T> {
        Children { pointers: children.into_iter().map(|child| Box::into_raw(Box::new(child))).collect() }
    }

    fn pointer(&mut self) -> *mut *mut T {
        if self.pointers.is_empty() {
            ptr::null_mut()
        } else {
            self.pointers.as_mut_ptr()
        }
    }
}

impl<T> Drop for Children<T> {
    fn drop(&mut self) {
        for &child in &self.pointers {
            // SAFETY: made by `Box::into_raw` in `new`, and freed here alone.
            drop(unsafe { Box::from_raw(child) });
        }
    }
}

unsafe extern "C" fn release_schema(schema: *mut ArrowSchema) {
    // SAFETY: the interface calls this once, with a struct that `schema` below has filled.
    unsafe {
        (*schema).release = None;
        drop(Box::from_raw((*schema).private_data.cast::<Children<ArrowSchema>>()));
    }
}

fn schema(format: &'static CStr, name: &'static CStr, flags: i64, children: Vec<ArrowSchema>) -> ArrowSchema {
    let mut owned = Box::new(Children::new(children));
    let mut schema = ArrowSchema::empty();
    schema.format = format.as_ptr();
    schema.name = name.as_ptr();
    schema.flags = flags;
    schema.n_children = owned.pointers.len() as i64;
    schema.children = owned.pointer();
    schema.release = Some(release_schema);
    schema.private_data = Box::into_raw(owned).cast();
    schema
}

/// The type of a batch: a struct of columns.
pub(crate) fn batch_schema() -> ArrowSchema {
    let header = vec![schema(c"u", c"key", 0, vec![]), schema(c"z", c"value", NULLABLE, vec![])];
    let columns = vec![
        schema(c"l", c"offset", 0, vec![]),
        schema(c"tsm:UTC", c"timestamp", 0, vec![]),
        schema(c"z", c"key", NULLABLE, vec![]),
        schema(c"z", c"value", NULLABLE, vec![]),
        schema(c"+l", c"headers", 0, vec![schema(c"+s", c"header", 0, header)]),
    ];
    schema(c"+s", c"", 0, columns)
}

/// What an exported array keeps alive.
struct Owned {
    _columns: Arc<Columns>,
    buffers: Vec<*const c_void>,
    children: Children<ArrowArray>,
}

unsafe extern "C" fn release_array(array: *mut ArrowArray) {
    // SAFETY: the interface calls this once, with a struct that `array` below has filled.
    unsafe {
        (*array).release = None;
        drop(Box::from_raw((*array).private_data.cast::<Owned>()));
    }
}

fn array(
    columns: &Arc<Columns>,
    length: usize,
    nulls: usize,
    buffers: Vec<*const c_void>,
    children: Vec<ArrowArray>,
) -> ArrowArray {
    let mut owned = Box::new(Owned { _columns: columns.clone(), buffers, children: Children::new(children) });
    let mut array = ArrowArray::empty();
    array.length = length as i64;
    array.null_count = nulls as i64;
    array.n_buffers = owned.buffers.len() as i64;
    array.n_children = owned.children.pointers.len() as i64;
    array.buffers = owned.buffers.as_mut_ptr();
    array.children = owned.children.pointer();
    array.release = Some(release_array);
    array.private_data = Box::into_raw(owned).cast();
    array
}

fn bytes(columns: &Arc<Columns>, column: &BytesColumn) -> ArrowArray {
    let validity = column.validity();
    let bits = if validity.nulls() == 0 { ptr::null() } else { validity.bits().as_ptr().cast() };
    let buffers = vec![bits, column.bounds().as_ptr().cast(), column.data().as_ptr().cast()];
    array(columns, column.len(), validity.nulls(), buffers, vec![])
}

/// The records as an array of the type that [`batch_schema`] describes.
pub(crate) fn batch_array(columns: &Arc<Columns>) -> ArrowArray {
    let length = columns.len();
    let numbers = |column: &[i64]| {
        let buffers = vec![ptr::null(), column.as_ptr().cast()];
        array(columns, length, 0, buffers, vec![])
    };
    let headers = &columns.headers;
    let pairs = vec![bytes(columns, &headers.names), bytes(columns, &headers.values)];
    let pairs = array(columns, headers.names.len(), 0, vec![ptr::null()], pairs);
    let lists = vec![ptr::null(), headers.bounds().as_ptr().cast()];
    let children = vec![
        numbers(&columns.offsets),
        numbers(&columns.timestamps),
        bytes(columns, &columns.keys),
        bytes(columns, &columns.values),
        array(columns, length, 0, lists, vec![pairs]),
    ];
    array(columns, length, 0, vec![ptr::null()], children)
}
