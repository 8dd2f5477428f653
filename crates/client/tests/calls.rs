//! Calls: whom they go to, in which version, and what becomes of them when brokers go away.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use barnabas_client::calls::{Calls, CallsConfig, NewCall, Outcome, Target};
use barnabas_client::cluster::{Cluster, ClusterConfig};
use barnabas_client::link::Links;
use barnabas_client::ClientError;
use barnabas_protocol::api::ApiKey;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::metadata_response::{MetadataResponse, MetadataResponseBroker};
use barnabas_protocol::{Millis, NodeId};
use support::{link_config, versions, Random, Wire};

const API: ApiKey = ApiKey::DescribeGroups;

/// A client, and three brokers of which the second is the controller.
struct Run {
    calls: Calls,
    wire: Wire,
    now: Millis,
    /// What the brokers serve of [`API`].
    highest: i16,
    controller: NodeId,
    brokers: Vec<NodeId>,
    /// Of the next answer to Metadata.
    error: ErrorCode,
    /// Connection, version and body of each call that a broker has got.
    asked: Vec<(NodeId, i16, Vec<u8>)>,
    done: Vec<(u64, Outcome)>,
    chance: Option<Random>,
}

impl Run {
    fn new() -> Run {
        let bootstrap = vec![("h".to_string(), 9)];
        let cluster =
            ClusterConfig { bootstrap, max_age_ms: 10_000, retry_backoff_ms: 10, auto_create: false };
        let config = CallsConfig { retry_backoff_ms: 10, retry_backoff_max_ms: 100 };
        Run {
            calls: Calls::new(config, Cluster::new(cluster), Links::new(link_config()), 0),
            wire: Wire::default(),
            now: 0,
            highest: 3,
            controller: 2,
            brokers: vec![1, 2, 3],
            error: ErrorCode::NONE,
            asked: Vec::new(),
            done: Vec::new(),
            chance: None,
        }
    }

    /// A call whose body is its number in versions 0 to 3, with nothing to say in version 4.
    fn call(&mut self, id: u64, target: Target, timeout: Millis) {
        let mut body: Vec<_> = (0..4).map(|version| (version, Ok(Arc::new(vec![id as u8])))).collect();
        body.push((4, Err("no such field".to_string())));
        self.calls.add(id, NewCall { api: API, target, body, deadline: self.now + timeout });
    }

    fn strikes(&mut self, one_in: u64) -> bool {
        self.chance.as_mut().is_some_and(|chance| chance.one_in(one_in))
    }

    fn turn(&mut self) -> bool {
        self.calls.step(self.now);
        self.done.extend(self.calls.take_done());
        let mut chance = self.chance.clone();
        let accept = |_| !chance.as_mut().is_some_and(|chance| chance.one_in(5));
        let asked = self.wire.take(self.calls.links(), self.now, accept);
        let said = !asked.is_empty();
        for request in asked {
            let answer = match request.api {
                ApiKey::ApiVersions => {
                    let apis = [(API, self.highest), (ApiKey::Metadata, 13)];
                    request.answer(|writer, version| versions(&apis).encode(writer, version))
                }
                ApiKey::Metadata => {
                    let broker = |node_id| MetadataResponseBroker {
                        node_id,
                        host: "h",
                        port: 9,
                        ..Default::default()
                    };
                    let error_code = std::mem::replace(&mut self.error, ErrorCode::NONE).code();
                    let brokers = self.brokers.iter().copied().map(broker).collect();
                    let controller_id = self.controller;
                    let response =
                        MetadataResponse { brokers, controller_id, error_code, ..Default::default() };
                    request.answer(|writer, version| response.encode(writer, version))
                }
                _ => {
                    let body = request.body().rest().to_vec();
                    self.asked.push((request.link, request.version, body.clone()));
                    request.answer(|writer, _| {
                        writer.bytes.extend_from_slice(&body);
                        Ok(())
                    })
                }
            };
            if self.strikes(6) {
                self.wire.cut(self.calls.links(), request.link, self.now);
            } else {
                self.calls.received(request.link, &answer, self.now);
            }
        }
        self.done.extend(self.calls.take_done());
        said
    }

    /// Runs until `count` calls are done, through all pauses.
    fn run(&mut self, count: usize) {
        for _ in 0..10_000 {
            if self.turn() {
                continue;
            }
            if self.done.len() >= count {
                return;
            }
            let next = self.calls.deadline(self.now).unwrap_or(self.now + 1);
            self.now = next.max(self.now + 1);
        }
        panic!("{} of {count} calls are done", self.done.len());
    }

