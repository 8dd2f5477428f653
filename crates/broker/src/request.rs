//! How a request comes to the broker and how its answer leaves.
//!
//! The types mirror those of the network's service without knowing them: whoever has both (the binding crate,
//! a simulator, a test) turns one into the other, field by field.

use std::sync::Arc;

use barnabas_disk::FileSlice;
use barnabas_protocol::error_tally::ErrorTally;
use barnabas_protocol::wire::{DecodeError, EncodeError, Writer};
use barnabas_protocol::Millis;

use crate::delete_records::ParkedDeleteRecords;
use crate::fetch::ParkedFetch;
use crate::markers::ParkedMarkers;
use crate::produce::{ParkedProduce, ParkedUnjudged};
use crate::verify::ParkedVerification;
use crate::waiters::Wake;

/// Gives a handle that wakes the request after it was parked.
pub trait Ticket {
    /// The handle; asked for only when the request parks.
    fn wake(&self) -> Arc<dyn Wake>;
}

/// What a listener is for (KIP-919): it decides which APIs are served there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Clients and other brokers.
    Broker,
    /// Controllers, brokers that ask them, and administrators.
    Controller,
}

/// One request, header decoded.
#[derive(Clone, Copy)]
pub struct BrokerRequest<'a> {
    /// API key of the header.
    pub api_key: i16,
    /// API version of the header.
    pub api_version: i16,
    /// Repeated in the response.
    pub correlation_id: i32,
    /// Client id of the header.
    pub client_id: Option<&'a str>,
    /// Name of the listener that the client came in by.
    pub listener: &'a Arc<str>,
    /// What that listener is for.
    pub endpoint: Endpoint,
    /// Numbers the connection that it came in by, among all of the node's life.
    pub connection: u64,
    /// The message without its header.
    pub body: &'a [u8],
    /// The time.
    pub now: Millis,
    /// Whether the answer may be [`Handled::Cold`]; false when Python asks again after it has done its part.
    pub cold_allowed: bool,
    /// Wakes the request when it parks.
    pub ticket: &'a dyn Ticket,
}

impl BrokerRequest<'_> {
    pub(crate) fn reply_to(&self) -> ReplyTo {
        ReplyTo { api_key: self.api_key, api_version: self.api_version, correlation_id: self.correlation_id }
    }
}

/// A request that is gone through anew after it has waited.
pub(crate) struct OwnedRequest {
    api_key: i16,
    pub(crate) api_version: i16,
    correlation_id: i32,
    client_id: Option<String>,
    listener: Arc<str>,
    endpoint: Endpoint,
    connection: u64,
    body: Vec<u8>,
    cold_allowed: bool,
    pub(crate) wake: Arc<dyn Wake>,
}

impl Ticket for Arc<dyn Wake> {
    fn wake(&self) -> Arc<dyn Wake> {
        self.clone()
    }
}

impl BrokerRequest<'_> {
    /// A copy that lives on while the request waits; `wake` wakes it.
    pub(crate) fn kept(self, wake: Arc<dyn Wake>) -> OwnedRequest {
        OwnedRequest {
            api_key: self.api_key,
            api_version: self.api_version,
            correlation_id: self.correlation_id,
            client_id: self.client_id.map(str::to_owned),
            listener: self.listener.clone(),
            endpoint: self.endpoint,
            connection: self.connection,
            body: self.body.to_vec(),
            cold_allowed: self.cold_allowed,
            wake,
        }
    }
}

impl OwnedRequest {
    /// The request as it was, at another time.
    pub(crate) fn at(&self, now: Millis) -> BrokerRequest<'_> {
        BrokerRequest {
            api_key: self.api_key,
            api_version: self.api_version,
            correlation_id: self.correlation_id,
            client_id: self.client_id.as_deref(),
            listener: &self.listener,
            endpoint: self.endpoint,
            connection: self.connection,
            body: &self.body,
            now,
            cold_allowed: self.cold_allowed,
            ticket: &self.wake,
        }
    }
}

