//! Heartbeats that are answered without their coordinator.

use barnabas_broker::{Handled, SteadyMember};
use barnabas_protocol::generated::consumer_group_heartbeat_request::ConsumerGroupHeartbeatRequest;
use barnabas_protocol::generated::consumer_group_heartbeat_response::ConsumerGroupHeartbeatResponse;
use barnabas_protocol::generated::heartbeat_request::HeartbeatRequest;
use barnabas_protocol::generated::heartbeat_response::HeartbeatResponse;
use barnabas_protocol::wire::Reader;

use crate::harness::{body, name, Node, START};

const SESSION_MS: i64 = 45_000;

fn member(epoch: i32, interval: Option<i32>) -> SteadyMember {
    SteadyMember {
        index: 0,
        leader_epoch: 0,
        member_id: "m".to_string(),
        instance_id: None,
        epoch,
        heartbeat_interval_ms: interval,
        session_timeout_ms: SESSION_MS,
        connection: 1,
    }
}

fn publish(node: &Node, group: &str, member: SteadyMember) {
    node.broker.publish_steady(Some(&[]), [(group.to_string(), member)].into_iter(), node.now);
}

fn withdraw(node: &Node, groups: Option<&[&str]>) {
    node.broker.publish_steady(groups, std::iter::empty(), node.now);
}

fn classic(node: &Node, generation_id: i32, member_id: &str, instance: Option<&str>) -> Handled {
    let request = HeartbeatRequest { group_id: "g", generation_id, member_id, group_instance_id: instance };
    node.handle(12, 4, |writer, version| request.encode(writer, version))
}

fn steady() -> ConsumerGroupHeartbeatRequest<'static> {
    ConsumerGroupHeartbeatRequest {
        group_id: "c",
        member_id: "m",
        member_epoch: 7,
        rebalance_timeout_ms: -1,
        subscribed_topic_names: None,
        topic_partitions: None,
        ..ConsumerGroupHeartbeatRequest::default()
    }
}

fn consumer(node: &Node, request: &ConsumerGroupHeartbeatRequest<'_>) -> Handled {
    node.handle(68, 1, |writer, version| request.encode(writer, version))
}

/// A node that leads the coordinator's partition, with a steady member of each kind.
fn node() -> Node {
    let mut node = Node::new();
    node.topic("__consumer_offsets", 1);
    publish(&node, "g", member(3, None));
    publish(&node, "c", member(7, Some(5_000)));
    node
}

fn is_answered(handled: &Handled) -> bool {
    match name(handled) {
        "reply" => true,
        "cold" => false,
        other => panic!("{other}"),
    }
}

#[test]
fn the_heartbeats_of_steady_members_are_answered() {
    let node = node();
    for version in 0..=4 {
        let request =
            HeartbeatRequest { group_id: "g", generation_id: 3, member_id: "m", group_instance_id: None };
        let handled = node.handle(12, version, |writer, version| request.encode(writer, version));
        let body = body(handled, if version >= 4 { 5 } else { 4 });
        let mut reader = Reader::new(&body);
        let response = HeartbeatResponse::decode(&mut reader, version).unwrap();
        assert!(reader.is_empty());
        assert_eq!(response, HeartbeatResponse::default());
    }
    for version in 0..=1 {
        let handled = node.handle(68, version, |writer, version| steady().encode(writer, version));
        let body = body(handled, 5);
        let mut reader = Reader::new(&body);
        let response = ConsumerGroupHeartbeatResponse::decode(&mut reader, version).unwrap();
        assert!(reader.is_empty());
        let expected = ConsumerGroupHeartbeatResponse {
            member_id: Some("m"),
            member_epoch: 7,
            heartbeat_interval_ms: 5_000,
            ..ConsumerGroupHeartbeatResponse::default()
        };
        assert_eq!(response, expected);
    }
}

