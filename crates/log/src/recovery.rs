//! Opening a log: what a crash has left is put in order, and what was not synced is checked.
//!
//! After a clean stop nothing is read but the tail behind the last index entry and the newest producer
//! snapshot. Otherwise every batch from the recovery point's segment on is verified; the log ends at the first
//! that is torn, has a wrong checksum or an offset out of order, and indexes, aborted transactions and
//! producers are noted anew.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use barnabas_disk::OpenFiles;
use barnabas_protocol::batch::BatchHeader;
use barnabas_protocol::{LeaderEpoch, Millis, Offset, PartitionIndex, TopicId};

use crate::append::{end_txn_marker, note_producer};
use crate::batch_scan::{BatchScan, ScanError};
use crate::changes::LogChanges;
use crate::checkpoints::{self, LEADER_EPOCHS, PARTITION_METADATA};
use crate::config::LogConfig;
use crate::error::{At, LogError};
use crate::leader_epochs::LeaderEpochs;
use crate::log::{Log, Unsynced};
use crate::log_files::{self, LogFiles};
use crate::place::{Place, SNAPSHOT};
use crate::producer_snapshot;
use crate::producer_state::ProducerState;
use crate::recovered_epochs::{read_epochs, OLD_FORMAT};
use crate::segment::Segment;
use crate::transaction_index;
use crate::verification::Verifications;

/// Below every epoch that batches have.
const NO_EPOCH: LeaderEpoch = LeaderEpoch::MIN;

/// What is known of a log before its files are opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Everything below was synced (`recovery-point-offset-checkpoint`); checking begins here.
    pub recovery_point: Offset,
    /// Where readers begin (`log-start-offset-checkpoint`).
    pub log_start_offset: Offset,
    /// High watermark when the node stopped (`replication-offset-checkpoint`).
    pub high_watermark: Offset,
    /// Whether the node stopped as it should, so that files need no checking.
    pub clean_shutdown: bool,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: Millis,
    /// Whether what is checked is written anew: a sync that failed may have left it in the page cache alone, as
    /// if it were on disk.
    pub rewrite: bool,
    /// Where the log marks what there is to look after.
    pub changes: Arc<LogChanges>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            recovery_point: 0,
            log_start_offset: 0,
            high_watermark: 0,
            clean_shutdown: false,
            producer_id_expiration_ms: 24 * 60 * 60 * 1000,
            rewrite: false,
            changes: Arc::default(),
        }
    }
}

/// What opening a log found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Segments that were read through.
    pub segments: usize,
    /// Bytes that were read through.
    pub bytes: u64,
    /// Bytes cut off the end: torn, or no batch.
    pub truncated_bytes: u64,
}

/// How far the recovery of one log has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoveryProgress {
    /// Segments read through so far.
    pub segments_done: usize,
    /// Segments to read through.
    pub segments_total: usize,
}

/// How a segment ends that was read through.
enum SegmentEnd {
    Right,
    /// So many bytes at its end are not right.
    Damaged(u64),
    /// The batch with this base offset, and what follows it, needs a segment of its own.
    TooFar(Offset),
}

