//! Control records of the metadata log: what the quorum says about itself.

use barnabas_protocol::batch_builder::{BatchBuilder, BuildError, BuilderConfig};
use barnabas_protocol::control::ControlRecordType;
use barnabas_protocol::generated::kraft_version_record::KRaftVersionRecord;
use barnabas_protocol::generated::leader_change_message::{LeaderChangeMessage, Voter};
use barnabas_protocol::generated::snapshot_footer_record::SnapshotFooterRecord;
use barnabas_protocol::generated::snapshot_header_record::SnapshotHeaderRecord;
use barnabas_protocol::wire::{EncodeError, Writer};
use barnabas_protocol::{LeaderEpoch, Millis, NodeId, Offset, Uuid};

use crate::error::RaftError;
use crate::voters::VoterSet;

/// A control record: its type and value.
pub(crate) type ControlRecord = (ControlRecordType, Vec<u8>);

/// Who leads the epoch that begins, and who has voted for him.
pub(crate) fn leader_change(
    leader: NodeId,
    voters: &VoterSet,
    granted: impl Iterator<Item = NodeId>,
) -> Result<ControlRecord, EncodeError> {
    // Version 0, as Kafka 4.3.1 writes it also with kraft.version 1: without directory ids.
    let voter = |voter_id| Voter { voter_id, voter_directory_id: Uuid::ZERO };
    let message = LeaderChangeMessage {
        version: 0,
        leader_id: leader,
        voters: voters.iter().map(|known| voter(known.key.id)).collect(),
        granting_voters: granted.map(voter).collect(),
    };
    value(ControlRecordType::LeaderChange, |writer| message.encode(writer, 0))
}

/// The version of the Raft protocol.
pub(crate) fn kraft_version(level: i16) -> Result<ControlRecord, EncodeError> {
    let record = KRaftVersionRecord { version: 0, kraft_version: level };
    value(ControlRecordType::KRaftVersion, |writer| record.encode(writer, 0))
}

/// The voters.
pub(crate) fn voters(voters: &VoterSet) -> Result<ControlRecord, EncodeError> {
    let record = voters.to_record();
    value(ControlRecordType::KRaftVoters, |writer| record.encode(writer, 0))
}

/// The beginning of a snapshot.
pub(crate) fn snapshot_header(last_contained_log_timestamp: Millis) -> Result<ControlRecord, EncodeError> {
    let record = SnapshotHeaderRecord { version: 0, last_contained_log_timestamp };
    value(ControlRecordType::SnapshotHeader, |writer| record.encode(writer, 0))
}

/// The end of a snapshot.
pub(crate) fn snapshot_footer() -> Result<ControlRecord, EncodeError> {
    let record = SnapshotFooterRecord { version: 0 };
    value(ControlRecordType::SnapshotFooter, |writer| record.encode(writer, 0))
}

fn value(
    record_type: ControlRecordType,
    encode: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
) -> Result<ControlRecord, EncodeError> {
    let mut writer = Writer::new();
    encode(&mut writer)?;
    Ok((record_type, writer.into_bytes()))
}

/// One batch of control records.
pub(crate) fn control_batch(
    base_offset: Offset,
    leader_epoch: LeaderEpoch,
    now: Millis,
    records: &[ControlRecord],
) -> Result<Vec<u8>, RaftError> {
    let config = BuilderConfig { base_offset, leader_epoch, control: true, ..BuilderConfig::default() };
    let mut batch = BatchBuilder::new(config);
    for (record_type, value) in records {
        batch.append(now, Some(&record_type.key()), Some(value), &[])?;
    }
    Ok(batch.finish()?)
}

/// One batch of metadata records, each with its frame.
pub(crate) fn data_batch<'r>(
    base_offset: Offset,
    leader_epoch: LeaderEpoch,
    now: Millis,
    records: impl IntoIterator<Item = &'r [u8]>,
) -> Result<Vec<u8>, BuildError> {
    let config = BuilderConfig { base_offset, leader_epoch, ..BuilderConfig::default() };
    let mut batch = BatchBuilder::new(config);
    for record in records {
        batch.append(now, None, Some(record), &[])?;
    }
    batch.finish()
}
