//! What a histogram had counted at one moment: to be added up, told apart and asked for quantiles.

use crate::histogram::{lower_bound, BUCKETS};

/// Counts by bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    counts: Vec<u64>,
    sum: u64,
}

impl Default for Distribution {
    fn default() -> Distribution {
        Distribution { counts: vec![0; BUCKETS], sum: 0 }
    }
}

impl Distribution {
    pub(crate) fn new(counts: Vec<u64>, sum: u64) -> Distribution {
        assert!(counts.len() == BUCKETS);
        Distribution { counts, sum }
    }

    /// How many sizes were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// Adds what another histogram of the same kind has counted.
    pub fn add(&mut self, other: &Distribution) {
        for (mine, others) in self.counts.iter_mut().zip(&other.counts) {
            *mine += others;
        }
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// Counts `times` zeros: what nobody writes down.
    pub fn add_zeros(&mut self, times: u64) {
        self.counts[0] += times;
    }

    /// What came since `earlier`, which the same histograms had counted.
    #[must_use]
    pub fn since(&self, earlier: &Distribution) -> Distribution {
        let counts = self.counts.iter().zip(&earlier.counts).map(|(now, then)| now.saturating_sub(*then));
        Distribution { counts: counts.collect(), sum: self.sum.wrapping_sub(earlier.sum) }
    }

    /// The size that this share of all sizes is at most, to an eighth; 0 when there is none.
    pub fn quantile(&self, share: f64) -> f64 {
        let wanted = (self.count() as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return middle(index);
            }
        }
        0.0
    }

    /// The mean; 0 when there is none.
    pub fn mean(&self) -> f64 {
        match self.count() {
            0 => 0.0,
            count => self.sum as f64 / count as f64,
        }
    }

    /// Square root of the variance, to an eighth; 0 when there is none.
    pub fn standard_deviation(&self) -> f64 {
        let count = self.count();
        if count < 2 {
            return 0.0;
        }
        let mean = self.mean();
        let squares = self.counts.iter().enumerate().map(|(index, n)| {
            let distance = middle(index) - mean;
            *n as f64 * distance * distance
        });
        (squares.sum::<f64>() / (count - 1) as f64).sqrt()
    }

    /// The largest size, to an eighth; 0 when there is none.
    pub fn max(&self) -> f64 {
        self.counts.iter().rposition(|count| *count > 0).map_or(0.0, middle)
    }

    /// The smallest size, to an eighth; 0 when there is none.
    pub fn min(&self) -> f64 {
        self.counts.iter().position(|count| *count > 0).map_or(0.0, middle)
    }

    /// How many were below `bound`, where that is a power of two; elsewhere to an eighth.
    pub fn below(&self, bound: u64) -> u64 {
        self.counts
            .iter()
            .enumerate()
            .take_while(|(index, _)| lower_bound(index + 1) <= bound)
            .map(|(_, n)| n)
            .sum()
    }
}

/// What a size of this bucket is taken for.
fn middle(bucket: usize) -> f64 {
    (lower_bound(bucket) + lower_bound(bucket + 1) - 1) as f64 / 2.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::histogram::Histogram;

    fn of(sizes: &[u64]) -> Distribution {
        let histogram = Histogram::default();
        for size in sizes {
            histogram.record(*size);
        }
        histogram.distribution()
    }

    #[test]
    fn nothing_has_no_size() {
        let nothing = Distribution::default();
        assert_eq!(
            (nothing.quantile(0.5), nothing.mean(), nothing.max(), nothing.min()),
            (0.0, 0.0, 0.0, 0.0)
        );
        assert_eq!(nothing.standard_deviation(), 0.0);
    }

    #[test]
    fn small_sizes_are_exact() {
        let found = of(&[1, 2, 3, 4, 5]);
        assert_eq!((found.quantile(0.5), found.quantile(1.0)), (3.0, 5.0));
        assert_eq!((found.min(), found.max(), found.mean(), found.sum()), (1.0, 5.0, 3.0, 15));
        assert_eq!((found.below(4), found.below(8)), (3, 5));
    }

    #[test]
    fn zeros_that_nobody_wrote_count() {
        let mut found = of(&[7]);
        found.add_zeros(3);
        assert_eq!((found.count(), found.quantile(0.5), found.max()), (4, 0.0, 7.0));
    }

    #[test]
    fn what_came_since_is_the_difference() {
        let (earlier, mut later) = (of(&[5, 90]), of(&[5, 90]));
        later.add(&of(&[1_000]));
        assert_eq!(later.since(&earlier), of(&[1_000]));
    }

    proptest! {
        #[test]
        fn quantiles_are_right_to_an_eighth(
            mut sizes in prop::collection::vec(0_u64..1 << 31, 1..200),
            share in 0.01_f64..1.0,
        ) {
            let found = of(&sizes).quantile(share);
            sizes.sort_unstable();
            let place = ((sizes.len() as f64 * share).ceil() as usize).max(1) - 1;
            let exact = sizes[place] as f64;
            prop_assert!((found - exact).abs() <= exact / 8.0 + 0.5, "{} is not {}", found, exact);
        }
    }
}
