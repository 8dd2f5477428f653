//! A partition that is read from two brokers: one leads, the other may be closer (KIP-392); and leaders that come into
//! office without all that the one before them had (KIP-320): what a user has in the end is what the log has.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::VecDeque;
use std::sync::Arc;

use barnabas_client::assignment::{Assignment, Start};
use barnabas_client::cluster::{Cluster, ClusterConfig};
use barnabas_client::fetcher::{Fetcher, FetcherConfig};
use barnabas_client::link::Links;
use barnabas_client::ClientError;
use barnabas_protocol::api::ApiKey;
use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::fetch_request::FetchRequest;
use barnabas_protocol::generated::fetch_response::{
    EpochEndOffset, FetchResponse, FetchableTopicResponse, PartitionData,
};
use barnabas_protocol::generated::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use barnabas_protocol::wire::Records;
use barnabas_protocol::{LeaderEpoch, Millis, NodeId, Offset};
use proptest::prelude::*;
use support::{link_config, versions, Asked, Random, Wire};

const LEADER: NodeId = 1;
const FOLLOWER: NodeId = 2;

/// A consumer of one partition, and the two brokers that have it.
struct Run {
    random: Random,
    fetcher: Fetcher,
    assignment: Assignment,
    wire: Wire,
    now: Millis,
    answers: VecDeque<(Millis, NodeId, Vec<u8>)>,
    /// Epoch and value of each record.
    log: Vec<(LeaderEpoch, u64)>,
    epoch: LeaderEpoch,
    leader: NodeId,
    /// Whom the leader names.
    closest: Option<NodeId>,
    /// Records that the follower has.
    follower_has: usize,
    /// Whom fetches went to, without repetitions.
    asked: Vec<NodeId>,
    /// What the user has read, and what it was told.
    seen: Vec<u64>,
    errors: Vec<ClientError>,
    reset: Start,
}

impl Run {
    fn new(seed: u64, reset: Start) -> Run {
        let bootstrap = vec![("h".to_string(), 9)];
        let cluster = ClusterConfig { bootstrap, max_age_ms: 1_000, retry_backoff_ms: 10, auto_create: true };
        let config = FetcherConfig {
            fetch_min_bytes: 1,
            fetch_max_bytes: 1,
            fetch_max_wait_ms: 1,
            max_partition_fetch_bytes: 1,
            read_committed: false,
            check_crcs: true,
            client_rack: "here".to_string(),
            reset,
            retry_backoff_ms: 10,
            clock_zero: 0,
        };
        let mut assignment = Assignment::new(1_000);
        assignment.assign(vec![((Arc::from("t"), 0), Some(Start::Offset(0)))], reset);
        Run {
            random: Random(seed | 1),
            fetcher: Fetcher::new(config, Cluster::new(cluster), Links::new(link_config()), 0),
            assignment,
            wire: Wire::default(),
            now: 0,
            answers: VecDeque::new(),
            log: Vec::new(),
            epoch: 0,
            leader: LEADER,
            closest: None,
            follower_has: usize::MAX,
            asked: Vec::new(),
            seen: Vec::new(),
            errors: Vec::new(),
            reset,
        }
    }

    fn write(&mut self, count: u64) {
        for _ in 0..count {
            self.log.push((self.epoch, self.random.0));
            self.random.below(2);
        }
    }

    /// Another leader, which has only so many records.
    fn elect(&mut self, kept: usize) {
        self.log.truncate(kept);
        self.epoch += 1;
        self.leader = if self.leader == LEADER { FOLLOWER } else { LEADER };
    }

    fn run(&mut self, time: Millis) {
        for _ in 0..time {
            self.now += 1;
            self.fetcher.settle(self.now);
            self.fetcher.exchange(&mut self.assignment, self.now);
            self.fetcher.transmit(self.now);
            for asked in self.wire.take(self.fetcher.links(), self.now, |_| true) {
                let at = self.now + self.random.below(3) as Millis;
                let bytes = self.answer(&asked);
                self.answers.push_back((at, asked.link, bytes));
            }
            while self.answers.front().is_some_and(|(at, ..)| *at <= self.now) {
                let (_, link, bytes) = self.answers.pop_front().unwrap();
                self.fetcher.received(link, &bytes, self.now);
            }
            if self.random.one_in(3) {
                self.poll();
            }
        }
    }

