//! Compaction, seen from outside: what readers find while logs are compacted, and what is left of a pass that
//! ends early.
//!
//! `PROPTEST_CASES=10000 cargo test -p barnabas-log --test compaction` looks longer.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod check;
mod harness;
mod operations;
mod passes;
