//! Starting: snapshot and log become an image, this node becomes the leader of a new epoch.
//!
//! Done with few syncs, for each costs milliseconds: one for the quorum's state, one for what the epoch begins
//! with (LeaderChange, and in an empty log the voters and the bootstrap records).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use barnabas_disk::{Disk, OpenFiles};
use barnabas_image::{MetadataImage, MetadataVersion, ResourceType};
use barnabas_log::{Log, OpenOptions, Recovery};
use barnabas_protocol::batch::batches;
use barnabas_protocol::generated::abort_transaction_record::AbortTransactionRecord;
use barnabas_protocol::generated::begin_transaction_record::BeginTransactionRecord;
use barnabas_protocol::generated::config_record::ConfigRecord;
use barnabas_protocol::generated::end_transaction_record::EndTransactionRecord;
use barnabas_protocol::generated::metadata_record::MetadataRecord;
use barnabas_protocol::{Millis, Offset, TopicId};

use crate::control::{self, control_batch};
use crate::damage::refuse_damage;
use crate::error::{At, RaftError};
use crate::format::{encode, BOOTSTRAP_FILE};
use crate::metadata_log::{MetadataLog, MetadataLogConfig};
use crate::quorum::{Event, Quorum, Role};
use crate::quorum_state::QuorumState;
use crate::replay::{corrupt, Replayed};
use crate::snapshot::{self, Snapshot, SnapshotId};
use crate::voters::{ReplicaKey, VoterEndpoint, VoterSet};
use crate::{METADATA_DIRECTORY, METADATA_TOPIC};

/// Bytes of the log that are read at once.
const READ_BYTES: usize = 4 << 20;

/// How to start.
#[derive(Debug, Clone)]
pub struct StartOptions {
    /// This node and its metadata log directory.
    pub local: ReplicaKey,
    /// Where this node listens for the other voters: told to them when it differs from what the log says.
    /// None leaves that as it is.
    pub endpoints: Option<Vec<VoterEndpoint>>,
    /// `controller.quorum.voters`, for quorums with kraft.version 0, whose voters are not in the log.
    pub static_voters: Option<VoterSet>,
    /// Configs of the cluster (name, value) that the first transaction of a new cluster sets.
    pub bootstrap_configs: Vec<(String, String)>,
    /// `controller.quorum.election.timeout.ms`.
    pub election_timeout_ms: Millis,
    /// Any number; voters should have different ones.
    pub seed: u64,
    /// How the log is kept.
    pub config: MetadataLogConfig,
}

/// A metadata log that this node leads.
#[derive(Debug)]
pub struct Started {
    /// The log.
    pub log: MetadataLog,
    /// Everything in it, all of it committed.
    pub image: MetadataImage,
    /// What opening the log has found and mended.
    pub recovery: Recovery,
}

/// Opens the metadata log of a formatted log directory and takes its leadership.
pub fn start(
    files: Arc<OpenFiles>,
    log_dir: &Path,
    options: StartOptions,
    now: Millis,
) -> Result<Started, RaftError> {
    let disk = files.disk().clone();
    let dir = log_dir.join(METADATA_DIRECTORY);
    let mut opened = open(files, &disk, dir.clone(), &options, now)?;
    let was_empty = opened.log.log_end_offset() == 0;
    let replayed = std::mem::take(&mut opened.replayed);
    let known = check_voters(&replayed, &options, &dir)?;
    let voters = match &options.endpoints {
        Some(endpoints) => known.with_endpoints(options.local.id, endpoints),
        None => known.clone(),
    };
    let tell_voters = was_empty || voters != known;
    let quorum = quorum(&*disk, &dir, voters, &opened.log, &options, now)?;
    let newest = opened.snapshots.last().map_or(now, |snapshot| snapshot.last_contained_log_timestamp);
    let mut log = MetadataLog {
        disk,
        dir,
        log: opened.log,
        config: options.config,
        quorum,
        kraft_version: replayed.kraft_version,
        last_snapshot_at: if newest > 0 { newest } else { now },
        snapshots: opened.snapshots,
        snapshot_running: false,
        bytes_since_snapshot: opened.bytes_since_snapshot,
        last_timestamp: replayed.timestamp,
    };
    let mut image = replayed.image;
    log.take_leadership(tell_voters, &mut image, now)?;
    if image.in_transaction() {
        log.abort_transaction(&mut image, now)?;
    }
    if image.features.iter().next().is_none() {
        log.bootstrap(log_dir, &options.bootstrap_configs, &mut image, now)?;
    }
    log.flush(now)?;
    Ok(Started { log, image, recovery: opened.recovery })
}

/// Reads a log directory's metadata without taking its leadership: for tools. The directory must not be in use.
pub fn load(files: Arc<OpenFiles>, log_dir: &Path, now: Millis) -> Result<MetadataImage, RaftError> {
    let disk = files.disk().clone();
    let options = StartOptions {
        local: ReplicaKey { id: -1, directory_id: TopicId::ZERO },
        endpoints: None,
        static_voters: None,
        bootstrap_configs: Vec::new(),
        election_timeout_ms: 1000,
        seed: 0,
        config: MetadataLogConfig::default(),
    };
    Ok(open(files, &disk, log_dir.join(METADATA_DIRECTORY), &options, now)?.replayed.image)
}

