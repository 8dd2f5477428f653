//! A file of entries of one size in ascending order: what both indexes are made of.
//!
//! New entries are gathered in memory and written many at a time, which the next flush, roll or close
//! completes: after a crash recovery writes the index anew anyway.
//!
//! Always true:
//!   the entries are those in the file followed by those gathered
//!   nothing is opened or read before an entry is asked for

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use barnabas_disk::{File, FileSlice, LazyFile, Open};
use barnabas_protocol::Offset;

use crate::error::{At, LogError};
use crate::place::Place;

/// Entries that are gathered before they are written.
const GATHERED_MAX: usize = 64;
/// Bytes that a search reads at once, when they hold all that is left to search.
const BLOCK_BYTES: usize = 4096;

/// Entries of `N` bytes each.
#[derive(Debug)]
pub(crate) struct EntryFile<const N: usize> {
    kind: &'static str,
    base_offset: Offset,
    file: LazyFile,
    /// Entries in the file, once it was looked at.
    stored: OnceLock<usize>,
    gathered: Vec<[u8; N]>,
    last: OnceLock<Option<[u8; N]>>,
}

impl<const N: usize> EntryFile<N> {
    /// The entries of a segment whose files exist already.
    pub(crate) fn existing(base_offset: Offset, kind: &'static str) -> Self {
        let (stored, last) = (OnceLock::new(), OnceLock::new());
        Self { kind, base_offset, file: LazyFile::new(), stored, gathered: Vec::new(), last }
    }

    /// The entries of a segment that is being created: none, and no file yet.
    pub(crate) fn empty(base_offset: Offset, kind: &'static str) -> Self {
        let entries = Self::existing(base_offset, kind);
        entries.stored.get_or_init(|| 0);
        entries.last.get_or_init(|| None);
        entries
    }

    /// Says what the file is called from now on.
    pub(crate) fn set_kind(&mut self, kind: &'static str) {
        self.kind = kind;
    }

    pub(crate) fn path(&self, place: &Place) -> PathBuf {
        place.path(self.base_offset, self.kind)
    }

    fn open(&self, place: &Place, how: Open) -> Result<Arc<dyn File>, LogError> {
        self.file.get(&place.files, how, || self.path(place)).at_path("open", || self.path(place))
    }

    /// The file, opened for writing and created when absent.
    pub(crate) fn file(&self, place: &Place) -> Result<Arc<dyn File>, LogError> {
        self.open(place, Open::Create)
    }

    /// The last entry, if that is known without a look at the file.
    pub(crate) fn known_last(&self) -> Option<[u8; N]> {
        self.last.get().copied().flatten()
    }

    /// What must come from the disk before entries can be searched.
    pub(crate) fn cold(&self, place: &Place) -> Result<Option<FileSlice>, LogError> {
        let length = match self.stored.get() {
            Some(stored) => stored * N,
            None => self.file_length(place)? as usize,
        };
        match length {
            0 => Ok(None),
            _ => Ok(FileSlice { file: self.open(place, Open::Write)?, position: 0, length }.uncached()),
        }
    }

    /// 0 when there is no file.
    fn file_length(&self, place: &Place) -> Result<u64, LogError> {
        let path = self.path(place);
        match place.disk().file_len(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            length => length.at("look at", &path),
        }
    }

    /// Entries in the file. Apache Kafka makes index files larger than their content while they grow, and a
    /// crash leaves them so: zeroes at the end are no entries. (The first may be: the time 0 at the base offset.)
    fn stored(&self, place: &Place) -> Result<usize, LogError> {
        if let Some(stored) = self.stored.get() {
            return Ok(*stored);
        }
        let mut count = self.file_length(place)? as usize / N;
        if count > 1 && self.read(place, count - 1)? == [0; N] {
            count = self.search(place, 1, count, |entry| *entry != [0; N])?;
        }
        Ok(*self.stored.get_or_init(|| count))
    }

    /// Number of entries.
    pub(crate) fn len(&self, place: &Place) -> Result<usize, LogError> {
        Ok(self.stored(place)? + self.gathered.len())
    }

    fn read(&self, place: &Place, index: usize) -> Result<[u8; N], LogError> {
        let mut entry = [0; N];
        let file = self.open(place, Open::Write)?;
        file.read_exact_at(&mut entry, (index * N) as u64).at_path("read", || self.path(place))?;
        Ok(entry)
    }

