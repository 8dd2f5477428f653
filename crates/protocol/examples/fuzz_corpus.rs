//! Writes the seeds of the fuzz targets to fuzz/corpus/<target>/seed-<name>, and removes seeds that are no more:
//! `cargo run -p barnabas-protocol --example fuzz_corpus`. What fuzzing has found lies beside them and stays.

#![allow(clippy::disallowed_methods, clippy::expect_used)] // A tool, not the broker.

#[allow(dead_code)]
#[path = "../../../fuzz/seeds.rs"]
mod seeds;
#[allow(dead_code)]
#[path = "../../../fuzz/targets.rs"]
mod targets;

use std::fs;
use std::path::Path;

fn main() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (target, _) in targets::TARGETS {
        let directory = corpus.join(target);
        fs::create_dir_all(&directory).expect("the corpus can be written");
        for entry in fs::read_dir(&directory).expect("the corpus can be read") {
            let path = entry.expect("the corpus can be read").path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("seed-")) {
                fs::remove_file(path).expect("a seed can be removed");
            }
        }
        for (name, bytes) in seeds::seeds(target, false) {
            fs::write(directory.join(format!("seed-{name}")), bytes).expect("a seed can be written");
        }
    }
}
