//! The generated structs as the rest of the workspace uses them.
#![allow(clippy::unwrap_used)]

use barnabas_protocol::generated::fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData};
use barnabas_protocol::generated::metadata_record::MetadataRecord;
use barnabas_protocol::generated::produce_request::ProduceRequest;
use barnabas_protocol::generated::schemas;
use barnabas_protocol::generated::topic_record::TopicRecord;
use barnabas_protocol::table::{self, Value};
use barnabas_protocol::wire::{DecodeError, EncodeError, Reader, Records, Writer};
use barnabas_protocol::{TopicId, Uuid};

fn fetch_response(records: [Records<'_>; 3]) -> FetchResponse<'_> {
    let partition = |(index, records)| PartitionData {
        partition_index: index as i32,
        high_watermark: 7,
        last_stable_offset: 7,
        records,
        ..PartitionData::default()
    };
    let partitions = records.into_iter().enumerate().map(partition).collect();
    let topic = FetchableTopicResponse { topic: "orders", partitions, ..FetchableTopicResponse::default() };
    FetchResponse { responses: vec![topic], ..FetchResponse::default() }
}

#[test]
fn external_records_and_records_in_memory_give_the_same_bytes() {
    let pieces = [vec![1; 300], vec![], vec![2; 5]];
    let in_memory = fetch_response([0, 1, 2].map(|i: usize| Records::Bytes(&pieces[i])));
    let external = fetch_response(
        [0, 1, 2].map(|i: usize| Records::External { index: i as u32, length: pieces[i].len() }),
    );
    for version in [4, 11, 12] {
        let (mut whole, mut parts) = (Writer::new(), Writer::new());
        in_memory.encode(&mut whole, version).unwrap();
        external.encode(&mut parts, version).unwrap();
        let mut joined = Vec::new();
        let mut from = 0;
        for splice in &parts.splices {
            joined.extend_from_slice(&parts.bytes[from..splice.position]);
            joined.extend_from_slice(&pieces[splice.index as usize]);
            assert_eq!(splice.length, pieces[splice.index as usize].len());
            from = splice.position;
        }
        joined.extend_from_slice(&parts.bytes[from..]);
        assert_eq!(joined, whole.bytes, "version {version}");
        let decoded = FetchResponse::decode(&mut Reader::new(&whole.bytes), version).unwrap();
        assert_eq!(decoded.responses[0].partitions[0].records, Records::Bytes(&pieces[0]));
    }
}

#[test]
fn what_is_decoded_borrows_from_the_frame() {
    let schema = schemas::request(barnabas_protocol::api::ApiKey::Produce);
    let mut writer = Writer::new();
    table::encode(schema, 9, &&Value::defaults(schema.root), &mut writer).unwrap();
    let request = ProduceRequest::decode(&mut Reader::new(&writer.bytes), 9).unwrap();
    assert_eq!(request, ProduceRequest::default());
    assert!(matches!(
        ProduceRequest::decode(&mut Reader::new(&writer.bytes), 2),
        Err(DecodeError::Version { message: "ProduceRequest", version: 2, lowest: 3, highest: 13 })
    ));
}

#[test]
fn a_name_where_the_version_wants_an_id_is_refused_unless_it_may_get_lost() {
    let response = fetch_response([Records::Null; 3]);
    // The topic's name is ignorable: the id says the same.
    assert_eq!(response.encode(&mut Writer::new(), 13), Ok(()));
    let request = barnabas_protocol::generated::metadata_request::MetadataRequest {
        topics: None,
        ..Default::default()
    };
    let refused = request.encode(&mut Writer::new(), 0);
    assert_eq!(refused, Err(EncodeError::Null { field: "MetadataRequest.Topics", version: 0 }));
}

#[test]
fn metadata_records_are_framed_as_kafka_does() {
    let topic_id: TopicId = Uuid([7; 16]);
    let record = MetadataRecord::Topic(TopicRecord { name: "a", topic_id });
    let mut writer = Writer::new();
    record.encode(&mut writer, 0).unwrap();
    // Frame version 1, type 2, version 0, compact "a", the id, no tagged fields.
    assert_eq!(writer.bytes, [&[1, 2, 0, 2, b'a'][..], &[7; 16], &[0]].concat());
    assert_eq!(MetadataRecord::from_bytes(&writer.bytes), Ok(record.clone()));
    assert_eq!((record.name(), record.record_type(), record.highest_version()), ("TopicRecord", 2, 0));

    let unknown = DecodeError::UnknownRecord { frame_version: 1, record_type: 6 };
    assert_eq!(MetadataRecord::from_bytes(&[1, 6, 0]), Err(unknown));
    let other_frame = DecodeError::UnknownRecord { frame_version: 0, record_type: 2 };
    assert_eq!(MetadataRecord::from_bytes(&[0, 2, 0]), Err(other_frame));
    assert!(matches!(MetadataRecord::from_bytes(&[1, 2, 9]), Err(DecodeError::Version { version: 9, .. })));
    let trailing = [&writer.bytes[..], &[0]].concat();
    assert!(matches!(MetadataRecord::from_bytes(&trailing), Err(DecodeError::Trailing { count: 1, .. })));
}
