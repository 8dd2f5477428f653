//! OffsetCommits that are written without their coordinator.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use barnabas_broker::{CoordinatorRead, Handled, LentGroup, SteadyMember, TakenBack};
use barnabas_protocol::generated::offset_commit_key::OffsetCommitKey;
use barnabas_protocol::generated::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use barnabas_protocol::generated::offset_commit_response::OffsetCommitResponse;
use barnabas_protocol::generated::offset_commit_value::OffsetCommitValue;
use barnabas_protocol::wire::Reader;
use barnabas_protocol::Uuid;
use proptest::prelude::*;

use crate::harness::{body, name, Node, START};

const KEY: i16 = 8;
const OFFSETS: &str = "__consumer_offsets";
const SESSION_MS: i64 = 45_000;

/// A node that leads the coordinator's partition and two topics.
struct Lending {
    node: Node,
    orders: Uuid,
    other: Uuid,
}

fn lending() -> Lending {
    let mut node = Node::new();
    node.topic(OFFSETS, 1);
    let (orders, other) = (node.topic("orders", 2), node.topic("other", 1));
    Lending { node, orders, other }
}

impl Lending {
    fn group(&self) -> LentGroup {
        LentGroup {
            index: 0,
            partitions: 1,
            leader_epoch: 0,
            empty: true,
            classic: true,
            metadata_bytes_max: 10,
            topics: vec![self.orders],
        }
    }

    fn lend(&self, group_id: &str, group: LentGroup) {
        self.node.broker.lend_groups([(group_id.to_string(), group)].into_iter());
    }

    /// Publishes the member "m" of the group "g".
    fn steady(&self, epoch: i32, interval: Option<i32>, instance: Option<&str>) {
        let member = SteadyMember {
            index: 0,
            leader_epoch: 0,
            member_id: "m".to_string(),
            instance_id: instance.map(str::to_string),
            epoch,
            heartbeat_interval_ms: interval,
            session_timeout_ms: SESSION_MS,
            connection: 1,
        };
        self.node.broker.publish_steady(Some(&[]), [("g".to_string(), member)].into_iter(), self.node.now);
    }

    /// A plain commit to the first partition of "orders", from outside of the group "g".
    fn plain(&self, offset: i64) -> OffsetCommitRequest<'static> {
        OffsetCommitRequest {
            group_id: "g",
            generation_id_or_member_epoch: -1,
            topics: vec![topic("orders", self.orders, &[(0, offset)])],
            ..OffsetCommitRequest::default()
        }
    }

    fn by_member(&self, epoch: i32) -> OffsetCommitRequest<'static> {
        OffsetCommitRequest { member_id: "m", generation_id_or_member_epoch: epoch, ..self.plain(1) }
    }

    fn commit(&self, request: &OffsetCommitRequest<'_>, version: i16) -> Handled {
        self.node.handle(KEY, version, |writer, version| request.encode(writer, version))
    }

    /// Whether the commit was written; else it is the coordinator's.
    fn written(&self, request: &OffsetCommitRequest<'_>) -> bool {
        match name(&self.commit(request, 9)) {
            "reply" => true,
            "cold" => false,
            other => panic!("{other}"),
        }
    }

    fn log(&self) -> CoordinatorRead {
        self.node.broker.read_as_coordinator(OFFSETS, 0, 0, 1 << 20).unwrap()
    }

    /// Where the log ends, which does so at `offset` or behind it.
    fn end(&self, mut offset: i64) -> i64 {
        loop {
            let read = self.node.broker.read_as_coordinator(OFFSETS, 0, offset, 1 << 20).unwrap();
            if read.records.is_empty() {
                return read.next_offset;
            }
            offset = read.next_offset;
        }
    }
}

