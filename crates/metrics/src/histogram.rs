//! How often each size was seen, in buckets whose width grows with the size: any number falls into a bucket that is
//! at most an eighth wide, whether it counts microseconds or megabytes.

use crate::counter::Counter;
use crate::distribution::Distribution;

/// Buckets for each doubling.
const PER_DOUBLING: u64 = 8;
const BITS: u32 = PER_DOUBLING.trailing_zeros();
/// Sizes of this many bits and more share the last bucket: an hour of microseconds, four gigabytes.
const SIZE_BITS_MAX: u32 = 32;
/// Number of buckets.
pub(crate) const BUCKETS: usize = ((SIZE_BITS_MAX - BITS + 1) as usize) * PER_DOUBLING as usize;

/// Counts sizes. One thread writes.
#[derive(Debug)]
pub struct Histogram {
    buckets: [Counter; BUCKETS],
    sum: Counter,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { buckets: [const { Counter::new() }; BUCKETS], sum: Counter::new() }
    }
}

impl Histogram {
    /// Counts one.
    pub fn record(&self, size: u64) {
        self.buckets[bucket(size)].add(1);
        self.sum.add(size);
    }

    /// What was counted since the start.
    pub fn distribution(&self) -> Distribution {
        Distribution::new(self.buckets.iter().map(Counter::get).collect(), self.sum.get())
    }
}

/// The bucket of a size.
fn bucket(size: u64) -> usize {
    if size < PER_DOUBLING {
        return size as usize;
    }
    let size = size.min((1 << SIZE_BITS_MAX) - 1);
    let doubling = size.ilog2() - BITS;
    // The highest bits of the size, without the first, which is always 1.
    let place = (size >> doubling) - PER_DOUBLING;
    ((u64::from(doubling) + 1) * PER_DOUBLING + place) as usize
}

/// The smallest size of a bucket; of the one behind the last, the first that has none of its own.
pub(crate) fn lower_bound(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < PER_DOUBLING {
        return bucket;
    }
    let doubling = bucket / PER_DOUBLING - 1;
    (PER_DOUBLING + bucket % PER_DOUBLING) << doubling
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_follow_one_another_without_gaps() {
        for index in 0..BUCKETS {
            assert_eq!(bucket(lower_bound(index)), index);
            assert_eq!(bucket(lower_bound(index + 1) - 1), index);
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    proptest! {
        #[test]
        fn a_bucket_is_at_most_an_eighth_wide(size in 8_u64..1 << 32) {
            let index = bucket(size);
            let (from, to) = (lower_bound(index), lower_bound(index + 1));
            prop_assert!(from <= size && size < to);
            prop_assert!((to - from) * 8 <= from);
        }
    }
}
