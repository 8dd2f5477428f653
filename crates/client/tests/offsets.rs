//! What a consumer asks brokers for where partitions begin and end, and what it makes of their answers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use barnabas_client::assignment::{Assignment, Start};
use barnabas_client::cluster::{Cluster, ClusterConfig};
use barnabas_client::fetch_session::Partition;
use barnabas_client::fetcher::{Fetcher, FetcherConfig};
use barnabas_client::link::Links;
use barnabas_client::ClientError;
use barnabas_protocol::api::ApiKey;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::fetch_response::FetchResponse;
use barnabas_protocol::generated::list_offsets_request::ListOffsetsRequest;
use barnabas_protocol::generated::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use barnabas_protocol::generated::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use barnabas_protocol::Millis;
use support::{link_config, versions, Asked, Wire};

const EARLIEST: i64 = -2;
const LATEST: i64 = -1;

/// A consumer, and the one broker of a cluster with topics `a` and `b`: partition n begins at n and ends at 10 + n.
struct Run {
    fetcher: Fetcher,
    assignment: Assignment,
    wire: Wire,
    now: Millis,
    /// How many questions each ListOffsets had.
    asked: Vec<usize>,
    /// What the broker says instead of offsets.
    error: ErrorCode,
}

fn partition(topic: &str, index: i32) -> Partition {
    (Arc::from(topic), index)
}

impl Run {
    fn new(reset: Start) -> Run {
        let bootstrap = vec![("h".to_string(), 9)];
        let cluster =
            ClusterConfig { bootstrap, max_age_ms: 10_000, retry_backoff_ms: 100, auto_create: true };
        let config = FetcherConfig {
            fetch_min_bytes: 1,
            fetch_max_bytes: 1,
            fetch_max_wait_ms: 1,
            max_partition_fetch_bytes: 1,
            read_committed: false,
            check_crcs: true,
            client_rack: String::new(),
            reset,
            retry_backoff_ms: 100,
            clock_zero: 0,
        };
        Run {
            fetcher: Fetcher::new(config, Cluster::new(cluster), Links::new(link_config()), 0),
            assignment: Assignment::new(1),
            wire: Wire::default(),
            now: 0,
            asked: Vec::new(),
            error: ErrorCode::NONE,
        }
    }

    fn until(&mut self, end: Millis) {
        while self.now < end {
            self.now += 1;
            self.fetcher.settle(self.now);
            self.fetcher.exchange(&mut self.assignment, self.now);
            self.fetcher.transmit(self.now);
            for asked in self.wire.take(self.fetcher.links(), self.now, |_| true) {
                let bytes = self.answer(&asked);
                self.fetcher.received(asked.link, &bytes, self.now);
            }
        }
    }

    fn answer(&mut self, asked: &Asked) -> Vec<u8> {
        match asked.api {
            ApiKey::ApiVersions => {
                let apis = [(ApiKey::Metadata, 12), (ApiKey::ListOffsets, 9), (ApiKey::Fetch, 12)];
                asked.answer(|writer, version| versions(&apis).encode(writer, version))
            }
            ApiKey::Metadata => metadata(asked),
            ApiKey::ListOffsets => self.list_offsets(asked),
            ApiKey::Fetch => {
                let response = FetchResponse::default();
                asked.answer(|writer, version| response.encode(writer, version))
            }
            other => panic!("{other:?} is not asked for"),
        }
    }

    /// As Apache Kafka does: topics in any order, and no answer to who names a partition twice.
    fn list_offsets(&mut self, asked: &Asked) -> Vec<u8> {
        let (body, version) = (asked.body().rest().to_vec(), asked.version);
        let mut reader = barnabas_protocol::wire::Reader::new(&body);
        let request = ListOffsetsRequest::decode(&mut reader, version).unwrap();
        let mut topics: BTreeMap<&str, BTreeMap<i32, ListOffsetsPartitionResponse>> = BTreeMap::new();
        let mut count = 0;
        for topic in &request.topics {
            for one in &topic.partitions {
                count += 1;
                let begins = i64::from(one.partition_index);
                let offset = match one.timestamp {
                    EARLIEST => begins,
                    LATEST => begins + 10,
                    other => panic!("{other} is no place of this test"),
                };
                let mut answer = ListOffsetsPartitionResponse {
                    partition_index: one.partition_index,
                    error_code: self.error.code(),
                    offset: if self.error.is_error() { -1 } else { offset },
                    ..Default::default()
                };
                let told = topics.entry(topic.name).or_default();
                if told.contains_key(&one.partition_index) {
                    (answer.error_code, answer.offset) = (ErrorCode::INVALID_REQUEST.code(), -1);
                }
                told.insert(one.partition_index, answer);
            }
        }
        self.asked.push(count);
        let topics = topics.into_iter().rev().map(|(name, partitions)| ListOffsetsTopicResponse {
            name,
            partitions: partitions.into_values().rev().collect(),
        });
        let response = ListOffsetsResponse { topics: topics.collect(), ..Default::default() };
        asked.answer(|writer, version| response.encode(writer, version))
    }
}