/// Part of a response.
#[derive(Debug, Clone)]
pub enum Chunk {
    /// Bytes in memory.
    Bytes(Vec<u8>),
    /// Bytes of a file, to be sent without being read where the platform can.
    File(FileSlice),
}

/// A response.
#[derive(Debug)]
pub struct Answer {
    /// Header and body, without the length prefix.
    pub chunks: Vec<Chunk>,
    /// API key of the request.
    pub api_key: i16,
    /// The error codes in it.
    pub errors: ErrorTally,
}

/// What became of a request.
pub enum Handled {
    /// The response.
    Reply(Answer),
    /// There is no response (Produce with acks=0).
    NoReply,
    /// Nothing to say yet: call `Broker::resume` when the ticket wakes, or at `deadline`. Dropping the state
    /// (the connection is gone) is safe.
    Park {
        /// When to resume at the latest.
        deadline: Millis,
        /// Handed back to `Broker::resume`.
        state: Parked,
    },
    /// Python must do something first or altogether.
    Cold,
    /// The connection must be closed, for this reason.
    Close(String),
    /// The same because the request has failed and there is no response to say so (Produce with acks=0).
    Fail {
        /// What is logged.
        reason: String,
        /// API key of the request.
        api_key: i16,
        /// The error codes that its response would have had.
        errors: ErrorTally,
    },
}

/// A request that waits.
pub struct Parked(pub(crate) Waiting);

pub(crate) enum Waiting {
    Fetch(Box<ParkedFetch>),
    Produce(Box<ParkedProduce>),
    DeleteRecords(Box<ParkedDeleteRecords>),
    Markers(Box<ParkedMarkers>),
    Verification(Box<ParkedVerification>),
    Schemas(Box<ParkedUnjudged>),
}

impl From<DecodeError> for Handled {
    fn from(error: DecodeError) -> Handled {
        Handled::Close(format!("malformed request: {error}"))
    }
}

/// What of a request its answer needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReplyTo {
    pub(crate) api_key: i16,
    pub(crate) api_version: i16,
    pub(crate) correlation_id: i32,
}

impl ReplyTo {
    /// The answer that `encode` writes in the request's version; `flexible_from` is the first version with
    /// tagged fields. `files[i]` goes where records with index `i` were announced.
    pub(crate) fn reply(
        self,
        flexible_from: i16,
        files: Vec<FileSlice>,
        encode: impl FnOnce(&mut Writer, i16) -> Result<(), EncodeError>,
    ) -> Handled {
        let mut writer = Writer::append_to(Vec::with_capacity(256));
        writer.i32(self.correlation_id);
        // ApiVersions keeps the old header for good: its reader does not know yet what the other side speaks.
        if self.api_version >= flexible_from && self.api_key != crate::api_versions::KEY {
            writer.uvarint(0);
        }
        match encode(&mut writer, self.api_version) {
            Ok(()) => {
                let errors = std::mem::take(&mut writer.errors);
                Handled::Reply(Answer { chunks: chunks(writer, files), api_key: self.api_key, errors })
            }
            Err(error) => Handled::Close(format!("response does not fit: {error}")),
        }
    }
}

fn chunks(writer: Writer, files: Vec<FileSlice>) -> Vec<Chunk> {
    if writer.splices.is_empty() {
        return vec![Chunk::Bytes(writer.bytes)];
    }
    let mut chunks = Vec::with_capacity(2 * writer.splices.len() + 1);
    let mut files: Vec<Option<FileSlice>> = files.into_iter().map(Some).collect();
    let mut start = 0;
    for splice in &writer.splices {
        if splice.position > start {
            chunks.push(Chunk::Bytes(writer.bytes[start..splice.position].to_vec()));
        }
        start = splice.position;
        let file = files.get_mut(splice.index as usize).and_then(Option::take);
        assert!(file.as_ref().is_some_and(|file| file.length == splice.length), "records have their file");
        chunks.extend(file.map(Chunk::File));
    }
    if start < writer.bytes.len() {
        chunks.push(Chunk::Bytes(writer.bytes[start..].to_vec()));
    }
    chunks
}