    fn poll(&mut self) {
        match self.assignment.take().0 {
            Some(Ok(taken)) => {
                self.seen.truncate(taken.from as usize);
                for record in taken.batch.records() {
                    let record = record.unwrap();
                    if record.offset >= taken.from {
                        assert_eq!(record.offset as usize, self.seen.len());
                        self.seen.push(u64::from_be_bytes(record.value.unwrap().try_into().unwrap()));
                    }
                }
                let next = taken.batch.header.next_offset();
                self.assignment.advance(&taken.partition, taken.generation, next);
            }
            Some(Err(error)) => {
                if let ClientError::Truncated { divergent, .. } = error {
                    // The user goes on where the log is the same.
                    self.assignment.seek(&(Arc::from("t"), 0), Start::Offset(divergent));
                }
                self.errors.push(error);
            }
            None => {}
        }
    }

    fn answer(&mut self, asked: &Asked) -> Vec<u8> {
        match asked.api {
            ApiKey::ApiVersions => {
                let apis = [(ApiKey::Metadata, 12), (ApiKey::Fetch, 12)];
                asked.answer(|writer, version| versions(&apis).encode(writer, version))
            }
            ApiKey::Metadata => {
                let partition = MetadataResponsePartition {
                    leader_id: self.leader,
                    leader_epoch: self.epoch,
                    ..Default::default()
                };
                let topic = MetadataResponseTopic {
                    name: Some("t"),
                    partitions: vec![partition],
                    ..Default::default()
                };
                let broker =
                    |node_id: NodeId| MetadataResponseBroker { node_id, host: "h", port: 9, rack: None };
                let brokers = vec![broker(LEADER), broker(FOLLOWER)];
                let response = MetadataResponse { brokers, topics: vec![topic], ..Default::default() };
                asked.answer(|writer, version| response.encode(writer, version))
            }
            _ => self.fetch(asked),
        }
    }

    fn fetch(&mut self, asked: &Asked) -> Vec<u8> {
        if self.asked.last() != Some(&asked.link) {
            self.asked.push(asked.link);
        }
        let mut body = asked.body();
        let request = FetchRequest::decode(&mut body, asked.version).unwrap();
        let mut data = PartitionData { partition_index: 0, ..Default::default() };
        let bytes;
        // No session: every request names the partition.
        if let Some(wanted) = request.topics.first().map(|topic| &topic.partitions[0]) {
            let has = if asked.link == self.leader { usize::MAX } else { self.follower_has };
            let (offset, end) = (wanted.fetch_offset as usize, self.log.len().min(has));
            let same = self.log.partition_point(|(epoch, _)| *epoch <= wanted.last_fetched_epoch);
            if wanted.current_leader_epoch < self.epoch {
                data.error_code = ErrorCode::FENCED_LEADER_EPOCH.code();
            } else if wanted.last_fetched_epoch >= 0 && same < offset {
                let epoch = self.log[..same].last().map_or(0, |(epoch, _)| *epoch);
                data.diverging_epoch = EpochEndOffset { epoch, end_offset: same as Offset };
            } else if offset > end {
                data.error_code = ErrorCode::OFFSET_OUT_OF_RANGE.code();
            } else if let Some(closest) =
                self.closest.filter(|&closest| asked.link == self.leader && closest != self.leader)
            {
                data.preferred_read_replica = closest;
            } else {
                bytes = self.batch(offset, end);
                data.records = Records::Bytes(&bytes);
            }
        }
        let topic = FetchableTopicResponse { topic: "t", partitions: vec![data], ..Default::default() };
        let response = FetchResponse { responses: vec![topic], ..Default::default() };
        asked.answer(|writer, version| response.encode(writer, version))
    }

