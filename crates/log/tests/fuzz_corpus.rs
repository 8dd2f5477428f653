//! The files of a log over the stored corpus and over seeded changes of it: nothing panics, nothing damaged is served.
//!
//! FACTOR=100 makes a hundred times as many changes, SEED=n others. WRITE_CORPUS=1 stores the files as they are written
//! today.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the corpus is on the real disk")]

#[path = "../../../fuzz/log_targets.rs"]
mod log_targets;

use std::path::{Path, PathBuf};

use barnabas_disk::Disk;
use log_targets::{log_files, written, FILES};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/log_files")
}

/// The files as they are written, each behind the byte that names it.
fn seeds() -> Vec<(String, Vec<u8>)> {
    let disk = written();
    let seed = |(choice, name): (usize, &&str)| {
        let path = format!("/data/topic-0/{name}").replace("topic-0/../", "");
        let content = disk.read(Path::new(&path)).ok()?;
        Some((name.replace("../", ""), [&[choice as u8], &content[..]].concat()))
    };
    FILES.iter().enumerate().filter_map(seed).collect()
}

fn change(random: &mut Random, bytes: &mut Vec<u8>, others: &[Vec<u8>]) {
    let at = random.below(bytes.len());
    match random.below(6) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
        2 => bytes.truncate(at.max(1)),
        3 => bytes.insert(at.max(1), random.below(256) as u8),
        4 => {
            let other = &others[random.below(others.len())];
            bytes.truncate(at.max(1));
            bytes.extend_from_slice(&other[random.below(other.len())..]);
        }
        _ => drop(bytes.drain(at.max(1)..(at.max(1) + random.below(40)).min(bytes.len()).max(at.max(1)))),
    }
}

#[test]
fn files_of_a_log_whatever_they_hold() {
    if number("WRITE_CORPUS", 0) == 1 {
        std::fs::create_dir_all(corpus()).unwrap();
        for (name, bytes) in seeds() {
            std::fs::write(corpus().join(format!("seed-{name}")), bytes).unwrap();
        }
    }
    let mut paths: Vec<_> = std::fs::read_dir(corpus()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut inputs: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    inputs.extend(seeds().into_iter().map(|(_, bytes)| bytes));
    inputs.iter().for_each(|input| log_files(input));
    let mut random = Random(number("SEED", 1));
    for _ in 0..4_000 * number("FACTOR", 1) {
        let mut input = inputs[random.below(inputs.len())].clone();
        for _ in 0..1 + random.below(3) {
            change(&mut random, &mut input, &inputs);
        }
        let outcome = std::panic::catch_unwind(|| log_files(&input));
        assert!(outcome.is_ok(), "store this input: {input:02x?}");
    }
}
