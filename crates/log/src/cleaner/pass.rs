//! One pass of compaction through one log.
//!
//! First the dirty part is read and the newest offset of each of its keys noted; then all segments below are
//! copied, without the records that are not the newest of their key. Nothing of it holds the log; what was read
//! counts only if nobody has removed or moved segments meanwhile.

use std::ops::Range;

use barnabas_protocol::batch::{Batch, BatchHeader};
use barnabas_protocol::control::ControlRecordType;
use barnabas_protocol::Offset;

use super::batch_filter::{BatchFilter, Filtered, LastBatches};
use super::choose::Cleanable;
use super::cleaned_segment::{self, CleanedSegment};
use super::offset_map::{OffsetMap, SLOT_BYTES};
use super::transactions::PassedTransactions;
use super::view::{SegmentView, View};
use super::{CleanerHost, CleanerSettings};
use crate::batch_scan::{BatchScan, ScanError};
use crate::error::{At, LogError};
use crate::log_manager::LogRef;

/// Decompressed bytes that a control batch may have; markers take less than a hundred.
const CONTROL_BATCH_BYTES_MAX: usize = 64 * 1024;

/// Why a pass ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PassError {
    /// The node stops, or the log was truncated, moved or deleted.
    #[error("given up")]
    Aborted,
    #[error(transparent)]
    Log(#[from] LogError),
}

/// What a pass did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PassReport {
    /// Everything below was gone through.
    pub(crate) end_offset: Offset,
    /// Bytes of the segments that were gone through, before.
    pub(crate) bytes_before: u64,
    /// Bytes that are left of them.
    pub(crate) bytes_after: u64,
    /// Share of the memory for keys that was filled, 0 to 1.
    pub(crate) memory_ratio: f64,
}

/// A pass on its way.
pub(crate) struct Pass<'a> {
    pub(crate) log: &'a LogRef,
    pub(crate) range: Cleanable,
    pub(crate) settings: &'a CleanerSettings,
    pub(crate) host: &'a dyn CleanerHost,
}

