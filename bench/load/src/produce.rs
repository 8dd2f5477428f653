//! As many records as the broker takes, in batches that were made beforehand.

use barnabas_protocol::batch_builder::BuilderConfig;

use crate::arguments::Arguments;
use crate::batches::{batch, compression, Chance, Payload};
use crate::client::Client;
use crate::closed_loop::{self, framed, Limits};
use crate::error::LoadError;
use crate::figures::{cpu_seconds, Figures};
use crate::frames;

/// Batches that differ, so that no two requests in flight carry the same bytes.
const BATCHES: usize = 8;
/// Bytes of a record without its value, about.
const RECORD_OVERHEAD: usize = 10;
const MIB: f64 = 1_048_576.0;

/// Produces `--mib` of values.
pub(crate) fn run(arguments: &Arguments) -> Result<Figures, LoadError> {
    let topic = arguments.text("topic")?;
    let record_bytes: usize = arguments.number("record-bytes", 1024)?;
    let per_batch = (arguments.number("batch-bytes", 256 << 10)? / (record_bytes + RECORD_OVERHEAD)).max(1);
    let partitions = Client::of(arguments)?.partitions(topic)?;
    let batches = make_batches(arguments, record_bytes, per_batch)?;
    let acks = arguments.number("acks", -1)?;
    let mut requests = Vec::new();
    for index in 0..BATCHES.div_ceil(partitions.len()) * partitions.len() {
        let partition = partitions[index % partitions.len()];
        requests.push(frames::produce(topic, partition, acks, &batches[index % BATCHES], None)?);
    }
    let mib: f64 = arguments.number("mib", 1024.0)?;
    let values_bytes = (per_batch * record_bytes) as f64;
    let limits = Limits {
        requests: (mib * MIB / values_bytes).ceil() as u64,
        ..Limits::of(arguments.number("seconds", 300.0)?, arguments.number("depth", 5)?)
    };
    let cpu = cpu_seconds();
    let connections = vec![(0..requests.len()).collect()];
    let answers = closed_loop::run(
        arguments.text("bootstrap")?,
        connections,
        &requests,
        limits,
        framed(frames::produce_error),
    )?;
    let records = answers.requests as f64 * per_batch as f64;
    let wire: f64 = answers
        .of_frame
        .iter()
        .enumerate()
        .map(|(index, n)| *n as f64 * batches[index % BATCHES].len() as f64)
        .sum();
    let seconds = answers.seconds;
    let mut figures = answers.figures("Produce")?;
    figures.add("records", records);
    figures.add("records_per_s", records / seconds);
    figures.add("mib", records * record_bytes as f64 / MIB);
    figures.add("mib_per_s", records * record_bytes as f64 / MIB / seconds);
    figures.add("wire_mib_per_s", wire / MIB / seconds);
    figures.add("load_cpu_s", cpu_seconds() - cpu);
    Ok(figures)
}

fn make_batches(
    arguments: &Arguments,
    record_bytes: usize,
    per_batch: usize,
) -> Result<Vec<Vec<u8>>, LoadError> {
    let payload = Payload::named(arguments.text_or("payload", "letters"))?;
    let compression = compression(arguments.text_or("compression", "none"))?;
    let config = BuilderConfig { compression, ..BuilderConfig::default() };
    let mut chance = Chance::new(0x9E37_79B9);
    (0..BATCHES)
        .map(|_| {
            let values: Vec<Vec<u8>> =
                (0..per_batch).map(|_| payload.value(record_bytes, &mut chance)).collect();
            batch(values.iter().map(Vec::as_slice), config)
        })
        .collect()
}
