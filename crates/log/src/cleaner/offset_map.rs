//! The newest offset of each key in the part of a log that is being compacted.
//!
//! Always true:
//!   memory is fixed when the map is made: `SLOT_BYTES` for each slot
//!   at most `entries_max` keys are in it, so that a search always ends at a free slot

use barnabas_protocol::Offset;

use super::key_hash::{hash, HashKey};

/// Bytes of a slot: the hash of a key and the offset of its newest record, as in Kafka.
pub(crate) const SLOT_BYTES: usize = 24;

/// A hash, and the offset plus one; a free slot has a zero there.
type Slot = [u64; 3];

/// Offsets by the hash of their key.
#[derive(Debug)]
pub(crate) struct OffsetMap {
    key: HashKey,
    slots: Vec<Slot>,
    entries: usize,
    entries_max: usize,
    latest_offset: Option<Offset>,
}

impl OffsetMap {
    /// A map for `keys` keys, or for as many as `bytes` of memory hold when no more than `load_factor` (up to
    /// 1) of the slots is taken; at least for one.
    pub(crate) fn new(key: HashKey, keys: u64, bytes: usize, load_factor: f64) -> Self {
        let load_factor = load_factor.clamp(0.01, 1.0);
        let affordable = (bytes / SLOT_BYTES).max(2);
        let wanted = (keys as f64 / load_factor).ceil() as usize;
        let count = wanted.saturating_add(1).clamp(2, affordable);
        // One slot stays free.
        let entries_max = ((count as f64 * load_factor) as usize).clamp(1, count - 1);
        Self { key, slots: vec![[0; 3]; count], entries: 0, entries_max, latest_offset: None }
    }

    /// Notes that `key` has a record at `offset`, which is above all that were noted. Returns false when there
    /// is no room for another key.
    pub(crate) fn put(&mut self, key: &[u8], offset: Offset) -> bool {
        if self.entries >= self.entries_max {
            return false;
        }
        let hash = hash(self.key, key);
        let index = self.find(hash);
        let slot = &mut self.slots[index];
        if slot[2] == 0 {
            self.entries += 1;
        }
        *slot = [hash[0], hash[1], offset as u64 + 1];
        self.latest_offset = self.latest_offset.max(Some(offset));
        true
    }

    /// The newest offset of `key`.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Offset> {
        match self.slots[self.find(hash(self.key, key))][2] {
            0 => None,
            offset => Some((offset - 1) as Offset),
        }
    }

    /// Up to where records were looked at; None when none were.
    pub(crate) fn latest_offset(&self) -> Option<Offset> {
        self.latest_offset
    }

    /// Notes that everything up to `offset` was looked at.
    pub(crate) fn looked_at(&mut self, offset: Offset) {
        self.latest_offset = self.latest_offset.max(Some(offset));
    }

    /// Number of keys.
    pub(crate) fn len(&self) -> usize {
        self.entries
    }

    /// The slot of a hash, or the free one where it belongs.
    fn find(&self, hash: [u64; 2]) -> usize {
        let count = self.slots.len();
        // The high bits of a product spread evenly over any number of slots.
        let mut index = ((u128::from(hash[0]) * count as u128) >> 64) as usize;
        loop {
            let slot = &self.slots[index];
            if slot[2] == 0 || slot[..2] == hash {
                return index;
            }
            index = if index + 1 == count { 0 } else { index + 1 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn the_newest_offset_of_a_key_is_found_and_no_other() {
        let mut map = OffsetMap::new([1, 2], 1000, 1 << 20, 0.9);
        let mut model = HashMap::new();
        for offset in 0..1000i64 {
            let key = (offset * 7919 % 331).to_be_bytes();
            assert!(map.put(&key, offset));
            model.insert(key, offset);
        }
        assert_eq!((map.len(), map.latest_offset()), (331, Some(999)));
        for key in (0..400i64).map(i64::to_be_bytes) {
            assert_eq!(map.get(&key), model.get(&key).copied());
        }
    }

    #[test]
    fn memory_bounds_the_number_of_keys() {
        let mut map = OffsetMap::new([1, 2], u64::MAX, 100 * SLOT_BYTES, 0.9);
        let taken = (0..1000i64).take_while(|offset| map.put(&offset.to_be_bytes(), *offset)).count();
        assert_eq!((taken, map.slots.len(), map.latest_offset()), (90, 100, Some(89)));
        assert_eq!(map.get(&89i64.to_be_bytes()), Some(89));
        assert_eq!(map.get(&90i64.to_be_bytes()), None);
    }

    #[test]
    fn the_smallest_map_holds_a_key() {
        let mut map = OffsetMap::new([1, 2], 0, 0, 0.0);
        assert!(map.put(b"a", 5));
        assert!(!map.put(b"b", 6));
        assert_eq!((map.get(b"a"), map.get(b"b")), (Some(5), None));
    }
}
