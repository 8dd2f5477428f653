//! What is known of the cluster: brokers, leaders, leader epochs; and when to ask again.
//!
//! Always true:
//!   only topics that somebody wants are asked for and kept; a pattern wants all
//!   a partition's leader epoch never goes back while its topic stays the same (KIP-320)

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use barnabas_protocol::api::ApiKey;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::metadata_request::{MetadataRequest, MetadataRequestTopic};
use barnabas_protocol::generated::metadata_response::{
    MetadataResponse, MetadataResponsePartition, MetadataResponseTopic,
};
use barnabas_protocol::{LeaderEpoch, Millis, NodeId, TopicId};

use crate::coordinator::is_coordinator_link;
use crate::link::{Answer, Links};

/// Nobody leads the partition, as far as is known.
pub const NO_NODE: NodeId = -1;
/// The first bootstrap address; the others count down from it.
const FIRST_BOOTSTRAP: NodeId = -2;

/// A partition as the metadata has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// Its leader, or [`NO_NODE`].
    pub leader: NodeId,
    /// Epoch of the leader, or -1 where the broker does not say.
    pub leader_epoch: LeaderEpoch,
}

/// A topic as the metadata has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its id; zero where brokers give none.
    pub id: TopicId,
    /// What the broker said of it last.
    pub error: ErrorCode,
    /// Its partitions by number; none while it is not known.
    pub partitions: Vec<Partition>,
    /// Brokers with a replica of each; none where no broker tells its rack, for nobody asks then.
    pub replicas: Vec<Vec<NodeId>>,
}

/// How metadata is kept fresh.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// Hosts and ports of `bootstrap.servers`.
    pub bootstrap: Vec<(String, u16)>,
    /// `metadata.max.age.ms`.
    pub max_age_ms: Millis,
    /// `retry.backoff.ms`: two refreshes are at least so far apart.
    pub retry_backoff_ms: Millis,
    /// Whether brokers may create topics that are asked for.
    pub auto_create: bool,
}

/// The cluster as far as this client has to know it.
#[derive(Debug)]
pub struct Cluster {
    config: ClusterConfig,
    topics: BTreeMap<String, Option<Topic>>,
    /// Whether all topics there are are asked for.
    all: bool,
    /// When the next refresh is due.
    refresh_at: Millis,
    /// The earliest time for a refresh that somebody asks for.
    refresh_not_before: Millis,
    in_flight: bool,
    /// Something was wanted while an answer was on its way that will not tell of it.
    unasked: bool,
    /// Where the search for a node begins, so that all are tried in turn.
    turn: usize,
    controller: NodeId,
    /// `broker.rack` of those that tell it.
    racks: BTreeMap<NodeId, Arc<str>>,
}

impl Cluster {
    /// Nothing is known but the bootstrap addresses.
    pub fn new(config: ClusterConfig) -> Cluster {
        Cluster {
            config,
            topics: BTreeMap::new(),
            all: false,
            refresh_at: 0,
            refresh_not_before: 0,
            in_flight: false,
            unasked: false,
            turn: 0,
            controller: NO_NODE,
            racks: BTreeMap::new(),
        }
    }

    /// Gives the bootstrap addresses to the connections.
    pub fn bootstrap<P>(&self, links: &mut Links<P>, now: Millis) {
        for (node, (host, port)) in (0..).map(|index| FIRST_BOOTSTRAP - index).zip(&self.config.bootstrap) {
            links.set_address(node, host, *port, now);
        }
    }

    /// Keeps the topic in the metadata from now on.
    pub fn want(&mut self, topic: &str, now: Millis) {
        if !self.topics.contains_key(topic) {
            self.topics.insert(topic.to_string(), None);
            self.unasked = true;
            // What is asked for the first time need not wait for the backoff.
            self.refresh_at = now;
        }
    }

    /// Keeps all topics that there are in the metadata from now on.
    pub fn want_all(&mut self, now: Millis) {
        if !self.all {
            (self.all, self.unasked) = (true, true);
            self.refresh_at = now;
        }
    }