impl Log {
    /// Opens the log in `dir`, creating it when absent. `topic_id` zero takes whatever id is there.
    /// `progress` is told after each segment that had to be checked.
    #[allow(clippy::too_many_arguments, reason = "these are the facts that make a log; each is given once")]
    pub fn open(
        files: Arc<OpenFiles>,
        dir: &Path,
        topic: &str,
        partition: PartitionIndex,
        topic_id: TopicId,
        config: Arc<LogConfig>,
        options: OpenOptions,
        now: Millis,
        progress: &mut dyn FnMut(RecoveryProgress),
    ) -> Result<(Log, Recovery), LogError> {
        let place = Place { files, dir: dir.into() };
        let names = match log_files::list(&place) {
            Err(LogError::Storage { source, .. }) if source.kind() == ErrorKind::NotFound => {
                place.disk().create_dir_all(dir).at("create", dir)?;
                Vec::new()
            }
            listed => listed?,
        };
        // There may be very many logs, most of them empty: what is not there is not asked for.
        let is_there = |wanted: &str| names.iter().any(|name| name == wanted);
        let (topic_id, partition_metadata) = settle_topic_id(&place, topic_id, is_there(PARTITION_METADATA))?;
        let found = LogFiles::put_in_order(&place, &names)?;
        let epochs = match is_there(LEADER_EPOCHS) {
            true => read_epochs(&place)?,
            false => Some(LeaderEpochs::default()),
        };
        options.changes.note_config(&config);
        // Whether what a crash has left was ever synced, directory entries included, is not known.
        let unknown = !options.clean_shutdown;
        let unsynced = Unsynced {
            leader_epochs: unknown,
            partition_metadata: partition_metadata || unknown,
            directory: found.segments.is_empty() || unknown,
            parent: unknown,
            ..Unsynced::default()
        };
        let mut log = Log {
            topic: topic.into(),
            partition,
            topic_id,
            segments: Vec::with_capacity(found.segments.len().max(1)),
            log_start_offset: 0,
            log_end_offset: 0,
            high_watermark: 0,
            durable_end: 0,
            told_recovery_point: options.recovery_point,
            epochs: epochs.clone().unwrap_or_default(),
            producers: ProducerState::default(),
            verifications: Verifications::default(),
            producer_id_expiration_ms: options.producer_id_expiration_ms,
            snapshots: found.snapshots.clone(),
            unsynced,
            last_flush: now,
            deletions: Vec::new(),
            truncations: 0,
            cleaned_to: None,
            replacing: None,
            disturbances: Arc::default(),
            changes: options.changes.clone(),
            config,
            place,
        };
        let mut recovery = Recovery::default();
        log.load_segments(&found, &options, now, progress, &mut recovery)?;
        log.settle_leader_epochs(epochs.as_ref(), options.clean_shutdown)?;
        log.settle(&options, now)?;
        if log.log_end_offset == 0 {
            // Not even a clean stop syncs a log that has never held a record.
            let unsynced = log.unsynced.changed();
            (unsynced.leader_epochs, unsynced.partition_metadata) = (true, true);
            (unsynced.directory, unsynced.parent) = (true, true);
        }
        let gone = found.snapshots.iter().any(|snapshot| log.snapshots.binary_search(snapshot).is_err());
        if gone || recovery.truncated_bytes > 0 {
            // A power failure must not bring them back beside newer records.
            log.place.disk().sync_dir(&log.place.dir).at("sync", &log.place.dir)?;
        }
        Ok((log, recovery))
    }

    fn load_segments(
        &mut self,
        found: &LogFiles,
        options: &OpenOptions,
        now: Millis,
        progress: &mut dyn FnMut(RecoveryProgress),
        recovery: &mut Recovery,
    ) -> Result<(), LogError> {
        for segment in &found.segments {
            let size = self.place.disk().file_len(&self.place.path(segment.base_offset, crate::place::LOG));
            let size = size.at("look at", &self.place.path(segment.base_offset, crate::place::LOG))?;
            let is_complete = options.clean_shutdown && segment.is_indexed();
            let mut segment = Segment::found(segment, size, now);
            segment.is_complete = is_complete;
            self.segments.push(segment);
        }
        if self.segments.is_empty() {
            let (offset, preallocate) = (options.log_start_offset.max(0), self.config.preallocate);
            let preallocate = preallocate.then_some(self.config.segment_bytes);
            self.segments.push(Segment::create(&self.place, offset, preallocate, now)?);
            self.log_end_offset = offset;
            return Ok(());
        }
        self.log_start_offset = options.log_start_offset.max(self.segments[0].base_offset);
        let clean = options.clean_shutdown;
        let overflowing = self.first_overflowing(clean.then_some(options.recovery_point))?;
        let checked_from = match clean {
            true => self.segments.len(),
            false => self.segment_index(options.recovery_point).unwrap_or(0),
        };
        let checked_from = overflowing.map_or(checked_from, |index| index.min(checked_from));
        for (index, segment) in found.segments[..checked_from].iter().enumerate() {
            if !segment.is_indexed() && self.segments[index].size > 0 {
                self.reindex(index)?;
            }
        }
        if clean && overflowing.is_none() && self.find_clean_end(options.recovery_point, now)? {
            return Ok(());
        }
        let from = checked_from.min(self.segments.len() - 1);
        self.recover_from(from, options.rewrite, now, progress, recovery)
    }

