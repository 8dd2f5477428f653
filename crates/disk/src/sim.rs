//! A simulated file system for tests: it keeps what was written apart from what was synced.
//!
//! When the power fails, what was not synced is lost, torn at sectors of 512 bytes or reordered, as a seed
//! decides; and so are creations, renames and removals in directories that were not synced. The same seed and
//! the same calls give the same outcome.
//!
//! Always true:
//!   what `sync_data` and `sync_dir` returned for survives every power failure
//!   a file or lock that was open when the power failed is of no use afterwards

mod content;
mod random;
mod tree;

use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::{Disk, Entry, File, Lock, Open, Space};
use content::{Content, Mercy};
use tree::{NodeId, Tree};

pub use random::{each_seed, told, Random};

/// The file system; clones share it.
#[derive(Debug, Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    random: Random,
    tree: Tree,
    nodes: Vec<Node>,
    locks: BTreeSet<PathBuf>,
    /// Counts power failures: handles from before one are dead.
    failures: u64,
    /// Changes that are still done before the power fails.
    left: u64,
    changes: u64,
    /// Files of which nothing is cached, and how often somebody had to wait for one.
    uncached: BTreeSet<NodeId>,
    waits: u64,
}

#[derive(Debug)]
enum Node {
    Directory,
    File(Content),
}

impl SimDisk {
    /// An empty file system whose failures follow from `seed`.
    pub fn new(seed: u64) -> SimDisk {
        SimDisk {
            state: Arc::new(Mutex::new(State {
                random: Random::new(seed),
                tree: Tree::default(),
                nodes: vec![Node::Directory],
                locks: BTreeSet::new(),
                failures: 0,
                left: u64::MAX,
                changes: 0,
                uncached: BTreeSet::new(),
                waits: 0,
            })),
        }
    }

    /// Changes and syncs done so far.
    pub fn changes(&self) -> u64 {
        self.state.lock().changes
    }

    /// After so many more changes and syncs the power fails: every call is refused until `lose_power`.
    pub fn fail_after(&self, changes: u64) {
        self.state.lock().left = changes;
    }

    /// Whether the power has failed and has not come back.
    pub fn has_failed(&self) -> bool {
        self.state.lock().left == 0
    }

    /// Nothing is in the page cache any more; a file comes back as a whole when it is read.
    pub fn drop_cache(&self) {
        let mut state = self.state.lock();
        state.uncached = (0..state.nodes.len()).collect();
    }

    /// How often a read met a file that was not cached.
    pub fn waits(&self) -> u64 {
        self.state.lock().waits
    }

    /// The power fails and comes back: what was not synced is lost, in part or as a whole.
    pub fn lose_power(&self) {
        let mut state = self.state.lock();
        let State { random, tree, nodes, .. } = &mut *state;
        let mercy = match random.below(8) {
            0 => Mercy::Nothing,
            1 => Mercy::Everything,
            _ => Mercy::Chance,
        };
        tree.lose_power(mercy, random);
        for node in nodes {
            if let Node::File(content) = node {
                content.lose_power(mercy, random);
            }
        }
        state.locks.clear();
        state.failures += 1;
        state.left = u64::MAX;
    }
}

impl State {
    fn powered(&self) -> io::Result<()> {
        match self.left {
            0 => Err(io::Error::other("the power has failed")),
            _ => Ok(()),
        }
    }

    /// To be asked before each change.
    fn change(&mut self) -> io::Result<()> {
        self.powered()?;
        self.left = self.left.saturating_sub(u64::from(self.left != u64::MAX));
        self.changes += 1;
        Ok(())
    }

