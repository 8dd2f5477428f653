//! A bound on how many files are open at once, for owners of very many files.
//!
//! A [`LazyFile`] is opened when it is first used and may be closed behind its owner's back when others need
//! the place; the next use opens it again. The owner alone knows the path, so a rename needs no bookkeeping
//! here: the owner names the new path from then on.
//!
//! Always true:
//!   an `Arc<dyn File>` that was handed out stays open, whatever is evicted, renamed or removed meanwhile
//!   a file that has not been used since it was created or closed holds no descriptor

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use crate::{Disk, File, Open};

/// The files that are open at present, at most `capacity` of them (besides those that users still hold).
#[derive(Debug)]
pub struct OpenFiles {
    disk: Arc<dyn Disk>,
    capacity: usize,
    /// Oldest first. A second chance goes to files used since they were last looked at (CLOCK).
    open: Mutex<VecDeque<Weak<Slot>>>,
}

/// A file of some owner: closed until used. Costs two words while it has never been used.
#[derive(Debug, Default)]
pub struct LazyFile {
    slot: OnceLock<Arc<Slot>>,
}

#[derive(Debug, Default)]
struct Slot {
    file: Mutex<Option<Arc<dyn File>>>,
    used: AtomicBool,
}

impl OpenFiles {
    /// No file open yet; at most `capacity` (at least one) are kept open.
    pub fn new(disk: Arc<dyn Disk>, capacity: usize) -> Self {
        Self { disk, capacity: capacity.max(1), open: Mutex::default() }
    }

    /// The disk that the files are on.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// How many files are kept open now.
    pub fn count(&self) -> usize {
        self.open.lock().iter().filter_map(Weak::upgrade).filter(|slot| slot.file.lock().is_some()).count()
    }

    /// Makes room for one more and notes it.
    fn admit(&self, slot: &Arc<Slot>) {
        let mut open = self.open.lock();
        open.push_back(Arc::downgrade(slot));
        // Each pass either drops an entry or takes its `used` mark, so two rounds suffice.
        let mut passes = 2 * open.len();
        while open.len() > self.capacity && passes > 0 {
            passes -= 1;
            let Some(oldest) = open.pop_front() else { return };
            let Some(candidate) = oldest.upgrade() else { continue };
            if Arc::ptr_eq(&candidate, slot) || candidate.used.swap(false, Ordering::Relaxed) {
                open.push_back(oldest);
            } else {
                candidate.file.lock().take();
            }
        }
    }
}

impl LazyFile {
    /// A file that is not open.
    pub fn new() -> Self {
        Self::default()
    }

    /// The file, opened at `path` as `how` says unless it is open.
    pub fn get(
        &self,
        files: &OpenFiles,
        how: Open,
        path: impl FnOnce() -> PathBuf,
    ) -> io::Result<Arc<dyn File>> {
        let slot = self.slot.get_or_init(Arc::default);
        slot.used.store(true, Ordering::Relaxed);
        let opened = {
            let mut file = slot.file.lock();
            if let Some(file) = &*file {
                return Ok(file.clone());
            }
            let opened = files.disk.open(&path(), how)?;
            *file = Some(opened.clone());
            opened
        };
        files.admit(slot);
        Ok(opened)
    }

    /// Closes the file as far as its owner is concerned; those who hold it go on reading.
    pub fn close(&mut self) {
        self.slot.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryDisk;

    fn fixture(capacity: usize) -> (OpenFiles, Vec<LazyFile>) {
        let disk = Arc::new(MemoryDisk::new());
        for i in 0..10u8 {
            disk.write_atomic(&PathBuf::from(format!("/{i}")), &[i]).unwrap();
        }
        (OpenFiles::new(disk, capacity), (0..10).map(|_| LazyFile::new()).collect())
    }

    fn content(files: &OpenFiles, lazy: &LazyFile, i: usize) -> u8 {
        let mut byte = [0];
        let file = lazy.get(files, Open::Read, || PathBuf::from(format!("/{i}"))).unwrap();
        file.read_exact_at(&mut byte, 0).unwrap();
        byte[0]
    }

    #[test]
    fn at_most_capacity_files_stay_open() {
        let (files, lazy) = fixture(3);
        assert_eq!(files.count(), 0);
        for round in 0..3 {
            for (i, file) in lazy.iter().enumerate() {
                assert_eq!(content(&files, file, i), i as u8, "round {round}");
                assert!(files.count() <= 3);
            }
        }
    }

    #[test]
    fn what_was_handed_out_stays_readable_after_eviction_and_removal() {
        let (files, lazy) = fixture(1);
        let held = lazy[0].get(&files, Open::Read, || PathBuf::from("/0")).unwrap();
        for (i, file) in lazy.iter().enumerate().skip(1) {
            content(&files, file, i);
        }
        files.disk().remove_file(&PathBuf::from("/0")).unwrap();
        let mut byte = [9];
        held.read_exact_at(&mut byte, 0).unwrap();
        assert_eq!(byte, [0]);
    }

    #[test]
    fn a_dropped_owner_closes_its_file() {
        let (files, mut lazy) = fixture(5);
        content(&files, &lazy[0], 0);
        content(&files, &lazy[1], 1);
        lazy[0].close();
        assert_eq!(files.count(), 1);
        drop(lazy);
        assert_eq!(files.count(), 0);
    }
}
