//! The files in a log's directory, put in order after whatever happened to them.
//!
//! Suffixes tell how far a change had come. `.deleted`: was to be removed. `.cleaned`: compaction was writing
//! it. `.swap`: compaction had written it, and it takes the place of all segments that it covers.

use std::path::Path;

use barnabas_protocol::Offset;

use crate::batch_scan::{BatchScan, ScanError};
use crate::error::{At, LogError};
use crate::place::{parse_name, Place, CLEANED, DELETED, INDEX, LOG, SNAPSHOT, SWAP, TIME_INDEX, TXN_INDEX};

/// What a log's directory holds.
#[derive(Debug, Default)]
pub(crate) struct LogFiles {
    /// By base offset.
    pub(crate) segments: Vec<SegmentFiles>,
    /// Offsets of producer snapshots, ascending.
    pub(crate) snapshots: Vec<Offset>,
}

/// One segment's files.
#[derive(Debug)]
pub(crate) struct SegmentFiles {
    pub(crate) base_offset: Offset,
    /// Whether its offset index is there.
    pub(crate) offset_index: bool,
    /// Whether its time index is there.
    pub(crate) time_index: bool,
}

impl SegmentFiles {
    /// Whether both of its indexes are there.
    pub(crate) fn is_indexed(&self) -> bool {
        self.offset_index && self.time_index
    }
}

impl LogFiles {
    /// Completes or undoes what was under way, removes what belongs to no segment, and lists the rest. `names` is
    /// what `list` gave.
    pub(crate) fn put_in_order(place: &Place, names: &[String]) -> Result<Self, LogError> {
        let in_motion = |name: &String| [DELETED, CLEANED, SWAP].iter().any(|suffix| name.ends_with(suffix));
        if !names.iter().any(in_motion) {
            return Self::remove_orphans(place, names);
        }
        let cleaned_from = names
            .iter()
            .filter(|name| name.ends_with(CLEANED))
            .filter_map(|name| parse_name(name))
            .map(|(offset, _)| offset)
            .min();
        for name in names {
            let Some((offset, kind)) = parse_name(name) else { continue };
            // While one `.cleaned` is left, the `.swap` files from it on are not complete.
            let half_swapped = kind.ends_with(SWAP) && cleaned_from.is_some_and(|from| offset >= from);
            if kind.ends_with(DELETED) || kind.ends_with(CLEANED) || half_swapped {
                place.remove(&place.dir.join(name))?;
            }
        }
        complete_swaps(place)?;
        Self::remove_orphans(place, &list(place)?)
    }

    fn remove_orphans(place: &Place, names: &[String]) -> Result<Self, LogError> {
        let files: Vec<_> = names.iter().filter_map(|name| parse_name(name)).collect();
        assert!(
            files.is_sorted_by_key(|(offset, _)| *offset),
            "a list is sorted, and offsets have twenty digits"
        );
        let mut found = Self::default();
        for files in files.chunk_by(|(one, _), (other, _)| one == other) {
            let base_offset = files[0].0;
            let has = |wanted: &str| files.iter().any(|(_, kind)| *kind == wanted);
            if has(SNAPSHOT) {
                found.snapshots.push(base_offset);
            }
            if has(LOG) {
                let (offset_index, time_index) = (has(INDEX), has(TIME_INDEX));
                found.segments.push(SegmentFiles { base_offset, offset_index, time_index });
                continue;
            }
            for orphan in [INDEX, TIME_INDEX, TXN_INDEX].into_iter().filter(|kind| has(kind)) {
                place.remove(&place.path(base_offset, orphan))?;
            }
        }
        Ok(found)
    }
}

/// Names of the files in a log's directory, sorted.
pub(crate) fn list(place: &Place) -> Result<Vec<String>, LogError> {
    let entries = place.disk().list(&place.dir).at("list", &place.dir)?;
    Ok(entries.into_iter().filter(|entry| !entry.is_directory).map(|entry| entry.name).collect())
}

/// Puts `.swap` files in place of the segments that they cover.
fn complete_swaps(place: &Place) -> Result<(), LogError> {
    let names = list(place)?;
    let files: Vec<_> = names.iter().filter_map(|name| parse_name(name)).collect();
    let log_swap = format!("{LOG}{SWAP}");
    for (base_offset, _) in files.iter().filter(|(_, kind)| *kind == log_swap) {
        let path = place.path(*base_offset, &log_swap);
        let end = end_offset(place, &path)?.unwrap_or(*base_offset).max(*base_offset + 1);
        for (covered, kind) in &files {
            let plain = [LOG, INDEX, TIME_INDEX, TXN_INDEX].contains(kind);
            if plain && (*base_offset..end).contains(covered) {
                place.remove(&place.path(*covered, kind))?;
            }
        }
    }
    for name in names.iter().filter(|name| name.ends_with(SWAP)) {
        let path = place.dir.join(name);
        place.rename(&path, &place.dir.join(&name[..name.len() - SWAP.len()]))?;
    }
    place.disk().sync_dir(&place.dir).at("sync", &place.dir)
}

/// The offset after the last batch of a segment file; None when it is empty.
fn end_offset(place: &Place, path: &Path) -> Result<Option<Offset>, LogError> {
    let file = place.disk().open(path, barnabas_disk::Open::Read).at("open", path)?;
    let length = file.len().at("look at", path)?;
    let mut scan = BatchScan::new(file, 0, length);
    let mut end = None;
    loop {
        let position = scan.position();
        match scan.next_header() {
            Ok(Some((_, header))) => end = Some(header.next_offset()),
            Ok(None) => return Ok(end),
            Err(ScanError::Io(error)) => return Err(error).at("read", path),
            Err(ScanError::Batch(error)) => return Err(LogError::corrupt(path, position, error.to_string())),
        }
    }
}
