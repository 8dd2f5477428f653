//! The look-up of a coordinator: by old brokers and new ones, and when it has moved or is gone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use barnabas_client::cluster::{Cluster, ClusterConfig};
use barnabas_client::coordinator::{Coordinator, Kind};
use barnabas_client::link::{Answer, Links};
use barnabas_client::ClientError;
use barnabas_protocol::api::ApiKey;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::find_coordinator_request::FindCoordinatorRequest;
use barnabas_protocol::generated::find_coordinator_response::{
    Coordinator as Found, FindCoordinatorResponse,
};
use barnabas_protocol::generated::heartbeat_request::HeartbeatRequest;
use barnabas_protocol::{Millis, NodeId};
use support::{link_config, versions, Asked, Wire};

#[derive(Debug, PartialEq)]
enum Purpose {
    Coordinator,
    Heartbeat,
}

/// A client that wants nothing but its coordinator, and a cluster whose coordinator is `node`.
struct Run {
    cluster: Cluster,
    links: Links<Purpose>,
    coordinator: Coordinator,
    wire: Wire,
    now: Millis,
    version: i16,
    node: NodeId,
    error: ErrorCode,
    asked: Vec<(Millis, String)>,
    refused: Option<ClientError>,
}

impl Run {
    fn new(version: i16, kind: Kind) -> Run {
        let bootstrap = vec![("h".to_string(), 9)];
        let config =
            ClusterConfig { bootstrap, max_age_ms: 10_000, retry_backoff_ms: 100, auto_create: true };
        let (cluster, mut links) = (Cluster::new(config), Links::new(link_config()));
        cluster.bootstrap(&mut links, 0);
        Run {
            cluster,
            links,
            coordinator: Coordinator::new(kind, "g", 100),
            wire: Wire::default(),
            now: 0,
            version,
            node: 7,
            error: ErrorCode::NONE,
            asked: Vec::new(),
            refused: None,
        }
    }

    fn until(&mut self, end: Millis) -> Option<NodeId> {
        let mut node = None;
        while self.now < end {
            self.now += 1;
            let now = self.now;
            node = self.coordinator.step(&mut self.cluster, &mut self.links, || Purpose::Coordinator, now);
            self.links.expire(now);
            for answer in self.links.take_lost() {
                self.answered(&answer);
            }
            for asked in self.wire.take(&mut self.links, now, |_| true) {
                let bytes = self.answer(&asked);
                for answer in self.links.received(asked.link, &bytes, now) {
                    self.answered(&answer);
                }
            }
        }
        node
    }

    fn answered(&mut self, answer: &Answer<Purpose>) {
        let now = self.now;
        match answer.purpose {
            Purpose::Coordinator => {
                if let Err(error) = self.coordinator.answered(answer, &mut self.links, now) {
                    self.refused = Some(error);
                }
            }
            Purpose::Heartbeat => {
                assert!(self.coordinator.refused(answer, ErrorCode::NETWORK_EXCEPTION, now));
            }
        }
    }

    fn answer(&mut self, asked: &Asked) -> Vec<u8> {
        if asked.api == ApiKey::ApiVersions {
            let apis = [(ApiKey::FindCoordinator, self.version), (ApiKey::Heartbeat, 4)];
            return asked.answer(|writer, version| versions(&apis).encode(writer, version));
        }
        let request = FindCoordinatorRequest::decode(&mut asked.body(), asked.version).unwrap();
        let key = request.coordinator_keys.first().map_or(request.key, |key| key);
        self.asked.push((self.now, format!("{} {key}", request.key_type)));
        let error_code = self.error.code();
        let response = match asked.version {
            0..4 => FindCoordinatorResponse {
                error_code,
                node_id: self.node,
                host: "c",
                port: 1,
                ..Default::default()
            },
            _ => {
                let node_id = self.node;
                let one = Found { key, node_id, host: "c", port: 1, error_code, ..Default::default() };
                FindCoordinatorResponse { coordinators: vec![one], ..Default::default() }
            }
        };
        asked.answer(|writer, version| response.encode(writer, version))
    }
}

#[test]
fn it_has_a_connection_of_its_own_with_brokers_of_all_times() {
    for version in [0, 1, 3, 4, 6] {
        let mut run = Run::new(version, Kind::Group);
        run.links.set_address(7, "c", 1, 0);
        let node = run.until(20).unwrap();
        assert!(node != 7 && Some(node) == run.coordinator.node(), "{node}");
        assert_eq!(run.asked.len(), 1);
        assert_eq!(run.asked[0].1, "0 g");
    }
    let mut run = Run::new(6, Kind::Transaction);
    run.until(20);
    assert_eq!(run.asked[0].1, "1 g");
}

#[test]
fn errors_that_pass_are_asked_through_at_the_pace_of_the_backoff() {
    let mut run = Run::new(6, Kind::Group);
    run.error = ErrorCode::COORDINATOR_NOT_AVAILABLE;
    assert_eq!(run.until(350), None);
    assert_eq!(run.asked.len(), 4, "{:?}", run.asked);
    run.error = ErrorCode::NONE;
    assert!(run.until(450).is_some());
    assert_eq!(run.refused, None);
}

#[test]
fn an_error_that_does_not_pass_is_told() {
    let mut run = Run::new(6, Kind::Group);
    run.error = ErrorCode::GROUP_AUTHORIZATION_FAILED;
    run.until(20);
    let Some(ClientError::Broker { code, message }) = run.refused else { panic!("told nothing") };
    assert_eq!(code, ErrorCode::GROUP_AUTHORIZATION_FAILED);
    assert!(message.contains("group g"), "{message}");
}

#[test]
fn one_that_has_moved_is_found_where_it_is_now() {
    let mut run = Run::new(6, Kind::Group);
    let first = run.until(20).unwrap();
    run.node = 8;
    let frame = None;
    let answer = Answer { node: first, version: 0, purpose: Purpose::Heartbeat, frame };
    assert!(!run.coordinator.refused(&answer, ErrorCode::UNKNOWN_MEMBER_ID, run.now));
    assert!(run.coordinator.refused(&answer, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, run.now));
    assert_eq!(run.coordinator.node(), Some(first));
    assert!(run.coordinator.refused(&answer, ErrorCode::NOT_COORDINATOR, run.now));
    let second = run.until(200).unwrap();
    assert_eq!(second, first + 1);
    // A late word of the first one changes nothing.
    assert!(run.coordinator.refused(&answer, ErrorCode::NOT_COORDINATOR, run.now));
    assert_eq!(run.coordinator.node(), Some(second));
}

#[test]
fn one_that_is_gone_is_looked_for_again() {
    let mut run = Run::new(6, Kind::Group);
    let first = run.until(20).unwrap();
    let body = HeartbeatRequest { group_id: "g", member_id: "m", ..Default::default() };
    let api = (ApiKey::Heartbeat, 4);
    let encode = |writer: &mut _| body.encode(writer, 4);
    run.links.send(20, first, api, Some(Purpose::Heartbeat), &[], encode).unwrap();
    run.node = 8;
    run.wire.cut(&mut run.links, first, 20);
    assert_eq!(run.until(200), Some(first + 1));
    // Without a request on the way it is noticed too.
    run.node = 9;
    run.wire.cut(&mut run.links, first + 1, 200);
    assert_eq!(run.until(400), Some(first + 2));
}