fn topic(name: &'static str, topic_id: Uuid, partitions: &[(i32, i64)]) -> OffsetCommitRequestTopic<'static> {
    let partition = |(partition_index, committed_offset): &(i32, i64)| OffsetCommitRequestPartition {
        partition_index: *partition_index,
        committed_offset: *committed_offset,
        committed_leader_epoch: 4,
        committed_metadata: Some("note"),
    };
    OffsetCommitRequestTopic { name, topic_id, partitions: partitions.iter().map(partition).collect() }
}

/// (offset in the log, group, topic, partition, committed offset) of each record.
fn rows(read: &CoordinatorRead) -> Vec<(i64, String, String, i32, i64)> {
    let row = |record: &barnabas_broker::CoordinatorRecord| {
        let (key, value) = (record.key.clone().unwrap(), record.value.clone().unwrap());
        let (mut key, mut value) = (Reader::new(&read.bytes[key]), Reader::new(&read.bytes[value]));
        assert_eq!((key.i16().unwrap(), value.i16().unwrap()), (1, 4));
        let key = OffsetCommitKey::decode(&mut key, 0).unwrap();
        let value = OffsetCommitValue::decode(&mut value, 4).unwrap();
        assert_eq!((record.producer_id, record.control), (-1, None));
        (record.offset, key.group.to_string(), key.topic.to_string(), key.partition, value.offset)
    };
    read.records.iter().map(row).collect()
}

#[test]
fn a_plain_commit_is_written_and_answered_in_all_versions() {
    let lending = lending();
    lending.lend("g", lending.group());
    for version in 2..=10 {
        let mut request = lending.plain(version.into());
        request.topics = vec![topic("orders", lending.orders, &[(1, version.into()), (0, 7)])];
        let body = body(lending.commit(&request, version), if version >= 8 { 5 } else { 4 });
        let mut reader = Reader::new(&body);
        let response = OffsetCommitResponse::decode(&mut reader, version).unwrap();
        assert!(reader.is_empty());
        let [topic] = &response.topics[..] else { panic!("{response:?}") };
        let named = if version >= 10 { ("", lending.orders) } else { ("orders", Uuid::ZERO) };
        assert_eq!((topic.name, topic.topic_id), named);
        let codes = topic.partitions.iter().map(|one| (one.partition_index, one.error_code));
        assert_eq!(codes.collect::<Vec<_>>(), [(1, 0), (0, 0)]);
    }
    let back = lending.node.broker.take_back_groups(0, &["g"]);
    assert_eq!(back.count, 18);
    let row = |at, index, offset| (at, "g".to_string(), "orders".to_string(), index, offset);
    assert_eq!(rows(&back.newest), [row(16, 1, 10), row(17, 0, 7)]);
    assert_eq!(rows(&lending.log()).len(), 18);
    assert_eq!(lending.node.broker.take_back_groups(0, &["g", "h"]), TakenBack::default());
}

#[test]
fn the_record_says_all_that_the_request_does() {
    let lending = lending();
    lending.lend("g", lending.group());
    assert!(lending.written(&lending.plain(5)));
    let log = lending.log();
    let record = &log.records[0];
    assert_eq!(record.timestamp, START);
    let value = &log.bytes[record.value.clone().unwrap()];
    let value = OffsetCommitValue::decode(&mut Reader::new(&value[2..]), 4).unwrap();
    let expected = OffsetCommitValue {
        offset: 5,
        leader_epoch: 4,
        metadata: "note",
        commit_timestamp: START,
        expire_timestamp: -1,
        topic_id: lending.orders,
    };
    assert_eq!(value, expected);
}

#[test]
fn whatever_is_not_plain_is_the_coordinators() {
    let lending = lending();
    assert!(!lending.written(&lending.plain(1)), "nothing is lent");
    lending.lend("g", lending.group());
    let plain = || lending.plain(1);
    let to = |topics| OffsetCommitRequest { topics, ..plain() };
    let mut noted = plain();
    noted.topics[0].partitions[0].committed_metadata = Some("eleven byte");
    let both = vec![topic("orders", lending.orders, &[(0, 1)]), topic("other", lending.other, &[(0, 1)])];
    for request in [
        OffsetCommitRequest { group_id: "h", ..plain() },
        OffsetCommitRequest { generation_id_or_member_epoch: 0, member_id: "m", ..plain() },
        to(vec![]),
        to(vec![topic("orders", lending.orders, &[])]),
        to(vec![topic("orders", lending.orders, &[(2, 1)])]),
        to(vec![topic("unknown", lending.orders, &[(0, 1)])]),
        to(both),
        noted,
    ] {
        assert!(!lending.written(&request), "{request:?}");
    }
    let kept_for_long = OffsetCommitRequest { retention_time_ms: 1, ..plain() };
    assert_eq!(name(&lending.commit(&kept_for_long, 4)), "cold");
    let mut by_unknown_id = plain();
    by_unknown_id.topics[0].topic_id = Uuid([9; 16]);
    assert_eq!(name(&lending.commit(&by_unknown_id, 10)), "cold");
    assert_eq!(lending.log(), CoordinatorRead::default());
    assert!(lending.written(&plain()));
}

#[test]
fn classic_members_commit_while_they_are_steady_and_live_on_by_it() {
    let mut lending = lending();
    lending.lend("g", LentGroup { empty: false, ..lending.group() });
    assert!(!lending.written(&lending.by_member(3)), "nobody has heard of it");
    lending.steady(3, None, Some("i"));
    let by_instance =
        |epoch| OffsetCommitRequest { group_instance_id: Some("i"), ..lending.by_member(epoch) };
    let (right, late) = (by_instance(3), by_instance(2));
    let (other, stranger) = (lending.by_member(3), lending.plain(1));
    lending.node.now = START + 1_000;
    assert!(lending.written(&right));
    assert_eq!(lending.node.broker.last_heartbeat("g", "m"), Some(START + 1_000));
    lending.node.now = START + 2_000;
    for wrong in [&late, &other, &stranger] {
        assert!(!lending.written(wrong), "{wrong:?}");
    }
    lending.node.connection = 2;
    assert!(!lending.written(&right), "the client may be another now");
    lending.node.connection = 1;
    lending.node.now = START + 1_001 + SESSION_MS;
    assert!(!lending.written(&right), "its session is over");
    assert_eq!(lending.node.broker.last_heartbeat("g", "m"), Some(START + 1_000));
}

#[test]
fn members_with_epochs_commit_while_they_are_steady() {
    let mut lending = lending();
    lending.lend("g", LentGroup { empty: false, classic: false, ..lending.group() });
    lending.steady(7, Some(5_000), None);
    lending.node.now = START + 1_000;
    let request = lending.by_member(7);
    assert!(lending.written(&request));
    assert!(lending.written(&OffsetCommitRequest { group_instance_id: Some("i"), ..lending.by_member(7) }));
    assert_eq!(name(&lending.commit(&request, 8)), "cold", "older clients know no member epochs");
    assert!(!lending.written(&lending.by_member(6)));
    assert_eq!(lending.node.broker.last_heartbeat("g", "m"), Some(START), "they live on by heartbeats alone");
}

#[test]
fn what_is_taken_back_or_forgotten_is_the_coordinators() {
    let lending = lending();
    for group in ["g", "h"] {
        lending.lend(group, lending.group());
    }
    assert!(lending.written(&lending.plain(1)));
    lending.node.broker.forget_lent_groups(1);
    assert!(lending.written(&lending.plain(2)), "another partition's");
    lending.node.broker.forget_lent_groups(0);
    assert!(!lending.written(&lending.plain(3)));
    assert_eq!(lending.node.broker.take_back_groups(0, &["g", "h"]), TakenBack::default());
    lending.lend("g", lending.group());
    assert!(lending.written(&lending.plain(4)));
    assert_eq!(lending.node.broker.take_back_groups(0, &["g"]).count, 1);
    assert!(!lending.written(&lending.plain(5)));
    assert_eq!(rows(&lending.log()).len(), 3);
}

#[test]
fn another_leadership_has_lent_nothing() {
    let mut lending = lending();
    lending.lend("g", LentGroup { leader_epoch: 1, ..lending.group() });
    assert!(!lending.written(&lending.plain(1)));
    lending.lend("h", lending.group());
    let id = lending.node.image.topics.by_name(OFFSETS).unwrap().id;
    lending.node.change(id, 0, |record| record.leader = -1);
    assert!(!lending.written(&OffsetCommitRequest { group_id: "h", ..lending.plain(1) }));
    assert!(!lending.node.broker.may_lend_groups(0));
}

#[test]
fn what_would_have_to_wait_is_the_coordinators() {
    let mut lending = lending();
    assert!(lending.node.broker.may_lend_groups(0));
    lending.lend("g", lending.group());
    lending.node.config(OFFSETS, "barnabas.durability", Some("fsync"));
    lending.node.apply();
    assert!(!lending.written(&lending.plain(1)));
    assert!(!lending.node.broker.may_lend_groups(0));
    assert_eq!(lending.log(), CoordinatorRead::default());
}

#[test]
fn with_more_partitions_a_group_may_be_anothers() {
    let mut lending = lending();
    lending.lend("g", lending.group());
    assert!(lending.written(&lending.plain(1)));
    let id = lending.node.image.topics.by_name(OFFSETS).unwrap().id;
    lending.node.add_partition(id, 1);
    assert!(!lending.written(&lending.plain(2)));
    lending.lend("g", LentGroup { index: 1, partitions: 2, ..lending.group() });
    assert!(lending.written(&lending.plain(3)));
    assert_eq!(lending.node.broker.take_back_groups(0, &["g"]), TakenBack::default());
    assert_eq!(lending.node.broker.take_back_groups(1, &["g"]).count, 1);
}

#[test]
fn commits_of_a_deleted_topic_are_the_coordinators() {
    let mut lending = lending();
    lending.lend("g", lending.group());
    assert!(lending.written(&lending.plain(1)));
    lending.node.remove_topic(lending.orders);
    assert!(!lending.written(&lending.plain(2)));
    assert!(!lending.written(&lending.plain(2)));
}

#[test]
fn nothing_is_written_once_a_group_is_taken_back() {
    const CLIENTS: usize = 3;
    let lending = lending();
    let mut before = 0;
    for round in 0..20 {
        lending.lend("g", lending.group());
        let done = AtomicBool::new(false);
        let (back, end) = std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(
                    || while lending.written(&lending.plain(round)) && !done.load(Ordering::Relaxed) {},
                );
            }
            while lending.end(before) < before + 10 {
                std::thread::yield_now();
            }
            let back = lending.node.broker.take_back_groups(0, &["g"]);
            let end = lending.end(before);
            done.store(true, Ordering::Relaxed);
            (back, end)
        });
        assert_eq!(back.count as i64, end - before);
        assert_eq!(back.newest.records[0].offset, end - 1);
        assert_eq!(lending.end(before), end);
        before = end;
    }
}

