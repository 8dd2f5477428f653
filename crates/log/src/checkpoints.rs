//! The small text files: checkpoints of offsets for a whole directory, leader epochs, `partition.metadata`.
//!
//! A checkpoint is lines: version (0), number of entries, then one entry a line.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use barnabas_disk::Disk;
use barnabas_protocol::{Offset, PartitionIndex, TopicId, Uuid};

use crate::error::{At, LogError};
use crate::leader_epochs::{EpochEntry, LeaderEpochs};

/// Leader epochs of one log.
pub const LEADER_EPOCHS: &str = "leader-epoch-checkpoint";
/// Topic id of one log.
pub const PARTITION_METADATA: &str = "partition.metadata";
/// Up to where each log was synced.
pub const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
/// High watermark of each log.
pub const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
/// First offset of each log, where it is not that of its first segment.
pub const LOG_START_OFFSETS: &str = "log-start-offset-checkpoint";
/// Up to where each log was compacted.
pub const CLEANER_OFFSETS: &str = "cleaner-offset-checkpoint";

/// Offsets by topic and partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offsets {
    topics: BTreeMap<Arc<str>, BTreeMap<PartitionIndex, Offset>>,
}

impl Offsets {
    /// The offset of a partition, if it has one.
    pub fn get(&self, topic: &str, partition: PartitionIndex) -> Option<Offset> {
        self.topics.get(topic)?.get(&partition).copied()
    }

    /// Sets the offset of a partition.
    pub fn insert(&mut self, topic: &Arc<str>, partition: PartitionIndex, offset: Offset) {
        self.topics.entry(topic.clone()).or_default().insert(partition, offset);
    }

    /// Number of partitions.
    pub fn count(&self) -> usize {
        self.topics.values().map(BTreeMap::len).sum()
    }
}

/// Reads a checkpoint of offsets; a file that is absent has none.
pub fn read_offsets(disk: &dyn Disk, path: &Path) -> Result<Offsets, LogError> {
    let (mut offsets, mut topic) = (Offsets::default(), Arc::<str>::from(""));
    for line in entries(&read_text(disk, path)?, path)? {
        let mut words = line.split_ascii_whitespace();
        let fields = (words.next(), words.next(), words.next(), words.next());
        let (Some(name), Some(partition), Some(offset), None) = fields else { return bad(path, line) };
        let (Ok(partition), Ok(offset)) = (partition.parse(), offset.parse()) else { return bad(path, line) };
        if *topic != *name {
            topic = name.into();
        }
        offsets.insert(&topic, partition, offset);
    }
    Ok(offsets)
}

/// Replaces a checkpoint of offsets, durably.
pub fn write_offsets(disk: &dyn Disk, path: &Path, offsets: &Offsets) -> Result<(), LogError> {
    let mut text = format!("0\n{}\n", offsets.count());
    for (topic, partitions) in &offsets.topics {
        for (partition, offset) in partitions {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{topic} {partition} {offset}");
        }
    }
    disk.write_atomic(path, text.as_bytes()).at("write", path)
}

/// Reads the leader epochs of a log; a file that is absent has none.
pub(crate) fn read_epochs(disk: &dyn Disk, path: &Path) -> Result<LeaderEpochs, LogError> {
    let mut epochs = Vec::new();
    for line in entries(&read_text(disk, path)?, path)? {
        let (epoch, start_offset) = line.split_once(' ').unwrap_or_default();
        let (Ok(epoch), Ok(start_offset)) = (epoch.parse(), start_offset.trim().parse()) else {
            return bad(path, line);
        };
        let grows = |last: &EpochEntry| last.epoch < epoch && last.start_offset < start_offset;
        if !epochs.last().is_none_or(grows) {
            return bad(path, line);
        }
        epochs.push(EpochEntry { epoch, start_offset });
    }
    Ok(LeaderEpochs::from_entries(epochs))
}

