//! `meta.properties`: whose a log directory is.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use barnabas_disk::Disk;
use barnabas_protocol::{NodeId, Uuid};

use crate::error::{At, LogError};

/// Name of the file in each log directory.
pub const META_PROPERTIES: &str = "meta.properties";
/// The version that is written, and the only one that is read.
const VERSION: &str = "1";

/// What a formatted directory says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaProperties {
    /// The cluster that the data belongs to.
    pub cluster_id: String,
    /// The node that the data belongs to.
    pub node_id: NodeId,
    /// Names the directory, wherever it is mounted (KIP-858).
    pub directory_id: Uuid,
}

/// Why a directory can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// There is no `meta.properties`.
    #[error("log directory {} is not formatted: it has no meta.properties", path.display())]
    NotFormatted {
        /// The directory.
        path: PathBuf,
    },
    /// `meta.properties` can't be understood.
    #[error("{} is damaged: {reason}; restore it, or format the directory anew if its data may go", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// `meta.properties` is of another version than this one writes.
    #[error(
        "{} is of version {version}, and only {VERSION} can be read, which is Kafka's without ZooKeeper; \
         migrate the directory with the release that wrote it, or use another one",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: String,
    },
    /// The data is of another cluster.
    #[error(
        "log directory {} belongs to cluster {found}, not {expected}; \
         point log.dirs at this cluster's directory, or start with the cluster id {found}",
        path.display()
    )]
    ClusterId {
        /// The directory.
        path: PathBuf,
        /// Cluster id in the directory.
        found: String,
        /// Cluster id of this node.
        expected: String,
    },
    /// The data is of another node.
    #[error(
        "log directory {} belongs to node {found}, not {expected}; \
         set node.id={found}, or point log.dirs at this node's directory",
        path.display()
    )]
    NodeId {
        /// The directory.
        path: PathBuf,
        /// Node id in the directory.
        found: NodeId,
        /// Node id of this node.
        expected: NodeId,
    },
    /// Two directories have the same id: one is a copy.
    #[error("log directories {} and {} have the same directory.id: one is a copy of the other; remove it", first.display(), second.display())]
    DuplicateId {
        /// One of them.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A partition's log is in two directories.
    #[error("{} and {} are logs of the same partition; remove the one with fewer records", first.display(), second.display())]
    DuplicateLog {
        /// One of them.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// Another process or node has the directory open.
    #[error("log directory {} is in use by another process; stop it, or use another directory", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// No directory of `log.dirs` can be used.
    #[error("all log directories have failed, the last one because: {reason}")]
    AllOffline {
        /// Why the last one failed.
        reason: String,
    },
    /// A log, or the disk under it.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl MetaProperties {
    /// Reads the file of a directory; None when there is none.
    pub fn read(disk: &dyn Disk, directory: &Path) -> Result<Option<Self>, DirectoryError> {
        let path = directory.join(META_PROPERTIES);
        let bytes = match disk.read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LogError::Storage { action: "read", path, source }.into()),
        };
        let text = String::from_utf8_lossy(&bytes);
        if let Some(version) = value(&text, "version").filter(|version| *version != VERSION) {
            return Err(DirectoryError::Version { path, version: version.to_string() });
        }
        Self::parse(&text).map(Some).map_err(|reason| DirectoryError::Malformed { path, reason })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let value = |wanted: &str| value(text, wanted).ok_or_else(|| format!("{wanted} is missing"));
        value("version")?;
        let node_id = value("node.id")?;
        let directory_id = value("directory.id")?;
        Ok(Self {
            cluster_id: value("cluster.id")?.to_string(),
            node_id: node_id.parse().map_err(|_| format!("node.id {node_id} is no number"))?,
            directory_id: Uuid::parse(directory_id)
                .ok_or_else(|| format!("directory.id {directory_id} is no id"))?,
        })
    }

    /// Writes the file of a directory, durably.
    pub fn write(&self, disk: &dyn Disk, directory: &Path) -> Result<(), LogError> {
        let path = directory.join(META_PROPERTIES);
        let text = format!(
            "#\nversion={VERSION}\ncluster.id={}\nnode.id={}\ndirectory.id={}\n",
            self.cluster_id, self.node_id, self.directory_id
        );
        disk.write_atomic(&path, text.as_bytes()).at("write", &path)
    }
}

/// What a text of properties says of one of them.
fn value<'a>(text: &'a str, wanted: &str) -> Option<&'a str> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', '!']));
    let mut pairs = lines.filter_map(|line| line.split_once('='));
    pairs.find(|(key, _)| key.trim() == wanted).map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use barnabas_disk::MemoryDisk;

    #[test]
    fn what_apache_kafka_writes_is_read() {
        let text = "#\n#Sat Nov 21 08:43:17 UTC 2026\nnode.id=1\ndirectory.id=ceGpLFGJRl-pj6ITffXpKA\n\
                    version=1\ncluster.id=pJx8Q3iPRvCq4TufJYFiqw\n";
        let meta = MetaProperties::parse(text).unwrap();
        assert_eq!(meta.node_id, 1);
        assert_eq!(meta.cluster_id, "pJx8Q3iPRvCq4TufJYFiqw");
        assert_eq!(meta.directory_id.to_string(), "ceGpLFGJRl-pj6ITffXpKA");
    }

    #[test]
    fn what_was_written_is_read() {
        let (disk, directory) = (MemoryDisk::new(), Path::new("/data"));
        let meta = MetaProperties { cluster_id: "c".into(), node_id: 7, directory_id: Uuid([9; 16]) };
        assert_eq!(MetaProperties::read(&disk, directory).unwrap(), None);
        disk.create_dir_all_synced(directory).unwrap();
        meta.write(&disk, directory).unwrap();
        assert_eq!(MetaProperties::read(&disk, directory).unwrap(), Some(meta));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, wrong) in [
            ("node.id=1\n", "version is missing"),
            ("version=1\n", "node.id is missing"),
            ("version=1\nnode.id=x\ndirectory.id=y\ncluster.id=z\n", "node.id x is no number"),
        ] {
            assert_eq!(MetaProperties::parse(text).unwrap_err(), wrong);
        }
    }

    #[test]
    fn another_version_is_no_damage() {
        let (disk, directory) = (MemoryDisk::new(), Path::new("/data"));
        disk.create_dir_all_synced(directory).unwrap();
        disk.write_atomic(&directory.join(META_PROPERTIES), b"version=0\nbroker.id=1\n").unwrap();
        let error = MetaProperties::read(&disk, directory).unwrap_err();
        assert!(error.to_string().starts_with("/data/meta.properties is of version 0, "), "{error}");
    }
}