    fn content(&mut self, node: NodeId) -> io::Result<&mut Content> {
        match &mut self.nodes[node] {
            Node::File(content) => Ok(content),
            Node::Directory => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn is_directory(&self, node: NodeId) -> bool {
        matches!(self.nodes[node], Node::Directory)
    }

    fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn open(&mut self, path: &Path, how: Open) -> io::Result<NodeId> {
        self.powered()?;
        let place = self.tree.place(path)?;
        match (self.tree.get(&place), how) {
            (Some(node), _) if self.is_directory(node) => Err(io::ErrorKind::IsADirectory.into()),
            (Some(_), Open::CreateNew) => Err(io::ErrorKind::AlreadyExists.into()),
            (Some(node), _) => Ok(node),
            (None, Open::Read | Open::Write) => Err(io::ErrorKind::NotFound.into()),
            (None, Open::Create | Open::CreateNew) => {
                self.change()?;
                let node = self.add(Node::File(Content::default()));
                self.tree.link(place, node);
                Ok(node)
            }
        }
    }

    fn remove_all(&mut self, path: &Path, node: NodeId) -> io::Result<()> {
        if self.is_directory(node) {
            for (name, child) in self.tree.children(node) {
                self.remove_all(&path.join(name), child)?;
            }
        }
        self.change()?;
        let place = self.tree.place(path)?;
        self.tree.unlink(place);
        Ok(())
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let mut state = self.state.lock();
        let node = state.open(path, how)?;
        Ok(Arc::new(SimFile { disk: self.clone(), node, failures: state.failures }))
    }

    fn exists(&self, path: &Path) -> bool {
        self.state.lock().tree.find(path).is_ok()
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        let mut state = self.state.lock();
        state.powered()?;
        let node = state.tree.find(path)?;
        Ok(state.content(node)?.bytes.len() as u64)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let state = self.state.lock();
        state.powered()?;
        let node = state.tree.find(path)?;
        if !state.is_directory(node) {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let children = state.tree.children(node).into_iter();
        Ok(children.map(|(name, node)| Entry { name, is_directory: state.is_directory(node) }).collect())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let mut ancestors: Vec<&Path> = path.ancestors().filter(|path| path.file_name().is_some()).collect();
        ancestors.reverse();
        for directory in ancestors {
            match state.tree.find(directory) {
                Ok(node) if state.is_directory(node) => {}
                Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
                Err(_) => {
                    state.change()?;
                    let place = state.tree.place(directory)?;
                    let node = state.add(Node::Directory);
                    state.tree.link(place, node);
                }
            }
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let (source, target) = (state.tree.place(from)?, state.tree.place(to)?);
        let node = state.tree.get(&source).ok_or(io::ErrorKind::NotFound)?;
        match state.tree.get(&target) {
            Some(other) if state.is_directory(node) || state.is_directory(other) => {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            _ => {}
        }
        state.change()?;
        state.tree.rename(source, target, node);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let place = state.tree.place(path)?;
        let node = state.tree.get(&place).ok_or(io::ErrorKind::NotFound)?;
        if state.is_directory(node) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        state.change()?;
        state.tree.unlink(place);
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let node = state.tree.find(path)?;
        if !state.is_directory(node) {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        state.remove_all(path, node)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.change()?;
        let node = state.tree.find(path)?;
        state.tree.sync(node);
        Ok(())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut state = self.state.lock();
        let node = state.open(path, Open::Read)?;
        Ok(state.content(node)?.bytes.clone())
    }

    fn write_atomic(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        let file = self.open(&temporary, Open::Create)?;
        file.set_len(0)?;
        file.write_all_at(content, 0)?;
        file.sync_data()?;
        self.rename(&temporary, path)?;
        self.sync_dir(path.parent().unwrap_or(Path::new("/")))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        let mut state = self.state.lock();
        state.open(path, Open::Create)?;
        if !state.locks.insert(path.to_path_buf()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(SimLock { disk: self.clone(), path: path.to_path_buf(), failures: state.failures }))
    }

    fn space(&self, _path: &Path) -> io::Result<Option<Space>> {
        Ok(None)
    }
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    path: PathBuf,
    failures: u64,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.disk.state.lock();
        if state.failures == self.failures {
            state.locks.remove(&self.path);
        }
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    node: NodeId,
    failures: u64,
}

impl SimFile {
    fn with<T>(&self, changes: bool, act: impl FnOnce(&mut Content) -> T) -> io::Result<T> {
        let mut state = self.disk.state.lock();
        if state.failures != self.failures {
            return Err(io::Error::other("the file was open when the power failed"));
        }
        if changes {
            state.change()?;
        } else {
            state.powered()?;
        }
        Ok(act(state.content(self.node)?))
    }
}

impl File for SimFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        {
            let mut state = self.disk.state.lock();
            state.waits += u64::from(state.uncached.remove(&self.node));
        }
        self.with(false, |content| {
            let from = usize::try_from(position).unwrap_or(usize::MAX).min(content.bytes.len());
            let count = buffer.len().min(content.bytes.len() - from);
            buffer[..count].copy_from_slice(&content.bytes[from..from + count]);
            count
        })
    }

    fn write_all_at(&self, data: &[u8], position: u64) -> io::Result<()> {
        self.with(true, |content| content.write(position as usize, data))
    }

    fn write_vectored_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        let data: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        self.write_all_at(&data, position)
    }

    fn len(&self) -> io::Result<u64> {
        self.with(false, |content| content.bytes.len() as u64)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.with(true, |content| content.set_len(length as usize))
    }

    fn cached_bytes(&self, _position: u64, length: usize) -> usize {
        match self.disk.state.lock().uncached.contains(&self.node) {
            true => 0,
            false => length,
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(true, Content::sync)
    }
}