    /// After a clean stop: finds the end of the log. A stop says it twice, in the checkpoint and in the name of
    /// the last producer snapshot; where the last batches say something else, they are damaged. They stay as they
    /// are, and a new segment goes on behind them. False when the end can't be told without checking.
    fn find_clean_end(&mut self, recovery_point: Offset, now: Millis) -> Result<bool, LogError> {
        let told = (self.snapshots.last() == Some(&recovery_point)
            && recovery_point > self.active().base_offset)
            .then_some(recovery_point);
        match (self.active().read_next_offset(&self.place), told) {
            (Ok(offset), None) => self.log_end_offset = offset,
            (Ok(offset), Some(told)) if offset == told => self.log_end_offset = offset,
            (Err(error @ LogError::Corrupt { .. }), None) => {
                log::warn!("{error}; checking the segment although the last stop was clean");
                return Ok(false);
            }
            (Ok(_) | Err(LogError::Corrupt { .. }), Some(told)) => {
                let path = self.active().path(&self.place);
                log::error!("{} is damaged near its end; the log goes on at offset {told}", path.display());
                self.log_end_offset = told;
                self.roll(now)?;
            }
            (Err(error), _) => return Err(error),
        }
        Ok(true)
    }

    /// Brings offsets, epochs and producers into line with what the segments hold.
    fn settle(&mut self, options: &OpenOptions, now: Millis) -> Result<(), LogError> {
        if options.log_start_offset > self.log_end_offset {
            log::warn!(
                "{}: records end at {}, before the log start offset {}; starting anew there",
                self.place.dir.display(),
                self.log_end_offset,
                options.log_start_offset
            );
            return self.truncate_fully_and_start_at(options.log_start_offset, now);
        }
        self.log_start_offset = options.log_start_offset.max(self.segments[0].base_offset);
        // After a clean stop the last epoch may have begun at the end without any record yet. So it has in logs that
        // are empty: there may be very many of them, and none of their files is to be written anew.
        let end = self.log_end_offset + Offset::from(options.clean_shutdown || self.size() == 0);
        let ended = self.epochs.truncate_from_end(end);
        if self.epochs.truncate_from_start(self.log_start_offset) || ended {
            self.write_leader_epochs()?;
        }
        self.durable_end = match options.clean_shutdown {
            true => self.log_end_offset,
            false => options.recovery_point.clamp(self.log_start_offset, self.log_end_offset),
        };
        self.remove_stray_snapshots()?;
        self.rebuild_producers(now)?;
        self.update_high_watermark(options.high_watermark);
        Ok(())
    }

    /// Verifies the segments from `from` on; the log ends at the first batch that is not right.
    fn recover_from(
        &mut self,
        from: usize,
        rewrite: bool,
        now: Millis,
        progress: &mut dyn FnMut(RecoveryProgress),
        recovery: &mut Recovery,
    ) -> Result<(), LogError> {
        self.log_end_offset = self.segments[from].base_offset;
        self.rebuild_producers(now)?;
        let mut epoch = NO_EPOCH;
        let mut index = from;
        while index < self.segments.len() {
            self.take_snapshot(self.segments[index].base_offset)?;
            let length = self.segments[index].size;
            let end = self.recover_segment(index, rewrite, &mut epoch)?;
            if let SegmentEnd::TooFar(base_offset) = end {
                self.split_off(index, (self.segments[index].size, length), base_offset, now)?;
                self.segments[index].verified.trust();
                self.segments[index].complete(&self.place, false)?;
            }
            recovery.segments += 1;
            recovery.bytes += self.segments[index].size;
            let segments_total = self.segments.len() - from;
            progress(RecoveryProgress { segments_done: index - from + 1, segments_total });
            if let SegmentEnd::Damaged(truncated) = end {
                recovery.bytes += truncated;
                recovery.truncated_bytes += truncated + self.cut_behind(index, now)?;
                break;
            }
            index += 1;
        }
        Ok(())
    }