    fn error(&self, id: u64) -> &ClientError {
        let (_, outcome) = self.done.iter().find(|(done, _)| *done == id).unwrap();
        outcome.as_ref().unwrap_err()
    }
}

#[test]
fn a_call_goes_to_whom_it_is_for_in_the_highest_version_that_both_speak() {
    let mut run = Run::new();
    run.highest = 2;
    run.call(1, Target::Any, 1_000);
    run.run(1);
    run.call(2, Target::Controller, 1_000);
    run.call(3, Target::Node(3), 1_000);
    run.run(3);
    let mut to: Vec<_> = run.asked.iter().map(|(node, version, body)| (body[0], *node, *version)).collect();
    to.sort_unstable();
    assert_eq!(to[1..], [(2, 2, 2), (3, 3, 2)]);
    for (id, outcome) in &run.done {
        let answered = outcome.as_ref().unwrap();
        assert_eq!(answered.frame[answered.at..], [*id as u8]);
    }
}

#[test]
fn what_a_broker_can_not_be_asked_is_an_unsupported_version() {
    for (highest, expected) in [(4, "no such field"), (9, "no such field")] {
        let mut run = Run::new();
        run.highest = highest;
        run.call(1, Target::Any, 1_000);
        run.run(1);
        let ClientError::Broker { code, message } = run.error(1) else { panic!("{:?}", run.done) };
        assert_eq!(*code, ErrorCode::UNSUPPORTED_VERSION);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_node_that_is_not_to_be_found_is_a_timeout_that_names_it() {
    let mut run = Run::new();
    run.call(1, Target::Node(9), 500);
    run.run(1);
    assert_eq!(run.now, 500);
    assert_eq!(run.error(1).to_string(), "DescribeGroups could not be sent: broker 9 is not to be found");
}

#[test]
fn a_broker_that_has_left_the_cluster_is_not_asked_any_more() {
    let mut run = Run::new();
    run.call(1, Target::Node(3), 1_000);
    run.run(1);
    run.brokers = vec![1, 2];
    run.now += 1_000;
    run.calls.refresh(run.now);
    run.call(2, Target::Any, 1_000);
    run.run(2);
    run.call(3, Target::Node(3), 500);
    run.run(3);
    assert!(run.error(3).to_string().ends_with("broker 3 is not to be found"));
}

#[test]
fn a_cluster_that_wants_it_is_found_anew_from_the_bootstrap_addresses() {
    let mut run = Run::new();
    run.call(1, Target::Node(3), 1_000);
    run.run(1);
    (run.error, run.brokers) = (ErrorCode::REBOOTSTRAP_REQUIRED, vec![7]);
    run.now += 1_000;
    run.calls.refresh(run.now);
    run.call(2, Target::Node(7), 1_000);
    run.run(2);
    assert!(run.done.iter().all(|(_, outcome)| outcome.is_ok()), "{:?}", run.done);
    let known: Vec<NodeId> = run.calls.links().nodes().collect();
    assert_eq!(known, [-2, 7]);
}

#[test]
fn nobody_answers_a_call_that_was_cancelled() {
    let mut run = Run::new();
    run.call(1, Target::Any, 1_000);
    run.call(2, Target::Any, 1_000);
    run.calls.cancel(1);
    run.run(1);
    assert_eq!(run.done.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [2]);
}

#[test]
fn every_call_has_one_outcome_though_connections_break() {
    let mut answered_calls = 0;
    for seed in 1..60 {
        let mut run = Run::new();
        run.chance = Some(Random(seed));
        let targets = [Target::Any, Target::Controller, Target::Node(1), Target::Node(3), Target::Node(9)];
        for id in 1..=40 {
            let mut chance = Random(seed * 1_000 + id);
            run.highest = 3;
            run.call(id, targets[chance.below(5) as usize], 100 + chance.below(20_000) as Millis);
            if chance.one_in(3) {
                run.turn();
            }
        }
        run.run(40);
        let mut ids: Vec<u64> = run.done.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        assert_eq!(ids, (1..=40).collect::<Vec<_>>(), "seed {seed}");
        for (id, outcome) in &run.done {
            match outcome {
                Ok(answered) => assert_eq!(answered.frame[answered.at..], [*id as u8], "seed {seed}"),
                Err(ClientError::Timeout(_)) => {}
                Err(other) => panic!("seed {seed}: {other:?}"),
            }
        }
        answered_calls += run.done.iter().filter(|(_, outcome)| outcome.is_ok()).count();
    }
    assert!(answered_calls > 59 * 10, "{answered_calls} of {} calls were answered", 59 * 40);
}
