//! The files in a log's directory, put in order after whatever happened to them.
//!
//! Suffixes tell how far a change had come. `.deleted`: was to be removed. `.cleaned`: compaction was writing
//! it. `.swap`: compaction had written it, and it takes the place of all segments that it covers.

use std::collections::BTreeSet;
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
    /// Whether both of its indexes are there.
    pub(crate) indexed: bool,
}

impl LogFiles {
    /// Completes or undoes what was under way, removes what belongs to no segment, and lists the rest.
    pub(crate) fn put_in_order(place: &Place) -> Result<Self, LogError> {
        let names = list(place)?;
        let in_motion = |name: &String| [DELETED, CLEANED, SWAP].iter().any(|suffix| name.ends_with(suffix));
        if !names.iter().any(in_motion) {
            return Self::remove_orphans(place, &names);
        }
        let cleaned_from = names
            .iter()
            .filter(|name| name.ends_with(CLEANED))
            .filter_map(|name| parse_name(name))
            .map(|(offset, _)| offset)
            .min();
        for name in &names {
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
        let of_kind = |wanted: &str| -> BTreeSet<Offset> {
            let files = names.iter().filter_map(|name| parse_name(name));
            files.filter(|(_, kind)| *kind == wanted).map(|(offset, _)| offset).collect()
        };
        let logs = of_kind(LOG);
        let (offset_indexes, time_indexes) = (of_kind(INDEX), of_kind(TIME_INDEX));
        for (kind, offsets) in
            [(INDEX, &offset_indexes), (TIME_INDEX, &time_indexes), (TXN_INDEX, &of_kind(TXN_INDEX))]
        {
            for orphan in offsets.difference(&logs) {
                place.remove(&place.path(*orphan, kind))?;
            }
        }
        let segments = logs.iter().map(|base_offset| SegmentFiles {
            base_offset: *base_offset,
            indexed: offset_indexes.contains(base_offset) && time_indexes.contains(base_offset),
        });
        Ok(Self { segments: segments.collect(), snapshots: of_kind(SNAPSHOT).into_iter().collect() })
    }
}

fn list(place: &Place) -> Result<Vec<String>, LogError> {
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
