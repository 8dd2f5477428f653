//! What only Linux has: vectored positional writes, space taken ahead, locks that belong to the open file,
//! directories read without an allocation for each.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::Entry;

/// Parts in one system call; the kernel's own bound.
const PARTS_MAX: usize = libc::UIO_MAXIOV as usize;

/// Writes all parts one after the other from `position`, in as few calls as possible.
pub(super) fn write_vectored_at(file: &File, parts: &[IoSlice<'_>], mut position: u64) -> io::Result<()> {
    let mut parts = parts;
    while !parts.is_empty() {
        let count = parts.len().min(PARTS_MAX);
        let offset = i64::try_from(position).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        // SAFETY: IoSlice is guaranteed to have the layout of iovec, and `count` of them are borrowed here.
        let written =
            unsafe { libc::pwritev(file.as_raw_fd(), parts.as_ptr().cast(), count as libc::c_int, offset) };
        if written < 0 {
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            return Err(error);
        }
        let mut written = written as usize;
        position += written as u64;
        while let Some(first) = parts.first().filter(|first| first.len() <= written) {
            written -= first.len();
            parts = &parts[1..];
        }
        // A part that was written in half is rare (disk full, signal): its rest goes alone.
        if let Some(first) = parts.first().filter(|_| written > 0) {
            file.write_all_at(&first[written..], position)?;
            position += (first.len() - written) as u64;
            parts = &parts[1..];
        }
    }
    Ok(())
}

/// Takes blocks for bytes that are about to be written, without a change of the file's length.
pub(super) fn reserve(file: &File, position: u64, length: u64) {
    let (Ok(position), Ok(length)) = (i64::try_from(position), i64::try_from(length)) else { return };
    // SAFETY: the descriptor is open; fallocate takes no memory. File systems without it refuse, and a full disk
    // shows with the write itself.
    unsafe { libc::fallocate(file.as_raw_fd(), libc::FALLOC_FL_KEEP_SIZE, position, length) };
}

/// Whether the byte at `position` is in the page cache. Where that can't be told it is taken to be there.
pub(super) fn is_cached(file: &File, position: u64) -> bool {
    let Ok(offset) = i64::try_from(position) else { return true };
    let mut byte = 0u8;
    let part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: the descriptor is open, and `part` is one writable byte that outlives the call.
    let count = unsafe { libc::preadv2(file.as_raw_fd(), &part, 1, offset, libc::RWF_NOWAIT) };
    count >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::WouldBlock
}

/// Takes an exclusive lock that ends when the file is closed. It belongs to the open file and not to the
/// process, so two nodes of one process exclude each other; and it excludes Java's `FileLock`, so a running
/// Apache Kafka does too.
pub(super) fn lock_exclusive(file: &File) -> io::Result<()> {
    // SAFETY: flock is plain integers, for which zero is a valid value.
    let mut request: libc::flock = unsafe { std::mem::zeroed() };
    request.l_type = libc::F_WRLCK as libc::c_short;
    request.l_whence = libc::SEEK_SET as libc::c_short;
    // SAFETY: the descriptor is open and `request` is a valid flock (length 0: the whole file).
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &request) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Err(io::ErrorKind::WouldBlock.into()),
        _ => Err(error),
    }
}

/// Where `getdents64` puts entries: enough for all of a partition's files.
#[repr(align(8))]
struct DirectoryBlock([u8; 4096]);

/// Bytes of an entry before its name: inode u64, offset i64, length of the entry u16, kind u8.
const ENTRY_HEADER_BYTES: usize = 19;

/// Entries of a directory, in no order.
pub(super) fn list(path: &Path) -> io::Result<Vec<Entry>> {
    let directory = File::open(path)?;
    let mut block = DirectoryBlock([0; 4096]);
    let mut entries = Vec::new();
    loop {
        let (start, length) = (block.0.as_mut_ptr(), block.0.len());
        // SAFETY: the descriptor is open, and `start` is `length` writable bytes that outlive the call.
        let count = unsafe {
            libc::syscall(libc::SYS_getdents64, directory.as_raw_fd(), start, length as libc::c_uint)
        };
        let Ok(count) = usize::try_from(count) else { return Err(io::Error::last_os_error()) };
        if count == 0 {
            return Ok(entries);
        }
        let mut rest = &block.0[..count];
        while let Some((kind, name, behind)) = split_entry(rest) {
            rest = behind;
            if name == b"." || name == b".." {
                continue;
            }
            let name = String::from_utf8_lossy(name).into_owned();
            let is_directory = match kind {
                libc::DT_DIR => true,
                // A link counts as what it leads to; some file systems leave the kind out.
                libc::DT_LNK | libc::DT_UNKNOWN => path.join(&name).is_dir(),
                _ => false,
            };
            entries.push(Entry { name, is_directory });
        }
    }
}

/// Kind and name of the first entry of a block, and what is behind it.
fn split_entry(block: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let length = u16::from_ne_bytes([*block.get(16)?, *block.get(17)?]);
    let (entry, behind) = block.split_at_checked(length.into())?;
    let kind = *entry.get(18)?;
    let name = entry.get(ENTRY_HEADER_BYTES..)?.split(|byte| *byte == 0).next()?;
    Some((kind, name, behind))
}
