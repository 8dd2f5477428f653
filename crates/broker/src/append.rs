//! A leader appends what clients produce.

use std::sync::Arc;

use barnabas_log::{
    AppendBatch, AppendError, AppendInfo, AppendOrigin, Checked, Durability, Log, LogError, ProducerError,
};
use barnabas_protocol::batch::{self, BatchHeader, HEADER_SIZE};
use barnabas_protocol::batch_validate::{
    check_format, is_transactional, validate, validate_schemas, InvalidKind, InvalidRecords, Validated,
};
use barnabas_protocol::{Millis, Offset};
use parking_lot::RwLockWriteGuard;

use crate::error_code;
use crate::leader::Leader;
use crate::partition::{Partition, PartitionConfig, Role};
use crate::produce::Diverted;
use crate::read::log_error_code;
use crate::schema_table::{Diversion, Judge, SchemaTables, Unjudged};
use crate::verify::Verified;
use crate::waiters::Move;

/// acks: the leader waits for the whole ISR.
pub(crate) const ACKS_ALL: i16 = -1;

/// Where the records are now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Appended {
    /// First offset.
    pub(crate) base_offset: Offset,
    /// Last offset.
    pub(crate) last_offset: Offset,
    /// The append time where it counts, or the time of what was there before; -1 otherwise.
    pub(crate) log_append_time: Millis,
    /// Log start offset.
    pub(crate) log_start_offset: Offset,
    /// Whether they count only once they are on disk.
    pub(crate) durability: Durability,
}

/// What writing a batch did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    pub(crate) info: AppendInfo,
    /// To be told to those who wait, once the log is let go.
    pub(crate) moved: Move,
    pub(crate) high_watermark_moved: bool,
}

/// Why records were not appended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProduceError {
    /// An error that needs no words.
    #[error("error {0}")]
    Code(i16),
    /// A transaction's batch that its coordinator does not speak for.
    #[error("{}", message.as_deref().unwrap_or_default())]
    Unverified {
        /// Kafka's error code.
        code: i16,
        /// What the client is told besides.
        message: Option<String>,
    },
    /// The records themselves.
    #[error(transparent)]
    Invalid(InvalidRecords),
    /// Records have schemas that nobody here knows yet.
    #[error("{0:?} are not known")]
    Unjudged(Unjudged),
    /// Records that do not pass can't be written to where they should go.
    #[error("records can't be diverted to topic {target}: error {code}")]
    NotDiverted {
        /// Where to.
        target: Arc<str>,
        /// Why not.
        code: i16,
    },
    /// What the producer wrote before.
    #[error(transparent)]
    Producer(#[from] ProducerError),
    /// The log.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl ProduceError {
    /// Kafka's error code.
    pub(crate) fn code(&self) -> i16 {
        match self {
            Self::Code(code) => *code,
            Self::Unverified { code, .. } => *code,
            Self::Invalid(invalid) => invalid.code(),
            // What clients take as a reason to try again.
            Self::Unjudged(_) | Self::NotDiverted { .. } => error_code::NOT_ENOUGH_REPLICAS,
            Self::Producer(error) => producer_error_code(error),
            Self::Append(error) => append_error_code(error),
        }
    }

    /// Whether the answer tells the log start offset: Kafka does where the log itself refused.
    pub(crate) fn tells_log_start_offset(&self) -> bool {
        match self {
            Self::Code(_) | Self::Unverified { .. } | Self::Unjudged(_) | Self::NotDiverted { .. } => false,
            Self::Invalid(invalid) => !matches!(
                invalid.kind,
                InvalidKind::Corrupt | InvalidKind::TooLarge | InvalidKind::UnsupportedCompressionType
            ),
            Self::Producer(_) => true,
            Self::Append(error) => !matches!(error, AppendError::Log(_)),
        }
    }

    /// The disk's failure behind it, if that is what it is.
    pub(crate) fn storage_failure(&self) -> Option<&LogError> {
        match self {
            Self::Append(AppendError::Log(error)) if error.is_storage_failure() => Some(error),
            _ => None,
        }
    }
}

pub(crate) fn append_error_code(error: &AppendError) -> i16 {
    match error {
        AppendError::Log(error) => log_error_code(error),
        AppendError::Batch(_) => error_code::CORRUPT_MESSAGE,
        AppendError::RecordListTooLarge { .. } => error_code::RECORD_LIST_TOO_LARGE,
        AppendError::Offset { .. } => error_code::UNKNOWN_SERVER_ERROR,
    }
}