    /// Asks again soon: something was not as the metadata said.
    pub fn refresh(&mut self, now: Millis) {
        self.refresh_at = self.refresh_at.min(now.max(self.refresh_not_before));
    }

    /// `metadata.max.age.ms`.
    pub fn max_age_ms(&self) -> Millis {
        self.config.max_age_ms
    }

    /// The controller, or the broker that stands for it; [`NO_NODE`] while none is known.
    pub fn controller(&self) -> NodeId {
        self.controller
    }

    /// The racks in which each partition of a topic has a replica; None where no broker tells its rack.
    pub fn racks_of(&self, topic: &Topic) -> Option<Vec<BTreeSet<Arc<str>>>> {
        let racks =
            |nodes: &Vec<NodeId>| nodes.iter().filter_map(|node| self.racks.get(node).cloned()).collect();
        (!topic.replicas.is_empty()).then(|| topic.replicas.iter().map(racks).collect())
    }

    /// What is known of the topic; None until a broker was heard.
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name)?.as_ref()
    }

    /// The partition, if the topic is known and has it.
    pub fn partition(&self, topic: &str, partition: i32) -> Option<Partition> {
        self.topic(topic)?.partitions.get(usize::try_from(partition).ok()?).copied()
    }

    /// All topics that were asked for, with what is known.
    pub fn topics(&self) -> impl Iterator<Item = (&str, &Topic)> {
        self.topics.iter().filter_map(|(name, topic)| Some((name.as_str(), topic.as_ref()?)))
    }

    /// A broker that can be asked anything; begins to connect to one when there is none.
    pub fn any_node<P>(&mut self, links: &mut Links<P>, now: Millis) -> Option<NodeId> {
        let nodes: Vec<NodeId> = links.nodes().filter(|&node| !is_coordinator_link(node)).collect();
        let ready = nodes.iter().copied().filter(|&node| links.is_usable(node) && links.ready(node, now));
        let ready: Vec<NodeId> = ready.collect();
        if let Some(node) = ready.into_iter().min_by_key(|&node| (links.in_flight(node), -node)) {
            return Some(node);
        }
        if !nodes.is_empty() && !nodes.iter().any(|&node| links.is_usable(node)) {
            self.turn += 1;
            let turn = self.turn;
            // Brokers that have been heard of come before bootstrap addresses, which may be long gone.
            let order = (0..nodes.len()).rev().map(|index| nodes[(index + turn) % nodes.len()]);
            for node in order {
                links.ready(node, now);
                if links.is_usable(node) {
                    break;
                }
            }
        }
        None
    }

    /// Sends a refresh when one is due and somebody can be asked.
    pub fn step<P>(&mut self, links: &mut Links<P>, purpose: P, now: Millis) {
        if self.in_flight || now < self.refresh_at {
            return;
        }
        let Some(node) = self.any_node(links, now) else { return };
        let Some(version) = links.version(node, ApiKey::Metadata) else { return };
        let topics = self.topics.keys().map(|name| topic_request(name)).collect();
        let request = MetadataRequest {
            topics: (!self.all).then_some(topics),
            allow_auto_topic_creation: self.config.auto_create,
            ..Default::default()
        };
        let api = (ApiKey::Metadata, version);
        if links.send(now, node, api, Some(purpose), &[], |writer| request.encode(writer, version)).is_ok() {
            (self.in_flight, self.unasked) = (true, false);
        }
    }

    /// When [`Cluster::step`] has something to do.
    pub fn deadline(&self) -> Option<Millis> {
        (!self.in_flight).then_some(self.refresh_at)
    }

    /// Takes the answer to a refresh.
    pub fn answered<P>(&mut self, answer: &Answer<P>, links: &mut Links<P>, now: Millis) {
        self.in_flight = false;
        self.refresh_not_before = now + self.config.retry_backoff_ms;
        let response =
            answer.body().and_then(|mut reader| MetadataResponse::decode(&mut reader, answer.version).ok());
        // The cluster may be another one behind the same addresses, which asks for a new beginning (KIP-1102).
        let anew =
            |response: &MetadataResponse<'_>| response.error_code == ErrorCode::REBOOTSTRAP_REQUIRED.code();
        let Some(response) = response.filter(|response| anew(response) || !response.brokers.is_empty())
        else {
            self.refresh_at = self.refresh_not_before;
            return;
        };
        let listed = |node: NodeId| response.brokers.iter().any(|broker| broker.node_id == node);
        let is_broker = |&node: &NodeId| node >= 0 && !is_coordinator_link(node);
        for node in links.nodes().filter(is_broker).collect::<Vec<_>>() {
            if anew(&response) || !listed(node) {
                links.forget(node, now);
            }
        }
        if anew(&response) {
            self.refresh_at = self.refresh_not_before;
            return;
        }
        for broker in &response.brokers {
            if let Ok(port) = u16::try_from(broker.port) {
                links.set_address(broker.node_id, broker.host, port, now);
            }
        }
        let rack = |rack: &str| Some(Arc::from(rack)).filter(|rack: &Arc<str>| !rack.is_empty());
        let told = response.brokers.iter().filter_map(|b| Some((b.node_id, b.rack.and_then(rack)?)));
        self.racks = told.collect();
        self.controller = response.controller_id;
        for name in response.topics.iter().filter_map(|topic| topic.name).filter(|_| self.all) {
            self.topics.entry(name.to_string()).or_default();
        }
        for topic in &response.topics {
            if let Some(slot) = topic.name.and_then(|name| self.topics.get_mut(name)) {
                *slot = Some(merged(slot.take(), topic, !self.racks.is_empty()));
            }
        }
        let incomplete = |topic: &Option<Topic>| match topic {
            Some(topic) => topic.error.is_error() || topic.partitions.iter().any(|p| p.leader == NO_NODE),
            None => true,
        };
        let unsettled = self.topics.values().any(incomplete);
        let again = if unsettled { self.config.retry_backoff_ms } else { self.config.max_age_ms };
        self.refresh_at = if self.unasked { now } else { now + again };
    }
}

