//! A member of a share group: ShareGroupHeartbeat. The coordinator says which partitions it takes records of;
//! nothing has to be given up for others first, for several members may read a partition.
//!
//! Always true:
//!   one heartbeat at a time is on its way
//!   after an answer that was lost, the next heartbeat says everything

use std::collections::BTreeSet;
use std::sync::Arc;

use barnabas_protocol::api::ApiKey;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::share_group_heartbeat_request::ShareGroupHeartbeatRequest;
use barnabas_protocol::generated::share_group_heartbeat_response::ShareGroupHeartbeatResponse;
use barnabas_protocol::{Millis, NodeId};

use crate::error::ClientError;
use crate::group::unwritable;
use crate::link::{Answer, Links};
use crate::share::config::ShareConfig;
use crate::share::session::Place;
use crate::share::Purpose;

/// Joins.
const JOINING: i32 = 0;
/// Leaves.
const LEAVING: i32 = -1;
/// How often a coordinator that does not answer is told so; it finds out by itself when the session is over.
const FAREWELLS_MAX: u32 = 3;

type Topics = BTreeSet<Arc<str>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Joins or takes part.
    Active,
    /// It has left, for the user did not poll; it joins once that changes.
    Idle,
    /// Something went wrong that the user was told at this time; it joins once the user polls again.
    Failed(Millis),
    /// The last heartbeat is due; on its way once `in_flight`.
    Leaving,
    Left,
}

/// The member's side of a share group.
#[derive(Debug)]
pub struct Member {
    config: Arc<ShareConfig>,
    state: State,
    epoch: i32,
    wanted: Option<Topics>,
    /// What the coordinator knows to be wanted.
    told: Option<Topics>,
    /// What the heartbeat on its way tells.
    telling: Option<Topics>,
    assigned: BTreeSet<Place>,
    /// Whether the coordinator may have heard of it.
    is_known: bool,
    /// How often it was told that the member leaves.
    farewells: u32,
    in_flight: bool,
    heartbeat_at: Millis,
    not_before: Millis,
}

impl Member {
    /// Not a member yet.
    pub fn new(config: Arc<ShareConfig>) -> Member {
        Member {
            config,
            state: State::Left,
            epoch: JOINING,
            wanted: None,
            told: None,
            telling: None,
            assigned: BTreeSet::new(),
            is_known: false,
            farewells: 0,
            in_flight: false,
            heartbeat_at: Millis::MIN,
            not_before: Millis::MIN,
        }
    }

    /// The partitions that it takes records of.
    pub fn assigned(&self) -> &BTreeSet<Place> {
        &self.assigned
    }

    /// Goes on with what the user wants.
    pub fn step(&mut self, wanted: Option<&Topics>, polled_at: Millis, now: Millis) {
        let Some(wanted) = wanted else { return };
        if self.wanted.as_ref() != Some(wanted) {
            self.wanted = Some(wanted.clone());
            self.heartbeat_at = now;
        }
        let is_overdue = self.config.is_overdue(polled_at, now);
        match self.state {
            State::Active if is_overdue && self.epoch != JOINING => {
                let limit = self.config.max_poll_interval_ms;
                log::warn!(
                    "no poll() for max.poll.interval.ms={limit}: leaving group {}",
                    self.config.group_id
                );
                self.assigned.clear();
                (self.state, self.farewells) = (State::Leaving, 0);
            }
            State::Idle if is_overdue => {}
            State::Failed(at) if polled_at <= at => {}
            State::Idle | State::Failed(_) | State::Left => self.begin(now),
            State::Active | State::Leaving => {}
        }
    }

    fn begin(&mut self, now: Millis) {
        self.state = State::Active;
        self.epoch = JOINING;
        self.told = None;
        self.assigned.clear();
        self.heartbeat_at = now;
    }

    /// Begins to leave.
    pub fn leave(&mut self) {
        self.assigned.clear();
        self.wanted = None;
        if self.state != State::Leaving {
            self.farewells = 0;
        }
        self.state = if self.is_known { State::Leaving } else { State::Left };
    }

    /// Whether it has left, or never was there.
    pub fn has_left(&self) -> bool {
        !matches!(self.state, State::Active | State::Leaving)
    }

