//! A file system in memory: for `--memory` and for tests.
//!
//! Always true:
//!   an open file stays readable and writable after it was removed or replaced
//!   appending never copies what is already there, beyond the first chunk's growth

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::{Disk, Entry, File, Lock, Open, Space};

/// Files in memory; clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk {
    tree: Arc<RwLock<BTreeMap<PathBuf, Node>>>,
    locks: Arc<Mutex<BTreeSet<PathBuf>>>,
}

#[derive(Debug, Clone)]
enum Node {
    Directory,
    File(Arc<MemoryFile>),
}

impl MemoryDisk {
    /// An empty file system. Directories need not exist before files are put into them.
    pub fn new() -> Self {
        Self::default()
    }

    fn file(&self, path: &Path) -> io::Result<Arc<MemoryFile>> {
        match self.tree.read().get(path) {
            Some(Node::File(file)) => Ok(file.clone()),
            Some(Node::Directory) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        if matches!(how, Open::Read | Open::Write) {
            return Ok(self.file(path)?);
        }
        let mut tree = self.tree.write();
        match tree.get(path) {
            Some(Node::Directory) => Err(io::ErrorKind::IsADirectory.into()),
            Some(Node::File(_)) if how == Open::CreateNew => Err(io::ErrorKind::AlreadyExists.into()),
            Some(Node::File(file)) => Ok(file.clone()),
            None => {
                let file = Arc::new(MemoryFile::default());
                tree.insert(path.to_path_buf(), Node::File(file.clone()));
                Ok(file)
            }
        }
    }

    fn exists(&self, path: &Path) -> bool {
        self.tree.read().contains_key(path)
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.file(path)?.len()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let tree = self.tree.read();
        match tree.get(path) {
            Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
            Some(Node::Directory) => {}
            None => return Err(io::ErrorKind::NotFound.into()),
        }
        let inside = tree.range(path.to_path_buf()..).take_while(|(name, _)| name.starts_with(path));
        let children = inside.filter(|(name, _)| name.parent() == Some(path));
        Ok(children
            .map(|(name, node)| Entry {
                name: name.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                is_directory: matches!(node, Node::Directory),
            })
            .collect())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut tree = self.tree.write();
        for directory in path.ancestors() {
            match tree.get(directory) {
                Some(Node::File(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
                Some(Node::Directory) => break,
                None => drop(tree.insert(directory.to_path_buf(), Node::Directory)),
            }
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut tree = self.tree.write();
        let node = tree.get(from).cloned().ok_or(io::ErrorKind::NotFound)?;
        match node {
            Node::File(file) => {
                if matches!(tree.get(to), Some(Node::Directory)) {
                    return Err(io::ErrorKind::IsADirectory.into());
                }
                tree.remove(from);
                tree.insert(to.to_path_buf(), Node::File(file));
            }
            Node::Directory => {
                if tree.contains_key(to) {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                for path in paths_under(&tree, from) {
                    let Some(node) = tree.remove(&path) else { continue };
                    let rest = path.strip_prefix(from).unwrap_or(Path::new(""));
                    let target = if rest.as_os_str().is_empty() { to.to_path_buf() } else { to.join(rest) };
                    tree.insert(target, node);
                }
            }
        }
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.file(path)?;
        self.tree.write().remove(path);
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut tree = self.tree.write();
        match tree.get(path) {
            Some(Node::Directory) => {}
            Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
            None => return Err(io::ErrorKind::NotFound.into()),
        }
        for path in paths_under(&tree, path) {
            tree.remove(&path);
        }
        Ok(())
    }

    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.file(path)?;
        let mut content = vec![0; file.len()? as usize];
        file.read_exact_at(&mut content, 0)?;
        Ok(content)
    }

    fn write_atomic(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let file = Arc::new(MemoryFile::default());
        file.write_all_at(content, 0)?;
        let mut tree = self.tree.write();
        if matches!(tree.get(path), Some(Node::Directory)) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        tree.insert(path.to_path_buf(), Node::File(file));
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        if !self.locks.lock().insert(path.to_path_buf()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.tree.write().entry(path.to_path_buf()).or_insert_with(|| Node::File(Arc::default()));
        Ok(Box::new(MemoryLock { path: path.to_path_buf(), locks: self.locks.clone() }))
    }

    fn space(&self, _path: &Path) -> io::Result<Option<Space>> {
        Ok(None)
    }
}

fn paths_under(tree: &BTreeMap<PathBuf, Node>, root: &Path) -> Vec<PathBuf> {
    let inside = tree.range(root.to_path_buf()..).take_while(|(path, _)| path.starts_with(root));
    inside.map(|(path, _)| path.clone()).collect()
}

#[derive(Debug)]
struct MemoryLock {
    path: PathBuf,
    locks: Arc<Mutex<BTreeSet<PathBuf>>>,
}

impl Lock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.locks.lock().remove(&self.path);
    }
}

const CHUNK_BYTES: usize = 256 * 1024;

/// Content in chunks of `CHUNK_BYTES`, all full but the last. The first grows as it is filled, so that the
/// many small files of idle partitions stay small; the others are allocated whole.
#[derive(Debug, Default)]
struct MemoryFile {
    content: RwLock<Content>,
}

#[derive(Debug, Default)]
struct Content {
    chunks: Vec<Vec<u8>>,
    length: usize,
}

impl Content {
    fn append(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let first = self.chunks.is_empty();
            let used = self.length % CHUNK_BYTES;
            if used == 0 {
                self.chunks.push(Vec::with_capacity(if first { 0 } else { CHUNK_BYTES }));
            }
            let count = data.len().min(CHUNK_BYTES - used);
            if let Some(chunk) = self.chunks.last_mut() {
                chunk.extend_from_slice(&data[..count]);
            }
            self.length += count;
            data = &data[count..];
        }
    }

    fn extend_to(&mut self, length: usize) {
        const ZEROES: [u8; 4096] = [0; 4096];
        while self.length < length {
            self.append(&ZEROES[..(length - self.length).min(ZEROES.len())]);
        }
    }

    fn write(&mut self, mut data: &[u8], mut position: usize) {
        if data.is_empty() {
            return; // As in an operating system, no bytes behind the end do not move it.
        }
        self.extend_to(position);
        while position < self.length && !data.is_empty() {
            let chunk = &mut self.chunks[position / CHUNK_BYTES][position % CHUNK_BYTES..];
            let count = chunk.len().min(data.len());
            chunk[..count].copy_from_slice(&data[..count]);
            data = &data[count..];
            position += count;
        }
        self.append(data);
    }

    fn read(&self, mut buffer: &mut [u8], mut position: usize) -> usize {
        let mut total = 0;
        while position < self.length && !buffer.is_empty() {
            let chunk = &self.chunks[position / CHUNK_BYTES][position % CHUNK_BYTES..];
            let count = chunk.len().min(buffer.len());
            buffer[..count].copy_from_slice(&chunk[..count]);
            buffer = &mut buffer[count..];
            position += count;
            total += count;
        }
        total
    }

    fn set_len(&mut self, length: usize) {
        self.extend_to(length);
        self.length = length;
        self.chunks.truncate(length.div_ceil(CHUNK_BYTES));
        if let Some(last) = self.chunks.last_mut() {
            last.truncate(length - (length - 1) / CHUNK_BYTES * CHUNK_BYTES);
        }
    }
}

/// Positions come as u64; memory is addressed by usize.
fn index(position: u64) -> io::Result<usize> {
    usize::try_from(position).map_err(|_| io::ErrorKind::InvalidInput.into())
}

impl File for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        Ok(self.content.read().read(buffer, index(position)?))
    }

    fn write_all_at(&self, data: &[u8], position: u64) -> io::Result<()> {
        self.content.write().write(data, index(position)?);
        Ok(())
    }

    fn write_vectored_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        let mut position = index(position)?;
        let mut content = self.content.write();
        for part in parts {
            content.write(part, position);
            position += part.len();
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.content.read().length as u64)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.content.write().set_len(index(length)?);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
}
