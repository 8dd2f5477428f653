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

/// Bytes that are of no interest until they are written; empty at first. Goes back to its thread at the end.
pub(crate) struct Scratch {
    /// Longer than what is in use where it has been longer before: nothing is cleared twice.
    buffer: Vec<u8>,
    length: usize,
}

impl Scratch {
    pub(crate) fn take() -> Self {
        Scratch { buffer: KEPT.with_borrow_mut(Vec::pop).unwrap_or_default(), length: 0 }
    }

    /// Makes it `length` bytes long.
    pub(crate) fn set_length(&mut self, length: usize) {
        if length > self.buffer.len() {
            self.buffer.resize(length, 0);
        }
        self.length = length;
    }
}

impl Deref for Scratch {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

impl DerefMut for Scratch {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[..self.length]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
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
