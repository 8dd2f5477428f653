//! Metadata.

use barnabas_broker::error_code;
use barnabas_image::MetadataImage;
use barnabas_protocol::generated::metadata_record::MetadataRecord;
use barnabas_protocol::generated::metadata_request::{MetadataRequest, MetadataRequestTopic};
use barnabas_protocol::generated::metadata_response::MetadataResponse;
use barnabas_protocol::generated::register_broker_record::{BrokerEndpoint, RegisterBrokerRecord};
use barnabas_protocol::wire::Reader;
use barnabas_protocol::Uuid;

use crate::harness::{body, name, Node, CLUSTER};

const NOT_ASKED: i32 = i32::MIN;

fn named<'a>(names: &[&'a str]) -> MetadataRequest<'a> {
    let topic = |name: &&'a str| MetadataRequestTopic { name: Some(name), topic_id: Uuid::ZERO };
    MetadataRequest {
        topics: Some(names.iter().map(topic).collect()),
        allow_auto_topic_creation: false,
        ..MetadataRequest::default()
    }
}

fn by_id<'a>(ids: &[Uuid]) -> MetadataRequest<'a> {
    let topic = |id: &Uuid| MetadataRequestTopic { name: None, topic_id: *id };
    MetadataRequest {
        topics: Some(ids.iter().map(topic).collect()),
        allow_auto_topic_creation: false,
        ..MetadataRequest::default()
    }
}

fn ask<R>(
    node: &Node,
    version: i16,
    request: &MetadataRequest<'_>,
    look: impl FnOnce(MetadataResponse<'_>) -> R,
) -> R {
    // Before version 4 there was no way to forbid it.
    let allow_auto_topic_creation = request.allow_auto_topic_creation || version < 4;
    let request = MetadataRequest { allow_auto_topic_creation, ..request.clone() };
    let handled = node.handle(3, version, |writer, version| request.encode(writer, version));
    let body = body(handled, if version >= 9 { 5 } else { 4 });
    let mut reader = Reader::new(&body);
    let response = MetadataResponse::decode(&mut reader, version).unwrap();
    assert!(reader.is_empty());
    look(response)
}

/// (error, name) of each topic.
fn topics(node: &Node, version: i16, request: &MetadataRequest<'_>) -> Vec<(i16, Option<String>)> {
    ask(node, version, request, |response| {
        let topic = |topic: &barnabas_protocol::generated::metadata_response::MetadataResponseTopic<'_>| {
            (topic.error_code, topic.name.map(str::to_string))
        };
        response.topics.iter().map(topic).collect()
    })
}

fn ok(name: &str) -> (i16, Option<String>) {
    (0, Some(name.to_string()))
}

#[test]
fn brokers_topics_and_partitions_are_told_in_every_version() {
    let mut node = Node::new();
    node.register(2);
    let id = node.topic_on("orders", &[vec![1, 2], vec![2]], &[]);
    for version in 0..=13 {
        ask(&node, version, &named(&["orders"]), |response| {
            let brokers: Vec<_> = response.brokers.iter().map(|b| (b.node_id, b.host, b.port)).collect();
            assert_eq!(brokers, [(1, "localhost", 9093), (2, "localhost", 9094)]);
            assert_eq!(response.cluster_id, (version >= 2).then_some(CLUSTER));
            assert_eq!(response.controller_id, if version >= 1 { 1 } else { -1 });
            let [topic] = &response.topics[..] else { panic!("one topic") };
            assert_eq!((topic.error_code, topic.name, topic.is_internal), (0, Some("orders"), false));
            assert_eq!(topic.topic_id, if version >= 10 { id } else { Uuid::ZERO });
            assert_eq!(topic.topic_authorized_operations, NOT_ASKED);
            let partitions: Vec<_> = topic
                .partitions
                .iter()
                .map(|p| {
                    (
                        p.error_code,
                        p.partition_index,
                        p.leader_id,
                        p.replica_nodes.clone(),
                        p.isr_nodes.clone(),
                    )
                })
                .collect();
            assert_eq!(partitions, [(0, 0, 1, vec![1, 2], vec![1, 2]), (0, 1, 2, vec![2], vec![2])]);
        });
    }
}

#[test]
fn no_list_means_all_and_an_empty_one_none_but_in_version_0() {
    let mut node = Node::new();
    node.topic("b", 1);
    node.topic("a", 1);
    let all = MetadataRequest { topics: None, ..MetadataRequest::default() };
    assert_eq!(topics(&node, 13, &all), [ok("a"), ok("b")]);
    assert_eq!(topics(&node, 1, &all), [ok("a"), ok("b")]);
    assert_eq!(topics(&node, 1, &named(&[])), []);
    assert_eq!(topics(&node, 0, &named(&[])), [ok("a"), ok("b")]);
}

#[test]
fn each_topic_is_answered_once_the_unknown_behind_the_known() {
    let mut node = Node::new();
    node.topic("a", 1);
    node.topic("b", 1);
    let long = "x".repeat(250);
    let asked = topics(&node, 12, &named(&["nothing", "b", "a b!", "a", "b", &long]));
    let unknown = (error_code::UNKNOWN_TOPIC_OR_PARTITION, Some("nothing".to_string()));
    let invalid = |name: &str| (error_code::INVALID_TOPIC_EXCEPTION, Some(name.to_string()));
    assert_eq!(asked, [ok("b"), ok("a"), unknown, invalid("a b!"), invalid(&long)]);
}

