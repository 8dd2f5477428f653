//! Logs that are no longer what was read from them (KIP-320): after an unclean election a new leader may have written
//! something else from some offset on. Brokers tell by the leader epoch of what was fetched last.

use barnabas_protocol::{LeaderEpoch, Offset};

use crate::assignment::{Assignment, Start};
use crate::error::ClientError;
use crate::fetch_session::Partition;

/// What a broker says of a partition whose log has parted from what was read.
#[derive(Debug)]
pub struct Divergence {
    /// The partition.
    pub partition: Partition,
    /// Who may use the answer.
    pub generation: u64,
    /// The offset that was asked for.
    pub asked: Offset,
    /// Up to where the log is still the same; negative where nobody knows.
    pub end_offset: Offset,
    /// The leader epoch of the record before that.
    pub epoch: LeaderEpoch,
}

/// Goes on where the log is still the same. The user is told, by an error, where `auto.offset.reset` is `none` and it
/// has read what is gone.
pub fn diverged(assignment: &mut Assignment, found: &Divergence, reset: Start) {
    let Divergence { partition, generation, asked, end_offset, .. } = found;
    let Some(slot) = assignment.current(partition, *generation) else { return };
    let Some(position) = slot.position.filter(|_| slot.fetch_offset == Some(*asked)) else { return };
    let (topic, index) = partition;
    if position <= *end_offset {
        // The user has nothing of what is gone: only what was fetched ahead is thrown away.
        let epoch = slot.position_epoch;
        go_to(assignment, partition, Start::Offset(position), epoch);
    } else if reset == Start::None {
        let (topic, partition) = (topic.to_string(), *index);
        let divergent = *end_offset;
        slot.error = Some(ClientError::Truncated { topic, partition, position, divergent });
    } else {
        log::warn!("{topic}-{index} was truncated to {end_offset}; what was read up to {position} is gone");
        match *end_offset {
            0.. => go_to(assignment, partition, Start::Offset(*end_offset), found.epoch),
            _ => go_to(assignment, partition, reset, -1),
        }
    }
}

/// Goes to a place behind a record of this epoch: whether that is lost too is told by the next fetch.
fn go_to(assignment: &mut Assignment, partition: &Partition, start: Start, epoch: LeaderEpoch) {
    assignment.seek(partition, start);
    if let Some(slot) = assignment.slot_mut(partition) {
        (slot.last_epoch, slot.position_epoch) = (epoch, epoch);
    }
}
