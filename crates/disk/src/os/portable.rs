//! Stand-ins for what only Linux has, on other Unix systems.

use std::fs::{self, File};
use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::Entry;

/// Writes all parts one after the other from `position`.
pub(super) fn write_vectored_at(file: &File, parts: &[IoSlice<'_>], mut position: u64) -> io::Result<()> {
    for part in parts {
        file.write_all_at(part, position)?;
        position += part.len() as u64;
    }
    Ok(())
}

/// There is no portable way.
pub(super) fn reserve(_file: &File, _position: u64, _length: u64) {}

/// There is no portable way to ask.
pub(super) fn is_cached(_file: &File, _position: u64) -> bool {
    true
}

/// Takes an exclusive lock that ends when the file is closed.
pub(super) fn lock_exclusive(file: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open; flock takes no memory.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(code) if code == libc::EWOULDBLOCK => Err(io::ErrorKind::WouldBlock.into()),
        _ => Err(error),
    }
}

/// Entries of a directory, in no order.
pub(super) fn list(path: &Path) -> io::Result<Vec<Entry>> {
    let entries = fs::read_dir(path)?.map(|entry| {
        let entry = entry?;
        let kind = entry.file_type()?;
        let is_directory = kind.is_dir() || (kind.is_symlink() && entry.path().is_dir());
        Ok(Entry { name: entry.file_name().to_string_lossy().into_owned(), is_directory })
    });
    entries.collect()
}