fn topic_request(name: &str) -> MetadataRequestTopic<'_> {
    MetadataRequestTopic { name: Some(name), ..Default::default() }
}

fn merged(before: Option<Topic>, topic: &MetadataResponseTopic<'_>, keeps_replicas: bool) -> Topic {
    let error = ErrorCode(topic.error_code);
    let before = before.filter(|before| before.id == topic.topic_id || error.is_error());
    if error.is_error() {
        // What was known may still be right: the broker may be behind, or the error pass.
        let (partitions, replicas) =
            before.map(|before| (before.partitions, before.replicas)).unwrap_or_default();
        return Topic { id: topic.topic_id, error, partitions, replicas };
    }
    let count = topic.partitions.iter().map(|p| p.partition_index.saturating_add(1)).max().unwrap_or(0).max(0)
        as usize;
    let unknown = Partition { leader: NO_NODE, leader_epoch: -1 };
    // A count that the array has no elements for is a lie that must not cost memory.
    let mut partitions = vec![unknown; count.min(topic.partitions.len())];
    let mut replicas = vec![Vec::new(); if keeps_replicas { partitions.len() } else { 0 }];
    for partition in &topic.partitions {
        let index = partition.partition_index as usize;
        let known = before.as_ref().and_then(|before| before.partitions.get(index)).copied();
        if let Some(slot) = partitions.get_mut(index) {
            *slot = newer(known, partition);
        }
        if let Some(slot) = replicas.get_mut(index) {
            slot.clone_from(&partition.replica_nodes);
        }
    }
    Topic { id: topic.topic_id, error, partitions, replicas }
}

fn newer(known: Option<Partition>, partition: &MetadataResponsePartition) -> Partition {
    match known {
        Some(known) if known.leader_epoch > partition.leader_epoch && partition.leader_epoch >= 0 => known,
        _ => Partition { leader: partition.leader_id, leader_epoch: partition.leader_epoch },
    }
}
