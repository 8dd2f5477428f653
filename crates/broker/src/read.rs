//! A leader reads for consumers and followers.

use barnabas_disk::FileSlice;
use barnabas_log::{AbortedTxn, Log, LogError};
use barnabas_protocol::{LeaderEpoch, Millis, NodeId, Offset};

use crate::error_code;
use crate::fetch_session::Wanted;
use crate::leader::{FollowerFetch, IsrProposal};
use crate::partition::Partition;

/// Who reads, and how far it may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A consumer, up to the high watermark.
    Uncommitted,
    /// A consumer, up to the last stable offset, with the aborted transactions.
    Committed,
    /// A tool that looks at everything without counting as a replica (replica id -2).
    Debug,
    /// A follower, up to the log end.
    Follower { replica: NodeId, broker_epoch: i64 },
}

/// What a read gave.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) high_watermark: Offset,
    pub(crate) last_stable_offset: Offset,
    pub(crate) log_start_offset: Offset,
    /// (epoch, end offset) where the follower's log departs from this one.
    pub(crate) diverging: Option<(LeaderEpoch, Offset)>,
    /// None unless committed records were asked for.
    pub(crate) aborted: Option<Vec<AbortedTxn>>,
    pub(crate) records: Option<FileSlice>,
    /// What must come from the disk before there is more.
    pub(crate) cold: Option<FileSlice>,
}

/// How much a read gives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadBounds {
    /// At most so many bytes.
    pub(crate) max_bytes: i32,
    /// But the whole first batch in any case.
    pub(crate) min_one_batch: bool,
    /// And nothing that must come from the disk.
    pub(crate) only_cached: bool,
}

impl Read {
    pub(crate) fn bytes(&self) -> usize {
        self.records.as_ref().map_or(0, |slice| slice.length)
    }
}

/// Why nothing was read.
#[derive(Debug)]
pub(crate) enum ReadFailure {
    /// An error code says it all.
    Code(i16),
    /// The log refused.
    Log(LogError),
}

impl From<i16> for ReadFailure {
    fn from(code: i16) -> ReadFailure {
        ReadFailure::Code(code)
    }
}

impl From<LogError> for ReadFailure {
    fn from(error: LogError) -> ReadFailure {
        ReadFailure::Log(error)
    }
}

pub(crate) fn log_error_code(error: &LogError) -> i16 {
    match error {
        LogError::OffsetOutOfRange { .. } => error_code::OFFSET_OUT_OF_RANGE,
        LogError::Storage { .. } | LogError::Corrupt { .. } => error_code::KAFKA_STORAGE_ERROR,
        LogError::DirectoryOffline { .. } => error_code::KAFKA_STORAGE_ERROR,
        LogError::UnknownLog { .. } => error_code::UNKNOWN_TOPIC_OR_PARTITION,
        LogError::TopicId { .. } => error_code::INCONSISTENT_TOPIC_ID,
    }
}

impl Partition {
    /// Reads what `wanted` asks for.
    pub(crate) fn read(
        &self,
        wanted: &Wanted,
        reader: Reader,
        bounds: ReadBounds,
    ) -> Result<Read, ReadFailure> {
        let role = self.role.read();
        let leader = role.leader(wanted.current_leader_epoch)?;
        if let Reader::Follower { replica, .. } = reader {
            if !leader.is_replica(replica) {
                // The follower may know an assignment that has not come here yet: it asks again.
                return Err(match wanted.current_leader_epoch {
                    -1 => error_code::NOT_LEADER_OR_FOLLOWER,
                    _ => error_code::UNKNOWN_LEADER_EPOCH,
                }
                .into());
            }
        }
        let log = self.log.load();
        let log = log.read();
        let mut read = Read {
            high_watermark: log.high_watermark(),
            last_stable_offset: log.last_stable_offset(),
            log_start_offset: log.log_start_offset(),
            diverging: None,
            aborted: (reader == Reader::Committed).then(Vec::new),
            records: None,
            cold: None,
        };
        read.diverging = diverging(&log, wanted)?;
        if read.diverging.is_some() {
            return Ok(read);
        }
        let offset = wanted.fetch_offset;
        if offset < log.log_start_offset() || offset > log.log_end_offset() {
            return Err(error_code::OFFSET_OUT_OF_RANGE.into());
        }
        let bound = match reader {
            Reader::Uncommitted => read.high_watermark,
            Reader::Committed => read.last_stable_offset,
            Reader::Debug | Reader::Follower { .. } => log.log_end_offset(),
        };
        if offset >= bound {
            return Ok(read);
        }
        // Kafka 4.3.1 fails on a negative size.
        if bounds.max_bytes < 0 {
            return Err(error_code::UNKNOWN_SERVER_ERROR.into());
        }
        fill(&log, &mut read, offset, bound, bounds)?;
        Ok(read)
    }

    /// Notes that a follower has everything below what it fetches. Returns the change of the ISR that the
    /// controller should be asked for.
    pub(crate) fn follower_fetched(&self, fetch: &FollowerFetch, now: Millis) -> Option<IsrProposal> {
        let mut role = self.role.write();
        let leader = role.leader_mut(-1).ok()?;
        let (leader_end, high_watermark) = {
            let log = self.log.load();
            let log = log.read();
            (log.log_end_offset(), log.high_watermark())
        };
        if !leader.follower_fetched(fetch, leader_end, now) {
            return None;
        }
        let proposal = leader.propose_to_add(fetch.replica, high_watermark);
        drop(role);
        self.advance_high_watermark(now);
        proposal
    }
}

/// Where the client's log departs from this one, if what it says of its last epoch shows that it does.
fn diverging(log: &Log, wanted: &Wanted) -> Result<Option<(LeaderEpoch, Offset)>, i16> {
    if wanted.last_fetched_epoch < 0 {
        return Ok(None);
    }
    let (epoch, end_offset) =
        log.end_offset_for(wanted.last_fetched_epoch).ok_or(error_code::OFFSET_OUT_OF_RANGE)?;
    if wanted.fetch_offset < log.log_start_offset() {
        return Err(error_code::OFFSET_OUT_OF_RANGE);
    }
    let departs = epoch < wanted.last_fetched_epoch || end_offset < wanted.fetch_offset;
    Ok(departs.then_some((epoch, end_offset)))
}

fn fill(
    log: &Log,
    read: &mut Read,
    offset: Offset,
    bound: Offset,
    bounds: ReadBounds,
) -> Result<(), LogError> {
    let ReadBounds { max_bytes, min_one_batch, only_cached } = bounds;
    let max_bytes = max_bytes as usize;
    let mut found = match only_cached {
        true => log.read_cached(offset, max_bytes, bound, min_one_batch)?,
        false => log.read(offset, max_bytes, bound, min_one_batch)?,
    };
    read.cold = found.cold.take();
    if let (Some(first), Some(slice)) = (&found.first_batch, &found.slice) {
        if slice.length < first.size {
            // A part of one batch is of no use to anybody: Kafka gives nothing instead, as if it had not looked.
            read.aborted = None;
            return Ok(());
        }
    }
    if let Some(aborted) = &mut read.aborted {
        let to = log.read_end_offset(&found)?;
        *aborted = log.aborted_transactions(offset, to.min(bound))?;
    }
    read.records = found.slice;
    Ok(())
}
