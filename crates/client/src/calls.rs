//! Requests of those who ask now and then: Admin, tools, services. Finds whom to ask, in which version, and asks
//! again when a connection was lost.
//!
//! Always true:
//!   every call gets exactly one outcome: an answer, or why there is none by its deadline
//!   an answer may hold errors of the protocol: those are the caller's, who knows what they mean
//!   a call whose connection was lost is sent again: whoever makes one can bear that it is done twice

use std::collections::BTreeMap;

use barnabas_protocol::api::ApiKey;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::{Millis, NodeId};

use crate::cluster::{Cluster, NO_NODE};
use crate::error::ClientError;
use crate::link::{Answer, Chunk, Links};

/// Calls to one broker that may be without an answer. It works on one after the other, and each has its time-out.
const IN_FLIGHT_MAX: usize = 5;

/// Who is to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Whoever is there.
    Any,
    /// One broker.
    Node(NodeId),
    /// The active controller, or who stands for it.
    Controller,
}

/// A request's body in each version that it may be sent in, from the lowest on; or why it can't be written in one.
pub type Body = Vec<(i16, Result<Chunk, String>)>;

/// A request to be sent.
#[derive(Debug, Clone)]
pub struct NewCall {
    /// What is asked.
    pub api: ApiKey,
    /// Who is asked.
    pub target: Target,
    /// With what.
    pub body: Body,
    /// When it is given up.
    pub deadline: Millis,
}

/// A broker's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Who answered.
    pub node: NodeId,
    /// In which version.
    pub version: i16,
    /// The frame; its body begins at `at`.
    pub frame: Vec<u8>,
    /// See `frame`.
    pub at: usize,
}

/// What became of a call.
pub type Outcome = Result<Answered, ClientError>;

/// What a request on the wire was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The metadata.
    Metadata,
    /// A call.
    Call(u64),
}

#[derive(Debug)]
struct Call {
    call: NewCall,
    /// Not to be sent before, for it was lost.
    not_before: Millis,
    /// How often it was lost.
    losses: u32,
    is_sent: bool,
}

/// How long to wait before the next attempt.
#[derive(Debug, Clone)]
pub struct CallsConfig {
    /// `retry.backoff.ms`.
    pub retry_backoff_ms: Millis,
    /// `retry.backoff.max.ms`.
    pub retry_backoff_max_ms: Millis,
}

/// All calls of a client.
#[derive(Debug)]
pub struct Calls {
    config: CallsConfig,
    cluster: Cluster,
    links: Links<Purpose>,
    calls: BTreeMap<u64, Call>,
    done: Vec<(u64, Outcome)>,
}

impl Calls {
    /// None yet.
    pub fn new(config: CallsConfig, cluster: Cluster, mut links: Links<Purpose>, now: Millis) -> Calls {
        cluster.bootstrap(&mut links, now);
        Calls { config, cluster, links, calls: BTreeMap::new(), done: Vec::new() }
    }

    /// The connections, for the owner of sockets.
    pub fn links(&mut self) -> &mut Links<Purpose> {
        &mut self.links
    }

    /// Takes a call; the number is the caller's.
    pub fn add(&mut self, id: u64, call: NewCall) {
        self.calls.insert(id, Call { call, not_before: 0, losses: 0, is_sent: false });
    }

    /// Nobody waits for the call any more.
    pub fn cancel(&mut self, id: u64) {
        self.calls.remove(&id);
    }

    /// Something was not where the metadata says: asks for it anew.
    pub fn refresh(&mut self, now: Millis) {
        self.cluster.refresh(now);
    }

    /// What is done since the last call.
    pub fn take_done(&mut self) -> Vec<(u64, Outcome)> {
        std::mem::take(&mut self.done)
    }

    /// Takes bytes of a broker.
    pub fn received(&mut self, node: NodeId, bytes: &[u8], now: Millis) {
        for answer in self.links.received(node, bytes, now) {
            self.answered(answer, now);
        }
    }

    /// Sends what can be sent, gives up what is late.
    pub fn step(&mut self, now: Millis) {
        self.links.expire(now);
        for answer in self.links.take_lost() {
            self.answered(answer, now);
        }
        self.expire(now);
        if let Some(refusal) = self.links.take_refusal() {
            self.refused(&refusal);
        }
        self.cluster.step(&mut self.links, Purpose::Metadata, now);
        let waiting = self.calls.iter().filter(|(_, call)| !call.is_sent && call.not_before <= now);
        for id in waiting.map(|(&id, _)| id).collect::<Vec<_>>() {
            self.send(id, now);
        }
    }