/// The text of `leader-epoch-checkpoint`.
pub(crate) fn format_epochs(epochs: &LeaderEpochs) -> String {
    let mut text = format!("0\n{}\n", epochs.entries().len());
    for entry in epochs.entries() {
        let _ = writeln!(text, "{} {}", entry.epoch, entry.start_offset);
    }
    text
}

/// The topic id in `partition.metadata`; None when the file is absent, or was left empty by a crash.
pub fn read_topic_id(disk: &dyn Disk, dir: &Path) -> Result<Option<TopicId>, LogError> {
    let path = dir.join(PARTITION_METADATA);
    let text = read_text(disk, &path)?;
    if text.bytes().all(|byte| byte == 0) {
        return Ok(None);
    }
    let id = text.lines().find_map(|line| line.strip_prefix("topic_id:")).map(str::trim);
    match id.and_then(Uuid::parse) {
        Some(id) => Ok(Some(id)),
        None => bad(&path, text.trim_end()),
    }
}

/// The text of `partition.metadata`.
pub(crate) fn format_topic_id(topic_id: TopicId) -> String {
    format!("version: 0\ntopic_id: {topic_id}")
}

fn read_text(disk: &dyn Disk, path: &Path) -> Result<String, LogError> {
    match disk.read(path) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| LogError::corrupt(path, 0, "not text")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).at("read", path),
    }
}

/// The lines of a checkpoint, checked to be as many as it says. A file of zero bytes, which a crash may
/// leave, has none.
fn entries<'a>(text: &'a str, path: &Path) -> Result<Vec<&'a str>, LogError> {
    if text.bytes().all(|byte| byte == 0) {
        return Ok(Vec::new());
    }
    let mut lines = text.lines();
    match lines.next() {
        Some("0") => {}
        version => return bad(path, version.unwrap_or_default()),
    }
    let count = lines.next().unwrap_or_default();
    let lines: Vec<_> = lines.filter(|line| !line.trim().is_empty()).collect();
    if count.parse() == Ok(lines.len()) {
        return Ok(lines);
    }
    Err(LogError::corrupt(path, 0, format!("{} entries where the file says {count:?}", lines.len())))
}

fn bad<T>(path: &Path, line: &str) -> Result<T, LogError> {
    Err(LogError::corrupt(path, 0, format!("malformed line {line:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use barnabas_disk::MemoryDisk;

    #[test]
    fn offsets_are_kafkas_text() {
        let (disk, path) = (MemoryDisk::new(), Path::new("/d/recovery-point-offset-checkpoint"));
        let mut offsets = Offsets::default();
        offsets.insert(&"b".into(), 10, 5);
        offsets.insert(&"a".into(), 0, 7);
        write_offsets(&disk, path, &offsets).unwrap();
        assert_eq!(disk.read(path).unwrap(), b"0\n2\na 0 7\nb 10 5\n");
        assert_eq!(read_offsets(&disk, path).unwrap(), offsets);
        assert_eq!(read_offsets(&disk, Path::new("/absent")).unwrap(), Offsets::default());
    }

    #[test]
    fn a_damaged_checkpoint_is_an_error_and_not_an_empty_one() {
        let (disk, path) = (MemoryDisk::new(), Path::new("/c"));
        for text in ["1\n0\n", "0\n2\na 0 7\n", "0\n1\na 0\n", "0\n1\na 0 7 8\n", "0\n1\na x 7\n", "hello"] {
            disk.write_atomic(path, text.as_bytes()).unwrap();
            assert!(matches!(read_offsets(&disk, path), Err(LogError::Corrupt { .. })), "{text:?}");
        }
    }

    #[test]
    fn partition_metadata_names_the_topic() {
        let disk = MemoryDisk::new();
        let text = format_topic_id(Uuid::METADATA_TOPIC);
        assert_eq!(text, "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(read_topic_id(&disk, Path::new("/p")).unwrap(), None);
        disk.write_atomic(Path::new("/p/partition.metadata"), text.as_bytes()).unwrap();
        assert_eq!(read_topic_id(&disk, Path::new("/p")).unwrap(), Some(Uuid::METADATA_TOPIC));
    }
}
