//! Numbers that follow from a seed, and runs over many seeds.

use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

/// SplitMix64: the same numbers for the same seed, on every machine.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The numbers that follow from `seed`.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound
    }

    /// True once in `count` times.
    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// A number that a test is told by the environment, so that it can look longer or at one thing alone.
pub fn told(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Calls `run` with the seeds from 1 to `count`; SEEDS says another count, SEED one seed alone. A run that panics
/// ends it all and tells its seed. Returns what each run has given.
pub fn each_seed<T>(count: u64, run: impl Fn(u64) -> T) -> Vec<T> {
    let seeds = match told("SEED", 0) {
        0 => 1..=told("SEEDS", count),
        seed => seed..=seed,
    };
    let one = |seed| {
        catch_unwind(AssertUnwindSafe(|| run(seed))).unwrap_or_else(|panic| {
            eprintln!("look at it again with SEED={seed}");
            resume_unwind(panic)
        })
    };
    seeds.map(one).collect()
}