/// Log and snapshots, read.
struct Opened {
    log: Log,
    recovery: Recovery,
    snapshots: Vec<Snapshot>,
    replayed: Replayed,
    bytes_since_snapshot: u64,
}

fn open(
    files: Arc<OpenFiles>,
    disk: &Arc<dyn Disk>,
    dir: PathBuf,
    options: &StartOptions,
    now: Millis,
) -> Result<Opened, RaftError> {
    if !disk.exists(&dir) && options.static_voters.is_none() {
        return Err(RaftError::NoVoters { path: dir });
    }
    disk.create_dir_all(&dir).at("create", &dir)?;
    let (mut replayed, snapshots) = newest_snapshot(&**disk, &dir)?;
    let snapshot_end = snapshots.last().map_or(0, |snapshot| snapshot.id.end_offset);
    let log_start_offset = snapshots.first().map_or(0, |snapshot| snapshot.id.end_offset);
    refuse_damage(&**disk, &dir, snapshot_end)?;
    let (mut log, recovery) = Log::open(
        files,
        &dir,
        METADATA_TOPIC,
        0,
        TopicId::METADATA_TOPIC,
        Arc::new(options.config.log_config()),
        // What is in a snapshot needs no checking: the snapshot is what counts.
        OpenOptions {
            recovery_point: snapshot_end,
            log_start_offset,
            high_watermark: snapshot_end,
            clean_shutdown: false,
            producer_id_expiration_ms: Millis::MAX,
            rewrite: false,
            changes: Arc::default(),
        },
        now,
        &mut |_| {},
    )?;
    if log.log_end_offset() < snapshot_end {
        log.truncate_fully_and_start_at(snapshot_end, now)?;
    }
    let log_start_offset = log.local_log_start_offset();
    if log_start_offset > snapshot_end {
        return Err(RaftError::Gap { path: dir, log_start_offset, snapshot_end_offset: snapshot_end });
    }
    let bytes_since_snapshot = replay_log(&log, snapshot_end, &dir, &mut replayed)?;
    Ok(Opened { log, recovery, snapshots, replayed, bytes_since_snapshot })
}

/// The newest snapshot that can be read, and all that are not newer. A damaged one is left out: the log may
/// reach back to the one before it.
fn newest_snapshot(disk: &dyn Disk, dir: &Path) -> Result<(Replayed, Vec<Snapshot>), RaftError> {
    let mut ids = snapshot::list(disk, dir)?;
    while let Some(id) = ids.pop() {
        match snapshot::load(disk, dir, id) {
            Ok((replayed, newest)) => {
                let mut snapshots = Vec::with_capacity(ids.len() + 1);
                for id in ids {
                    let path = dir.join(id.file_name());
                    let size = disk.file_len(&path).at("look at", &path)?;
                    // Its own header would say earlier: trimming by age keeps it a little longer.
                    let last_contained_log_timestamp = newest.last_contained_log_timestamp;
                    snapshots.push(Snapshot { id, size, last_contained_log_timestamp });
                }
                snapshots.push(newest);
                return Ok((replayed, snapshots));
            }
            Err(error @ RaftError::Corrupt { .. }) => log::error!("skipping a metadata snapshot: {error}"),
            Err(error) => return Err(error),
        }
    }
    Ok((Replayed::default(), Vec::new()))
}

/// Applies everything from `from` on; gives its bytes.
fn replay_log(log: &Log, from: Offset, dir: &Path, replayed: &mut Replayed) -> Result<u64, RaftError> {
    let (mut offset, mut bytes) = (from, 0);
    while offset < log.log_end_offset() {
        let read = log.read(offset, READ_BYTES, log.log_end_offset(), true)?;
        let Some(slice) = read.slice else { break };
        let content = slice.read().at("read", dir)?;
        let before = offset;
        for batch in batches(&content) {
            // What was read may end inside a batch: the next read begins with it.
            let Ok(batch) = batch else { break };
            if !batch.crc_is_valid() {
                let error = barnabas_protocol::batch::BatchError::Crc {
                    stored: batch.header.crc,
                    computed: batch.computed_crc(),
                };
                return Err(corrupt(dir, &batch, &error));
            }
            replayed.apply_log(&batch, offset, dir)?;
            offset = batch.header.next_offset();
            bytes += batch.bytes.len() as u64;
        }
        if offset == before {
            let reason = format!("no batch at offset {offset}");
            return Err(RaftError::Corrupt { path: dir.to_path_buf(), reason });
        }
    }
    Ok(bytes)
}

