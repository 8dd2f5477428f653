//! Between the network and those who answer: the broker at once, Python through the inbox.

use std::any::Any;
use std::sync::Arc;

use barnabas_broker::{Answer, Broker, BrokerRequest, Endpoint, Handled, Parked, Wake};
use barnabas_net::{Chunk, ConnectionId, Outcome, Request, Service, Ticket};
use barnabas_protocol::api::ApiKey;
use barnabas_protocol::error_tally::ErrorTally;
use barnabas_protocol::Millis;

use crate::clock::NodeClock;
use crate::faults::{Delayed, Faults, Marred};
use crate::inbox::Inbox;
use crate::metadata::Metadata;
use crate::response_errors::ResponseErrors;

/// The node behind the network.
pub(crate) struct NodeService {
    pub(crate) broker: Arc<Broker>,
    pub(crate) inbox: Arc<Inbox>,
    /// Names of the listeners that are the controller's.
    pub(crate) controller_listeners: Vec<String>,
    /// API keys that Python answers.
    pub(crate) cold_apis: Vec<i16>,
    pub(crate) clock: Arc<NodeClock>,
    pub(crate) metadata: Arc<Metadata>,
    /// What a test wants to go wrong.
    pub(crate) faults: Faults,
    pub(crate) response_errors: Arc<ResponseErrors>,
}

struct Waker(Ticket);

impl Wake for Waker {
    fn wake(&self) {
        self.0.wake();
    }
}

struct BrokerTicket<'a>(&'a Ticket);

impl barnabas_broker::Ticket for BrokerTicket<'_> {
    fn wake(&self) -> Arc<dyn Wake> {
        Arc::new(Waker(self.0.clone()))
    }
}

impl NodeService {
    /// What a listener is for.
    fn endpoint(&self, listener: &str) -> Endpoint {
        match self.controller_listeners.iter().any(|name| name == listener) {
            true => Endpoint::Controller,
            false => Endpoint::Broker,
        }
    }

    /// Whether Python answers this API on such a listener.
    fn is_cold(&self, api_key: i16, endpoint: Endpoint) -> bool {
        self.cold_apis.contains(&api_key) && served_at(api_key, endpoint)
    }

    fn ask(&self, request: &Request, now: Millis, cold_allowed: bool) -> Handled {
        self.broker.handle(&BrokerRequest {
            api_key: request.api_key,
            api_version: request.api_version,
            correlation_id: request.correlation_id,
            client_id: request.client_id.as_deref(),
            listener: &request.peer.listener,
            endpoint: self.endpoint(&request.peer.listener),
            connection: request.peer.number,
            body: &request.frame[request.body..],
            now,
            cold_allowed,
            ticket: &BrokerTicket(&request.ticket),
        })
    }

    /// Answers a request, or has Python do it.
    pub(crate) fn serve(&self, request: Request, now: Millis) -> Outcome {
        match self.ask(&request, now, true) {
            Handled::Cold if self.is_cold(request.api_key, self.endpoint(&request.peer.listener)) => {
                self.inbox.request(request);
                Outcome::Deferred
            }
            // As Kafka does on a listener that does not serve an API.
            Handled::Cold => Outcome::Close(format!("api {} is not served there", request.api_key)),
            handled => self.outcome(handled),
        }
    }

    /// Answers a request that Python had in hand natively after all.
    pub(crate) fn answer_again(&self, request: &Request) {
        let ticket = &request.ticket;
        match self.ask(request, self.clock.wall(), false) {
            Handled::Reply(answer) => ticket.reply(Some(self.counted(answer))),
            // Only requests that the broker answers at once come back this way.
            _ => ticket.reply(None),
        }
    }
}

/// Whether Kafka has this API on such a listener.
pub(crate) fn served_at(api_key: i16, endpoint: Endpoint) -> bool {
    ApiKey::from_code(api_key).is_some_and(|api| match endpoint {
        Endpoint::Broker => api.facts().broker,
        Endpoint::Controller => api.facts().controller,
    })
}

impl Service for NodeService {
    fn handle(&self, request: Request) -> Outcome {
        let now = request.now;
        match self.faults.strike(&request, || self.metadata.image()) {
            None => self.serve(request, now),
            Some(fault) => fault.act(request, self),
        }
    }

    fn resume(&self, state: Box<dyn Any + Send>, now: Millis) -> Outcome {
        match state.downcast::<Parked>() {
            Ok(parked) => self.outcome(self.broker.resume(*parked, now)),
            Err(state) => self.resume_faulted(state, now),
        }
    }

    fn disconnected(&self, connection: ConnectionId) {
        self.inbox.forget(connection);
    }
}

impl NodeService {
    fn outcome(&self, handled: Handled) -> Outcome {
        match handled {
            Handled::Reply(answer) => Outcome::Reply(self.counted(answer)),
            Handled::NoReply => Outcome::NoReply,
            Handled::Park { deadline, state } => Outcome::Park { deadline, state: Box::new(state) },
            Handled::Cold => Outcome::Close("a request that nobody answers".to_string()),
            Handled::Close(reason) => Outcome::Close(reason),
            Handled::Fail { reason, api_key, errors } => {
                self.count(api_key, &errors);
                Outcome::Close(reason)
            }
        }
    }

    /// Counts the error codes of a response.
    pub(crate) fn count(&self, api_key: i16, errors: &ErrorTally) {
        self.response_errors.note(api_key, errors);
    }

    fn counted(&self, answer: Answer) -> Vec<Chunk> {
        self.count(answer.api_key, &answer.errors);
        chunks(answer.chunks)
    }

    /// Goes on with a request that a fault has parked, or struck while it was parked.
    fn resume_faulted(&self, state: Box<dyn Any + Send>, now: Millis) -> Outcome {
        let state = match state.downcast::<Delayed>() {
            Ok(delayed) => return self.serve(delayed.0, now),
            Err(state) => state,
        };
        match state.downcast::<Marred>() {
            Ok(marred) => marred.how.mar(self.resume(marred.state, now)),
            Err(_) => Outcome::Close("a parked request of another kind".to_string()),
        }
    }
}

fn chunks(reply: Vec<barnabas_broker::Chunk>) -> Vec<Chunk> {
    reply
        .into_iter()
        .map(|chunk| match chunk {
            barnabas_broker::Chunk::Bytes(bytes) => Chunk::Bytes(bytes),
            barnabas_broker::Chunk::File(slice) => Chunk::File(slice),
        })
        .collect()
}