    /// When [`Calls::step`] has something to do, if nothing happens before.
    pub fn deadline(&self, now: Millis) -> Option<Millis> {
        let of_call = |call: &Call| match call.is_sent || call.not_before <= now {
            true => call.call.deadline,
            false => call.not_before.min(call.call.deadline),
        };
        let calls = self.calls.values().map(of_call).min();
        // The metadata is refreshed for calls; without any, it may become old.
        let cluster = self.cluster.deadline().filter(|&at| at > now && !self.calls.is_empty());
        [calls, cluster, self.links.deadline(now)].into_iter().flatten().min()
    }

    fn answered(&mut self, answer: Answer<Purpose>, now: Millis) {
        let id = match answer.purpose {
            Purpose::Metadata => return self.cluster.answered(&answer, &mut self.links, now),
            Purpose::Call(id) => id,
        };
        let Some((frame, at)) = answer.frame else { return self.lost(id, now) };
        if self.calls.remove(&id).is_some() {
            self.done.push((id, Ok(Answered { node: answer.node, version: answer.version, frame, at })));
        }
    }

    /// The call's connection is gone: it is sent again, perhaps to another broker.
    fn lost(&mut self, id: u64, now: Millis) {
        self.cluster.refresh(now);
        let Some(call) = self.calls.get_mut(&id) else { return };
        let backoff = self.config.retry_backoff_ms << call.losses.min(16);
        call.losses += 1;
        call.not_before = now + backoff.min(self.config.retry_backoff_max_ms);
        call.is_sent = false;
    }

    fn expire(&mut self, now: Millis) {
        let late = self.calls.iter().filter(|(_, call)| call.call.deadline <= now);
        for id in late.map(|(&id, _)| id).collect::<Vec<_>>() {
            let Some(call) = self.calls.remove(&id) else { continue };
            let name = call.call.api.name();
            let asked = if call.is_sent { "is not answered yet" } else { "could not be sent" };
            let about = match (call.is_sent, call.call.target, self.links.problem()) {
                (false, _, Some(problem)) => format!(": {problem}"),
                (false, Target::Node(node), None) => format!(": broker {node} is not to be found"),
                _ => String::new(),
            };
            self.done.push((id, Err(ClientError::Timeout(format!("{name} {asked}{about}")))));
        }
    }

    /// A broker does not let this client in: who waits would wait in vain.
    fn refused(&mut self, refusal: &ClientError) {
        let waiting = self.calls.iter().filter(|(_, call)| !call.is_sent);
        for id in waiting.map(|(&id, _)| id).collect::<Vec<_>>() {
            self.calls.remove(&id);
            self.done.push((id, Err(refusal.clone())));
        }
    }

    /// The broker to ask, connected and with room for a request.
    fn node(&mut self, target: Target, now: Millis) -> Option<NodeId> {
        let node = match target {
            Target::Any => return self.cluster.any_node(&mut self.links, now),
            Target::Node(node) => node,
            Target::Controller => self.cluster.controller(),
        };
        if node == NO_NODE || !self.links.nodes().any(|known| known == node) {
            self.cluster.refresh(now);
            return None;
        }
        self.links.ready(node, now).then_some(node)
    }

    fn send(&mut self, id: u64, now: Millis) {
        let Some(call) = self.calls.get(&id) else { return };
        let Some(node) = self.node(call.call.target, now) else { return };
        if self.links.in_flight(node) >= IN_FLIGHT_MAX {
            return;
        }
        let Some(call) = self.calls.get_mut(&id) else { return };
        let api = call.call.api;
        let range = self.links.range(node, api);
        match chosen(&call.call, range) {
            Ok((version, body)) => {
                let sent =
                    self.links.send(now, node, (api, version), Some(Purpose::Call(id)), &[], |writer| {
                        writer.bytes.extend_from_slice(body);
                        Ok(())
                    });
                call.is_sent = sent.is_ok();
            }
            Err(error) => {
                self.calls.remove(&id);
                self.done.push((id, Err(error)));
            }
        }
    }
}

/// The highest version that both sides speak, and the body in it.
fn chosen(call: &NewCall, range: Option<(i16, i16)>) -> Result<(i16, &Chunk), ClientError> {
    let unsupported =
        |message: String| Err(ClientError::Broker { code: ErrorCode::UNSUPPORTED_VERSION, message });
    let name = call.api.name();
    let Some((lowest, highest)) = range else {
        return unsupported(format!(
            "the broker does not serve {name}: it is older than that, or the feature is not enabled"
        ));
    };
    let common = call.body.iter().rev().find(|(version, _)| (lowest..=highest).contains(version));
    match common {
        Some((version, Ok(body))) => Ok((*version, body)),
        Some((version, Err(error))) => unsupported(format!(
            "the broker serves {name} up to version {version}, which can't say this: {error}"
        )),
        None => {
            let ours = |end: Option<&(i16, _)>| end.map_or(-1, |(version, _)| *version);
            let (first, last) = (ours(call.body.first()), ours(call.body.last()));
            unsupported(format!(
                "the broker serves versions {lowest} to {highest} of {name}, and this takes {first} to {last}"
            ))
        }
    }
}
