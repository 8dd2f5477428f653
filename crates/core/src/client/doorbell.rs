//! A descriptor that is readable while something waits for Python's event loop.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use barnabas_client::producer::Notify;
use pyo3::prelude::*;

/// Both ends, and whether anybody listens.
#[derive(Debug)]
pub(crate) struct Doorbell {
    reader: UnixStream,
    writer: UnixStream,
    heard: AtomicBool,
}

impl Doorbell {
    /// Silent until [`Doorbell::listen`].
    pub(crate) fn new() -> io::Result<Arc<Doorbell>> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok(Arc::new(Doorbell { reader, writer, heard: AtomicBool::new(false) }))
    }

    /// What a client's thread calls.
    pub(crate) fn notify(self: &Arc<Doorbell>) -> Notify {
        let doorbell = self.clone();
        Box::new(move || {
            if doorbell.heard.load(Ordering::Relaxed) {
                // A full socket is readable already, which is all that is wanted.
                let _ = (&doorbell.writer).write(&[1]);
            }
        })
    }

    /// The descriptor to watch; from now on it is rung.
    pub(crate) fn listen(&self) -> RawFd {
        self.heard.store(true, Ordering::Relaxed);
        self.reader.as_raw_fd()
    }

    /// Silences it until it is rung again.
    pub(crate) fn clear(&self) {
        let mut buffer = [0; 256];
        while matches!((&self.reader).read(&mut buffer), Ok(count) if count == buffer.len()) {}
    }
}

/// What all native clients have for event loops.
#[pyclass(frozen, subclass, module = "barnabas._core")]
pub(crate) struct Watched(Arc<Doorbell>);

impl Watched {
    /// What an object begins with whose class adds to this one.
    pub(crate) fn base(doorbell: Arc<Doorbell>) -> PyClassInitializer<Watched> {
        PyClassInitializer::from(Watched(doorbell))
    }
}

#[pymethods]
impl Watched {
    /// A descriptor that is readable when something may have come.
    fn fileno(&self) -> i32 {
        self.0.listen()
    }

    /// Silences the descriptor.
    fn clear(&self) {
        self.0.clear();
    }
}
