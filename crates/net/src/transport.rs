//! How bytes reach the other side. Encrypted and authenticated transports become further variants.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;

use barnabas_disk::FileSlice;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::SockRef;

/// Largest part of a file that is sent in one call, so that a cold file does not hold the reactor for long.
const FILE_BYTES_MAX: usize = 1024 * 1024;
/// What is read of a file at once where the platform can't send it without reading.
const FILE_BUFFER_BYTES: usize = 128 * 1024;

/// The transport of one connection.
#[derive(Debug)]
pub(crate) enum Transport {
    /// TCP.
    Plain(TcpStream),
}

impl Transport {
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Transport::Plain(stream) => {
                registry.register(stream, token, Interest::READABLE | Interest::WRITABLE)
            }
        }
    }

    /// Appends up to `limit` bytes to `buffer`; 0 when the other side has finished.
    pub(crate) fn read(&mut self, buffer: &mut Vec<u8>, limit: usize) -> io::Result<usize> {
        match self {
            Transport::Plain(stream) => receive(stream, buffer, limit),
        }
    }

    /// Sends `slices`; `more` says that something follows at once.
    pub(crate) fn write(&mut self, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        match self {
            Transport::Plain(stream) => send(stream, slices, more),
        }
    }

    /// Sends a part of `slice`, from `sent` bytes after its beginning.
    pub(crate) fn write_file(
        &mut self,
        slice: &FileSlice,
        sent: usize,
        buffer: &mut Vec<u8>,
    ) -> io::Result<usize> {
        let count = (slice.length - sent).min(FILE_BYTES_MAX);
        match self {
            Transport::Plain(stream) => match send_file(stream, slice, sent, count)? {
                Some(sent) => Ok(sent),
                None => copy_file(slice, sent, count, buffer, |bytes| {
                    send(stream, &[IoSlice::new(bytes)], count > FILE_BUFFER_BYTES)
                }),
            },
        }
    }
}

fn receive(stream: &TcpStream, buffer: &mut Vec<u8>, limit: usize) -> io::Result<usize> {
    buffer.reserve(limit);
    let spare: &mut [MaybeUninit<u8>] = &mut buffer.spare_capacity_mut()[..limit];
    let count = SockRef::from(stream).recv(spare)?;
    assert!(count <= limit);
    // SAFETY: `recv` has initialised the first `count` bytes of the spare capacity.
    unsafe { buffer.set_len(buffer.len() + count) };
    Ok(count)
}

fn send(stream: &TcpStream, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
    #[cfg(target_os = "linux")]
    let flags = libc::MSG_NOSIGNAL | if more { libc::MSG_MORE } else { 0 };
    #[cfg(not(target_os = "linux"))]
    let (flags, _) = (0, more);
    match slices {
        [one] => SockRef::from(stream).send_with_flags(one, flags),
        _ => SockRef::from(stream).send_vectored_with_flags(slices, flags),
    }
}

/// Sends a part of a file without passing it through this process; None where that can't be done.
#[cfg(target_os = "linux")]
fn send_file(stream: &TcpStream, slice: &FileSlice, sent: usize, count: usize) -> io::Result<Option<usize>> {
    use std::os::fd::AsRawFd;

    let Some(descriptor) = slice.file.descriptor() else { return Ok(None) };
    let mut position = (slice.position + sent as u64) as libc::off_t;
    // SAFETY: both descriptors are open for the time of the call: `stream` and `slice.file` are borrowed.
    match unsafe { libc::sendfile(stream.as_raw_fd(), descriptor, &mut position, count) } {
        -1 => Err(io::Error::last_os_error()),
        0 => Err(ended(slice)),
        count => Ok(Some(count as usize)),
    }
}

#[cfg(not(target_os = "linux"))]
fn send_file(_: &TcpStream, _: &FileSlice, _: usize, _: usize) -> io::Result<Option<usize>> {
    Ok(None)
}

/// Sends a part of a file through `buffer`. What the socket does not take is read again next time.
fn copy_file<W>(
    slice: &FileSlice,
    sent: usize,
    count: usize,
    buffer: &mut Vec<u8>,
    write: W,
) -> io::Result<usize>
where
    W: FnOnce(&[u8]) -> io::Result<usize>,
{
    buffer.resize(FILE_BUFFER_BYTES, 0);
    let count = count.min(FILE_BUFFER_BYTES);
    match slice.file.read_at(&mut buffer[..count], slice.position + sent as u64)? {
        0 => Err(ended(slice)),
        count => write(&buffer[..count]),
    }
}

/// The size of the response has been sent already: all that is left is to close the connection.
fn ended(slice: &FileSlice) -> io::Error {
    let message = format!("file ends inside the {} bytes at {}", slice.length, slice.position);
    io::Error::new(io::ErrorKind::UnexpectedEof, message)
}