    /// Sends the heartbeat that is due.
    pub fn transmit(
        &mut self,
        node: NodeId,
        links: &mut Links<Purpose>,
        now: Millis,
    ) -> Result<(), ClientError> {
        let due = self.heartbeat_at.max(self.not_before) <= now || self.state == State::Leaving;
        if self.in_flight || !due || !matches!(self.state, State::Active | State::Leaving) {
            return Ok(());
        }
        let Some(version) = links.version(node, ApiKey::ShareGroupHeartbeat) else {
            return Err(not_served());
        };
        let is_last = self.state == State::Leaving;
        let wanted = self.wanted.as_ref().filter(|wanted| !is_last && self.told.as_ref() != Some(wanted));
        let is_full = self.told.is_none() && !is_last;
        let request = ShareGroupHeartbeatRequest {
            group_id: &self.config.group_id,
            member_id: &self.config.member_id,
            member_epoch: if is_last { LEAVING } else { self.epoch },
            rack_id: Some(self.config.rack.as_str()).filter(|rack| is_full && !rack.is_empty()),
            subscribed_topic_names: wanted.map(|wanted| wanted.iter().map(|topic| &**topic).collect()),
        };
        let api = (ApiKey::ShareGroupHeartbeat, version);
        links
            .send(now, node, api, Some(Purpose::Heartbeat), &[], |writer| request.encode(writer, version))
            .map_err(unwritable)?;
        self.telling = self.wanted.clone();
        (self.in_flight, self.is_known) = (true, true);
        self.farewells += u32::from(is_last);
        Ok(())
    }

    /// Takes the answer to a heartbeat: its code, or what the user has to be told.
    pub fn heard(&mut self, answer: &Answer<Purpose>, now: Millis) -> Result<ErrorCode, ClientError> {
        self.in_flight = false;
        let telling = self.telling.take();
        let mut reader = answer.body();
        let response =
            reader.as_mut().and_then(|r| ShareGroupHeartbeatResponse::decode(r, answer.version).ok());
        if self.state == State::Leaving {
            let code =
                response.map_or(ErrorCode::NETWORK_EXCEPTION, |response| ErrorCode(response.error_code));
            return Ok(self.parted(code));
        }
        let Some(response) = response else {
            self.told = None;
            self.retry(now);
            return Ok(ErrorCode::NETWORK_EXCEPTION);
        };
        let code = ErrorCode(response.error_code);
        match code {
            ErrorCode::NONE => {
                self.told = telling;
                self.accepted(&response, now);
                return Ok(code);
            }
            ErrorCode::FENCED_MEMBER_EPOCH | ErrorCode::UNKNOWN_MEMBER_ID => {
                self.begin(now);
                return Ok(ErrorCode::NONE);
            }
            _ => {}
        }
        self.told = None;
        self.retry(now);
        if code.retriable() {
            return Ok(code);
        }
        let about = format!("group {}", self.config.group_id);
        Err(match response.error_message {
            Some(message) => ClientError::Broker { code, message: format!("{about}: {message}") },
            None => ClientError::broker(code, &about),
        })
    }

    /// An answer came to one who leaves: to its last heartbeat, or to one before, behind which the last one goes.
    fn parted(&mut self, code: ErrorCode) -> ErrorCode {
        let is_heard = ![ErrorCode::NETWORK_EXCEPTION, ErrorCode::NOT_COORDINATOR].contains(&code);
        if self.farewells >= FAREWELLS_MAX || (self.farewells > 0 && is_heard) {
            self.state = if self.wanted.is_some() { State::Idle } else { State::Left };
            self.is_known = false;
        }
        code
    }

    fn accepted(&mut self, response: &ShareGroupHeartbeatResponse<'_>, now: Millis) {
        self.epoch = response.member_epoch;
        self.heartbeat_at = now + Millis::from(response.heartbeat_interval_ms.max(1));
        if let Some(assignment) = &response.assignment {
            let topics = assignment.topic_partitions.iter();
            let places = topics.flat_map(|topic| topic.partitions.iter().map(|&one| (topic.topic_id, one)));
            self.assigned = places.collect();
        }
    }

    fn retry(&mut self, now: Millis) {
        self.heartbeat_at = now;
        self.not_before = now + self.config.retry_backoff_ms;
    }

    /// The user is told of something that the member can't get over.
    pub fn failed(&mut self, now: Millis) {
        self.begin(now);
        self.state = State::Failed(now);
    }

    /// When it has something to do.
    pub fn deadline(&self, polled_at: Millis) -> Option<Millis> {
        if self.state != State::Active {
            return None;
        }
        let beat = Some(self.heartbeat_at.max(self.not_before)).filter(|_| !self.in_flight);
        let overdue = polled_at + self.config.max_poll_interval_ms + 1;
        [beat, Some(overdue)].into_iter().flatten().min()
    }
}

/// The error of brokers without share groups.
pub fn not_served() -> ClientError {
    let about = "share groups are more than the broker speaks, or share.version is 0";
    ClientError::broker(ErrorCode::UNSUPPORTED_VERSION, about)
}