    /// The entry at `index`, which is below `len`.
    pub(crate) fn get(&self, place: &Place, index: usize) -> Result<[u8; N], LogError> {
        let stored = self.stored(place)?;
        match index.checked_sub(stored) {
            Some(gathered) => Ok(self.gathered[gathered]),
            None => self.read(place, index),
        }
    }

    /// The last entry.
    pub(crate) fn last(&self, place: &Place) -> Result<Option<[u8; N]>, LogError> {
        if let Some(last) = self.last.get() {
            return Ok(*last);
        }
        let last = match self.len(place)? {
            0 => None,
            count => Some(self.get(place, count - 1)?),
        };
        Ok(*self.last.get_or_init(|| last))
    }

    /// Number of entries, from the first on, for which `below` holds; it holds for no entry after one for
    /// which it does not.
    pub(crate) fn count_while(
        &self,
        place: &Place,
        below: impl Fn(&[u8; N]) -> bool,
    ) -> Result<usize, LogError> {
        let stored = self.stored(place)?;
        match self.gathered.first() {
            Some(first) if below(first) => Ok(stored + self.gathered.partition_point(below)),
            _ => self.search(place, 0, stored, below),
        }
    }

    /// Binary search in the file between two entries; the last few hundred are read at once.
    fn search(
        &self,
        place: &Place,
        mut from: usize,
        mut to: usize,
        below: impl Fn(&[u8; N]) -> bool,
    ) -> Result<usize, LogError> {
        while to - from > BLOCK_BYTES / N {
            let middle = from + (to - from) / 2;
            match below(&self.read(place, middle)?) {
                true => from = middle + 1,
                false => to = middle,
            }
        }
        if from == to {
            return Ok(from);
        }
        let mut block = [0; BLOCK_BYTES];
        let block = &mut block[..(to - from) * N];
        let file = self.open(place, Open::Write)?;
        file.read_exact_at(block, (from * N) as u64).at_path("read", || self.path(place))?;
        let mut entries = block.chunks_exact(N).map(|bytes| {
            let mut entry = [0; N];
            entry.copy_from_slice(bytes);
            entry
        });
        Ok(from + entries.position(|entry| !below(&entry)).unwrap_or(to - from))
    }

    /// Adds an entry in memory. `gather` says when it is time to write.
    pub(crate) fn push(&mut self, entry: [u8; N]) {
        self.gathered.push(entry);
        self.last.take();
        self.last.get_or_init(|| Some(entry));
    }

    /// Whether enough has been gathered to write it.
    pub(crate) fn is_worth_storing(&self) -> bool {
        self.gathered.len() >= GATHERED_MAX
    }

    /// Writes what was gathered.
    pub(crate) fn store(&mut self, place: &Place) -> Result<(), LogError> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let stored = self.stored(place)?;
        let bytes = self.gathered.concat();
        self.file(place)?.write_all_at(&bytes, (stored * N) as u64).at("write", &self.path(place))?;
        let count = stored + self.gathered.len();
        self.gathered = Vec::new();
        self.set_stored(count);
        Ok(())
    }

    fn set_stored(&mut self, count: usize) {
        self.stored.take();
        self.stored.get_or_init(|| count);
    }

    /// Writes what was gathered and cuts the file to its content; it exists afterwards.
    pub(crate) fn trim(&mut self, place: &Place) -> Result<(), LogError> {
        self.store(place)?;
        let length = (self.stored(place)? * N) as u64;
        let file = match length {
            // A node with very many logs ends with as many such files: none is kept open.
            0 => place.disk().open(&self.path(place), Open::Create).at("create", &self.path(place))?,
            _ => self.file(place)?,
        };
        if file.len().at("look at", &self.path(place))? != length {
            file.set_len(length).at("cut", &self.path(place))?;
        }
        Ok(())
    }

    /// Keeps the first `count` entries.
    pub(crate) fn truncate(&mut self, place: &Place, count: usize) -> Result<(), LogError> {
        let stored = self.stored(place)?;
        self.gathered.truncate(count.saturating_sub(stored));
        self.last.take();
        if count < stored {
            self.file(place)?.set_len((count * N) as u64).at("cut", &self.path(place))?;
            self.set_stored(count);
        }
        Ok(())
    }

    /// Drops what the file holds; its content is about to be written anew.
    pub(crate) fn reset(&mut self, place: &Place) -> Result<(), LogError> {
        self.truncate(place, 0)
    }

    /// Closes the file.
    pub(crate) fn close(&mut self) {
        self.file.close();
    }
}
