//! The fuzz targets over their stored corpus, over the well-formed messages of every version, and over seeded
//! changes of both; with what each input makes the program allocate held against what it may.
//!
//! FACTOR=100 makes a hundred times as many changes, SEED=n others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)] // A test, not the broker.

mod support;

#[path = "../../../fuzz/seeds.rs"]
mod seeds;
#[path = "../../../fuzz/targets.rs"]
mod targets;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;

use barnabas_protocol::wire::{MEMORY_EXTRA_MAX, MEMORY_FACTOR_MAX};
use support::Random;
use targets::{DECOMPRESSED_MAX, TARGETS};

/// Counts what each thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    // A thread that ends has no counter any more.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + change);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that `run` holds at its worst, above what was held before.
fn peak(run: impl FnOnce()) -> usize {
    let before = HELD.get();
    PEAK.set(before);
    run();
    (PEAK.get() - before) as usize
}

/// What an input may cost: a multiple of its size and a constant.
///
/// The targets hold more than the decoders do: trees of values for messages, copies of the input, what is
/// compressed anew. LZ4 and Zstandard allocate inside their libraries, LZ4 nothing, Zstandard its window.
fn allowance(target: &str, input: usize) -> usize {
    match target {
        "request" | "message" => 100 * input + (2 << 20),
        "record_batches" => 10 * input + DECOMPRESSED_MAX + (1 << 20),
        "produce" => 10 * input + 4 * DECOMPRESSED_MAX,
        _ => 10 * input + DECOMPRESSED_MAX + (1 << 19),
    }
}

fn check(target: &str, run: fn(&[u8]), input: &[u8]) {
    let cost = peak(|| run(input));
    let allowed = allowance(target, input.len());
    let text = support::hex(&input[..input.len().min(2000)]);
    assert!(
        cost <= allowed,
        "{target}: {cost} bytes held for {} of input, allowed {allowed}: {text}",
        input.len()
    );
}

fn stored(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut paths: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// One change as a fuzzer makes them.
fn change(random: &mut Random, bytes: &mut Vec<u8>, others: &[Vec<u8>]) {
    if bytes.is_empty() {
        bytes.push(random.next() as u8);
        return;
    }
    let at = random.below(bytes.len());
    match random.below(8) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.of(&[0, 1, 0x7f, 0x80, 0xff]),
        2 => bytes.truncate(at),
        3 => bytes.insert(at, random.next() as u8),
        4 => {
            let number = random.of(&[0, 1, -1, 0x7fff_ffff, i32::MIN, 0xffff, 1_000_000]);
            let width = random.of(&[1, 2, 4]).min(bytes.len() - at);
            bytes[at..at + width].copy_from_slice(&number.to_be_bytes()[4 - width..]);
        }
        5 => {
            let other = &others[random.below(others.len())];
            let from = random.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        6 => {
            let count = random.below(9).min(bytes.len() - at);
            bytes.drain(at..at + count);
        }
        _ => bytes[at] = random.next() as u8,
    }
}

fn run(name: &str, changes: usize) {
    let (_, target) = TARGETS.into_iter().find(|(target, _)| *target == name).unwrap();
    let mut inputs = stored(name);
    assert!(!inputs.is_empty(), "{name} has no corpus: cargo run -p barnabas-protocol --example fuzz_corpus");
    inputs.extend(seeds::seeds(name, true).into_iter().map(|(_, bytes)| bytes));
    for input in &inputs {
        check(name, target, input);
    }
    let number =
        |name: &str, default| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let mut random = Random(number("SEED", 1));
    for _ in 0..changes * number("FACTOR", 1) as usize {
        let mut input = inputs[random.below(inputs.len())].clone();
        for _ in 0..1 + random.below(4) {
            change(&mut random, &mut input, &inputs);
        }
        check(name, target, &input);
    }
}

#[test]
fn what_is_held_is_counted() {
    assert_eq!(peak(|| drop((vec![1u8; 1000], vec![2u8; 50]))), 1050);
}

#[test]
fn a_request_takes_little_more_memory_than_its_frame() {
    let mut random = Random(2);
    let inputs: Vec<Vec<u8>> = seeds::seeds("request", true).into_iter().map(|(_, bytes)| bytes).collect();
    for _ in 0..20_000 {
        let mut input = inputs[random.below(inputs.len())].clone();
        change(&mut random, &mut input, &inputs);
        // Small elements are where memory grows beyond the bytes: let there be many.
        input.resize(input.len() + random.of(&[0, 0, 3000]), random.of(&[0, 1, 2]));
        let mut rewritten = 0;
        let cost = peak(|| rewritten = targets::recode_request(&input));
        // What was read is written again, into a buffer that doubles.
        let allowed = MEMORY_FACTOR_MAX * input.len() + MEMORY_EXTRA_MAX + 3 * rewritten + 100;
        assert!(cost <= allowed, "{cost} bytes held, {allowed} allowed: {}", support::hex(&input));
    }
}

#[test]
fn requests_of_every_api_and_version() {
    run("request", 20_000);
}

#[test]
fn messages_of_every_kind_and_version() {
    run("message", 20_000);
}

#[test]
fn record_batches() {
    run("record_batches", 5_000);
}

#[test]
fn produced_records() {
    run("produce", 5_000);
}

#[test]
fn gzip() {
    run("gzip", 3_000);
}

#[test]
fn snappy() {
    run("snappy", 3_000);
}

#[test]
fn lz4() {
    run("lz4", 3_000);
}

#[test]
fn zstd() {
    run("zstd", 3_000);
}
