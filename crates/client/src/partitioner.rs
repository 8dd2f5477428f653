//! Which partition a record goes to: by its key as Java's clients do, or in turn for records without one.

/// Bytes after which records without a key go to another partition (KIP-794), where `batch.size` is not less.
const STICKY_BYTES: usize = 16 * 1024;

/// MurmurHash2 of 32 bits with Java's seed, as in Kafka's clients.
pub fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    let mix = |word: u32| {
        let word = word.wrapping_mul(M);
        (word ^ (word >> 24)).wrapping_mul(M)
    };
    let mut hash = SEED ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        hash = hash.wrapping_mul(M) ^ mix(word);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (index, &byte) in rest.iter().enumerate() {
            hash ^= u32::from(byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// The partition of a key among `count`, as Java's default partitioner finds it.
pub fn partition_of_key(key: &[u8], count: usize) -> usize {
    (murmur2(key) & 0x7fff_ffff) as usize % count
}

/// How records without a partition find theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// By key, else the same partition until it has got its share (KIP-794).
    Default,
    /// One after another, whatever the key.
    RoundRobin,
}

/// Chooses partitions for the records of one topic.
#[derive(Debug)]
pub struct Partitioner {
    strategy: Strategy,
    ignore_keys: bool,
    sticky_bytes: usize,
    current: usize,
    /// Bytes given to the current partition.
    given: usize,
    random: u64,
}

impl Partitioner {
    /// `ignore_keys` is `partitioner.ignore.keys`; `seed` decides where it begins.
    pub fn new(strategy: Strategy, ignore_keys: bool, batch_size: usize, seed: u64) -> Partitioner {
        let sticky_bytes = batch_size.min(STICKY_BYTES);
        Partitioner { strategy, ignore_keys, sticky_bytes, current: 0, given: usize::MAX, random: seed | 1 }
    }

    /// The partition of a record of about `size` bytes. `available` are those of the topic's `count` partitions
    /// that have a leader: records without a key go to one of them, if there is any.
    #[inline]
    pub fn choose(&mut self, key: Option<&[u8]>, size: usize, count: usize, available: &[usize]) -> usize {
        if let (Some(key), Strategy::Default, false) = (key, self.strategy, self.ignore_keys) {
            return partition_of_key(key, count);
        }
        if self.strategy == Strategy::RoundRobin {
            self.current = self.current.wrapping_add(1);
            return nth(self.current, count, available);
        }
        if self.given >= self.sticky_bytes || self.current >= count {
            self.given = 0;
            self.current = nth(self.next_random() as usize, count, available);
        }
        self.given += size;
        self.current
    }

    /// Xorshift: where to go next needs no more than to be even.
    fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random >> 16
    }
}

fn nth(n: usize, count: usize, available: &[usize]) -> usize {
    match available.len() {
        0 => n % count,
        some => available[n % some],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_java() {
        // From the javadoc's own test vectors of Utils.murmur2, read off the running class.
        for (key, hash) in [
            (&b"21"[..], -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key) as i32, hash, "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn records_without_a_key_stay_until_the_partition_has_its_share() {
        let mut partitioner = Partitioner::new(Strategy::Default, false, 1000, 7);
        let chosen: Vec<usize> = (0..1000).map(|_| partitioner.choose(None, 100, 8, &[])).collect();
        for share in chosen.chunks(10) {
            assert!(share.iter().all(|&partition| partition == share[0]));
        }
        for partition in 0..8 {
            assert!(chosen.contains(&partition), "{partition} got nothing");
        }
    }

    #[test]
    fn records_without_a_key_avoid_partitions_without_a_leader() {
        let mut partitioner = Partitioner::new(Strategy::Default, false, 100, 7);
        assert!((0..100).all(|_| [1, 3].contains(&partitioner.choose(None, 100, 4, &[1, 3]))));
    }

    #[test]
    fn round_robin_goes_in_turn_whatever_the_key() {
        let mut partitioner = Partitioner::new(Strategy::RoundRobin, false, 100, 7);
        let chosen: Vec<usize> = (0..6).map(|_| partitioner.choose(Some(b"k"), 1, 3, &[])).collect();
        assert_eq!(chosen, [1, 2, 0, 1, 2, 0]);
    }
}
