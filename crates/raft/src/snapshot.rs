//! Snapshots: `<end offset>-<epoch>.checkpoint`, the records that build an image between a header and a footer.
//!
//! Always true:
//!   a file with the final name is complete: it is written under another name, synced, then renamed
//!   a snapshot holds the voters and the kraft.version that were in force at its end offset

use std::path::{Path, PathBuf};
use std::sync::Arc;

use barnabas_disk::{Disk, File, Open};
use barnabas_image::MetadataImage;
use barnabas_protocol::batch::{batches, Batch};
use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};
use barnabas_protocol::control::ControlRecordType;
use barnabas_protocol::generated::snapshot_header_record::SnapshotHeaderRecord;
use barnabas_protocol::wire::{Reader, Writer};
use barnabas_protocol::{LeaderEpoch, Millis, Offset};

use crate::control::{self, control_batch, ControlRecord};
use crate::error::{At, RaftError};
use crate::replay::{corrupt, Replayed};
use crate::voters::VoterSet;

const SUFFIX: &str = ".checkpoint";
const PART_SUFFIX: &str = ".checkpoint.part";
const DELETED_SUFFIX: &str = ".checkpoint.deleted";
/// A batch is closed when it has this many bytes or records.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_RECORDS: i32 = 1024;
/// Largest batch after decompression; Kafka's writers stay below 8 MiB.
const DECOMPRESSED_BYTES_MAX: usize = 64 << 20;

/// Names a snapshot: everything below `end_offset` is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotId {
    /// First offset that is not in it.
    pub end_offset: Offset,
    /// Epoch of the record before.
    pub epoch: LeaderEpoch,
}

impl SnapshotId {
    /// The snapshot that formatting leaves: the voters, before the log has begun.
    pub const BOOTSTRAP: SnapshotId = SnapshotId { end_offset: 0, epoch: 0 };

    /// Kafka's file name of the snapshot.
    pub fn file_name(self) -> String {
        format!("{:020}-{:010}{SUFFIX}", self.end_offset, self.epoch)
    }

    /// The snapshot of a file name; None when it is not one.
    pub fn parse(file_name: &str) -> Option<SnapshotId> {
        let (end_offset, epoch) = file_name.strip_suffix(SUFFIX)?.split_once('-')?;
        if end_offset.len() != 20 || epoch.len() != 10 {
            return None;
        }
        Some(SnapshotId { end_offset: end_offset.parse().ok()?, epoch: epoch.parse().ok()? })
    }
}

/// A snapshot on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Its name.
    pub id: SnapshotId,
    /// Bytes of its file.
    pub size: u64,
    /// Timestamp of the newest record in it.
    pub last_contained_log_timestamp: Millis,
}

/// The snapshots in a directory, oldest first. Removes what a crash has left unfinished.
pub(crate) fn list(disk: &dyn Disk, dir: &Path) -> Result<Vec<SnapshotId>, RaftError> {
    let mut snapshots = Vec::new();
    for entry in disk.list(dir).at("list", dir)? {
        if entry.name.ends_with(PART_SUFFIX) || entry.name.ends_with(DELETED_SUFFIX) {
            let path = dir.join(&entry.name);
            disk.remove_file(&path).at("remove", &path)?;
        } else if let Some(id) = SnapshotId::parse(&entry.name) {
            snapshots.push(id);
        }
    }
    snapshots.sort();
    Ok(snapshots)
}