#[test]
fn whatever_says_something_else_is_the_coordinators() {
    let mut node = node();
    assert!(is_answered(&classic(&node, 3, "m", None)) && is_answered(&consumer(&node, &steady())));
    assert!(!is_answered(&classic(&node, 4, "m", None)));
    assert!(!is_answered(&classic(&node, 3, "n", None)));
    assert!(!is_answered(&classic(&node, 3, "m", Some("i"))));
    let changed: [ConsumerGroupHeartbeatRequest<'_>; 9] = [
        ConsumerGroupHeartbeatRequest { group_id: "g", member_epoch: 3, ..steady() },
        ConsumerGroupHeartbeatRequest { member_epoch: -1, ..steady() },
        ConsumerGroupHeartbeatRequest { instance_id: Some("i"), ..steady() },
        ConsumerGroupHeartbeatRequest { rack_id: Some("r"), ..steady() },
        ConsumerGroupHeartbeatRequest { rebalance_timeout_ms: 1, ..steady() },
        ConsumerGroupHeartbeatRequest { subscribed_topic_names: Some(vec![]), ..steady() },
        ConsumerGroupHeartbeatRequest { subscribed_topic_regex: Some(""), ..steady() },
        ConsumerGroupHeartbeatRequest { server_assignor: Some("range"), ..steady() },
        ConsumerGroupHeartbeatRequest { topic_partitions: Some(vec![]), ..steady() },
    ];
    for request in &changed {
        assert!(!is_answered(&consumer(&node, request)), "{request:?}");
    }
    node.connection = 2;
    assert!(!is_answered(&classic(&node, 3, "m", None)), "the client may be another now");
}

#[test]
fn withdrawn_groups_are_the_coordinators_and_what_was_heard_is_known_on() {
    let mut node = node();
    node.now = START + 1_000;
    assert!(is_answered(&classic(&node, 3, "m", None)));
    assert_eq!(node.broker.last_heartbeat("g", "m"), Some(START + 1_000));
    withdraw(&node, Some(&["g", "unknown"]));
    node.now = START + 2_000;
    assert!(!is_answered(&classic(&node, 3, "m", None)));
    assert!(is_answered(&consumer(&node, &steady())));
    assert_eq!(node.broker.last_heartbeat("g", "m"), Some(START + 1_000));
    withdraw(&node, None);
    assert!(!is_answered(&consumer(&node, &steady())));
    publish(&node, "g", member(4, None));
    assert!(is_answered(&classic(&node, 4, "m", None)));
    assert_eq!(node.broker.last_heartbeat("g", "m"), Some(START + 2_000));
    assert_eq!(node.broker.last_heartbeat("g", "n"), None);
}

#[test]
fn a_member_that_was_silent_for_too_long_is_the_coordinators() {
    let mut node = node();
    node.now = START + SESSION_MS + 1;
    assert!(!is_answered(&classic(&node, 3, "m", None)));
    assert_eq!(node.broker.last_heartbeat("g", "m"), Some(START));
}

#[test]
fn another_leadership_knows_no_steady_members() {
    let mut node = Node::new();
    node.register(2);
    let id = node.topic_on("__consumer_offsets", &[vec![1, 2]], &[]);
    publish(&node, "g", member(3, None));
    assert!(is_answered(&classic(&node, 3, "m", None)));
    node.change(id, 0, |record| record.leader = 2);
    assert!(!is_answered(&classic(&node, 3, "m", None)));
    node.change(id, 0, |record| record.leader = 1);
    assert!(!is_answered(&classic(&node, 3, "m", None)), "led again, but by another epoch");
    publish(&node, "g", SteadyMember { leader_epoch: 2, ..member(3, None) });
    assert!(is_answered(&classic(&node, 3, "m", None)));
}

#[test]
fn members_that_are_gone_are_forgotten() {
    let mut node = node();
    let many = |generation: i32| {
        (0..1_000).map(move |number| {
            let member_id = format!("{generation}-{number}");
            (format!("group-{}", number % 10), SteadyMember { member_id, ..member(generation, None) })
        })
    };
    node.broker.publish_steady(Some(&[]), many(1), node.now);
    assert_eq!(node.broker.last_heartbeat("group-7", "1-7"), Some(START));
    node.now = START + SESSION_MS + 1;
    for generation in 2..4 {
        node.broker.publish_steady(Some(&[]), many(generation), node.now);
    }
    assert_eq!(node.broker.last_heartbeat("group-7", "1-7"), None);
    assert_eq!(node.broker.last_heartbeat("group-7", "2-7"), Some(node.now));
}
