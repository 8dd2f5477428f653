//! The files of a log over the stored corpus and over seeded changes of it: nothing panics, nothing damaged is served.
//!
//! FACTOR=100 makes a hundred times as many changes, SEED=n others. WRITE_CORPUS=1 stores the files as they are written
//! today.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the corpus is on the real disk")]

#[path = "../../../fuzz/log_targets.rs"]
mod log_targets;

use std::path::{Path, PathBuf};

use barnabas_disk::sim::{told, Random};
use barnabas_disk::Disk;
use log_targets::{log_files, written, FILES};

fn below(random: &mut Random, bound: usize) -> usize {
    random.below(bound as u64) as usize
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
    let at = below(random, bytes.len());
    match below(random, 6) {
        0 => bytes[at] ^= 1 << below(random, 8),
        1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][below(random, 5)],
        2 => bytes.truncate(at.max(1)),
        3 => bytes.insert(at.max(1), below(random, 256) as u8),
        4 => {
            let other = &others[below(random, others.len())];
            bytes.truncate(at.max(1));
            bytes.extend_from_slice(&other[below(random, other.len())..]);
        }
        _ => drop(bytes.drain(at.max(1)..(at.max(1) + below(random, 40)).min(bytes.len()).max(at.max(1)))),
    }
}

#[test]
fn files_of_a_log_whatever_they_hold() {
    if told("WRITE_CORPUS", 0) == 1 {
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
    let mut random = Random::new(told("SEED", 1));
    for _ in 0..4_000 * told("FACTOR", 1) {
        let mut input = inputs[below(&mut random, inputs.len())].clone();
        for _ in 0..1 + below(&mut random, 3) {
            change(&mut random, &mut input, &inputs);
        }
        let outcome = std::panic::catch_unwind(|| log_files(&input));
        assert!(outcome.is_ok(), "store this input: {input:02x?}");
    }
}
