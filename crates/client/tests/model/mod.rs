//! A world of members with their users, and the coordinator that they have.

mod coordinator;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use barnabas_client::assignment::{Assignment, Start};
use barnabas_client::cluster::{Cluster, ClusterConfig};
use barnabas_client::fetch_session::Partition;
use barnabas_client::group::assignors::Assignor;
use barnabas_client::group::config::{GroupConfig, Protocol};
use barnabas_client::group::desk::{Call, CallKind, Committed, Desk, Leaving, Wanted};
use barnabas_client::group::{possession, Group, Purpose as GroupPurpose, Spoken};
use barnabas_client::link::Links;
use barnabas_protocol::{Millis, NodeId};

use crate::support::{link_config, Random, Wire};
use coordinator::Coordinator;

pub(crate) const PARTITIONS: i32 = 5;
const MEMBERS: usize = 3;
const TICK_MS: Millis = 10;
pub(crate) const SESSION_MS: Millis = 1_000;
const MAX_POLL_MS: i32 = 2_000;

/// What a member's requests are for.
#[derive(Debug)]
pub(crate) enum Purpose {
    Metadata,
    Group(GroupPurpose),
}

impl Spoken for Purpose {
    fn group(purpose: GroupPurpose) -> Purpose {
        Purpose::Group(purpose)
    }
}

/// A member and its user.
struct Client {
    group: Group,
    desk: Desk,
    assignment: Assignment,
    cluster: Cluster,
    links: Links<Purpose>,
    wire: Wire,
    /// Answers on their way: when they come, on which connection.
    answers: Vec<(Millis, NodeId, Vec<u8>)>,
    /// What the user works on.
    call: Option<Call>,
    /// What the user may read, as it knows.
    mine: BTreeSet<Partition>,
    /// The user does nothing before.
    busy_until: Millis,
    /// The whole process stands still until then.
    frozen_until: Millis,
}

pub(crate) struct Model {
    protocol: Protocol,
    clients: Vec<Client>,
    coordinator: Coordinator,
    random: Random,
    now: Millis,
    faults: bool,
    /// How many commits the coordinator took.
    pub(crate) commits: u64,
    /// How many records of each partition were read.
    pub(crate) read: Vec<i64>,
}

impl Client {
    fn new(protocol: Protocol, assignor: &str, index: usize) -> Client {
        let bootstrap = vec![("h".to_string(), 9)];
        let config = ClusterConfig { bootstrap, max_age_ms: 60_000, retry_backoff_ms: 20, auto_create: true };
        let cluster = Cluster::new(config);
        let mut links = Links::new(link_config());
        cluster.bootstrap(&mut links, 0);
        let config = GroupConfig {
            group_id: "g".to_string(),
            instance_id: None,
            protocol,
            assignors: vec![Assignor::from_name(assignor).unwrap()],
            remote_assignor: None,
            rack: String::new(),
            session_timeout_ms: SESSION_MS as i32,
            heartbeat_interval_ms: 200,
            max_poll_interval_ms: MAX_POLL_MS,
            retry_backoff_ms: 30,
            exclude_internal: true,
            member_id: format!("member-{index}"),
        };
        Client {
            group: Group::new(config, Start::Offset(0)),
            desk: Desk::new("g", None),
            assignment: Assignment::new(1),
            cluster,
            links,
            wire: Wire::default(),
            answers: Vec::new(),
            call: None,
            mine: BTreeSet::new(),
            busy_until: 0,
            frozen_until: 0,
        }
    }

    fn turn(&mut self, now: Millis) {
        self.links.expire(now);
        for answer in self.links.take_lost() {
            self.answered(answer, now);
        }
        self.group.exchange(&mut self.desk, &mut self.assignment, &mut self.cluster, now);
        self.group.transmit(&mut self.cluster, &mut self.links, now);
        self.cluster.step(&mut self.links, Purpose::Metadata, now);
    }

    fn answered(&mut self, mut answer: barnabas_client::link::Answer<Purpose>, now: Millis) {
        match std::mem::replace(&mut answer.purpose, Purpose::Metadata) {
            Purpose::Metadata => self.cluster.answered(&answer, &mut self.links, now),
            Purpose::Group(purpose) => self.group.answered(answer, purpose, &mut self.links, now),
        }
    }

    fn receive(&mut self, now: Millis) {
        let (due, later): (Vec<_>, Vec<_>) = self.answers.drain(..).partition(|(at, ..)| *at <= now);
        self.answers = later;
        for (_, node, bytes) in due {
            for answer in self.links.received(node, &bytes, now) {
                self.answered(answer, now);
            }
        }
    }
}

impl Model {
    pub(crate) fn new(protocol: Protocol, assignor: &str, seed: u64) -> Model {
        Model {
            protocol,
            clients: (0..MEMBERS).map(|index| Client::new(protocol, assignor, index)).collect(),
            coordinator: Coordinator::default(),
            random: Random(seed | 1),
            now: 0,
            faults: false,
            commits: 0,
            read: vec![0; PARTITIONS as usize],
        }
    }

    /// Lets so many ticks pass.
    pub(crate) fn run(&mut self, ticks: usize, faults: bool) {
        self.faults = faults;
        for _ in 0..ticks {
            self.now += TICK_MS;
            self.coordinator.pass(self.now);
            if faults && self.random.one_in(400) {
                self.coordinator.move_away();
            }
            for index in 0..self.clients.len() {
                self.tick(index);
            }
        }
    }