/// Reads a whole snapshot.
pub(crate) fn load(disk: &dyn Disk, dir: &Path, id: SnapshotId) -> Result<(Replayed, Snapshot), RaftError> {
    let path = dir.join(id.file_name());
    let mut replayed = Replayed::default();
    let (offset, epoch) = (id.end_offset - 1, id.epoch);
    let (size, timestamp) = read(disk, &path, |batch, control| match control {
        Some(record) => replayed.apply_control(record, &path),
        None => {
            for record in
                &batch.records(DECOMPRESSED_BYTES_MAX).map_err(|error| corrupt(&path, batch, &error))?
            {
                let record = record.map_err(|error| corrupt(&path, batch, &error.into()))?;
                let replayed = replayed.image.replay_bytes(record.value.unwrap_or_default(), offset, epoch);
                replayed.map_err(|source| RaftError::Replay { offset: record.offset, source })?;
            }
            Ok(())
        }
    })?;
    if offset >= 0 {
        replayed.image.advance(offset, epoch);
    }
    replayed.timestamp = timestamp;
    Ok((replayed, Snapshot { id, size, last_contained_log_timestamp: timestamp }))
}

/// The values of all metadata records of a file in snapshot format.
pub(crate) fn read_values(disk: &dyn Disk, path: &Path) -> Result<Vec<Vec<u8>>, RaftError> {
    let mut values = Vec::new();
    read(disk, path, |batch, control| {
        if control.is_some() {
            return Ok(());
        }
        for record in &batch.records(DECOMPRESSED_BYTES_MAX).map_err(|error| corrupt(path, batch, &error))? {
            let record = record.map_err(|error| corrupt(path, batch, &error.into()))?;
            values.push(record.value.unwrap_or_default().to_vec());
        }
        Ok(())
    })?;
    Ok(values)
}

type Visit<'v> = &'v barnabas_protocol::record::Record<'v>;

/// Walks over a file in snapshot format, checking that it is whole. `visit` gets each data batch with None, and
/// each control record. Gives the size in bytes and the timestamp in the header.
fn read(
    disk: &dyn Disk,
    path: &Path,
    mut visit: impl FnMut(&Batch<'_>, Option<Visit<'_>>) -> Result<(), RaftError>,
) -> Result<(u64, Millis), RaftError> {
    let damaged = |reason: &str| RaftError::Corrupt { path: path.to_path_buf(), reason: reason.to_string() };
    let content = disk.read(path).at("read", path)?;
    let (mut header, mut footer) = (None, false);
    for batch in batches(&content) {
        let batch = batch.map_err(|error| damaged(&error.to_string()))?;
        if !batch.crc_is_valid() {
            return Err(damaged("a checksum is wrong"));
        }
        if footer {
            return Err(damaged("it goes on after its footer"));
        }
        if !batch.header.is_control() {
            if header.is_none() {
                return Err(damaged("it does not begin with a header"));
            }
            visit(&batch, None)?;
            continue;
        }
        for record in &batch.records(DECOMPRESSED_BYTES_MAX).map_err(|error| corrupt(path, &batch, &error))? {
            let record = record.map_err(|error| corrupt(path, &batch, &error.into()))?;
            match ControlRecordType::from_key(record.key.unwrap_or_default()) {
                Some(ControlRecordType::SnapshotHeader) => {
                    let mut reader = Reader::new(record.value.unwrap_or_default());
                    let value = SnapshotHeaderRecord::decode(&mut reader, 0);
                    header = Some(
                        value.map_err(|error| damaged(&error.to_string()))?.last_contained_log_timestamp,
                    );
                }
                Some(ControlRecordType::SnapshotFooter) => footer = true,
                _ => visit(&batch, Some(&record))?,
            }
        }
    }
    match header {
        Some(timestamp) if footer => Ok((content.len() as u64, timestamp)),
        _ => Err(damaged("it does not end with a footer")),
    }
}

/// A snapshot to be written, detached from the log so that nothing waits for it.
#[derive(Debug)]
pub struct SnapshotTask {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) id: SnapshotId,
    pub(crate) image: MetadataImage,
    pub(crate) voters: VoterSet,
    pub(crate) kraft_version: i16,
    pub(crate) last_contained_log_timestamp: Millis,
    pub(crate) now: Millis,
}