proptest! {
    #[test]
    fn what_is_taken_back_is_the_newest_of_the_log(
        commits in proptest::collection::vec((0..3_usize, 0..2_i32, 0..3_usize), 1..40),
    ) {
        const GROUPS: [&str; 3] = ["g", "h", "i"];
        let lending = lending();
        for group in GROUPS {
            lending.lend(group, lending.group());
        }
        let mut taken: BTreeMap<(String, i32), i64> = BTreeMap::new();
        let mut count = 0;
        let mut take_back = |groups: &[&str]| {
            let back = lending.node.broker.take_back_groups(0, groups);
            count += back.count;
            for (_, group, _, index, offset) in rows(&back.newest) {
                taken.insert((group, index), offset);
            }
        };
        for (offset, (group, index, then)) in commits.iter().enumerate() {
            let mut request = lending.plain(0);
            request.group_id = GROUPS[*group];
            request.topics = vec![topic("orders", lending.orders, &[(*index, offset as i64)])];
            prop_assert!(lending.written(&request));
            if *then == 0 {
                take_back(&[GROUPS[*group]]);
                lending.lend(GROUPS[*group], lending.group());
            }
        }
        take_back(&GROUPS);
        let newest: BTreeMap<(String, i32), i64> =
            rows(&lending.log()).into_iter().map(|(_, group, _, index, offset)| ((group, index), offset)).collect();
        prop_assert_eq!(taken, newest);
        prop_assert_eq!(count, commits.len() as u64);
    }
}
