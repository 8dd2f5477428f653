//! Formatting: what a directory holds before the first start of a quorum of one voter.

use std::path::Path;

use barnabas_disk::Disk;
use barnabas_protocol::generated::feature_level_record::FeatureLevelRecord;
use barnabas_protocol::generated::metadata_record::MetadataRecord;
use barnabas_protocol::wire::Writer;
use barnabas_protocol::Millis;

use crate::control;
use crate::error::{At, RaftError};
use crate::snapshot::{SnapshotId, SnapshotWriter};
use crate::voters::{Voter, VoterSet};
use crate::METADATA_DIRECTORY;

/// File in the log directory with the records that the first active controller of the cluster writes.
pub(crate) const BOOTSTRAP_FILE: &str = "bootstrap.checkpoint";

/// How to format.
#[derive(Debug, Clone)]
pub struct FormatOptions {
    /// This node, the quorum's only voter.
    pub voter: Voter,
    /// Finalized features and their levels, `metadata.version` among them; `kraft.version` is not one of them.
    pub features: Vec<(String, i16)>,
    /// Further records of the first transaction, each with its frame (SCRAM credentials, for example).
    pub records: Vec<Vec<u8>>,
}

/// Writes `bootstrap.checkpoint` and the metadata log's first snapshot, as Kafka's
/// `StorageTool format --standalone` does. `meta.properties` is to be written afterwards: a directory without
/// it counts as not formatted, so that a crash in between does no harm.
pub fn format(
    disk: &dyn Disk,
    log_dir: &Path,
    options: &FormatOptions,
    now: Millis,
) -> Result<(), RaftError> {
    let dir = log_dir.join(METADATA_DIRECTORY);
    disk.create_dir_all(&dir).at("create", &dir)?;

    let mut bootstrap = SnapshotWriter::create(disk, log_dir, SnapshotId::BOOTSTRAP, now)?;
    bootstrap.control(&[control::snapshot_header(0)?])?;
    for record in feature_records(&options.features)?.iter().chain(&options.records) {
        bootstrap.record(record)?;
    }
    bootstrap.finish(disk, &log_dir.join(BOOTSTRAP_FILE))?;

    let voters = VoterSet::new([options.voter.clone()]);
    let mut snapshot = SnapshotWriter::create(disk, &dir, SnapshotId::BOOTSTRAP, now)?;
    let (header, level) = (control::snapshot_header(now)?, control::kraft_version(1)?);
    snapshot.control(&[header, level, control::voters(&voters)?])?;
    snapshot.finish(disk, &dir.join(SnapshotId::BOOTSTRAP.file_name()))?;

    disk.sync_dir(&dir).at("sync", &dir)?;
    disk.sync_dir(log_dir).at("sync", log_dir)
}

/// FeatureLevel records, `metadata.version` first, then by name.
fn feature_records(features: &[(String, i16)]) -> Result<Vec<Vec<u8>>, RaftError> {
    let mut ordered: Vec<&(String, i16)> = features.iter().filter(|(_, level)| *level != 0).collect();
    ordered.sort_by_key(|(name, _)| (name != "metadata.version", name));
    let encoded = ordered.into_iter().map(|(name, feature_level)| {
        let record = FeatureLevelRecord { name, feature_level: *feature_level };
        encode(&MetadataRecord::FeatureLevel(record))
    });
    encoded.collect()
}

/// A record of version 0 with its frame.
pub(crate) fn encode(record: &MetadataRecord<'_>) -> Result<Vec<u8>, RaftError> {
    let mut writer = Writer::new();
    record.encode(&mut writer, 0)?;
    Ok(writer.into_bytes())
}