fn metadata(asked: &Asked) -> Vec<u8> {
    let partition =
        |partition_index| MetadataResponsePartition { partition_index, leader_id: 1, ..Default::default() };
    let topic = |name| MetadataResponseTopic {
        name: Some(name),
        partitions: (0..3).map(partition).collect(),
        ..Default::default()
    };
    let broker = MetadataResponseBroker { node_id: 1, host: "h", port: 9, rack: None };
    let topics = ["a", "b"].into_iter().map(topic).collect();
    let response = MetadataResponse { brokers: vec![broker], topics, ..Default::default() };
    asked.answer(|writer, version| response.encode(writer, version))
}

#[test]
fn partitions_of_all_topics_begin_with_one_request() {
    let mut run = Run::new(Start::Earliest);
    let all = ["a", "b"].into_iter().flat_map(|topic| (0..3).map(move |index| partition(topic, index)));
    run.assignment.assign(all.map(|partition| (partition, None)).collect(), Start::Earliest);
    run.until(50);
    let found = run.assignment.partitions().map(|((topic, index), slot)| (&**topic, *index, slot.position));
    let expected =
        ["a", "b"].into_iter().flat_map(|topic| (0..3).map(move |i| (topic, i, Some(i64::from(i)))));
    assert!(found.eq(expected));
    assert_eq!(run.asked, [6]);
}

#[test]
fn questions_about_a_partition_that_has_to_begin_are_answered_one_after_the_other() {
    let mut run = Run::new(Start::Latest);
    let one = partition("a", 2);
    run.assignment.assign(vec![(one.clone(), None)], Start::Latest);
    let end = run.assignment.look_up(one.clone(), Start::Latest);
    let beginning = run.assignment.look_up(one.clone(), Start::Earliest);
    run.until(50);
    assert_eq!(run.assignment.get(&one).unwrap().position, Some(12));
    assert_eq!(run.assignment.take_lookup(end), Some(Ok(Some((12, -1)))));
    assert_eq!(run.assignment.take_lookup(beginning), Some(Ok(Some((2, -1)))));
    assert_eq!(run.asked, [1, 1, 1]);
}

#[test]
fn what_a_broker_refuses_for_good_is_asked_for_once() {
    let mut run = Run::new(Start::Latest);
    run.error = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    let one = partition("a", 2);
    run.assignment.assign(vec![(one.clone(), None)], Start::Latest);
    run.until(500);
    assert_eq!(run.asked, [1]);
    let error = run.assignment.take().0.unwrap().unwrap_err();
    assert!(
        matches!(error, ClientError::Broker { code: ErrorCode::TOPIC_AUTHORIZATION_FAILED, .. }),
        "{error}"
    );
    // Who reads on in spite of that asks again.
    run.until(1_000);
    assert_eq!(run.asked, [1, 1]);
}

#[test]
fn a_refusal_is_told_until_the_consumer_is_let_in() {
    let mut run = Run::new(Start::Latest);
    run.assignment.assign(vec![(partition("a", 0), None)], Start::Latest);
    run.fetcher.exchange(&mut run.assignment, 0);
    let refusal = ClientError::Tls("the certificate is another's".to_string());
    run.fetcher.links().refused(-2, refusal.clone(), 0);
    assert!(run.fetcher.exchange(&mut run.assignment, 0), "somebody may wait for that");
    assert_eq!(run.assignment.refusal.take(), Some(refusal.clone().at("h", 9)));
    assert!(!run.fetcher.exchange(&mut run.assignment, 0));
    assert_eq!(run.assignment.refusal, None);
    run.fetcher.links().refused(-2, refusal, 0);
    run.fetcher.exchange(&mut run.assignment, 0);
    assert!(run.assignment.refusal.is_some());
    run.until(50);
    assert_eq!(run.assignment.refusal, None);
    assert_eq!(run.assignment.get(&partition("a", 0)).unwrap().position, Some(10));
}
