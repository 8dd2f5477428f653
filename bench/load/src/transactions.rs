//! One transaction after another for each producer: AddPartitionsToTxn, Produce, EndTxn.

use std::thread;
use std::time::{Duration, Instant};

use barnabas_protocol::batch_builder::BuilderConfig;
use barnabas_protocol::generated::add_partitions_to_txn_request::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic,
};
use barnabas_protocol::generated::init_producer_id_request::InitProducerIdRequest;
use barnabas_protocol::generated::init_producer_id_response::InitProducerIdResponse;
use barnabas_protocol::wire::Reader;

use crate::arguments::Arguments;
use crate::batches::{batch, Chance, Payload};
use crate::client::Client;
use crate::error::LoadError;
use crate::figures::{cpu_seconds, Figures};
use crate::frames::{self, request};

const INIT_PRODUCER_ID_VERSION: i16 = 1;
const ADD_PARTITIONS_VERSION: i16 = 1;
const END_TXN: i16 = 26;
const END_TXN_VERSION: i16 = 1;
const TIMEOUT_MS: i32 = 60_000;
/// CONCURRENT_TRANSACTIONS: the transaction before is not over yet.
const CONCURRENT: i16 = 51;
const PAUSE: Duration = Duration::from_micros(200);

/// Runs `--producers` for `--seconds`.
pub(crate) fn run(arguments: &Arguments) -> Result<Figures, LoadError> {
    let producers: usize = arguments.number("producers", 1)?;
    let seconds: f64 = arguments.number("seconds", 8.0)?;
    let records: usize = arguments.number("records", 1)?;
    let cpu = cpu_seconds();
    let done = thread::scope(|scope| {
        let threads: Vec<_> = (0..producers)
            .map(|number| scope.spawn(move || produce(arguments, number, records, seconds)))
            .collect();
        threads
            .into_iter()
            .map(|one| one.join().map_err(|_| LoadError::Panic)?)
            .collect::<Result<Vec<_>, _>>()
    })?;
    let microseconds: Vec<u32> = done.into_iter().flatten().collect();
    let mut figures = Figures::default();
    figures.add("transactions_per_s", microseconds.len() as f64 / seconds);
    figures.add("records_per_s", (microseconds.len() * records) as f64 / seconds);
    figures.add_quantiles("transaction", microseconds);
    figures.add("load_cpu_s", cpu_seconds() - cpu);
    Ok(figures)
}

/// One producer's transactions: how long each took.
fn produce(
    arguments: &Arguments,
    number: usize,
    records: usize,
    seconds: f64,
) -> Result<Vec<u32>, LoadError> {
    let topic = arguments.text("topic")?;
    let mut client = Client::of(arguments)?;
    client.partitions(topic)?;
    let transactional_id = format!("load-{}-{number}", std::process::id());
    let (producer_id, producer_epoch) = init(&mut client, &transactional_id)?;
    let add = add_partition(&transactional_id, producer_id, producer_epoch, topic)?;
    let end = request(END_TXN, END_TXN_VERSION, |writer| {
        writer.string(false, &transactional_id)?;
        writer.i64(producer_id);
        writer.i16(producer_epoch);
        writer.bool(true);
        Ok(())
    })?;
    let mut chance = Chance::new(99 + number as u64);
    let record_bytes = arguments.number("record-bytes", 100)?;
    let values: Vec<Vec<u8>> =
        (0..records).map(|_| Payload::Letters.value(record_bytes, &mut chance)).collect();
    let mut config = BuilderConfig {
        producer_id,
        producer_epoch,
        base_sequence: 0,
        transactional: true,
        ..Default::default()
    };
    let (begun, mut microseconds) = (Instant::now(), Vec::new());
    while begun.elapsed().as_secs_f64() < seconds {
        let started = Instant::now();
        call(&mut client, "AddPartitionsToTxn", &add, add_partition_error)?;
        let batch = batch(values.iter().map(Vec::as_slice), config)?;
        let frame = frames::produce(topic, 0, -1, &batch, Some(&transactional_id))?;
        LoadError::of("Produce", frames::produce_error(&client.call(&frame)?)?)?;
        config.base_sequence += records as i32;
        call(&mut client, "EndTxn", &end, |reader| {
            reader.i32()?;
            Ok(reader.i16()?)
        })?;
        microseconds.push(started.elapsed().as_micros() as u32);
    }
    Ok(microseconds)
}

fn init(client: &mut Client, transactional_id: &str) -> Result<(i64, i16), LoadError> {
    client.await_coordinator(transactional_id, 1)?;
    let asked = InitProducerIdRequest {
        transactional_id: Some(transactional_id),
        transaction_timeout_ms: TIMEOUT_MS,
        ..InitProducerIdRequest::default()
    };
    let version = INIT_PRODUCER_ID_VERSION;
    let frame = request(InitProducerIdRequest::KEY, version, |writer| asked.encode(writer, version))?;
    client.call_until_ready("InitProducerId", &frame, |reader| {
        let response = InitProducerIdResponse::decode(reader, version)?;
        Ok((response.error_code, (response.producer_id, response.producer_epoch)))
    })
}

fn add_partition(
    transactional_id: &str,
    producer_id: i64,
    producer_epoch: i16,
    topic: &str,
) -> Result<Vec<u8>, LoadError> {
    let asked = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: transactional_id,
        v3_and_below_producer_id: producer_id,
        v3_and_below_producer_epoch: producer_epoch,
        v3_and_below_topics: vec![AddPartitionsToTxnTopic { name: topic, partitions: vec![0] }],
        ..AddPartitionsToTxnRequest::default()
    };
    let version = ADD_PARTITIONS_VERSION;
    request(AddPartitionsToTxnRequest::KEY, version, |writer| asked.encode(writer, version))
}

/// The error of the one partition.
fn add_partition_error(reader: &mut Reader<'_>) -> Result<i16, LoadError> {
    reader.i32()?;
    reader.array_length(false, 6)?;
    reader.string(false)?;
    reader.array_length(false, 6)?;
    reader.i32()?;
    Ok(reader.i16()?)
}

/// Asks until the transaction before is over.
fn call(
    client: &mut Client,
    api: &'static str,
    frame: &[u8],
    error_of: impl Fn(&mut Reader<'_>) -> Result<i16, LoadError>,
) -> Result<(), LoadError> {
    loop {
        let response = client.call(frame)?;
        match error_of(&mut Reader::new(&response))? {
            CONCURRENT => thread::sleep(PAUSE),
            code => return LoadError::of(api, code),
        }
    }
}
