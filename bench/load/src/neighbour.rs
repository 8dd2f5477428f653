//! Somebody else on the same disk: a file that is written and synced over and over.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::time::Instant;

use crate::arguments::Arguments;
use crate::error::LoadError;
use crate::figures::Figures;

const CHUNK_BYTES: usize = 4 << 20;
/// Written between two syncs, and the size of the file.
const CHUNKS: usize = 16;

/// Writes `--file` for `--seconds`.
pub(crate) fn run(arguments: &Arguments) -> Result<Figures, LoadError> {
    let seconds: f64 = arguments.number("seconds", 20.0)?;
    let mut file = File::create(arguments.text("file")?)?;
    let (chunk, begun, mut written) = (vec![b'n'; CHUNK_BYTES], Instant::now(), 0_usize);
    while begun.elapsed().as_secs_f64() < seconds {
        file.seek(SeekFrom::Start(0))?;
        for _ in 0..CHUNKS {
            file.write_all(&chunk)?;
            written += CHUNK_BYTES;
        }
        file.sync_data()?;
    }
    let mut figures = Figures::default();
    figures.add("mib_per_s", written as f64 / 1_048_576.0 / begun.elapsed().as_secs_f64());
    Ok(figures)
}