pub(crate) fn producer_error_code(error: &ProducerError) -> i16 {
    match error {
        ProducerError::OutOfOrderSequence { .. } => error_code::OUT_OF_ORDER_SEQUENCE_NUMBER,
        ProducerError::InvalidProducerEpoch { .. } => error_code::INVALID_PRODUCER_EPOCH,
        ProducerError::TransactionalWriteExpected { .. } | ProducerError::NotVerified { .. } => {
            error_code::INVALID_TXN_STATE
        }
        ProducerError::TransactionCoordinatorFenced { .. } => error_code::TRANSACTION_COORDINATOR_FENCED,
    }
}

/// What the one batch of a Produce is judged by.
#[derive(Clone, Copy)]
pub(crate) struct Grounds<'a> {
    /// What its transaction's coordinator has said.
    pub(crate) verified: &'a Verified,
    /// Who is asked for schemas.
    pub(crate) schema_tables: &'a SchemaTables,
    /// What the registry has said since then counts, however long ago that is.
    pub(crate) schemas_since: Millis,
    /// Whether it will not be asked again.
    pub(crate) is_last: bool,
}

/// What became of a batch.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is in the log, or was before.
    Appended(Appended),
    /// Nothing has been done: some of its records are to go elsewhere first.
    Diverted(Box<Diverted>),
}

/// The batch as the topic's configuration wants it, and which of its records are to go elsewhere.
fn validated<'a>(
    records: &'a [u8],
    version: i16,
    config: &PartitionConfig,
    grounds: &Grounds<'_>,
    now: Millis,
) -> Result<(Validated<'a>, Option<Diversion>), ProduceError> {
    let Some(table) = &config.schemas else {
        let validated = validate(records, version, &config.validation, now);
        return validated.map(|validated| (validated, None)).map_err(ProduceError::Invalid);
    };
    let is_transactional = is_transactional(records).map_err(ProduceError::Invalid)?;
    let mut judge = Judge::new(table, grounds.schemas_since, now).diverting(is_transactional);
    let validated = validate_schemas(records, version, &config.validation, now, &mut judge);
    if let Some(stale) = judge.stale() {
        grounds.schema_tables.ask(stale, None);
    }
    let validated = validated.map_err(|invalid| judge.with_letters(invalid));
    match (validated, judge.unjudged()) {
        (Ok(validated), None) => Ok((validated, judge.diversion())),
        (Err(invalid), None) => Err(ProduceError::Invalid(invalid)),
        (Err(invalid), _) if invalid.record_errors.is_empty() || grounds.is_last => {
            Err(ProduceError::Invalid(invalid))
        }
        // Where single records are refused, all of them are to be named.
        (_, Some(unjudged)) => Err(ProduceError::Unjudged(unjudged)),
    }
}

/// A batch that may be appended; its base offset is of no account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CheckedBatch<'a> {
    pub(crate) header: &'a BatchHeader,
    pub(crate) records: &'a [u8],
    /// The time of append, where it counts as the records' timestamp.
    pub(crate) log_append_time: Option<Millis>,
}

/// The leader, if it has the replicas that `acks` asks for.
fn leading<'r>(role: &'r Role, config: &PartitionConfig, acks: i16) -> Result<&'r Leader, ProduceError> {
    let leader = role.leader(-1).map_err(ProduceError::Code)?;
    match acks == ACKS_ALL && leader.is_under_min_isr(config.log.min_insync_replicas) {
        true => Err(ProduceError::Code(error_code::NOT_ENOUGH_REPLICAS)),
        false => Ok(leader),
    }
}

/// Where a batch is that its producer has sent before; None for a new one.
fn appended_before(
    log: &mut Log,
    header: &BatchHeader,
    verified: &Verified,
    config: &PartitionConfig,
) -> Result<Option<Appended>, ProduceError> {
    let checked = match verified {
        Verified::Guard(guard) => log.check_verified(header, AppendOrigin::Client, *guard)?,
        _ => log.check_producer(header, AppendOrigin::Client)?,
    };
    Ok(match checked {
        Checked::New => None,
        Checked::Duplicate { first_offset, last_offset, timestamp } => Some(Appended {
            base_offset: first_offset,
            last_offset,
            log_append_time: timestamp,
            log_start_offset: log.log_start_offset(),
            durability: config.log.durability,
        }),
    })
}

