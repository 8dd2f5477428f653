//! Where the coordinator of a group or of a transactional id is, and a connection to it of its own.
//!
//! For whoever has requests for a coordinator, on the `Links` and the `Cluster` of its client:
//!
//! ```text
//! transmit:  if let Some(node) = coordinator.step(&mut cluster, &mut links, || Purpose::Coordinator, now)
//!                links.send(now, node, …)              // `node` is ready, and stays the same until `lost`
//! answered:  Purpose::Coordinator => if let Err(error) = coordinator.answered(&answer, &mut links, now)
//!                the error is final: nobody may, or can, be that coordinator's client
//!            of a request of yours: if coordinator.refused(&answer, code, now)
//!                ask again once `step` gives a node
//! deadline:  coordinator.deadline() is one of the times at which a turn is needed
//! ```
//!
//! Always true:
//!   one look-up at a time is under way, two of them are `retry.backoff.ms` apart
//!   requests to a coordinator never wait behind a long poll: its connection is not the one that fetches use

use barnabas_protocol::api::ApiKey;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::find_coordinator_request::FindCoordinatorRequest;
use barnabas_protocol::generated::find_coordinator_response::FindCoordinatorResponse;
use barnabas_protocol::{Millis, NodeId};

use crate::cluster::Cluster;
use crate::error::ClientError;
use crate::link::{Answer, Links};

/// Connections to coordinators have the numbers from here on: this one, and the broker's below it.
const LINK_BASE: NodeId = 1 << 30;
/// FindCoordinator names several keys from this version on (KIP-699).
const BATCHED: i16 = 4;

/// What is coordinated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A group, by its id.
    Group,
    /// Transactions of a transactional id.
    Transaction,
}

impl Kind {
    fn code(self) -> i8 {
        match self {
            Kind::Group => 0,
            Kind::Transaction => 1,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Group => "group",
            Kind::Transaction => "transactional id",
        }
    }
}

/// Whether a connection is one to a coordinator: such are not asked for anything else.
pub fn is_coordinator_link(node: NodeId) -> bool {
    node >= LINK_BASE
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not known, and not to be asked for before.
    Unknown(Millis),
    Asking,
    Known {
        /// The number of its own connection.
        link: NodeId,
        /// Whether that was usable: once it is not any more, the coordinator may be elsewhere.
        begun: bool,
    },
}

/// The coordinator of one key.
#[derive(Debug)]
pub struct Coordinator {
    kind: Kind,
    key: String,
    retry_backoff_ms: Millis,
    /// The next look-up is not sent before.
    not_before: Millis,
    state: State,
}

impl Coordinator {
    /// Nothing is known yet.
    pub fn new(kind: Kind, key: &str, retry_backoff_ms: Millis) -> Coordinator {
        Coordinator {
            kind,
            key: key.to_string(),
            retry_backoff_ms,
            not_before: Millis::MIN,
            state: State::Unknown(Millis::MIN),
        }
    }

    /// The group's id, or the transactional id.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The coordinator's connection, as far as is known; it need not be ready.
    pub fn node(&self) -> Option<NodeId> {
        match self.state {
            State::Known { link, .. } => Some(link),
            _ => None,
        }
    }

    /// The connection on which requests can be sent now. Looks for the coordinator and connects to it when there
    /// is none; `purpose` is what its own request is sent under.
    pub fn step<P>(
        &mut self,
        cluster: &mut Cluster,
        links: &mut Links<P>,
        purpose: impl FnOnce() -> P,
        now: Millis,
    ) -> Option<NodeId> {
        match self.state {
            State::Known { link, begun: true } if !links.is_usable(link) => {
                self.lost(now);
                None
            }
            State::Known { link, .. } => {
                let ready = links.ready(link, now);
                self.state = State::Known { link, begun: links.is_usable(link) };
                ready.then_some(link)
            }
            State::Unknown(at) if at <= now => {
                let node = cluster.any_node(links, now)?;
                self.ask(node, links, purpose(), now);
                None
            }
            _ => None,
        }
    }

    fn ask<P>(&mut self, node: NodeId, links: &mut Links<P>, purpose: P, now: Millis) {
        let Some(version) = links.version(node, ApiKey::FindCoordinator) else { return };
        let (key, coordinator_keys) = match version >= BATCHED {
            true => ("", vec![self.key.as_str()]),
            false => (self.key.as_str(), Vec::new()),
        };
        let request = FindCoordinatorRequest { key, key_type: self.kind.code(), coordinator_keys };
        let api = (ApiKey::FindCoordinator, version);
        if links.send(now, node, api, Some(purpose), &[], |writer| request.encode(writer, version)).is_ok() {
            self.not_before = now + self.retry_backoff_ms;
            self.state = State::Asking;
        }
    }

    /// Takes the answer to a look-up. An error is final: asking again would not help.
    pub fn answered<P>(
        &mut self,
        answer: &Answer<P>,
        links: &mut Links<P>,
        now: Millis,
    ) -> Result<(), ClientError> {
        self.state = State::Unknown(self.not_before.max(now));
        let Some(found) = found(answer) else { return Ok(()) };
        let (code, node, host, port) = found;
        match (code, u16::try_from(port)) {
            (ErrorCode::NONE, Ok(port)) if (0..LINK_BASE).contains(&node) && port > 0 => {
                let link = LINK_BASE + node;
                links.set_address(link, &host, port, now);
                self.state = State::Known { link, begun: false };
                Ok(())
            }
            (ErrorCode::NONE, _) => Ok(()),
            (code, _) if code.retriable() => Ok(()),
            (code, _) => Err(ClientError::broker(code, &format!("{} {}", self.kind.name(), self.key))),
        }
    }

    /// Looks at what became of a request to the coordinator: `code` is [`ErrorCode::NETWORK_EXCEPTION`] when the
    /// connection was lost. True when the request has to be repeated: at once with another coordinator, or, while
    /// this one is loading, after a pause that is up to the caller.
    pub fn refused<P>(&mut self, answer: &Answer<P>, code: ErrorCode, now: Millis) -> bool {
        match code {
            ErrorCode::NOT_COORDINATOR
            | ErrorCode::COORDINATOR_NOT_AVAILABLE
            | ErrorCode::NETWORK_EXCEPTION => {
                // An answer of a former coordinator says nothing about this one.
                if self.node() == Some(answer.node) {
                    self.lost(now);
                }
                true
            }
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => true,
            _ => false,
        }
    }

    /// The coordinator is not where it was: looks for it again.
    pub fn lost(&mut self, now: Millis) {
        self.state = State::Unknown(self.not_before.max(now));
    }

    /// When [`Coordinator::step`] has something to do that nothing else wakes its owner for.
    pub fn deadline(&self) -> Option<Millis> {
        match self.state {
            State::Unknown(at) => Some(at),
            _ => None,
        }
    }
}

/// Error, node, host and port; None when there is no answer to read.
fn found<P>(answer: &Answer<P>) -> Option<(ErrorCode, NodeId, String, i32)> {
    let mut reader = answer.body()?;
    let response = FindCoordinatorResponse::decode(&mut reader, answer.version).ok()?;
    if answer.version < BATCHED {
        let code = ErrorCode(response.error_code);
        return Some((code, response.node_id, response.host.to_string(), response.port));
    }
    let one = response.coordinators.first()?;
    Some((ErrorCode(one.error_code), one.node_id, one.host.to_string(), one.port))
}
