//! The bytes of one request, and what becomes of their memory.
//!
//! A large frame is received where it stays: in the buffer that its first bytes were read into. Fresh memory costs
//! a page fault for each 4 KiB of it, so buffers of large frames are kept by the reactor's thread for the next ones.

use std::cell::RefCell;
use std::ops::Deref;

/// Buffers smaller than this are not kept: the allocator has them at hand.
pub(crate) const KEPT_BYTES_MIN: usize = 128 * 1024;
/// Buffers larger than this are given back: more than a client's `max.request.size` of a mebibyte needs.
const KEPT_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Buffers that a reactor keeps: one that is read into while another is handled.
const KEPT_MAX: usize = 2;

thread_local! {
    /// None on threads that read no frames.
    static KEPT: RefCell<Option<Vec<Vec<u8>>>> = const { RefCell::new(None) };
}

/// From now on this thread keeps buffers of frames that end their lives on it.
pub(crate) fn keep_buffers() {
    KEPT.with_borrow_mut(|kept| *kept = Some(Vec::with_capacity(KEPT_MAX)));
}

/// An empty buffer: one that was kept, or one without memory.
pub(crate) fn take_buffer() -> Vec<u8> {
    KEPT.with_borrow_mut(|kept| kept.as_mut()?.pop()).unwrap_or_default()
}

/// A request's header and body, without the length prefix, or as much of it as was received.
#[derive(Debug)]
pub struct FrameBytes {
    buffer: Vec<u8>,
    /// What lies before it in the buffer is of no use any more.
    start: usize,
}

impl FrameBytes {
    /// What is in `buffer` from `start` on.
    pub(crate) fn new(buffer: Vec<u8>, start: usize) -> FrameBytes {
        assert!(start <= buffer.len());
        FrameBytes { buffer, start }
    }

    /// The buffer, to receive more into.
    pub(crate) fn buffer_mut(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }
}

impl Deref for FrameBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[self.start..]
    }
}

impl PartialEq for FrameBytes {
    fn eq(&self, other: &FrameBytes) -> bool {
        **self == **other
    }
}

impl Eq for FrameBytes {}

impl Drop for FrameBytes {
    fn drop(&mut self) {
        if !(KEPT_BYTES_MIN..=KEPT_BYTES_MAX).contains(&self.buffer.capacity()) {
            return;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        // While the thread ends there is nowhere to keep it.
        let _ = KEPT.try_with(|kept| {
            if let Ok(Some(kept)) = kept.try_borrow_mut().as_deref_mut().map(Option::as_mut) {
                if kept.len() < KEPT_MAX {
                    buffer.clear();
                    kept.push(buffer);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drop_frame(capacity: usize) -> *const u8 {
        let frame = FrameBytes::new(Vec::with_capacity(capacity), 0);
        frame.buffer.as_ptr()
    }

    #[test]
    fn large_buffers_are_used_again_on_the_thread_that_keeps_them() {
        keep_buffers();
        let kept = drop_frame(KEPT_BYTES_MIN);
        let taken = take_buffer();
        assert_eq!(taken.as_ptr(), kept);
        drop_frame(KEPT_BYTES_MIN - 1);
        drop_frame(KEPT_BYTES_MAX + 1);
        assert_eq!(take_buffer().capacity(), 0);
    }

    #[test]
    fn what_a_thread_keeps_is_bounded() {
        keep_buffers();
        let frames: Vec<FrameBytes> = (0..5).map(|_| FrameBytes::new(vec![7; KEPT_BYTES_MIN], 3)).collect();
        drop(frames);
        for _ in 0..KEPT_MAX {
            let buffer = take_buffer();
            assert!(buffer.is_empty() && buffer.capacity() >= KEPT_BYTES_MIN);
        }
        assert_eq!(take_buffer().capacity(), 0);
    }

    #[test]
    fn other_threads_keep_none() {
        drop_frame(KEPT_BYTES_MIN);
        assert_eq!(take_buffer().capacity(), 0);
    }
}
