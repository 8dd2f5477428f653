//! A client does not survive a fork: its thread stays behind in the parent, and its locks may be held.

use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Once;

use pyo3::prelude::*;

/// How many forks lie between the first process and this one.
static FORKS: AtomicU32 = AtomicU32::new(0);
static WATCHING: Once = Once::new();

extern "C" fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// The process in which something was made.
#[derive(Debug, Clone, Copy)]
struct Process(u32);

impl Process {
    /// This one.
    fn current() -> Process {
        WATCHING.call_once(|| {
            // SAFETY: the handler does nothing but add to an atomic, which is allowed after a fork.
            unsafe { libc::pthread_atfork(None, None, Some(forked)) };
        });
        Process(FORKS.load(Ordering::Relaxed))
    }

    /// Whether it is another one now.
    #[inline]
    fn is_gone(self) -> bool {
        FORKS.load(Ordering::Relaxed) != self.0
    }

    /// An error when this is a child of the process in which the client was made.
    #[inline]
    fn check(self, py: Python<'_>) -> PyResult<()> {
        if self.is_gone() {
            return Err(refused(py));
        }
        Ok(())
    }
}

/// A client, which belongs to the process that has made it: a child has no thread of it, so that it can neither
/// be used there nor dropped.
pub(crate) struct Owned<T> {
    client: ManuallyDrop<T>,
    process: Process,
}

impl<T> Owned<T> {
    /// Of this process.
    pub(crate) fn new(client: T) -> Owned<T> {
        Owned { client: ManuallyDrop::new(client), process: Process::current() }
    }

    /// Whether this process is not the one that has made it.
    #[inline]
    pub(crate) fn is_gone(&self) -> bool {
        self.process.is_gone()
    }

    /// An error when this process is not the one that has made it.
    #[inline]
    pub(crate) fn check(&self, py: Python<'_>) -> PyResult<()> {
        self.process.check(py)
    }
}

impl<T> Deref for Owned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.client
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if !self.process.is_gone() {
            // SAFETY: dropped here only, and nobody uses it afterwards.
            unsafe { ManuallyDrop::drop(&mut self.client) };
        }
    }
}

#[cold]
fn refused(py: Python<'_>) -> PyErr {
    let text = "the client was made before this process was forked: make one in each process";
    let made = py.import("barnabas.errors").and_then(|module| module.getattr("ForkedClient")?.call1((text,)));
    made.map_or_else(|error| error, PyErr::from_value)
}
