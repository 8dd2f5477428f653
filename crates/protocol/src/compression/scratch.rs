//! Buffers that a thread uses again for its next batch.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// A buffer that grew above this is freed rather than kept.
const BYTES_KEPT: usize = 256 << 10;
/// As many as one batch needs at a time: a decoder's block and a reader's window.
const BUFFERS_KEPT: usize = 2;

thread_local! {
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer at first; goes back to its thread at the end.
pub(crate) struct Scratch(Vec<u8>);

impl Scratch {
    pub(crate) fn take() -> Self {
        let mut buffer = KEPT.with_borrow_mut(Vec::pop).unwrap_or_default();
        buffer.clear();
        Scratch(buffer)
    }

    /// Makes it `length` bytes long; what they are is of no interest.
    pub(crate) fn set_length(&mut self, length: usize) {
        self.0.resize(length, 0);
    }
}

impl Deref for Scratch {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.0);
        if buffer.capacity() > BYTES_KEPT {
            return;
        }
        KEPT.with_borrow_mut(|kept| {
            if kept.len() < BUFFERS_KEPT {
                kept.push(buffer);
            }
        });
    }
}