/// The voters, of which this node must be the only one.
fn check_voters(replayed: &Replayed, options: &StartOptions, dir: &Path) -> Result<VoterSet, RaftError> {
    let no_voters = || RaftError::NoVoters { path: dir.to_path_buf() };
    let voters = match &options.static_voters {
        Some(voters) if replayed.voters.is_empty() => voters,
        _ => &replayed.voters,
    };
    if voters.len() > 1 {
        return Err(RaftError::SeveralVoters { voters: voters.iter().map(|voter| voter.key.id).collect() });
    }
    let voter = voters.iter().next().ok_or_else(no_voters)?.key;
    if !voters.contains(options.local) {
        return Err(RaftError::NotVoter {
            node: options.local.id,
            directory: options.local.directory_id,
            voter: voter.id,
            voter_directory: voter.directory_id,
        });
    }
    Ok(voters.clone())
}

fn quorum(
    disk: &dyn Disk,
    dir: &Path,
    voters: VoterSet,
    log: &Log,
    options: &StartOptions,
    now: Millis,
) -> Result<Quorum, RaftError> {
    let mut state = QuorumState::load(disk, dir)?.unwrap_or_default();
    let last_epoch = log.leader_epochs().latest().map_or(0, |entry| entry.epoch);
    if last_epoch > state.epoch {
        // The file was lost or restored: no epoch that the log knows may begin again.
        state = QuorumState { epoch: last_epoch, leader: None, voted: None };
    }
    Ok(Quorum::new(options.local, voters, state, options.election_timeout_ms, options.seed, now))
}

impl MetadataLog {
    /// Elects this node and begins its epoch, with the voters when the log does not say them as they are.
    fn take_leadership(
        &mut self,
        tell_voters: bool,
        image: &mut MetadataImage,
        now: Millis,
    ) -> Result<(), RaftError> {
        let effects = self.quorum.step(now, Event::Tick);
        if let Some(state) = effects.persist {
            state.store(&*self.disk, &self.dir, self.kraft_version, self.quorum.voters())?;
        }
        let Role::Leader { granted } = self.quorum.role() else {
            let (epoch, current) = (self.quorum.epoch(), self.quorum.epoch());
            return Err(RaftError::NotLeader { epoch, current });
        };
        let epoch = self.quorum.epoch();
        let (leader, voters) = (self.quorum.local().id, self.quorum.voters());
        let mut records = vec![control::leader_change(leader, voters, granted.iter().copied())?];
        if tell_voters && self.kraft_version >= 1 {
            records.push(control::kraft_version(self.kraft_version)?);
            records.push(control::voters(voters)?);
        }
        let batch = control_batch(self.log_end_offset(), epoch, now, &records)?;
        let last_offset = self.append_batch(&batch, now)?;
        image.advance(last_offset, epoch);
        Ok(())
    }

    /// Drops a transaction that the leader before has left open.
    fn abort_transaction(&mut self, image: &mut MetadataImage, now: Millis) -> Result<(), RaftError> {
        let record = AbortTransactionRecord { reason: Some("the controller restarted") };
        let record = encode(&MetadataRecord::AbortTransaction(record))?;
        self.append_to(image, &[record], now)
    }

    /// Writes the first records of a cluster: those that formatting has left, in one transaction.
    fn bootstrap(
        &mut self,
        log_dir: &Path,
        configs: &[(String, String)],
        image: &mut MetadataImage,
        now: Millis,
    ) -> Result<(), RaftError> {
        let path = log_dir.join(BOOTSTRAP_FILE);
        if !self.disk.exists(&path) {
            return Err(RaftError::Corrupt { path, reason: "it is missing".to_string() });
        }
        let mut records = snapshot::read_values(&*self.disk, &path)?;
        for (name, value) in configs {
            let resource_type = ResourceType::BROKER.0;
            let record = ConfigRecord { resource_type, resource_name: "", name, value: Some(value) };
            records.push(encode(&MetadataRecord::Config(record))?);
        }
        if level_of(&records, &path)?.has_metadata_transactions() {
            let begin = BeginTransactionRecord { name: Some("Bootstrap records") };
            records.insert(0, encode(&MetadataRecord::BeginTransaction(begin))?);
            records.push(encode(&MetadataRecord::EndTransaction(EndTransactionRecord {}))?);
        }
        self.append_to(image, &records, now)
    }

    fn append_to(
        &mut self,
        image: &mut MetadataImage,
        records: &[Vec<u8>],
        now: Millis,
    ) -> Result<(), RaftError> {
        let (with_records, _) = self.propose(image, records, self.epoch(), now)?;
        *image = with_records;
        Ok(())
    }
}

/// The `metadata.version` that the records set.
fn level_of(records: &[Vec<u8>], path: &Path) -> Result<MetadataVersion, RaftError> {
    let mut image = MetadataImage::default();
    for record in records {
        image
            .replay_bytes(record, SnapshotId::BOOTSTRAP.end_offset, 0)
            .map_err(|source| RaftError::Corrupt { path: path.to_path_buf(), reason: source.to_string() })?;
    }
    Ok(image.features.metadata_version())
}
