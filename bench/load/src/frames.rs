//! Requests with their length and header, and what is read from responses.

use barnabas_protocol::generated::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use barnabas_protocol::generated::fetch_response::FetchResponse;
use barnabas_protocol::generated::metadata_request::{MetadataRequest, MetadataRequestTopic};
use barnabas_protocol::generated::metadata_response::MetadataResponse;
use barnabas_protocol::generated::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use barnabas_protocol::generated::produce_response::ProduceResponse;
use barnabas_protocol::wire::{EncodeError, Reader, Records, Writer};

use crate::error::LoadError;

const CLIENT_ID: &str = "barnabas-load";
const PRODUCE_VERSION: i16 = 7;
const FETCH_VERSION: i16 = 11;
const METADATA_VERSION: i16 = 4;
const PRODUCE_TIMEOUT_MS: i32 = 30_000;
const FETCH_WAIT_MS_MAX: i32 = 500;
const FETCH_BYTES_MAX: i32 = 52_428_800;

/// A frame with an inflexible header.
pub(crate) fn request(
    api_key: i16,
    version: i16,
    body: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
) -> Result<Vec<u8>, LoadError> {
    let mut writer = Writer::new();
    writer.i32(0);
    writer.i16(api_key);
    writer.i16(version);
    writer.i32(1);
    writer.string(false, CLIENT_ID)?;
    body(&mut writer)?;
    let mut bytes = writer.into_bytes();
    let length = (bytes.len() - 4) as i32;
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    Ok(bytes)
}

/// Metadata of one topic.
pub(crate) fn metadata(topic: &str) -> Result<Vec<u8>, LoadError> {
    let topics = vec![MetadataRequestTopic { name: Some(topic), ..MetadataRequestTopic::default() }];
    let asked = MetadataRequest { topics: Some(topics), ..MetadataRequest::default() };
    request(MetadataRequest::KEY, METADATA_VERSION, |writer| asked.encode(writer, METADATA_VERSION))
}

/// The partitions of the one topic asked for, if all have leaders.
pub(crate) fn led_partitions(response: &[u8]) -> Result<Option<Vec<i32>>, LoadError> {
    let response = MetadataResponse::decode(&mut Reader::new(response), METADATA_VERSION)?;
    let Some(topic) = response.topics.first() else { return Ok(None) };
    let led = topic.partitions.iter().all(|partition| partition.error_code == 0 && partition.leader_id >= 0);
    if topic.error_code != 0 || topic.partitions.is_empty() || !led {
        return Ok(None);
    }
    Ok(Some(topic.partitions.iter().map(|partition| partition.partition_index).collect()))
}

/// One batch to one partition.
pub(crate) fn produce(
    topic: &str,
    partition: i32,
    acks: i16,
    batch: &[u8],
    transactional_id: Option<&str>,
) -> Result<Vec<u8>, LoadError> {
    let data = PartitionProduceData { index: partition, records: Records::Bytes(batch) };
    let topic = TopicProduceData { name: topic, partition_data: vec![data], ..TopicProduceData::default() };
    let asked =
        ProduceRequest { transactional_id, acks, timeout_ms: PRODUCE_TIMEOUT_MS, topic_data: vec![topic] };
    request(ProduceRequest::KEY, PRODUCE_VERSION, |writer| asked.encode(writer, PRODUCE_VERSION))
}

/// First error code of a response to [`produce`].
pub(crate) fn produce_error(response: &[u8]) -> Result<i16, LoadError> {
    let response = ProduceResponse::decode(&mut Reader::new(response), PRODUCE_VERSION)?;
    let partitions = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    Ok(partitions.map(|partition| partition.error_code).find(|code| *code != 0).unwrap_or(0))
}

/// Records of these partitions from these offsets on, without a session.
pub(crate) fn fetch(topic: &str, offsets: &[(i32, i64)], partition_bytes: i32) -> Result<Vec<u8>, LoadError> {
    let partition = |(partition, fetch_offset): &(i32, i64)| FetchPartition {
        partition: *partition,
        current_leader_epoch: -1,
        fetch_offset: *fetch_offset,
        log_start_offset: -1,
        partition_max_bytes: partition_bytes,
        ..FetchPartition::default()
    };
    let partitions = offsets.iter().map(partition).collect();
    let asked = FetchRequest {
        replica_id: -1,
        max_wait_ms: FETCH_WAIT_MS_MAX,
        min_bytes: 1,
        max_bytes: FETCH_BYTES_MAX,
        session_epoch: -1,
        topics: vec![FetchTopic { topic, partitions, ..FetchTopic::default() }],
        ..FetchRequest::default()
    };
    request(FetchRequest::KEY, FETCH_VERSION, |writer| asked.encode(writer, FETCH_VERSION))
}

/// What a Fetch has brought of one partition.
pub(crate) struct Fetched<'a> {
    pub(crate) partition: i32,
    pub(crate) high_watermark: i64,
    pub(crate) records: &'a [u8],
}

/// Partition by partition.
pub(crate) fn fetched(response: &[u8]) -> Result<Vec<Fetched<'_>>, LoadError> {
    let response = FetchResponse::decode(&mut Reader::new(response), FETCH_VERSION)?;
    LoadError::of("Fetch", response.error_code)?;
    let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
    partitions
        .map(|data| {
            LoadError::of("Fetch", data.error_code)?;
            Ok(Fetched {
                partition: data.partition_index,
                high_watermark: data.high_watermark,
                records: data.records.bytes().unwrap_or(&[]),
            })
        })
        .collect()
}
