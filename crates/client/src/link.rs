//! Connections to brokers as state machines: bytes in, answers out; requests in, bytes out. No socket here.
//!
//! Always true:
//!   a broker answers in the order in which it was asked, so `in_flight` is a queue
//!   every request gets exactly one answer: the broker's, or that the connection was lost
//!   nothing but ApiVersions is sent before the broker has said which versions it speaks

use std::collections::{BTreeMap, VecDeque};
use std::io::IoSlice;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;

use barnabas_protocol::api::ApiKey;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::api_versions_request::ApiVersionsRequest;
use barnabas_protocol::generated::api_versions_response::ApiVersionsResponse;
use barnabas_protocol::generated::request_header::RequestHeader;
use barnabas_protocol::generated::sasl_authenticate_request::SaslAuthenticateRequest;
use barnabas_protocol::wire::{EncodeError, Reader, Writer};
use barnabas_protocol::{Millis, NodeId};

use crate::auth::{self, Next, Refusal};
use crate::error::ClientError;
use crate::figures::Figures;
use crate::sasl::Exchange;
use crate::security::{Entropy, Security};
use crate::tls::Tls;
use crate::versions::Versions;

mod connection;
mod input;
use connection::{Link, NotAResponse, Sent, State};
use input::Input;

/// How a TLS server tells one who does not speak it that he should.
const TLS_ALERT: [u8; 2] = [0x15, 0x03];
/// ApiVersions of this version names the client (KIP-511); brokers that don't know it answer in version 0.
const API_VERSIONS: i16 = 3;

/// What all connections of a client have in common.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// `client.id`.
    pub client_id: String,
    /// `request.timeout.ms`.
    pub request_timeout_ms: Millis,
    /// `reconnect.backoff.ms`.
    pub reconnect_backoff_ms: Millis,
    /// `reconnect.backoff.max.ms`.
    pub reconnect_backoff_max_ms: Millis,
    /// `socket.connection.setup.timeout.ms`.
    pub setup_timeout_ms: Millis,
    /// How brokers are talked to, and as whom.
    pub security: Security,
}

/// Bytes to send: a head, or a batch that a request refers to without a copy.
pub type Chunk = Arc<Vec<u8>>;

/// What a request was for, with what came of it.
#[derive(Debug)]
pub struct Answer<P> {
    /// Who was asked.
    pub node: NodeId,
    /// Version of request and response.
    pub version: i16,
    /// As the sender of the request put it.
    pub purpose: P,
    /// The response's frame, and where its body begins; None when the connection was lost before.
    pub frame: Option<(Vec<u8>, usize)>,
}

impl<P> Answer<P> {
    /// Reads the body; None when the connection was lost.
    pub fn body(&self) -> Option<Reader<'_>> {
        self.frame.as_ref().map(|(bytes, at)| Reader::new(&bytes[*at..]))
    }
}

/// What the owner of sockets has to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Order {
    /// Connect to a broker.
    Connect(NodeId, String, u16),
    /// Close the connection to a broker.
    Close(NodeId),
}

/// All connections of a client, by broker. Bootstrap addresses have negative ids.
#[derive(Debug)]
pub struct Links<P> {
    config: LinkConfig,
    links: BTreeMap<NodeId, Link<P>>,
    correlation_id: i32,
    orders: Vec<Order>,
    lost: Vec<Answer<P>>,
    problem: Option<String>,
    refusal: Option<ClientError>,
    figures: Arc<Figures>,
}

impl<P> Links<P> {
    /// No connection.
    pub fn new(config: LinkConfig) -> Links<P> {
        Links {
            config,
            links: BTreeMap::new(),
            correlation_id: 0,
            orders: Vec::new(),
            lost: Vec::new(),
            problem: None,
            refusal: None,
            figures: Arc::default(),
        }
    }

    /// What the client counts.
    pub fn figures(&self) -> &Arc<Figures> {
        &self.figures
    }

    /// `request.timeout.ms`.
    pub fn request_timeout_ms(&self) -> Millis {
        self.config.request_timeout_ms
    }

    /// The broker is no longer there: nothing is sent to it any more.
    pub fn forget(&mut self, node: NodeId, now: Millis) {
        self.lose(node, now, false);
        self.links.remove(&node);
    }