    fn tick(&mut self, index: usize) {
        let now = self.now;
        let fault = self.faults;
        let client = &mut self.clients[index];
        if now < client.frozen_until {
            return;
        }
        if fault && self.random.one_in(1_500) {
            client.frozen_until = now + SESSION_MS * 3;
            return;
        }
        client.receive(now);
        self.use_it(index);
        let client = &mut self.clients[index];
        client.turn(now);
        let random = &mut self.random;
        for asked in client.wire.take(&mut client.links, now, |_| !fault || !random.one_in(20)) {
            self.coordinator.ask(index, asked, now);
        }
        for (to, link, bytes) in self.coordinator.take_answers(now) {
            let lost = fault && self.random.one_in(60);
            let client = &mut self.clients[to];
            if lost {
                client.answers.retain(|(_, node, _)| *node != link);
                client.wire.cut(&mut client.links, link, now);
                self.coordinator.forget(to, link);
            } else {
                let delay = self.random.below(3) as Millis * TICK_MS;
                // Answers on one connection keep their order.
                let last =
                    client.answers.iter().filter(|(_, node, _)| *node == link).map(|(at, ..)| *at).max();
                client.answers.push(((now + delay).max(last.unwrap_or(0)), link, bytes));
            }
        }
        self.commits = self.coordinator.commits;
    }

    /// What the user's thread does.
    fn use_it(&mut self, index: usize) {
        let now = self.now;
        let random = &mut self.random;
        let client = &mut self.clients[index];
        if now < client.busy_until {
            return;
        }
        if self.faults && random.one_in(300) {
            client.busy_until = now + random.below(MAX_POLL_MS as u64 * 2) as Millis;
            return;
        }
        if client.desk.wanted().is_none() {
            if !self.faults || random.one_in(40) {
                let topics = BTreeSet::from([Arc::from("t")]);
                client.desk.subscribe(Wanted::Topics(topics), now);
            }
        } else if self.faults && random.one_in(500) {
            client.desk.leave(Leaving::Leave);
        }
        client.desk.polled(now);
        assert_eq!(client.desk.take_error(), None);
        client.desk.take_all_committed();
        if client.call.is_none() {
            if let Some(call) = client.desk.take_call() {
                possession::begin(&call, &mut client.assignment);
                if call.kind == CallKind::Revoked {
                    self.commit(index);
                }
                self.clients[index].call = Some(call);
            } else {
                self.read(index);
            }
        } else if random.one_in(3) {
            self.called(index);
        }
    }

    fn called(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let call = client.call.take().unwrap();
        for partition in &call.partitions {
            match call.kind {
                CallKind::Assigned => assert!(client.mine.insert(partition.clone()), "{partition:?} twice"),
                _ => assert!(client.mine.remove(partition), "{partition:?} was not its"),
            }
        }
        client.desk.called();
        if call.kind == CallKind::Assigned {
            self.assert_single_owners(index, &call.partitions);
        }
    }

    /// Nobody else that the coordinator still knows has what this member got.
    fn assert_single_owners(&self, index: usize, got: &BTreeSet<Partition>) {
        if !self.coordinator.is_current(index, &self.identity(index)) {
            return;
        }
        for other in (0..self.clients.len()).filter(|&other| other != index) {
            let mut shared = self.clients[other].mine.intersection(got).peekable();
            let known = self.coordinator.is_current(other, &self.identity(other));
            assert!(shared.peek().is_none() || !known, "{:?} has {:?} too", other, shared.next());
        }
    }

    fn identity(&self, index: usize) -> (i32, String) {
        let metadata = self.clients[index].desk.metadata().unwrap();
        (metadata.generation, metadata.member_id.clone())
    }

    /// Reads a record of a partition, and commits now and then.
    fn read(&mut self, index: usize) {
        let random = &mut self.random;
        let client = &mut self.clients[index];
        let mine: Vec<Partition> = client.mine.iter().cloned().collect();
        for partition in mine {
            let Some(slot) = client.assignment.get(&partition) else { continue };
            let (Some(position), generation) = (slot.position, slot.generation) else { continue };
            if random.one_in(4) {
                client.assignment.advance(&partition, generation, position + 1);
                self.read[partition.1 as usize] += 1;
            }
        }
        if random.one_in(30) {
            self.commit(index);
        }
    }

    fn commit(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let mut offsets = BTreeMap::new();
        for (partition, slot) in client.assignment.partitions().filter(|(p, _)| client.mine.contains(*p)) {
            if let Some(offset) = slot.position {
                let committed = Committed { offset, leader_epoch: -1, metadata: String::new() };
                offsets.insert(partition.clone(), committed);
            }
        }
        client.desk.commit(offsets, true, self.now + 5_000);
    }

    /// Everybody has a share, and nothing is left over.
    pub(crate) fn assert_settled(&self) {
        let shares: Vec<usize> = self.clients.iter().map(|client| client.mine.len()).collect();
        let all: BTreeSet<&Partition> = self.clients.iter().flat_map(|client| &client.mine).collect();
        assert_eq!(shares.iter().sum::<usize>(), PARTITIONS as usize, "{shares:?} {:?}", self.protocol);
        assert_eq!(all.len(), PARTITIONS as usize);
        assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1, "{shares:?}");
    }
}
