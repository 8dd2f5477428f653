//! Everything in a topic, from its beginning, as fast as it comes.

use std::time::Instant;

use barnabas_protocol::batch::{batches, BatchError};

use crate::arguments::Arguments;
use crate::client::Client;
use crate::error::LoadError;
use crate::figures::{cpu_seconds, Figures};
use crate::frames;

const MIB: f64 = 1_048_576.0;
const PARTITION_BYTES: i32 = 1 << 20;

#[derive(Debug, Default)]
struct Seen {
    records: u64,
    bytes: u64,
    damaged: u64,
}

/// Reads the topic `--loops` times; `--check 1` computes checksums.
pub(crate) fn run(arguments: &Arguments) -> Result<Figures, LoadError> {
    let topic = arguments.text("topic")?;
    let check = arguments.number("check", 0)? == 1;
    let mut client = Client::of(arguments)?;
    let partitions = client.partitions(topic)?;
    let (begun, cpu, mut seen) = (Instant::now(), cpu_seconds(), Seen::default());
    for _ in 0..arguments.number("loops", 1)? {
        let mut places: Vec<(i32, i64)> = partitions.iter().map(|index| (*index, 0)).collect();
        while !places.is_empty() {
            let response = client.call(&frames::fetch(topic, &places, PARTITION_BYTES)?)?;
            for fetched in frames::fetched(&response)? {
                let Some(at) = places.iter().position(|(index, _)| *index == fetched.partition) else {
                    continue;
                };
                places[at].1 = seen.note(fetched.records, places[at].1, check)?;
                if places[at].1 >= fetched.high_watermark {
                    places.swap_remove(at);
                }
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let mut figures = Figures::default();
    figures.add("seconds", seconds);
    figures.add("records", seen.records as f64);
    figures.add("records_per_s", seen.records as f64 / seconds);
    figures.add("mib", seen.bytes as f64 / MIB);
    figures.add("mib_per_s", seen.bytes as f64 / MIB / seconds);
    figures.add("damaged", seen.damaged as f64);
    figures.add("load_cpu_s", cpu_seconds() - cpu);
    Ok(figures)
}

impl Seen {
    /// Counts what is in `bytes`; the offset to go on from. The last batch may be cut off.
    fn note(&mut self, bytes: &[u8], from: i64, check: bool) -> Result<i64, LoadError> {
        let mut next = from;
        for batch in batches(bytes) {
            let batch = match batch {
                Err(BatchError::Truncated { .. }) => break,
                batch => batch?,
            };
            next = batch.header.next_offset();
            self.records += batch.header.records_count as u64;
            self.bytes += batch.bytes.len() as u64;
            self.damaged += u64::from(check && !batch.crc_is_valid());
        }
        Ok(next)
    }
}
