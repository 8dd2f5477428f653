//! Files behind one trait: the operating system's, and memory.
//!
//! Everything that touches a disk goes through [`Disk`] and [`File`], so that the same storage code runs on
//! real files, in memory (`--memory`, tests) and on a simulated disk that tears, drops and flips.
//!
//! Always true:
//!   a `File` may be used from several threads at once; positions are arguments, never state
//!   what `sync_data` has returned for is on stable storage (as far as the medium itself is honest)

mod memory;
mod open_files;
mod os;
pub mod sim;

pub use memory::MemoryDisk;
pub use open_files::{LazyFile, OpenFiles};
pub use os::OsDisk;

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// The file must exist; only reading.
    Read,
    /// The file must exist; reading and writing.
    Write,
    /// Reading and writing; created when absent.
    Create,
    /// Reading and writing; must not exist yet.
    CreateNew,
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Last component of the path.
    pub name: String,
    /// Whether it is a directory.
    pub is_directory: bool,
}

/// Space of the volume that holds a path, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Size of the volume.
    pub total: u64,
    /// Bytes a process may still use.
    pub usable: u64,
}

/// A file system. Paths are absolute or relative to the process, as the implementation defines.
pub trait Disk: Send + Sync + Debug + 'static {
    /// Opens a file.
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>>;
    /// Whether the path exists.
    fn exists(&self, path: &Path) -> bool;
    /// Length of a file without keeping it open.
    fn file_len(&self, path: &Path) -> io::Result<u64>;
    /// Entries of a directory, sorted by name.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;
    /// Creates a directory and its parents.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// The same, and what was created is there after a power failure too.
    fn create_dir_all_synced(&self, path: &Path) -> io::Result<()> {
        let created: Vec<&Path> = path.ancestors().take_while(|path| !self.exists(path)).collect();
        self.create_dir_all(path)?;
        let parents = created.iter().rev().filter_map(|path| path.parent());
        parents
            .map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path })
            .try_for_each(|path| self.sync_dir(path))
    }
    /// Renames a file or directory, replacing a file at the target.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory with all it holds.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals inside the directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Whole content of a small file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Replaces a small file so that a crash leaves the old or the new content, never a mixture:
    /// temporary file, sync, rename, sync of the directory.
    fn write_atomic(&self, path: &Path, content: &[u8]) -> io::Result<()>;
    /// Takes an exclusive lock on a file for the life of the returned guard, creating the file when absent.
    /// `ErrorKind::WouldBlock` when another process or node holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>>;
    /// Space of the volume that holds `path`; None when it has no meaning (memory).
    fn space(&self, path: &Path) -> io::Result<Option<Space>>;
}

/// An exclusive lock, released when dropped.
pub trait Lock: Send + Sync + Debug {}

/// Bytes between the places at which [`File::cached_bytes`] looks: Linux reads so many ahead at a time.
pub const CACHED_STEP: usize = 128 * 1024;

/// An open file. All calls name their position.
pub trait File: Send + Sync + Debug {
    /// Reads up to `buffer.len()` bytes; fewer only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;
    /// Writes all of `data`, extending the file when it goes past the end.
    fn write_all_at(&self, data: &[u8], position: u64) -> io::Result<()>;
    /// Writes all parts one after the other from `position`.
    fn write_vectored_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()>;
    /// Current length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file holds nothing.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Cuts or extends (with zeroes) to `length`.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Takes space on the volume for `length` bytes from `position` on, which are about to be written; the
    /// length of the file stays. `set_len` gives back what was not used. Only a hint: where it can't be done,
    /// writes take their space themselves.
    fn reserve(&self, position: u64, length: u64) {
        let _ = (position, length);
    }
    /// How many of `length` bytes from `position` on can be read without waiting for the disk, as far as that
    /// can be told: it looks at one byte of each [`CACHED_STEP`], and says all of them where there is no way
    /// to look.
    fn cached_bytes(&self, position: u64, length: usize) -> usize {
        let _ = position;
        length
    }
    /// Makes content and length durable.
    fn sync_data(&self) -> io::Result<()>;
    /// Descriptor for zero-copy sending (`sendfile`), where there is one.
    fn descriptor(&self) -> Option<i32> {
        None
    }
    /// Reads exactly `buffer.len()` bytes or fails with `UnexpectedEof`.
    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        match self.read_at(buffer, position)? {
            n if n == buffer.len() => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// A byte range of a file that is handed on without being read: to a socket, or to a reader.
#[derive(Debug, Clone)]
pub struct FileSlice {
    /// The file; stays readable while a slice holds it, also after the file was deleted.
    pub file: Arc<dyn File>,
    /// First byte.
    pub position: u64,
    /// Number of bytes.
    pub length: usize,
}

impl FileSlice {
    /// What is left of the range behind the bytes that are cached; None when all of them are.
    pub fn uncached(self) -> Option<FileSlice> {
        let cached = self.file.cached_bytes(self.position, self.length);
        let (position, length) = (self.position + cached as u64, self.length - cached);
        (length > 0).then_some(FileSlice { position, length, ..self })
    }

    /// Reads the whole range.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; self.length];
        self.file.read_exact_at(&mut buffer, self.position)?;
        Ok(buffer)
    }
}