    /// Cuts the log behind what was found right in one of its segments. Returns how many bytes later segments
    /// held.
    fn cut_behind(&mut self, index: usize, now: Millis) -> Result<u64, LogError> {
        let mut later = 0;
        while self.segments.len() > index + 1 {
            later += self.active().size;
            self.remove_last_segment()?;
        }
        // They go first: once the segment itself is cut, nothing tells any more that they don't follow.
        let (place, segment) = (&self.place, &mut self.segments[index]);
        place.disk().sync_dir(&place.dir).at("sync", &place.dir)?;
        segment.cut(place, segment.size, now)?;
        segment.verified.trust();
        segment.file(place)?.sync_data().at("sync", &segment.path(place))?;
        segment.complete(place, false)?;
        Ok(later)
    }

    /// Reads one segment through and notes its batches anew.
    fn recover_segment(
        &mut self,
        index: usize,
        rewrite: bool,
        epoch: &mut LeaderEpoch,
    ) -> Result<SegmentEnd, LogError> {
        let interval = self.config.index_interval_bytes;
        let next_base = self.segments.get(index + 1).map(|next| next.base_offset);
        let place = &self.place;
        let segment = &mut self.segments[index];
        let base_offset = segment.base_offset;
        let length = segment.size;
        self.log_end_offset = self.log_end_offset.max(base_offset);
        if length == 0 {
            // Most logs of a node with very many end so: its files are not even opened.
            segment.reset(place)?;
            transaction_index::reset(place, base_offset)?;
            return Ok(SegmentEnd::Right);
        }
        let mut scan = segment.scan(place, 0)?;
        segment.reset(place)?;
        transaction_index::reset(place, base_offset)?;
        let reason = loop {
            let position = scan.position();
            let batch = match scan.next_batch() {
                Ok(Some((_, batch))) => batch,
                Ok(None) => break None,
                Err(ScanError::Batch(error)) => break Some(error.to_string()),
                Err(error) => return Err(segment.scan_error(place, position, error)),
            };
            let header = batch.header;
            if !batch.crc_is_valid() {
                break Some("its checksum is wrong".to_string());
            }
            let grows = header.base_offset >= self.log_end_offset && header.last_offset_delta >= 0;
            let behind = (position + header.size() as u64, length);
            let is_too_far = !segment.can_hold(header.last_offset());
            // The offset is outside the checksum: the last batch of all has nothing that speaks for such a leap.
            let may_leap = position > 0 && (behind.0 < length || next_base.is_some());
            if !grows || (is_too_far && !may_leap) {
                break Some(format!("offset {} follows {}", header.base_offset, self.log_end_offset - 1));
            }
            // A crash in the middle of a split: the next segment has the rest of this one.
            let is_split = is_too_far && next_base == Some(header.base_offset);
            let leaps = header.base_offset > self.log_end_offset || header.partition_leader_epoch > *epoch;
            if leaps && !is_split {
                // Offset and epoch are outside the checksum: what comes next tells whether they can be.
                if !precedes_next(place, segment, &header, behind, next_base)? {
                    break Some(format!("offset {} is not before what follows", header.last_offset()));
                }
            }
            if is_too_far {
                segment.reclaim_reserved();
                return Ok(SegmentEnd::TooFar(header.base_offset));
            }
            // What a truncation had removed, and a power failure has brought back behind newer records.
            let told = self.epochs.epoch_for_offset(header.base_offset).unwrap_or(OLD_FORMAT);
            if header.partition_leader_epoch < told.max(*epoch) {
                let (found, known) = (header.partition_leader_epoch, told.max(*epoch));
                break Some(format!("leader epoch {found} follows {known}"));
            }
            *epoch = header.partition_leader_epoch;
            if rewrite {
                let file = segment.file(place)?;
                file.write_all_at(batch.bytes, position).at("write", &segment.path(place))?;
            }
            segment.note(place, &header, interval)?;
            if self.epochs.latest().is_none_or(|latest| header.partition_leader_epoch > latest.epoch) {
                self.epochs.assign(header.partition_leader_epoch, header.base_offset);
            }
            let marker = end_txn_marker(&header, batch.records_bytes());
            if let Some(aborted) = note_producer(&mut self.producers, &header, marker.as_ref()) {
                transaction_index::append(place, base_offset, aborted)?;
            }
            self.log_end_offset = header.next_offset();
        };
        segment.reclaim_reserved();
        if let Some(reason) = reason {
            let (path, size) = (segment.path(place), segment.size);
            log::warn!("{}: no batch at byte {size} ({reason}); cutting the log there", path.display());
            return Ok(SegmentEnd::Damaged(length - size));
        }
        segment.verified.trust();
        segment.complete(place, false)?;
        Ok(SegmentEnd::Right)
    }

