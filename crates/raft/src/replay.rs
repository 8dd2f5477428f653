//! From batches to the image, the voters and the version of the Raft protocol.

use std::path::Path;

use barnabas_image::MetadataImage;
use barnabas_protocol::batch::{Batch, BatchError};
use barnabas_protocol::control::ControlRecordType;
use barnabas_protocol::generated::kraft_version_record::KRaftVersionRecord;
use barnabas_protocol::record::Record;
use barnabas_protocol::wire::Reader;
use barnabas_protocol::{Millis, Offset};

use crate::error::RaftError;
use crate::voters::VoterSet;

/// Largest batch of metadata after decompression, in bytes. Kafka writes at most 8 MiB, and does not compress.
const DECOMPRESSED_BYTES_MAX: usize = 64 << 20;

/// What snapshot and log say together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Replayed {
    pub(crate) image: MetadataImage,
    pub(crate) voters: VoterSet,
    pub(crate) kraft_version: i16,
    /// Timestamp of the newest batch.
    pub(crate) timestamp: Millis,
}

impl Replayed {
    /// Applies the records of a batch of the log from offset `from` on.
    pub(crate) fn apply_log(
        &mut self,
        batch: &Batch<'_>,
        from: Offset,
        path: &Path,
    ) -> Result<(), RaftError> {
        let epoch = batch.header.partition_leader_epoch;
        let records = batch.records(DECOMPRESSED_BYTES_MAX).map_err(|error| corrupt(path, batch, &error))?;
        for record in &records {
            let record = record.map_err(|error| corrupt(path, batch, &error.into()))?;
            if record.offset < from {
                continue;
            }
            if batch.header.is_control() {
                self.apply_control(&record, path)?;
                self.image.advance(record.offset, epoch);
            } else {
                let value = record.value.unwrap_or_default();
                let replayed = self.image.replay_bytes(value, record.offset, epoch);
                replayed.map_err(|source| RaftError::Replay { offset: record.offset, source })?;
            }
        }
        self.timestamp = batch.header.max_timestamp;
        Ok(())
    }

    /// Applies a control record that changes something. Others are facts about the log, not about the cluster.
    pub(crate) fn apply_control(&mut self, record: &Record<'_>, path: &Path) -> Result<(), RaftError> {
        let value = record.value.unwrap_or_default();
        let damaged = |reason: String| {
            let reason = format!("control record at offset {}: {reason}", record.offset);
            RaftError::Corrupt { path: path.to_path_buf(), reason }
        };
        match ControlRecordType::from_key(record.key.unwrap_or_default()) {
            Some(ControlRecordType::KRaftVersion) => {
                let decoded = KRaftVersionRecord::decode(&mut Reader::new(value), 0);
                self.kraft_version = decoded.map_err(|error| damaged(error.to_string()))?.kraft_version;
            }
            Some(ControlRecordType::KRaftVoters) => {
                self.voters = VoterSet::from_value(value).map_err(|error| damaged(error.to_string()))?;
            }
            _ => {}
        }
        Ok(())
    }
}

pub(crate) fn corrupt(path: &Path, batch: &Batch<'_>, error: &BatchError) -> RaftError {
    let reason = format!("batch at offset {}: {error}", batch.header.base_offset);
    RaftError::Corrupt { path: path.to_path_buf(), reason }
}
