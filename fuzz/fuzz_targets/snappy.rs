#![no_main]

#[allow(dead_code)] // Each program runs one target.
#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::snappy(data));
