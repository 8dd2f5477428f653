//! Telling a torn end from damage in the middle, before anything is cut.
//!
//! A crash tears the end of the last segment: what was not synced, hence not acknowledged, may go. After a loss of
//! power a later sector may be there and an earlier one not: it reads as zeroes. Where whole batches follow behind
//! bytes that are neither a batch nor an unwritten sector, something committed was damaged: cutting there would drop
//! what the cluster has agreed on, so the node refuses to start and leaves the files as they are.

use std::path::Path;

use barnabas_disk::Disk;
use barnabas_protocol::batch::{Batch, HEADER_SIZE};
use barnabas_protocol::Offset;

use crate::error::{At, RaftError};

const SUFFIX: &str = ".log";
/// What a disk writes as a whole.
const SECTOR_BYTES: usize = 512;

/// Looks at the segments that hold anything from `from` on; an error when one is damaged other than at its torn
/// end.
pub(crate) fn refuse_damage(disk: &dyn Disk, dir: &Path, from: Offset) -> Result<(), RaftError> {
    let mut segments: Vec<(Offset, String)> = disk
        .list(dir)
        .at("read", dir)?
        .into_iter()
        .filter_map(|entry| Some((entry.name.strip_suffix(SUFFIX)?.parse().ok()?, entry.name)))
        .collect();
    segments.sort_unstable();
    for (index, (base_offset, name)) in segments.iter().enumerate() {
        let next = segments.get(index + 1).map(|(base_offset, _)| *base_offset);
        if next.is_some_and(|next| next <= from) {
            continue;
        }
        let path = dir.join(name);
        let content = disk.read(&path).at("read", &path)?;
        let Some(position) = first_damage(&content, *base_offset) else { continue };
        let follows = match next {
            Some(next) => Some(format!("a segment from offset {next} on follows")),
            None => batch_after_damage(&content, position)
                .map(|batch| format!("a whole batch at offset {} follows", batch.header.base_offset)),
        };
        if let Some(follows) = follows {
            let reason = format!("the bytes at position {position} are no batch, yet {follows}");
            return Err(RaftError::Corrupt { path, reason });
        }
    }
    Ok(())
}

/// Where the first bytes are that are no whole batch with a valid checksum, or one whose offset or epoch (which the
/// checksum does not cover) can't follow; None when there are none.
fn first_damage(content: &[u8], base_offset: Offset) -> Option<usize> {
    let (mut position, mut offset, mut epoch) = (0, base_offset, 0);
    while position < content.len() {
        let follows = |batch: &Batch<'_>| {
            batch.header.base_offset == offset && batch.header.partition_leader_epoch >= epoch
        };
        let Some(batch) = valid_batch(&content[position..]).filter(follows) else { return Some(position) };
        (offset, epoch) = (batch.header.next_offset(), batch.header.partition_leader_epoch);
        position += batch.bytes.len();
    }
    None
}

/// The first whole batch behind the damage; None when there is none, or a sector between was never written.
fn batch_after_damage(content: &[u8], damage: usize) -> Option<Batch<'_>> {
    let last = content.len().checked_sub(HEADER_SIZE)?;
    let whole = |position: usize| Some((position, valid_batch(&content[position..])?));
    let (position, batch) = (damage + 1..=last).find_map(whole)?;
    (!has_unwritten_sector(content, damage, position)).then_some(batch)
}

fn has_unwritten_sector(content: &[u8], from: usize, to: usize) -> bool {
    (from / SECTOR_BYTES..=(to - 1) / SECTOR_BYTES).any(|sector| {
        let bytes = &content[from.max(sector * SECTOR_BYTES)..to.min((sector + 1) * SECTOR_BYTES)];
        bytes.iter().all(|&byte| byte == 0)
    })
}

fn valid_batch(bytes: &[u8]) -> Option<Batch<'_>> {
    Batch::parse(bytes).ok().filter(Batch::crc_is_valid)
}