impl Pass<'_> {
    /// Goes through the log.
    pub(crate) fn run(&self) -> Result<PassReport, PassError> {
        let view = self.log.read().view(self.range.first_uncleanable_offset);
        let result = self.run_on(&view);
        match result {
            // What does not agree with what was seen proves nothing.
            Err(_) if !view.holds() => Err(PassError::Aborted),
            result => result,
        }
    }

    fn run_on(&self, view: &View) -> Result<PassReport, PassError> {
        let now = self.host.now();
        let map = self.in_background(|| self.build_map(view))?;
        let Some(end_offset) = map.latest_offset().map(|latest| latest + 1) else {
            return Err(PassError::Aborted);
        };
        let upper_bound = self.range.first_uncleanable_offset;
        let memory_ratio = (map.len() * SLOT_BYTES) as f64 / self.settings.dedupe_buffer_bytes.max(1) as f64;
        let mut report = PassReport { end_offset, bytes_before: 0, bytes_after: 0, memory_ratio };
        let mut transactions = PassedTransactions::default();
        for group in view.groups(end_offset, upper_bound)? {
            let last_batches = LastBatches::of(self.log.read().producers());
            let filter = BatchFilter {
                map: &map,
                last_batches: &last_batches,
                upper_bound,
                now,
                delete_retention_ms: view.config.delete_retention_ms,
                decompressed_bytes_max: view.config.max_decompressed_message_bytes,
            };
            let size = self.replace(view, group.clone(), &filter, &mut transactions)?;
            report.bytes_before += view.segments[group].iter().map(|segment| segment.size).sum::<u64>();
            report.bytes_after += size;
        }
        self.log.write().note_cleaned(view, end_offset);
        Ok(report)
    }

    fn in_background<T: Send>(&self, work: impl Fn() -> Result<T, PassError> + Sync) -> Result<T, PassError> {
        let mut result = None;
        self.host.in_background(&mut || result = Some(work()));
        result.unwrap_or(Err(PassError::Aborted))
    }

    /// Reads the dirty part. Where the map is full before its end, the pass goes that far.
    fn build_map(&self, view: &View) -> Result<OffsetMap, PassError> {
        let (from, to) = (self.range.first_dirty_offset, self.range.first_uncleanable_offset);
        let settings = self.settings;
        let keys = (to - from).unsigned_abs();
        let mut map =
            OffsetMap::new(settings.hash_key, keys, settings.dedupe_buffer_bytes, settings.load_factor);
        let mut transactions = PassedTransactions::default();
        transactions.add_aborted(view.aborted(from, to)?);
        for (index, segment) in view.segments.iter().enumerate() {
            let end = view.next_base_offset(index, to);
            if end <= from {
                continue;
            }
            if !self.map_segment(view, segment, &mut map, &mut transactions)? {
                log::info!(
                    "{}: {} keys fill the cleaner's memory at offset {:?}; another pass will go on from there",
                    view.place.dir.display(),
                    map.len(),
                    map.latest_offset()
                );
                break;
            }
            map.looked_at(end - 1);
        }
        Ok(map)
    }

    /// Notes the keys of one segment. Returns false when there is no room for all of them.
    fn map_segment(
        &self,
        view: &View,
        segment: &SegmentView,
        map: &mut OffsetMap,
        transactions: &mut PassedTransactions,
    ) -> Result<bool, PassError> {
        let from = self.range.first_dirty_offset;
        let mut scan = view.scan(segment, self.settings.io_buffer_bytes)?;
        while let Some(batch) = self.next(view, segment, &mut scan)? {
            let header = batch.header;
            if header.last_offset() < from {
                continue;
            }
            let discardable = transactions.pass(&header, marker(&batch));
            if !header.is_control() && !discardable {
                let records = batch.records(view.config.max_decompressed_message_bytes);
                let records = records.map_err(|error| corrupt(view, segment, &header, error))?;
                for record in &records {
                    let record = record.map_err(|error| corrupt(view, segment, &header, error))?;
                    let Some(key) = record.key.filter(|_| record.offset >= from) else { continue };
                    if !map.put(key, record.offset) {
                        return Ok(false);
                    }
                }
            }
            map.looked_at(header.last_offset());
        }
        Ok(true)
    }

    /// The next batch, if it is intact: what is damaged must not get a new checksum.
    fn next<'b>(
        &self,
        view: &View,
        segment: &SegmentView,
        scan: &'b mut BatchScan,
    ) -> Result<Option<Batch<'b>>, PassError> {
        let position = scan.position();
        let batch = match scan.next_batch() {
            Ok(Some((_, batch))) => batch,
            Ok(None) => return Ok(None),
            Err(ScanError::Io(error)) => return Err(error).at("read", &view.path(segment))?,
            Err(ScanError::Batch(error)) => {
                return Err(LogError::corrupt(&view.path(segment), position, error.to_string()).into());
            }
        };
        if !batch.crc_is_valid() {
            let reason = "the checksum of the batch is wrong";
            return Err(LogError::corrupt(&view.path(segment), position, reason).into());
        }
        if !self.host.pace(batch.bytes.len() as u64) || !view.holds() {
            return Err(PassError::Aborted);
        }
        Ok(Some(batch))
    }

    /// Copies a group of segments and puts the copy in their place. Returns its size.
    fn replace(
        &self,
        view: &View,
        group: Range<usize>,
        filter: &BatchFilter<'_>,
        transactions: &mut PassedTransactions,
    ) -> Result<u64, PassError> {
        let replaced = &view.segments[group.clone()];
        let base_offset = replaced[0].base_offset;
        let transactions = parking_lot::Mutex::new(transactions);
        let copied = self.in_background(|| self.copy(view, group.clone(), filter, &mut transactions.lock()));
        let offered = copied.and_then(|size| match self.log.write().offer_cleaned(view, base_offset)? {
            true => Ok(size),
            false => Err(PassError::Aborted),
        });
        let size = match offered {
            Ok(size) => size,
            Err(error) => {
                // The next start would remove the files too.
                let _ = cleaned_segment::remove(&view.place, base_offset);
                return Err(error);
            }
        };
        let sync = || view.place.disk().sync_dir(&view.place.dir).at("sync", &view.place.dir);
        self.in_background(|| Ok(sync()?))?;
        if !self.log.write().swap_in_cleaned(replaced, size, self.host.now())? {
            return Err(PassError::Aborted);
        }
        self.in_background(|| Ok(sync()?))?;
        self.log.write().complete_swap()?;
        self.in_background(|| Ok(sync()?))?;
        Ok(size)
    }

    fn copy(
        &self,
        view: &View,
        group: Range<usize>,
        filter: &BatchFilter<'_>,
        transactions: &mut PassedTransactions,
    ) -> Result<u64, PassError> {
        let (disk, dir) = (view.place.files.disk().clone(), view.place.dir.clone());
        let base_offset = view.segments[group.start].base_offset;
        let buffer = self.settings.io_buffer_bytes;
        let interval = view.config.index_interval_bytes;
        let mut cleaned = CleanedSegment::create(disk, dir, base_offset, interval, buffer)?;
        for index in group {
            let segment = &view.segments[index];
            let end = view.next_base_offset(index, filter.upper_bound);
            transactions.add_aborted(view.aborted(segment.base_offset, end)?);
            let mut scan = view.scan(segment, buffer)?;
            while let Some(batch) = self.next(view, segment, &mut scan)? {
                let header = batch.header;
                let discardable = transactions.pass(&header, marker(&batch));
                let filtered = filter.filter(&batch, discardable);
                let written = match filtered.map_err(|error| corrupt(view, segment, &header, error))? {
                    Filtered::Kept => cleaned.append(batch.bytes, &header)?,
                    Filtered::Dropped => 0,
                    Filtered::Rewritten(bytes) => {
                        let header = BatchHeader::parse(&bytes);
                        let header = header.map_err(|error| corrupt(view, segment, &batch.header, error))?;
                        cleaned.append(&bytes, &header)?
                    }
                };
                if written > 0 && !self.host.pace(written) {
                    return Err(PassError::Aborted);
                }
            }
            cleaned.append_aborted(&transactions.take_kept())?;
        }
        Ok(cleaned.finish()?)
    }
}

/// What the marker in a control batch says.
fn marker(batch: &Batch<'_>) -> Option<ControlRecordType> {
    if !batch.header.is_control() {
        return None;
    }
    let records = batch.records(CONTROL_BATCH_BYTES_MAX).ok()?;
    let record = records.iter().next()?.ok()?;
    ControlRecordType::from_key(record.key?)
}

fn corrupt(view: &View, segment: &SegmentView, header: &BatchHeader, error: impl ToString) -> PassError {
    let reason = format!("the batch at offset {}: {}", header.base_offset, error.to_string());
    LogError::corrupt(&view.path(segment), 0, reason).into()
}
