//! `.txnindex`: the aborted transactions whose marker is in the segment, in the order of the markers. The file
//! exists only where there are any.
//!
//! Entry: version i16 (0), producer id i64, first offset i64, last offset i64, last stable offset i64.

use std::io::ErrorKind;
use std::path::Path;

use barnabas_disk::{Disk, Open};
use barnabas_protocol::{Offset, ProducerId};

use crate::error::{At, LogError};
use crate::place::{Place, TXN_INDEX};

const ENTRY_BYTES: usize = 34;

/// One aborted transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortedTxn {
    /// The producer.
    pub producer_id: ProducerId,
    /// First offset of the transaction.
    pub first_offset: Offset,
    /// Offset of the abort marker.
    pub last_offset: Offset,
    /// Last stable offset once the marker counted.
    pub last_stable_offset: Offset,
}

impl AbortedTxn {
    fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        let fields = [self.producer_id, self.first_offset, self.last_offset, self.last_stable_offset];
        for (slot, field) in bytes[2..].chunks_exact_mut(8).zip(fields) {
            slot.copy_from_slice(&field.to_be_bytes());
        }
        bytes
    }

    fn parse(bytes: &[u8]) -> Self {
        let field = |index: usize| {
            let mut value = [0; 8];
            value.copy_from_slice(&bytes[2 + 8 * index..10 + 8 * index]);
            i64::from_be_bytes(value)
        };
        Self {
            producer_id: field(0),
            first_offset: field(1),
            last_offset: field(2),
            last_stable_offset: field(3),
        }
    }
}

/// All aborted transactions of the segment at `base_offset`. They are few, so nothing is kept in memory.
pub(crate) fn read(place: &Place, base_offset: Offset) -> Result<Vec<AbortedTxn>, LogError> {
    let path = place.path(base_offset, TXN_INDEX);
    let bytes = match place.disk().read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).at("read", &path),
    };
    let entries: Vec<_> = bytes.chunks_exact(ENTRY_BYTES).map(AbortedTxn::parse).collect();
    for (index, entry) in entries.iter().enumerate() {
        let begins = &bytes[index * ENTRY_BYTES..];
        let offsets = entry.first_offset >= 0
            && entry.last_stable_offset >= 0
            && entry.first_offset <= entry.last_offset;
        if begins[..2] != [0, 0] || !offsets || entry.last_offset < base_offset {
            return Err(LogError::corrupt(&path, (index * ENTRY_BYTES) as u64, "not an aborted transaction"));
        }
    }
    Ok(entries)
}

/// Adds a transaction whose marker is in the segment at `base_offset`.
pub(crate) fn append(place: &Place, base_offset: Offset, aborted: AbortedTxn) -> Result<(), LogError> {
    append_to(place.disk(), &place.path(base_offset, TXN_INDEX), aborted)
}

/// Adds a transaction to the file at `path`.
pub(crate) fn append_to(disk: &dyn Disk, path: &Path, aborted: AbortedTxn) -> Result<(), LogError> {
    let file = disk.open(path, Open::Create).at("open", path)?;
    let length = file.len().at("look at", path)?;
    // A torn entry at the end is written over.
    let position = length - length % ENTRY_BYTES as u64;
    file.write_all_at(&aborted.to_bytes(), position).at("write", path)
}

/// Aborted transactions that have records in `from..to` (`to` is exclusive), found in the segments at
/// `base_offsets`: in their order, from the one that holds `from` on to the end of the log.
pub(crate) fn find(
    place: &Place,
    base_offsets: impl Iterator<Item = Offset>,
    from: Offset,
    to: Offset,
) -> Result<Vec<AbortedTxn>, LogError> {
    let (mut found, mut stable) = (Vec::new(), 0);
    for base_offset in base_offsets {
        for aborted in read(place, base_offset)? {
            if aborted.last_offset >= from && aborted.first_offset < to {
                found.push(aborted);
            }
            // Whatever is aborted behind this one began at its last stable offset or later. It takes two to say so:
            // one alone may be damaged.
            stable += usize::from(aborted.last_stable_offset >= to);
            if stable == 2 {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

/// Drops transactions whose marker is at `offset` or behind it.
pub(crate) fn truncate_to(place: &Place, base_offset: Offset, offset: Offset) -> Result<(), LogError> {
    let entries = read(place, base_offset)?;
    let keep = entries.partition_point(|entry| entry.last_offset < offset);
    if keep < entries.len() {
        let path = place.path(base_offset, TXN_INDEX);
        let file = place.disk().open(&path, Open::Write).at("open", &path)?;
        file.set_len((keep * ENTRY_BYTES) as u64).at("cut", &path)?;
    }
    Ok(())
}

/// Drops all transactions of the segment; recovery notes them anew.
pub(crate) fn reset(place: &Place, base_offset: Offset) -> Result<(), LogError> {
    place.remove(&place.path(base_offset, TXN_INDEX))
}