    /// Writes the indexes of a segment anew from its batches.
    fn reindex(&mut self, index: usize) -> Result<(), LogError> {
        let interval = self.config.index_interval_bytes;
        let (place, segment) = (&self.place, &mut self.segments[index]);
        log::warn!("{}: writing its missing indexes", segment.path(place).display());
        let mut scan = segment.scan(place, 0)?;
        segment.reset(place)?;
        loop {
            let position = scan.position();
            match scan.next_header().map_err(|error| segment.scan_error(place, position, error))? {
                Some((_, header)) => segment.note(place, &header, interval)?,
                None => break,
            }
        }
        segment.complete(place, false)?;
        // At once, for flushes look no further back than to the first segment that they find synced.
        for file in [segment.offset_index.entries.file(place)?, segment.time_index.entries.file(place)?] {
            file.sync_data().at("sync an index of", &place.dir)?;
        }
        place.disk().sync_dir(&place.dir).at("sync", &place.dir)?;
        segment.index_changes_synced = segment.index_changes;
        Ok(())
    }

    /// Makes the producers those of everything below the log's end: the newest snapshot, and the batches
    /// behind it.
    pub(crate) fn rebuild_producers(&mut self, now: Millis) -> Result<(), LogError> {
        let (start, end) = (self.log_start_offset, self.log_end_offset);
        let (keep, outside): (Vec<_>, Vec<_>) =
            self.snapshots.drain(..).partition(|offset| *offset <= end && *offset > start);
        self.snapshots = keep;
        for offset in outside {
            self.place.remove(&self.place.path(offset, SNAPSHOT))?;
        }
        self.producers.clear();
        let from = self.load_snapshot(now)?.unwrap_or(start);
        if from < end {
            self.replay_producers(from, end)?;
        }
        self.take_snapshot(end)
    }

    /// Takes over the newest snapshot that is intact; damaged ones are removed. Returns its offset.
    fn load_snapshot(&mut self, now: Millis) -> Result<Option<Offset>, LogError> {
        while let Some(offset) = self.snapshots.last().copied() {
            let path = self.place.path(offset, SNAPSHOT);
            let bytes = self.place.disk().read(&path).at("read", &path)?;
            match producer_snapshot::decode(&bytes) {
                Ok(producers) => {
                    for (producer_id, entry) in producers {
                        self.producers.restore(producer_id, entry, now, self.producer_id_expiration_ms);
                    }
                    return Ok(Some(offset));
                }
                Err(error) => {
                    log::warn!("{}: {error}; using an older snapshot", path.display());
                    self.place.remove(&path)?;
                    self.snapshots.pop();
                }
            }
        }
        Ok(None)
    }