    /// A batch of the next few records, which are of one epoch.
    fn batch(&mut self, offset: usize, end: usize) -> Vec<u8> {
        let count = 1 + self.random.below(4) as usize;
        let Some(&(leader_epoch, _)) = self.log.get(offset).filter(|_| offset < end) else {
            return Vec::new();
        };
        let config = BuilderConfig { base_offset: offset as Offset, leader_epoch, ..Default::default() };
        let mut builder = BatchBuilder::new(config);
        let rest = self.log[offset..end].iter().take(count).take_while(|(epoch, _)| *epoch == leader_epoch);
        for (_, value) in rest {
            builder.append(5, None, Some(&value.to_be_bytes()), &[]).unwrap();
        }
        builder.finish().unwrap()
    }

    fn values(&self) -> Vec<u64> {
        self.log.iter().map(|(_, value)| *value).collect()
    }

    fn assert_all_is_read(&mut self) {
        self.run(3_000);
        assert_eq!(self.seen, self.values());
        assert!(self.reset == Start::None || self.errors.is_empty(), "{:?}", self.errors);
    }
}

#[test]
fn the_replica_that_the_leader_names_is_read_until_it_is_named_no_more() {
    let mut run = Run::new(7, Start::Earliest);
    run.closest = Some(FOLLOWER);
    run.write(20);
    run.run(500);
    assert_eq!((run.asked.as_slice(), run.seen.len()), (&[LEADER, FOLLOWER][..], 20));
    // After metadata.max.age.ms the leader is asked again.
    run.closest = None;
    run.run(1_000);
    run.write(5);
    run.assert_all_is_read();
    assert_eq!(run.asked, [LEADER, FOLLOWER, LEADER]);
}

#[test]
fn who_reads_ahead_of_a_follower_goes_back_to_the_leader_and_begins_nowhere_anew() {
    let mut run = Run::new(9, Start::Earliest);
    run.write(10);
    run.run(100);
    run.closest = Some(FOLLOWER);
    run.follower_has = 4;
    run.run(100);
    assert!(run.asked.len() > 3, "{:?}", run.asked);
    assert_eq!(run.seen.len(), 10);
    run.follower_has = usize::MAX;
    run.write(3);
    run.assert_all_is_read();
}

#[test]
fn a_follower_that_is_gone_is_read_no_more() {
    let mut run = Run::new(11, Start::Earliest);
    run.closest = Some(FOLLOWER);
    run.write(3);
    run.run(200);
    assert_eq!(run.asked.last(), Some(&FOLLOWER));
    run.closest = None;
    run.wire.cut(run.fetcher.links(), FOLLOWER, run.now);
    run.answers.clear();
    run.write(2);
    run.assert_all_is_read();
    assert_eq!(run.asked.last(), Some(&LEADER));
}

#[test]
fn whoever_wants_to_hear_of_a_truncation_does_with_the_offset_from_which_on_the_log_differs() {
    let mut run = Run::new(13, Start::None);
    run.write(20);
    run.run(500);
    assert_eq!(run.seen.len(), 20);
    run.elect(12);
    run.write(20);
    run.assert_all_is_read();
    let [ClientError::Truncated { position: 20, divergent: 12, .. }] = run.errors[..] else {
        panic!("{:?}", run.errors)
    };
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_is_what_the_log_has_though_leaders_lose_records(
        seed in any::<u64>(),
        follows in any::<bool>(),
    ) {
        let mut run = Run::new(seed, Start::Earliest);
        run.closest = follows.then_some(FOLLOWER);
        for _ in 0..6 {
            let count = run.random.below(20);
            run.write(count);
            let time = run.random.below(120) as Millis;
            run.run(time);
            if run.random.one_in(2) {
                let kept = run.log.len() - run.random.below(run.log.len() as u64 / 2 + 1) as usize;
                run.elect(kept);
            }
        }
        run.write(5);
        run.assert_all_is_read();
    }
}
