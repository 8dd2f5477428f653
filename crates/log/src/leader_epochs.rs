//! Which leader epoch wrote which offsets: `leader-epoch-checkpoint`.
//!
//! Always true: from entry to entry both epochs and start offsets grow.

use barnabas_protocol::{LeaderEpoch, Offset};

/// Stands for "no epoch" on the wire. Other negative numbers are, as in Kafka, epochs before the first.
const UNDEFINED_EPOCH: LeaderEpoch = -1;

/// An epoch and the first offset that was written in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochEntry {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// First offset of the epoch.
    pub start_offset: Offset,
}

/// The epochs of one log, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    entries: Vec<EpochEntry>,
}

impl LeaderEpochs {
    /// From a checkpoint's entries. Entries that contradict later ones are dropped.
    pub fn from_entries(entries: impl IntoIterator<Item = EpochEntry>) -> Self {
        let mut epochs = Self::default();
        for entry in entries {
            epochs.assign(entry.epoch, entry.start_offset);
        }
        epochs
    }

    /// The entries, oldest first.
    pub fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    /// The newest epoch.
    pub fn latest(&self) -> Option<EpochEntry> {
        self.entries.last().copied()
    }

    /// Notes that `start_offset` was written in `epoch`. Returns whether anything is new. As in Kafka,
    /// entries that the new one contradicts (not below it in both epoch and offset) are dropped.
    pub fn assign(&mut self, epoch: LeaderEpoch, start_offset: Offset) -> bool {
        if epoch < 0 || start_offset < 0 {
            return false;
        }
        if let Some(last) = self.entries.last() {
            if last.epoch == epoch && start_offset >= last.start_offset {
                return false;
            }
        }
        self.entries.retain(|entry| entry.epoch < epoch && entry.start_offset < start_offset);
        self.entries.push(EpochEntry { epoch, start_offset });
        true
    }

    /// OffsetForLeaderEpoch: the largest epoch of the log that is at most `epoch`, and the offset after its
    /// last record (the start of the next epoch, or `log_end_offset`). None when `epoch` is unknown here.
    pub fn end_offset_for(
        &self,
        epoch: LeaderEpoch,
        log_end_offset: Offset,
    ) -> Option<(LeaderEpoch, Offset)> {
        let latest = self.latest()?;
        if epoch == UNDEFINED_EPOCH || epoch > latest.epoch {
            return None;
        }
        if epoch == latest.epoch {
            return Some((epoch, log_end_offset));
        }
        let next = self.entries.partition_point(|entry| entry.epoch <= epoch);
        let end_offset = self.entries[next].start_offset;
        // A epoch older than all that are left ends where the oldest of them starts.
        let floor = if next == 0 { epoch } else { self.entries[next - 1].epoch };
        Some((floor, end_offset))
    }

    /// The epoch that wrote `offset`.
    pub fn epoch_for_offset(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.entries.partition_point(|entry| entry.start_offset <= offset);
        after.checked_sub(1).map(|index| self.entries[index].epoch)
    }

    /// Drops what starts at or after `end_offset`. Returns whether anything changed.
    pub fn truncate_from_end(&mut self, end_offset: Offset) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.start_offset < end_offset);
        self.entries.len() != before
    }

    /// Drops epochs that ended before `start_offset`; the one that covers it now starts there. Returns
    /// whether anything changed.
    pub fn truncate_from_start(&mut self, start_offset: Offset) -> bool {
        let covering = self.entries.partition_point(|entry| entry.start_offset <= start_offset);
        let Some(covering) = covering.checked_sub(1) else { return false };
        let changed = covering > 0 || self.entries[covering].start_offset != start_offset;
        self.entries.drain(..covering);
        self.entries[0].start_offset = start_offset;
        changed
    }

    /// Forgets everything. Returns whether anything changed.
    pub fn clear(&mut self) -> bool {
        let changed = !self.entries.is_empty();
        self.entries.clear();
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(LeaderEpoch, Offset)]) -> LeaderEpochs {
        LeaderEpochs::from_entries(
            entries.iter().map(|&(epoch, start_offset)| EpochEntry { epoch, start_offset }),
        )
    }

    #[test]
    fn an_epoch_ends_where_the_next_starts() {
        let epochs = epochs(&[(2, 10), (4, 20), (7, 30)]);
        assert_eq!(epochs.end_offset_for(2, 40), Some((2, 20)));
        assert_eq!(epochs.end_offset_for(3, 40), Some((2, 20)));
        assert_eq!(epochs.end_offset_for(7, 40), Some((7, 40)));
        assert_eq!(epochs.end_offset_for(1, 40), Some((1, 10)));
        assert_eq!(epochs.end_offset_for(8, 40), None);
        assert_eq!(epochs.end_offset_for(-1, 40), None);
    }

    #[test]
    fn an_offset_belongs_to_the_epoch_that_started_last_before_it() {
        let epochs = epochs(&[(2, 10), (4, 20)]);
        assert_eq!(epochs.epoch_for_offset(9), None);
        assert_eq!(epochs.epoch_for_offset(10), Some(2));
        assert_eq!(epochs.epoch_for_offset(19), Some(2));
        assert_eq!(epochs.epoch_for_offset(1000), Some(4));
    }

    #[test]
    fn a_new_entry_drops_those_it_contradicts() {
        let mut log = epochs(&[(2, 10), (4, 20), (7, 30)]);
        assert!(log.assign(5, 20));
        assert_eq!(log, epochs(&[(2, 10), (5, 20)]));
        assert!(!log.assign(5, 25));
    }

    #[test]
    fn truncation_keeps_what_is_inside() {
        let mut log = epochs(&[(2, 10), (4, 20), (7, 30)]);
        assert!(log.truncate_from_start(25));
        assert_eq!(log, epochs(&[(4, 25), (7, 30)]));
        assert!(log.truncate_from_end(30));
        assert_eq!(log, epochs(&[(4, 25)]));
        assert!(!log.truncate_from_start(3));
    }
}