impl Partition {
    /// Appends the one batch of `records`, as Produce of `version` has it.
    pub(crate) fn append(
        &self,
        records: &[u8],
        version: i16,
        acks: i16,
        grounds: &Grounds<'_>,
        now: Millis,
    ) -> Result<Outcome, ProduceError> {
        let verified = grounds.verified;
        if let Some(refusal) = verified.refusal() {
            return Err(refusal);
        }
        if !(ACKS_ALL..=1).contains(&acks) {
            check_format(records, version).map_err(ProduceError::Invalid)?;
            return Err(ProduceError::Code(error_code::INVALID_REQUIRED_ACKS));
        }
        let role = self.role.read();
        let config = self.config.load();
        let leader = leading(&role, &config, acks)?;
        // The costly part, a walk over all records, happens before the log is locked.
        let (validated, diversion) = validated(records, version, &config, grounds, now)?;
        let log = self.log.load();
        let mut log = log.write();
        let (header, records) = (validated.header(), validated.records_bytes());
        let batch = CheckedBatch { header, records, log_append_time: validated.log_append_time() };
        if let Some(before) = appended_before(&mut log, batch.header, verified, &config)? {
            return Ok(Outcome::Appended(before));
        }
        if let Some(diversion) = diversion {
            drop(log);
            let diverted = Diverted::new(&validated, diversion)?;
            return Ok(Outcome::Diverted(Box::new(diverted)));
        }
        self.append_checked(leader, log, &config, &batch, now).map(Outcome::Appended)
    }

    /// Appends what is left of a batch whose other records have been diverted.
    pub(crate) fn append_rest(
        &self,
        batch: &CheckedBatch<'_>,
        acks: i16,
        verified: &Verified,
        now: Millis,
    ) -> Result<Appended, ProduceError> {
        let role = self.role.read();
        let config = self.config.load();
        let leader = leading(&role, &config, acks)?;
        let log = self.log.load();
        let mut log = log.write();
        match appended_before(&mut log, batch.header, verified, &config)? {
            Some(before) => Ok(before),
            None => self.append_checked(leader, log, &config, batch, now),
        }
    }

    fn append_checked(
        &self,
        leader: &Leader,
        mut log: RwLockWriteGuard<'_, Log>,
        config: &PartitionConfig,
        batch: &CheckedBatch<'_>,
        now: Millis,
    ) -> Result<Appended, ProduceError> {
        let mut header = batch.header.to_bytes();
        batch::set_base_offset(&mut header, log.log_end_offset());
        let written = self.write(leader, &mut log, header, batch.records, now)?;
        if written.high_watermark_moved {
            self.tell_committed(written.moved.high_watermark);
        }
        drop(log);
        self.waiters.moved(written.moved);
        let info = written.info;
        Ok(Appended {
            base_offset: info.first_offset,
            last_offset: info.last_offset,
            log_append_time: batch.log_append_time.unwrap_or(-1),
            log_start_offset: info.log_start_offset,
            durability: config.log.durability,
        })
    }

    /// Writes one batch that was checked, whose header has its base offset, and moves the high watermark.
    pub(crate) fn write(
        &self,
        leader: &Leader,
        log: &mut Log,
        mut header: [u8; HEADER_SIZE],
        records: &[u8],
        now: Millis,
    ) -> Result<Written, AppendError> {
        batch::set_partition_leader_epoch(&mut header, leader.leader_epoch);
        let info = log.append_as_leader(&[AppendBatch { header, records }], now)?;
        self.metrics.messages_in.add((info.last_offset - info.first_offset + 1) as u64);
        self.metrics.bytes_in.add(info.bytes as u64);
        let (before, after) = self.raise_high_watermark(leader, log, now);
        // Without a move of the high watermark it is news all the same: followers read beyond it.
        // Alone, a leader shows nothing beyond it.
        let bytes = if after == before && leader.followers().is_empty() {
            0
        } else if after - before > info.last_offset - info.first_offset + 1 {
            i64::MAX
        } else {
            info.bytes as i64
        };
        let low_watermark = info.log_start_offset;
        let moved = Move { bytes, high_watermark: after, low_watermark, durable_end: 0 };
        Ok(Written { info, moved, high_watermark_moved: after > before })
    }

    /// Whether this node's disk has everything up to `last_offset`; an error when that does not count any more.
    pub(crate) fn is_durable(&self, last_offset: Offset) -> Result<bool, i16> {
        self.role.read().leader(-1)?;
        Ok(self.log.load().read().durable_end() > last_offset)
    }

    /// Whether the whole ISR has everything up to `last_offset`: Ok(true) when it has, Ok(false) when it has
    /// not yet, an error when it never will in this leadership.
    pub(crate) fn is_committed(&self, last_offset: Offset) -> Result<bool, i16> {
        let role = self.role.read();
        let leader = role.leader(-1)?;
        if self.log.load().read().high_watermark() <= last_offset {
            return Ok(false);
        }
        if leader.is_under_min_isr(self.config.load().log.min_insync_replicas) {
            return Err(error_code::NOT_ENOUGH_REPLICAS_AFTER_APPEND);
        }
        Ok(true)
    }
}
