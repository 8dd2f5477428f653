//! The three structs of Arrow's C data interface, laid out by hand: its layout never changes, so that three
//! structs are less to keep than a library. <https://arrow.apache.org/docs/format/CDataInterface.html>
//!
//! Always true:
//!   whoever holds one of them with `release` owns it, and dropping it calls `release` once
//!   what is moved out leaves a struct without `release` behind

use std::ffi::{c_char, c_int, c_void};

/// Bit of [`ArrowSchema::flags`]: elements may be absent.
pub(crate) const NULLABLE: i64 = 2;
/// Name of a capsule with an [`ArrowSchema`].
pub(crate) const SCHEMA: &std::ffi::CStr = c"arrow_schema";
/// Name of a capsule with an [`ArrowArray`].
pub(crate) const ARRAY: &std::ffi::CStr = c"arrow_array";
/// Name of a capsule with an [`ArrowArrayStream`].
pub(crate) const STREAM: &std::ffi::CStr = c"arrow_array_stream";

/// A type, with a name.
#[repr(C)]
pub(crate) struct ArrowSchema {
    pub(crate) format: *const c_char,
    pub(crate) name: *const c_char,
    pub(crate) metadata: *const c_char,
    pub(crate) flags: i64,
    pub(crate) n_children: i64,
    pub(crate) children: *mut *mut ArrowSchema,
    pub(crate) dictionary: *mut ArrowSchema,
    pub(crate) release: Option<unsafe extern "C" fn(*mut ArrowSchema)>,
    pub(crate) private_data: *mut c_void,
}

/// Data of a type.
#[repr(C)]
pub(crate) struct ArrowArray {
    pub(crate) length: i64,
    pub(crate) null_count: i64,
    pub(crate) offset: i64,
    pub(crate) n_buffers: i64,
    pub(crate) n_children: i64,
    pub(crate) buffers: *mut *const c_void,
    pub(crate) children: *mut *mut ArrowArray,
    pub(crate) dictionary: *mut ArrowArray,
    pub(crate) release: Option<unsafe extern "C" fn(*mut ArrowArray)>,
    pub(crate) private_data: *mut c_void,
}

/// Arrays of one type, one after another.
#[repr(C)]
pub(crate) struct ArrowArrayStream {
    pub(crate) get_schema: Option<unsafe extern "C" fn(*mut ArrowArrayStream, *mut ArrowSchema) -> c_int>,
    pub(crate) get_next: Option<unsafe extern "C" fn(*mut ArrowArrayStream, *mut ArrowArray) -> c_int>,
    pub(crate) get_last_error: Option<unsafe extern "C" fn(*mut ArrowArrayStream) -> *const c_char>,
    pub(crate) release: Option<unsafe extern "C" fn(*mut ArrowArrayStream)>,
    pub(crate) private_data: *mut c_void,
}

/// One of the structs.
pub(crate) trait Released: Sized {
    /// What a consumer gives, to be filled: nothing is owned.
    fn empty() -> Self;

    /// Takes it out of the place where its producer put it.
    ///
    /// # Safety
    /// `place` points to a struct that may be read and written, and is used by nobody else meanwhile.
    unsafe fn take(place: *mut Self) -> Self {
        // SAFETY: both are whole structs; what is left behind is one without `release`.
        unsafe { std::mem::replace(&mut *place, Self::empty()) }
    }
}

macro_rules! released {
    ($name:ident) => {
        impl Released for $name {
            fn empty() -> Self {
                // SAFETY: zeros are values of all that it has: numbers, pointers, functions that may be absent.
                unsafe { std::mem::zeroed() }
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                if let Some(release) = self.release {
                    // SAFETY: the interface asks for exactly this, and `release` sets itself to null.
                    unsafe { release(self) };
                }
            }
        }

        // SAFETY: the interface lets any thread use and release them; data behind them does not change.
        unsafe impl Send for $name {}
    };
}

released!(ArrowSchema);
released!(ArrowArray);
released!(ArrowArrayStream);

// SAFETY: all that is read of it stays as it is while it lives.
unsafe impl Sync for ArrowArray {}
