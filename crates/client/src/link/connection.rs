//! One connection: what is in flight, what is still to be sent, what has come of the next response.

use std::collections::VecDeque;
use std::sync::Arc;

use barnabas_protocol::api::ApiKey;
use barnabas_protocol::wire::{Reader, Writer};
use barnabas_protocol::Millis;

use super::input::Input;
use super::Chunk;
use crate::sasl::Exchange;
use crate::versions::Versions;

#[derive(Debug)]
pub(super) struct Sent<P> {
    pub(super) correlation_id: i32,
    pub(super) api: ApiKey,
    pub(super) version: i16,
    /// When it was written.
    pub(super) at: Millis,
    pub(super) deadline: Millis,
    /// None: a request of the connection itself, for versions or authentication.
    pub(super) purpose: Option<P>,
}

#[derive(Debug, PartialEq)]
pub(super) enum State {
    /// Not connected, and not to be tried before `retry_at`.
    Idle {
        retry_at: Millis,
    },
    Connecting {
        deadline: Millis,
    },
    /// ApiVersions is on its way.
    Negotiating,
    /// SASL is on its way, for the first time or again (KIP-368).
    Authenticating(Versions),
    Ready(Versions),
}

#[derive(Debug)]
pub(super) struct Link<P> {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) state: State,
    /// Attempts that failed in a row.
    pub(super) failures: u32,
    pub(super) in_flight: VecDeque<Sent<P>>,
    pub(super) output: VecDeque<Chunk>,
    /// Bytes of the first chunk that are sent.
    pub(super) sent: usize,
    pub(super) input: Input,
    /// Whether the owner of sockets was told to connect.
    pub(super) announced: bool,
    pub(super) exchange: Option<Exchange>,
    /// When the broker is to be told again who this is: it would end the session soon after.
    pub(super) authenticate_at: Option<Millis>,
    /// It ends before a broker would hear of that again: a new connection takes its place.
    pub(super) is_short_session: bool,
}

/// A request with its response's frame; the number is where the body begins in it.
pub(super) type Answered<P> = (Sent<P>, Vec<u8>, usize);

/// Bytes that are no response, or not the next one.
pub(super) struct NotAResponse;

impl<P> Link<P> {
    pub(super) fn deadline(&self) -> Option<Millis> {
        match self.state {
            State::Connecting { deadline } => Some(deadline),
            _ => self.in_flight.front().map(|sent| sent.deadline),
        }
    }

    /// Queues a request whose first four bytes are still to be its length: its bytes in all.
    pub(super) fn push(&mut self, writer: Writer, external: &[Chunk]) -> usize {
        let splices = writer.splices.clone();
        let mut bytes = writer.into_bytes();
        let length = bytes.len() - 4 + external.iter().map(|chunk| chunk.len()).sum::<usize>();
        assert!(length <= i32::MAX as usize, "a request of {length} bytes");
        bytes[..4].copy_from_slice(&(length as i32).to_be_bytes());
        let mut at = 0;
        for splice in splices {
            self.output.push_back(Arc::new(bytes[at..splice.position].to_vec()));
            self.output.push_back(external[splice.index as usize].clone());
            at = splice.position;
        }
        if at < bytes.len() {
            self.output.push_back(Arc::new(bytes.split_off(at)));
        }
        length + 4
    }

    /// The next whole response, and what it answers.
    pub(super) fn next_frame(&mut self) -> Result<Option<Answered<P>>, NotAResponse> {
        let Some(size) = self.input.size().map_err(|_| NotAResponse)? else { return Ok(None) };
        let Some(response) = self.input.came().get(4..4 + size) else { return Ok(None) };
        let sent = self.in_flight.front().ok_or(NotAResponse)?;
        let mut reader = Reader::new(response);
        let correlation_id = reader.i32().map_err(|_| NotAResponse)?;
        if correlation_id != sent.correlation_id {
            return Err(NotAResponse);
        }
        if sent.api.response_header_version(sent.version) >= 1 {
            reader.skip_tagged_fields().map_err(|_| NotAResponse)?;
        }
        let at = 4 + reader.position();
        let frame = self.input.split(size);
        let sent = self.in_flight.pop_front().ok_or(NotAResponse)?;
        Ok(Some((sent, frame, at)))
    }
}