impl SnapshotTask {
    /// Writes the snapshot; durable once it returns.
    pub fn run(&self) -> Result<Snapshot, RaftError> {
        let path = self.dir.join(self.id.file_name());
        let last_contained_log_timestamp = self.last_contained_log_timestamp;
        let mut header = vec![control::snapshot_header(last_contained_log_timestamp)?];
        if self.kraft_version >= 1 {
            header.push(control::kraft_version(self.kraft_version)?);
            header.push(control::voters(&self.voters)?);
        }
        let mut writer = SnapshotWriter::create(&*self.disk, &self.dir, self.id, self.now)?;
        writer.control(&header)?;
        let mut value = Writer::new();
        for (record, version) in self.image.to_records() {
            record.encode(&mut value, version)?;
            let bytes = value.into_bytes();
            writer.record(&bytes)?;
            let mut reused = bytes;
            reused.clear();
            value = Writer::append_to(reused);
        }
        let size = writer.finish(&*self.disk, &path)?;
        self.disk.sync_dir(&self.dir).at("sync", &self.dir)?;
        Ok(Snapshot { id: self.id, size, last_contained_log_timestamp })
    }
}

/// Writes a file in snapshot format.
pub(crate) struct SnapshotWriter {
    file: Arc<dyn File>,
    part: PathBuf,
    position: u64,
    next_offset: Offset,
    epoch: LeaderEpoch,
    now: Millis,
    batch: Option<BatchBuilder>,
}

impl SnapshotWriter {
    pub(crate) fn create(
        disk: &dyn Disk,
        dir: &Path,
        id: SnapshotId,
        now: Millis,
    ) -> Result<SnapshotWriter, RaftError> {
        let part = dir.join(id.file_name().replace(SUFFIX, PART_SUFFIX));
        let file = disk.open(&part, Open::Create).at("create", &part)?;
        file.set_len(0).at("truncate", &part)?;
        Ok(SnapshotWriter { file, part, position: 0, next_offset: 0, epoch: id.epoch, now, batch: None })
    }

    /// Appends a batch of control records.
    pub(crate) fn control(&mut self, records: &[ControlRecord]) -> Result<(), RaftError> {
        self.close_batch()?;
        let batch = control_batch(self.next_offset, self.epoch, self.now, records)?;
        self.next_offset += records.len() as Offset;
        self.write(&batch)
    }

    /// Appends a metadata record with its frame.
    pub(crate) fn record(&mut self, value: &[u8]) -> Result<(), RaftError> {
        let config =
            BuilderConfig { base_offset: self.next_offset, leader_epoch: self.epoch, ..Default::default() };
        let batch = self.batch.get_or_insert_with(|| BatchBuilder::new(config));
        batch.append(self.now, None, Some(value), &[])?;
        if batch.records_count() >= BATCH_RECORDS || batch.uncompressed_size() >= BATCH_BYTES {
            self.close_batch()?;
        }
        Ok(())
    }

    /// Appends the footer, syncs the file and gives it its name. The directory is left to be synced.
    pub(crate) fn finish(mut self, disk: &dyn Disk, path: &Path) -> Result<u64, RaftError> {
        let footer = [control::snapshot_footer()?];
        self.control(&footer)?;
        self.file.sync_data().at("sync", &self.part)?;
        disk.rename(&self.part, path).at("rename", path)?;
        Ok(self.position)
    }

    fn close_batch(&mut self) -> Result<(), RaftError> {
        let Some(batch) = self.batch.take() else { return Ok(()) };
        self.next_offset += Offset::from(batch.records_count());
        let bytes = batch.finish()?;
        self.write(&bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), RaftError> {
        self.file.write_all_at(bytes, self.position).at("write", &self.part)?;
        self.position += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kafkas() {
        let id = SnapshotId { end_offset: 62, epoch: 1 };
        assert_eq!(id.file_name(), "00000000000000000062-0000000001.checkpoint");
        assert_eq!(SnapshotId::parse("00000000000000000062-0000000001.checkpoint"), Some(id));
        assert_eq!(SnapshotId::parse("00000000000000000062-0000000001.checkpoint.part"), None);
        assert_eq!(SnapshotId::parse("bootstrap.checkpoint"), None);
    }
}