#[test]
fn ids_name_topics_from_version_12_on() {
    let mut node = Node::new();
    let id = node.topic("a", 1);
    let unknown = (error_code::UNKNOWN_TOPIC_ID, None);
    assert_eq!(topics(&node, 12, &by_id(&[id, Uuid([9; 16]), id])), [unknown, ok("a")]);
    for version in 10..=11 {
        let refused = (error_code::INVALID_REQUEST, Some(String::new()));
        assert_eq!(topics(&node, version, &by_id(&[id])), [refused]);
    }
    assert_eq!(
        topics(&node, 12, &by_id(&[Uuid::ZERO])),
        [(error_code::UNKNOWN_SERVER_ERROR, Some(String::new()))]
    );
    let both = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic { name: Some("other"), topic_id: id }]),
        ..MetadataRequest::default()
    };
    assert_eq!(topics(&node, 12, &both), [ok("a")]);
}

#[test]
fn operations_are_told_when_asked_for() {
    let mut node = Node::new();
    node.topic("a", 1);
    let asked = MetadataRequest {
        include_cluster_authorized_operations: true,
        include_topic_authorized_operations: true,
        ..named(&["a", "missing", "no/name"])
    };
    for version in 8..=10 {
        ask(&node, version, &asked, |response| {
            assert_eq!(response.cluster_authorized_operations, 8096);
            for topic in &response.topics {
                assert_eq!(topic.topic_authorized_operations, 3576, "{:?}, there or not", topic.name);
            }
        });
    }
}

#[test]
fn a_missing_topic_is_pythons_to_create_once() {
    let mut node = Node::new();
    let create = MetadataRequest { allow_auto_topic_creation: true, ..named(&["new"]) };
    let send = |node: &Node, request: &MetadataRequest<'_>| {
        name(&node.handle(3, 12, |writer, version| request.encode(writer, version)))
    };
    assert_eq!(send(&node, &create), "cold");
    assert_eq!(send(&node, &named(&["new"])), "reply");
    let invalid = MetadataRequest { allow_auto_topic_creation: true, ..named(&["a b!"]) };
    assert_eq!(send(&node, &invalid), "reply");
    node.cold_allowed = false;
    assert_eq!(send(&node, &create), "reply");
    let off = Node::with(1, |settings| settings.auto_create_topics_enable = false);
    assert_eq!(send(&off, &create), "reply");
}

#[test]
fn addresses_are_those_of_the_listener_that_the_client_came_in_by() {
    let mut node = Node::new();
    // A broker without that listener, which leads a partition.
    let endpoint = BrokerEndpoint { name: "PLAINTEXT", host: "inside", port: 9092, security_protocol: 0 };
    node.replay(MetadataRecord::RegisterBroker(RegisterBrokerRecord {
        broker_id: 3,
        end_points: vec![endpoint],
        fenced: false,
        ..RegisterBrokerRecord::default()
    }));
    node.topic_on("orders", &[vec![3, 1]], &[]);
    let outside = |version| {
        let request = named(&["orders"]);
        let handled =
            node.handle_at("OUTSIDE", 3, version, |writer, version| request.encode(writer, version));
        let body = body(handled, if version >= 9 { 5 } else { 4 });
        let response = MetadataResponse::decode(&mut Reader::new(&body), version).unwrap();
        let brokers: Vec<_> = response.brokers.iter().map(|b| (b.node_id, b.host.to_string())).collect();
        assert_eq!(brokers, [(1, "example.com".to_string())]);
        let partition = &response.topics[0].partitions[0];
        (partition.error_code, partition.leader_id, partition.offline_replicas.clone())
    };
    assert_eq!(outside(12), (error_code::LISTENER_NOT_FOUND, -1, vec![3]));
    assert_eq!(outside(5), (error_code::LEADER_NOT_AVAILABLE, -1, vec![3]));
}

#[test]
fn a_fenced_broker_is_not_shown_and_its_replicas_are_offline() {
    let mut node = Node::new();
    node.replay(MetadataRecord::RegisterBroker(RegisterBrokerRecord {
        broker_id: 3,
        fenced: true,
        ..RegisterBrokerRecord::default()
    }));
    let id = node.topic_on("orders", &[vec![1, 3]], &[]);
    ask(&node, 12, &by_id(&[id]), |response| {
        assert_eq!(response.brokers.len(), 1);
        assert_eq!(response.topics[0].partitions[0].offline_replicas, [3]);
    });
    node.change(id, 0, |change| change.leader = -1);
    ask(&node, 12, &by_id(&[id]), |response| {
        let partition = &response.topics[0].partitions[0];
        assert_eq!((partition.error_code, partition.leader_id), (error_code::LEADER_NOT_AVAILABLE, -1));
        assert_eq!(partition.leader_epoch, 1);
    });
}

#[test]
fn a_broker_that_knows_nothing_yet_says_so() {
    let node = Node::new();
    node.broker.apply(MetadataImage::default(), node.now);
    ask(&node, 12, &named(&[]), |response| {
        assert_eq!((response.brokers.len(), response.controller_id), (0, -1));
    });
}
