//! Small requests, as many as are answered: one kind, on so many connections, so many in flight on each.

use barnabas_protocol::batch_builder::BuilderConfig;
use barnabas_protocol::generated::api_versions_request::ApiVersionsRequest;
use barnabas_protocol::generated::heartbeat_request::HeartbeatRequest;
use barnabas_protocol::generated::heartbeat_response::HeartbeatResponse;
use barnabas_protocol::generated::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use barnabas_protocol::generated::offset_commit_response::OffsetCommitResponse;
use barnabas_protocol::wire::Reader;

use crate::arguments::Arguments;
use crate::batches::{batch, Chance, Payload};
use crate::client::Client;
use crate::closed_loop::{self, framed, Limits};
use crate::error::LoadError;
use crate::figures::{cpu_seconds, Figures};
use crate::frames::{self, request};
use crate::group::{join_frame, joined, sync_frame, HEARTBEAT_VERSION};

const OFFSET_COMMIT_VERSION: i16 = 2;

type ErrorOf = fn(&[u8]) -> Result<i16, LoadError>;

/// Asks for `--seconds`.
pub(crate) fn run(arguments: &Arguments) -> Result<Figures, LoadError> {
    let connections: usize = arguments.number("connections", 1)?;
    let (api, frames, error_of) = prepare(arguments, connections)?;
    // A frame for each connection where each is somebody of its own; the same frames for all otherwise.
    let own = matches!(api, "OffsetCommit" | "Heartbeat");
    let plan = (0..connections).map(|index| if own { vec![index] } else { (0..frames.len()).collect() });
    let limits = Limits::of(arguments.number("seconds", 4.0)?, arguments.number("depth", 1)?);
    let cpu = cpu_seconds();
    let address = arguments.text("bootstrap")?;
    let answers = closed_loop::run(address, plan.collect(), &frames, limits, framed(error_of))?;
    let mut figures = answers.figures(api)?;
    figures.add("load_cpu_s", cpu_seconds() - cpu);
    Ok(figures)
}

fn prepare(
    arguments: &Arguments,
    connections: usize,
) -> Result<(&'static str, Vec<Vec<u8>>, ErrorOf), LoadError> {
    let topic = arguments.text("topic")?;
    let each = |one: &dyn Fn(usize) -> Result<Vec<u8>, LoadError>| (0..connections).map(one).collect();
    match arguments.text("kind")? {
        "api-versions" => {
            let asked = ApiVersionsRequest::default();
            let frame = request(ApiVersionsRequest::KEY, 0, |writer| asked.encode(writer, 0))?;
            Ok(("ApiVersions", vec![frame], |_| Ok(0)))
        }
        "metadata" => Ok(("Metadata", vec![frames::metadata(topic)?], |_| Ok(0))),
        "produce" => {
            let value = Payload::Letters.value(arguments.number("record-bytes", 100)?, &mut Chance::new(77));
            let batch = batch([value.as_slice()], BuilderConfig::default())?;
            let acks = arguments.number("acks", -1)?;
            let partitions = Client::of(arguments)?.partitions(topic)?;
            let frame = |index| frames::produce(topic, index, acks, &batch, None);
            let frames = partitions.into_iter().map(frame).collect::<Result<Vec<_>, _>>()?;
            Ok(("Produce", frames, frames::produce_error))
        }
        "offset-commit" => {
            Client::of(arguments)?.partitions(topic)?;
            let frames: Result<Vec<_>, _> = each(&|index| offset_commit(&group(index), topic));
            let frames = frames?;
            let mut client = Client::of(arguments)?;
            for (index, frame) in frames.iter().enumerate() {
                client.await_coordinator(&group(index), 0)?;
                client.call_until_ready("OffsetCommit", frame, |reader| {
                    Ok((offset_commit_error(reader.rest())?, ()))
                })?;
            }
            Ok(("OffsetCommit", frames, offset_commit_error))
        }
        "heartbeat" => {
            let mut client = Client::of(arguments)?;
            let frames = (0..connections).map(|index| join(&mut client, &group(index)));
            Ok(("Heartbeat", frames.collect::<Result<_, _>>()?, heartbeat_error))
        }
        kind => Err(LoadError::Usage(format!("there is no kind '{kind}'"))),
    }
}

fn group(index: usize) -> String {
    format!("load-{}-{index}", std::process::id())
}

/// One offset, committed from outside of the group.
fn offset_commit(group_id: &str, topic: &str) -> Result<Vec<u8>, LoadError> {
    let partition = OffsetCommitRequestPartition {
        partition_index: 0,
        committed_offset: 1,
        committed_metadata: Some(""),
        ..OffsetCommitRequestPartition::default()
    };
    let topics = vec![OffsetCommitRequestTopic {
        name: topic,
        partitions: vec![partition],
        ..OffsetCommitRequestTopic::default()
    }];
    let asked = OffsetCommitRequest {
        group_id,
        generation_id_or_member_epoch: -1,
        retention_time_ms: -1,
        topics,
        ..OffsetCommitRequest::default()
    };
    let version = OFFSET_COMMIT_VERSION;
    request(OffsetCommitRequest::KEY, version, |writer| asked.encode(writer, version))
}

fn offset_commit_error(response: &[u8]) -> Result<i16, LoadError> {
    let response = OffsetCommitResponse::decode(&mut Reader::new(response), OFFSET_COMMIT_VERSION)?;
    let mut codes = response.topics.iter().flat_map(|topic| &topic.partitions).map(|one| one.error_code);
    Ok(codes.find(|code| *code != 0).unwrap_or(0))
}

/// Becomes the one member of a classic group; its heartbeat.
fn join(client: &mut Client, group_id: &str) -> Result<Vec<u8>, LoadError> {
    client.await_coordinator(group_id, 0)?;
    let answer = client.call_until_ready("JoinGroup", &join_frame(group_id, "")?, joined)?;
    let (generation_id, member_id) = (answer.generation_id, answer.member_id);
    let sync = sync_frame(group_id, generation_id, &member_id, Some(&member_id))?;
    client.call_until_ready("SyncGroup", &sync, |reader| {
        reader.i32()?;
        Ok((reader.i16()?, ()))
    })?;
    let asked =
        HeartbeatRequest { group_id, generation_id, member_id: &member_id, ..HeartbeatRequest::default() };
    request(HeartbeatRequest::KEY, HEARTBEAT_VERSION, |writer| asked.encode(writer, HEARTBEAT_VERSION))
}

fn heartbeat_error(response: &[u8]) -> Result<i16, LoadError> {
    Ok(HeartbeatResponse::decode(&mut Reader::new(response), HEARTBEAT_VERSION)?.error_code)
}