    /// Notes the producers of the batches in `from..to`. On the way the last two segments get the snapshots
    /// that they would have got when they were begun.
    fn replay_producers(&mut self, from: Offset, to: Offset) -> Result<(), LogError> {
        let first = self.segment_index(from).unwrap_or(0);
        let last = self.segment_index(to).unwrap_or(0);
        for index in first..=last {
            let base_offset = self.segments[index].base_offset;
            if index + 1 >= last && base_offset > from {
                self.take_snapshot(base_offset)?;
            }
            let (place, segment) = (&self.place, &self.segments[index]);
            if segment.base_offset >= to {
                break; // What it holds may not have been checked yet.
            }
            let Some((position, _)) = segment.find(place, from)? else { continue };
            let mut scan = segment.scan(place, position)?;
            loop {
                let position = scan.position();
                let next = scan.next_header().map_err(|error| segment.scan_error(place, position, error))?;
                let Some((position, header)) = next.filter(|(_, header)| header.base_offset < to) else {
                    break;
                };
                if !header.has_producer_id() {
                    continue;
                }
                let marker = match header.is_control() {
                    true => {
                        let mut bytes = vec![0; header.size()];
                        let read = segment.file(place)?.read_exact_at(&mut bytes, position);
                        read.at("read", &segment.path(place))?;
                        end_txn_marker(&header, &bytes[barnabas_protocol::batch::HEADER_SIZE..])
                    }
                    false => None,
                };
                note_producer(&mut self.producers, &header, marker.as_ref());
            }
        }
        Ok(())
    }

    /// Removes snapshots that belong to no segment, except the newest if it is newer than all segments: the
    /// one that a clean stop has taken.
    fn remove_stray_snapshots(&mut self) -> Result<(), LogError> {
        let newest = self.snapshots.last().copied();
        let active = self.active().base_offset;
        let belongs = |offset: &Offset| {
            self.segments.binary_search_by_key(offset, |segment| segment.base_offset).is_ok()
                || (Some(*offset) == newest && *offset > active)
        };
        let (keep, stray): (Vec<_>, Vec<_>) = self.snapshots.iter().copied().partition(belongs);
        self.snapshots = keep;
        stray.iter().try_for_each(|offset| self.place.remove(&self.place.path(*offset, SNAPSHOT)))
    }
}

/// Reads `partition.metadata` and compares it with `expected`, or writes it. Returns the id and whether the file
/// was written. `is_there`: whether there is such a file.
fn settle_topic_id(place: &Place, expected: TopicId, is_there: bool) -> Result<(TopicId, bool), LogError> {
    let read = || checkpoints::read_topic_id(place.disk(), &place.dir);
    let found = match is_there.then(read).unwrap_or(Ok(None)) {
        // It is synced before any record counts as durable, so a torn one belongs to a log that was being made.
        Err(error @ LogError::Corrupt { .. }) => {
            log::warn!("{error}; the topic's id is taken from the metadata");
            None
        }
        found => found?,
    };
    match found {
        Some(found) if expected.is_zero() || found == expected => Ok((found, false)),
        Some(found) => Err(LogError::TopicId { path: place.dir.to_path_buf(), found, expected }),
        None if expected.is_zero() => Ok((expected, false)),
        None => {
            let text = checkpoints::format_topic_id(expected);
            place.replace_unsynced(&place.dir.join(PARTITION_METADATA), text.as_bytes())?;
            Ok((expected, true))
        }
    }
}

/// Whether a batch comes before the one at `position`, or where there is none before the next segment.
fn precedes_next(
    place: &Place,
    segment: &Segment,
    header: &BatchHeader,
    (position, end): (u64, u64),
    next_base: Option<Offset>,
) -> Result<bool, LogError> {
    match BatchScan::new(segment.file(place)?, position, end).next_header() {
        Ok(Some((_, next))) => Ok(header.next_offset() <= next.base_offset
            && header.partition_leader_epoch <= next.partition_leader_epoch),
        Ok(None) => Ok(next_base.is_none_or(|next| header.next_offset() <= next)),
        Err(ScanError::Batch(_)) => Ok(true), // What comes next is torn.
        Err(error) => Err(segment.scan_error(place, position, error)),
    }
}