    /// Notes where a broker is. One that has moved is connected to anew.
    pub fn set_address(&mut self, node: NodeId, host: &str, port: u16, now: Millis) {
        if let Some(link) = self.links.get(&node) {
            if link.host == host && link.port == port {
                return;
            }
            self.lose(node, now, false);
        }
        let state = State::Idle { retry_at: now };
        let link = Link {
            host: host.to_string(),
            port,
            state,
            failures: 0,
            in_flight: VecDeque::new(),
            output: VecDeque::new(),
            sent: 0,
            input: Input::default(),
            announced: false,
            exchange: None,
            authenticate_at: None,
            is_short_session: false,
        };
        self.links.insert(node, link);
    }

    /// All brokers with an address.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.links.keys().copied()
    }

    /// Whether a request can be sent to `node`; begins to connect when it can't.
    pub fn ready(&mut self, node: NodeId, now: Millis) -> bool {
        let setup_timeout_ms = self.config.setup_timeout_ms;
        let Some(link) = self.links.get_mut(&node) else { return false };
        if let State::Idle { retry_at } = link.state {
            if retry_at <= now {
                link.state = State::Connecting { deadline: now + setup_timeout_ms };
                link.announced = true;
                self.orders.push(Order::Connect(node, link.host.clone(), link.port));
            }
        }
        if link.authenticate_at.is_some_and(|at| at <= now) {
            // Nothing new is sent until the answers are there: a broker wants nothing in between.
            if link.in_flight.is_empty() && link.is_short_session {
                self.lose(node, now, false);
            } else if link.in_flight.is_empty() {
                self.authenticate(node, now);
            }
            return false;
        }
        matches!(link.state, State::Ready(_))
    }

    /// What connections are to be under TLS with.
    pub fn tls(&self) -> Option<&Tls> {
        self.config.security.tls.as_ref()
    }

    /// Whether the node is connected or on the way to it.
    pub fn is_usable(&self, node: NodeId) -> bool {
        self.links.get(&node).is_some_and(|link| !matches!(link.state, State::Idle { .. }))
    }

    /// Requests that wait for their answers.
    pub fn in_flight(&self, node: NodeId) -> usize {
        self.links.get(&node).map_or(0, |link| link.in_flight.len())
    }

    /// Whether bytes wait to be sent.
    pub fn has_output(&self, node: NodeId) -> bool {
        self.links.get(&node).is_some_and(|link| !link.output.is_empty())
    }

    /// The version in which `node` is asked; None when it is not connected or doesn't know the API.
    pub fn version(&self, node: NodeId, api: ApiKey) -> Option<i16> {
        match &self.links.get(&node)?.state {
            State::Ready(versions) => versions.of(api),
            _ => None,
        }
    }

    /// The versions of `api` that `node` speaks; None when it is not connected or doesn't know the API.
    pub fn range(&self, node: NodeId, api: ApiKey) -> Option<(i16, i16)> {
        match &self.links.get(&node)?.state {
            State::Ready(versions) => versions.range(api),
            _ => None,
        }
    }

    /// The cluster's `transaction.version`, as `node` has told when it was connected; 0 when it is not.
    pub fn transaction_version(&self, node: NodeId) -> i16 {
        match self.links.get(&node).map(|link| &link.state) {
            Some(State::Ready(versions)) => versions.transaction_version(),
            _ => 0,
        }
    }

    /// Sends a request to a node that is ready. `external` are the bytes that `encode` has left out. With
    /// `answered` false no response will come (acks=0).
    pub fn send<E>(
        &mut self,
        now: Millis,
        node: NodeId,
        (api, version): (ApiKey, i16),
        purpose: Option<P>,
        external: &[Chunk],
        encode: E,
    ) -> Result<(), EncodeError>
    where
        E: FnOnce(&mut Writer) -> Result<(), EncodeError>,
    {
        self.correlation_id = self.correlation_id.wrapping_add(1) & i32::MAX;
        let correlation_id = self.correlation_id;
        let client_id = self.config.client_id.clone();
        let deadline = now + self.config.request_timeout_ms;
        let Some(link) = self.links.get_mut(&node) else { return Ok(()) };
        let mut writer = Writer::append_to(vec![0; 4]);
        let header = RequestHeader {
            request_api_key: api.code(),
            request_api_version: version,
            correlation_id,
            client_id: Some(&client_id),
        };
        header.encode(&mut writer, api.request_header_version(version))?;
        encode(&mut writer)?;
        self.figures.requests.add(link.push(writer, external) as u64);
        if let Some(purpose) = purpose {
            let purpose = Some(purpose);
            link.in_flight.push_back(Sent { correlation_id, api, version, at: now, deadline, purpose });
        }
        Ok(())
    }

    /// Lets the request that `node` was sent last wait longer than others for its answer.
    pub fn extend_last(&mut self, node: NodeId, deadline: Millis) {
        let link = self.links.get_mut(&node);
        if let Some(sent) = link.and_then(|link| link.in_flight.back_mut()) {
            sent.deadline = sent.deadline.max(deadline);
        }
    }

    /// The socket of `node` is connected.
    pub fn connected(&mut self, node: NodeId, now: Millis) {
        let Some(link) = self.links.get_mut(&node) else { return };
        link.state = State::Negotiating;
        self.figures.connected.fetch_add(1, Relaxed);
        self.negotiate(node, API_VERSIONS, now);
    }

    fn negotiate(&mut self, node: NodeId, version: i16, now: Millis) {
        let body = ApiVersionsRequest {
            client_software_name: "barnabas",
            client_software_version: env!("CARGO_PKG_VERSION"),
            ..Default::default()
        };
        let body = if version == 0 { ApiVersionsRequest::default() } else { body };
        self.send_own(node, (ApiKey::ApiVersions, version), now, |writer| body.encode(writer, version));
    }

    /// Sends a request whose answer is for the connection itself.
    fn send_own<E>(&mut self, node: NodeId, (api, version): (ApiKey, i16), now: Millis, encode: E)
    where
        E: FnOnce(&mut Writer) -> Result<(), EncodeError>,
    {
        let encoded = self.send(now, node, (api, version), None, &[], encode);
        assert!(encoded.is_ok(), "{} can always be encoded", api.name());
        let correlation_id = self.correlation_id;
        let deadline = now + self.config.request_timeout_ms;
        if let Some(link) = self.links.get_mut(&node) {
            let at = now;
            link.in_flight.push_back(Sent { correlation_id, api, version, at, deadline, purpose: None });
        }
    }

    /// The socket of `node` is closed, or could not be opened.
    pub fn disconnected(&mut self, node: NodeId, now: Millis) {
        self.lose(node, now, true);
    }

    /// As [`Links::disconnected`], and says why, for those who wait in vain.
    pub fn failed(&mut self, node: NodeId, problem: &str, now: Millis) {
        if let Some(link) = self.links.get(&node) {
            self.problem = Some(format!("{}:{}: {problem}", link.host, link.port));
        }
        self.disconnected(node, now);
    }

    /// The last thing that went wrong with a connection, until one is there again.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Why a broker does not let this client in, since the last call. Trying again would give the same.
    pub fn take_refusal(&mut self) -> Option<ClientError> {
        self.refusal.take()
    }

    /// Where the next bytes of `node` may be put, when they belong to a large response; [`Links::arrived`] says that
    /// they were.
    pub fn room(&mut self, node: NodeId) -> Option<&mut [u8]> {
        self.links.get_mut(&node)?.input.room()
    }

    /// So many bytes of `node` were put where there was room for them; [`Links::received`] is told of none.
    pub fn arrived(&mut self, node: NodeId, count: usize) {
        if let Some(link) = self.links.get_mut(&node) {
            link.input.advance(count);
        }
    }

    /// Takes bytes of `node`; whole responses come out. Bytes that are no response end the connection.
    pub fn received(&mut self, node: NodeId, bytes: &[u8], now: Millis) -> Vec<Answer<P>> {
        let mut answers = Vec::new();
        if let Some(link) = self.links.get_mut(&node) {
            link.input.extend(bytes);
        }
        loop {
            let Some(link) = self.links.get_mut(&node) else { return answers };
            if link.state == State::Negotiating && link.input.came().starts_with(&TLS_ALERT) {
                let advice = "the broker speaks TLS: set security.protocol to SSL or SASL_SSL";
                self.refused(node, ClientError::Tls(advice.to_string()), now);
                return answers;
            }
            match link.next_frame() {
                Ok(None) => return answers,
                Ok(Some((sent, frame, at))) => {
                    self.figures.responses.add(frame.len() as u64);
                    self.figures.answered(sent.api, now - sent.at);
                    match sent.purpose {
                        Some(purpose) => {
                            let (version, frame) = (sent.version, Some((frame, at)));
                            answers.push(Answer { node, version, purpose, frame });
                        }
                        None => match self.own_answer(node, &sent, &frame[at..], now) {
                            Ok(()) => {}
                            Err(Refusal::NoAnswer) => break,
                            Err(Refusal::Final(error)) => {
                                self.refused(node, error, now);
                                return answers;
                            }
                        },
                    }
                }
                Err(NotAResponse) => break,
            }
        }
        self.orders.push(Order::Close(node));
        self.failed(node, "what came is no answer of Kafka's protocol", now);
        answers
    }

    /// A broker does not let this client in: who waits hears of it, for trying again would give the same.
    pub fn refused(&mut self, node: NodeId, error: ClientError, now: Millis) {
        if let Some(link) = self.links.get(&node) {
            let error = error.at(&link.host, link.port);
            self.problem = Some(error.to_string());
            self.refusal = Some(error);
        }
        self.close(node, now);
    }

    /// Takes the answer to a request of the connection itself.
    fn own_answer(&mut self, node: NodeId, sent: &Sent<P>, body: &[u8], now: Millis) -> Result<(), Refusal> {
        let next = match sent.api {
            ApiKey::SaslHandshake => auth::handshaken(&self.config.security, body, sent.version)?,
            ApiKey::SaslAuthenticate => {
                let exchange = self.links.get_mut(&node).and_then(|link| link.exchange.take());
                auth::continued(exchange, body, sent.version)?
            }
            _ => return self.negotiated(node, sent.version, body, now),
        };
        match next {
            Next::Send(exchange, token) => self.send_token(node, exchange, &token, now),
            Next::Done(lifetime_ms) => self.authenticated(node, lifetime_ms, now),
        }
        Ok(())
    }

    /// Reads what the broker speaks.
    fn negotiated(&mut self, node: NodeId, version: i16, body: &[u8], now: Millis) -> Result<(), Refusal> {
        // A broker that does not know the version answers in version 0, with what it knows.
        let refused = body.get(..2) == Some(&ErrorCode::UNSUPPORTED_VERSION.code().to_be_bytes());
        if refused && version > 0 {
            self.negotiate(node, 0, now);
            return Ok(());
        }
        let response = ApiVersionsResponse::decode(&mut Reader::new(body), version).ok();
        let response = response.filter(|response| response.error_code == 0).ok_or(Refusal::NoAnswer)?;
        if let Some(link) = self.links.get_mut(&node) {
            link.state = State::Ready(Versions::new(&response));
        }
        match self.config.security.sasl {
            None => self.is_there(node),
            Some(_) => self.authenticate(node, now),
        }
        Ok(())
    }

    fn is_there(&mut self, node: NodeId) {
        if let Some(link) = self.links.get_mut(&node) {
            link.failures = 0;
        }
        self.problem = None;
    }

    /// Begins to tell the broker who this is.
    fn authenticate(&mut self, node: NodeId, now: Millis) {
        let Some(link) = self.links.get_mut(&node) else { return };
        link.authenticate_at = None;
        link.state = match std::mem::replace(&mut link.state, State::Negotiating) {
            State::Ready(versions) => State::Authenticating(versions),
            other => other,
        };
        let Some(request) = auth::handshake(&self.config.security) else { return };
        let version = auth::HANDSHAKE;
        self.send_own(node, (ApiKey::SaslHandshake, version), now, |writer| request.encode(writer, version));
    }

    fn send_token(&mut self, node: NodeId, exchange: Exchange, token: &[u8], now: Millis) {
        let Some(link) = self.links.get_mut(&node) else { return };
        link.exchange = Some(exchange);
        let version = match &link.state {
            State::Authenticating(versions) => versions.of(ApiKey::SaslAuthenticate).unwrap_or(0),
            _ => 0,
        };
        let request = SaslAuthenticateRequest { auth_bytes: token };
        self.send_own(node, (ApiKey::SaslAuthenticate, version), now, |writer| {
            request.encode(writer, version)
        });
    }

    /// The broker knows who this is, for `lifetime_ms` when that is over 0.
    fn authenticated(&mut self, node: NodeId, lifetime_ms: Millis, now: Millis) {
        let share =
            auth::SESSION_SHARE_MIN + (self.config.security.entropy.0)() as i64 % auth::SESSION_SHARE_SPREAD;
        if let Some(link) = self.links.get_mut(&node) {
            let after_ms = lifetime_ms * share / 100;
            link.authenticate_at = (lifetime_ms > 0).then_some(now + after_ms);
            link.is_short_session = after_ms <= auth::PAUSE_MIN_MS;
            link.state = match std::mem::replace(&mut link.state, State::Negotiating) {
                State::Authenticating(versions) => State::Ready(versions),
                other => other,
            };
        }
        self.is_there(node);
    }

    /// Gives a connection up.
    pub fn close(&mut self, node: NodeId, now: Millis) {
        self.lose(node, now, true);
        self.orders.push(Order::Close(node));
    }

    fn lose(&mut self, node: NodeId, now: Millis, wait: bool) {
        let config = &self.config;
        let Some(link) = self.links.get_mut(&node) else { return };
        if !wait && !matches!(link.state, State::Idle { .. }) {
            self.orders.push(Order::Close(node));
        }
        if !matches!(link.state, State::Idle { .. } | State::Connecting { .. }) {
            self.figures.disconnected.fetch_add(1, Relaxed);
        }
        let backoff = config.reconnect_backoff_ms << link.failures.min(16);
        let backoff = jittered(backoff.min(config.reconnect_backoff_max_ms), config.security.entropy);
        link.failures = link.failures.saturating_add(1);
        link.state = State::Idle { retry_at: now + if wait { backoff } else { 0 } };
        link.output.clear();
        link.input = Input::default();
        link.sent = 0;
        link.announced = false;
        link.exchange = None;
        link.authenticate_at = None;
        for sent in link.in_flight.drain(..) {
            if let Some(purpose) = sent.purpose {
                self.lost.push(Answer { node, version: sent.version, purpose, frame: None });
            }
        }
    }

    /// Closes connections whose oldest request has waited too long.
    pub fn expire(&mut self, now: Millis) {
        let late = self.links.iter().filter(|(_, link)| link.deadline().is_some_and(|at| at <= now));
        for node in late.map(|(&node, _)| node).collect::<Vec<_>>() {
            self.close(node, now);
        }
    }

    /// When [`Links::expire`] has something to do, or a broker may be connected to again.
    pub fn deadline(&self, now: Millis) -> Option<Millis> {
        let waits = |link: &Link<P>| match link.state {
            State::Idle { retry_at } if retry_at > now => Some(retry_at),
            _ => link.deadline(),
        };
        self.links.values().filter_map(waits).min()
    }

    /// What the owner of sockets has to do now.
    pub fn take_orders(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.orders)
    }

    /// Requests whose connection was lost since the last call.
    pub fn take_lost(&mut self) -> Vec<Answer<P>> {
        std::mem::take(&mut self.lost)
    }

    /// Nodes that have bytes to send.
    pub fn writable(&self) -> Vec<NodeId> {
        self.links.iter().filter(|(_, link)| !link.output.is_empty()).map(|(&node, _)| node).collect()
    }

    /// The bytes that `node` is sent next; how many slices were filled in.
    pub fn front<'a>(&'a self, node: NodeId, slices: &mut [IoSlice<'a>]) -> usize {
        let Some(link) = self.links.get(&node) else { return 0 };
        let mut skip = link.sent;
        let mut count = 0;
        for (chunk, slot) in link.output.iter().zip(slices) {
            *slot = IoSlice::new(&chunk[std::mem::take(&mut skip)..]);
            count += 1;
        }
        count
    }

    /// Notes that `count` bytes were sent to `node`.
    pub fn advance(&mut self, node: NodeId, count: usize) {
        let Some(link) = self.links.get_mut(&node) else { return };
        link.sent += count;
        while let Some(length) = link.output.front().map(|chunk| chunk.len()) {
            if link.sent < length {
                return;
            }
            link.sent -= length;
            link.output.pop_front();
        }
    }
}

/// A pause that is longer or shorter by up to a fifth, so that clients that were thrown out together don't come back
/// together (as in Apache Kafka).
fn jittered(pause: Millis, entropy: Entropy) -> Millis {
    let spread = pause / 5;
    match entropy.0() {
        0 => pause,
        chance => pause - spread + (chance % (2 * spread as u64 + 1)) as Millis,
    }
}
