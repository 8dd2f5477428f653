//! The names of a simulated file system: as programs see them, and as a power failure leaves them.
//!
//! Always true: an entry is durable once its directory was synced after the last change of it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path};

use super::content::Mercy;
use super::random::Random;

/// Names a file or directory, whatever it is called.
pub(super) type NodeId = usize;
/// A name in a directory.
pub(super) type Place = (NodeId, String);

const ROOT: NodeId = 0;

/// A change of names that was not synced yet.
#[derive(Debug, Clone)]
enum Change {
    Link(Place, NodeId),
    Unlink(Place),
    Rename(Place, Place, NodeId),
}

impl Change {
    fn places(&self) -> Vec<&Place> {
        match self {
            Self::Link(place, _) | Self::Unlink(place) => vec![place],
            Self::Rename(from, to, _) => vec![from, to],
        }
    }

    fn apply(&self, entries: &mut BTreeMap<Place, NodeId>) {
        match self {
            Self::Link(place, node) => drop(entries.insert(place.clone(), *node)),
            Self::Unlink(place) => drop(entries.remove(place)),
            Self::Rename(from, to, node) => {
                if entries.get(from) == Some(node) {
                    entries.remove(from);
                }
                entries.insert(to.clone(), *node);
            }
        }
    }
}

/// All names.
#[derive(Debug, Default)]
pub(super) struct Tree {
    entries: BTreeMap<Place, NodeId>,
    durable: BTreeMap<Place, NodeId>,
    pending: Vec<Change>,
}

impl Tree {
    /// Directory and name of a path; the directory must exist.
    pub(super) fn place(&self, path: &Path) -> io::Result<Place> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy().into_owned();
        let parent = path.parent().map_or(Ok(ROOT), |parent| self.find(parent))?;
        Ok((parent, name))
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<NodeId> {
        let mut node = ROOT;
        for component in path.components() {
            if let Component::Normal(name) = component {
                let place = (node, name.to_string_lossy().into_owned());
                node = *self.entries.get(&place).ok_or(io::ErrorKind::NotFound)?;
            }
        }
        Ok(node)
    }

    pub(super) fn get(&self, place: &Place) -> Option<NodeId> {
        self.entries.get(place).copied()
    }

    pub(super) fn children(&self, directory: NodeId) -> Vec<(String, NodeId)> {
        let from = (directory, String::new());
        let inside = self.entries.range(from..).take_while(|((parent, _), _)| *parent == directory);
        inside.map(|((_, name), node)| (name.clone(), *node)).collect()
    }

    pub(super) fn link(&mut self, place: Place, node: NodeId) {
        self.change(Change::Link(place, node));
    }

    pub(super) fn unlink(&mut self, place: Place) {
        self.change(Change::Unlink(place));
    }

    pub(super) fn rename(&mut self, from: Place, to: Place, node: NodeId) {
        self.change(Change::Rename(from, to, node));
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.entries);
        self.pending.push(change);
    }

    /// Makes the names in a directory durable.
    pub(super) fn sync(&mut self, directory: NodeId) {
        let mut settled: Vec<Place> = Vec::new();
        // From the newest on: a change is done with once a later one of the same name is durable.
        let mut apply = Vec::new();
        self.pending = std::mem::take(&mut self.pending)
            .into_iter()
            .rev()
            .filter(|change| {
                let places = change.places();
                let superseded = places.iter().all(|place| settled.contains(place));
                let here = places.iter().any(|(parent, _)| *parent == directory);
                if here && !superseded {
                    settled.extend(places.into_iter().cloned());
                    apply.push(change.clone());
                }
                !here && !superseded
            })
            .collect();
        self.pending.reverse();
        for change in apply.iter().rev() {
            change.apply(&mut self.durable);
        }
    }

    pub(super) fn lose_power(&mut self, mercy: Mercy, random: &mut Random) {
        for change in std::mem::take(&mut self.pending) {
            let kept = match mercy {
                Mercy::Nothing => false,
                Mercy::Everything => true,
                Mercy::Chance => random.one_in(2),
            };
            if kept {
                change.apply(&mut self.durable);
            }
        }
        self.entries.clone_from(&self.durable);
    }
}
