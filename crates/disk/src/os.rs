//! The operating system's files.

#![allow(clippy::disallowed_methods, reason = "this is where the rest of the house gets its files from")]

#[cfg(target_os = "linux")]
#[path = "os/linux.rs"]
mod platform;
#[cfg(not(target_os = "linux"))]
#[path = "os/portable.rs"]
mod platform;

use std::ffi::CString;
use std::fs;
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Disk, Entry, File, Lock, Open, Space, CACHED_STEP};

/// What a partition's small files hold at most, as a rule.
const SMALL_FILE_BYTES: usize = 256;

/// The file system of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsDisk;

impl OsDisk {
    /// The file system as the process sees it.
    pub fn new() -> Self {
        Self
    }
}

impl Disk for OsDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(how != Open::Read);
        match how {
            Open::Read | Open::Write => {}
            Open::Create => drop(options.create(true)),
            Open::CreateNew => drop(options.create_new(true)),
        }
        Ok(Arc::new(OsFile { file: options.open(path)? }))
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = platform::list(path)?;
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        // Not by `fs::read`, which asks for the length first: a start reads very many files of some bytes.
        let mut content = Vec::with_capacity(SMALL_FILE_BYTES);
        fs::File::open(path)?.take(u64::MAX).read_to_end(&mut content)?;
        Ok(content)
    }

    fn write_atomic(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        let mut file = fs::File::create(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => self.sync_dir(parent),
            _ => self.sync_dir(Path::new(".")),
        }
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        platform::lock_exclusive(&file)?;
        Ok(Box::new(OsLock { _file: file }))
    }

    fn space(&self, path: &Path) -> io::Result<Option<Space>> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        let mut facts = std::mem::MaybeUninit::<libc::statvfs>::uninit();
        // SAFETY: `path` ends with a zero byte and `facts` is writable memory of the right size.
        if unsafe { libc::statvfs(path.as_ptr(), facts.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: statvfs has succeeded, so it has filled the structure.
        let facts = unsafe { facts.assume_init() };
        #[allow(clippy::unnecessary_cast, reason = "these fields are narrower on some platforms")]
        let (unit, total, usable) = (facts.f_frsize as u64, facts.f_blocks as u64, facts.f_bavail as u64);
        Ok(Some(Space { total: unit.saturating_mul(total), usable: unit.saturating_mul(usable) }))
    }
}

/// Closing the file releases the lock.
#[derive(Debug)]
struct OsLock {
    _file: fs::File,
}

impl Lock for OsLock {}

#[derive(Debug)]
struct OsFile {
    file: fs::File,
}

impl File for OsFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.file.read_at(&mut buffer[done..], position + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_all_at(&self, data: &[u8], position: u64) -> io::Result<()> {
        self.file.write_all_at(data, position)
    }

    fn write_vectored_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        platform::write_vectored_at(&self.file, parts, position)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn reserve(&self, position: u64, length: u64) {
        platform::reserve(&self.file, position, length);
    }

    fn cached_bytes(&self, position: u64, length: usize) -> usize {
        // Between a byte that is there and one that is missing reading ahead may be under way.
        let mut known = 0;
        for at in (0..length).step_by(CACHED_STEP).chain(length.checked_sub(1)) {
            if !platform::is_cached(&self.file, position + at as u64) {
                return known;
            }
            known = at;
        }
        length
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn descriptor(&self) -> Option<i32> {
        Some(self.file.as_raw_fd())
    }
}
