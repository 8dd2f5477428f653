//! Brokers for tests of the machines: requests are taken from connections, and answered when the test says so.

#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "a test fails by panicking, and needs not all of this"
)]

use std::collections::BTreeMap;
use std::io::IoSlice;

use barnabas_client::link::{LinkConfig, Links, Order};
use barnabas_client::security::Security;
use barnabas_protocol::api::ApiKey;
use barnabas_protocol::generated::api_versions_response::{ApiVersion, ApiVersionsResponse};
use barnabas_protocol::header::{encode_response_header, RequestHeader};
use barnabas_protocol::wire::{EncodeError, Reader, Writer};
use barnabas_protocol::{Millis, NodeId};

/// Xorshift: a run is its seed.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % bound
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// A request as a broker reads it.
pub struct Asked {
    /// The connection.
    pub link: NodeId,
    pub api: ApiKey,
    pub version: i16,
    correlation_id: i32,
    body: Vec<u8>,
}

impl Asked {
    pub fn body(&self) -> Reader<'_> {
        Reader::new(&self.body)
    }

    /// The frame of a response.
    pub fn answer(&self, encode: impl FnOnce(&mut Writer, i16) -> Result<(), EncodeError>) -> Vec<u8> {
        let mut writer = Writer::append_to(vec![0; 4]);
        encode_response_header(&mut writer, self.api, self.version, self.correlation_id);
        encode(&mut writer, self.version).unwrap();
        let mut bytes = writer.into_bytes();
        let length = bytes.len() as i32 - 4;
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        bytes
    }
}

/// The brokers' side of a client's connections.
#[derive(Default)]
pub struct Wire {
    inputs: BTreeMap<NodeId, Vec<u8>>,
}

impl Wire {
    /// Opens and closes connections as the client wants, and takes what it sends; `accept` says whether a
    /// connection comes about.
    pub fn take<P>(
        &mut self,
        links: &mut Links<P>,
        now: Millis,
        mut accept: impl FnMut(NodeId) -> bool,
    ) -> Vec<Asked> {
        for order in links.take_orders() {
            match order {
                Order::Connect(node, ..) if accept(node) => {
                    self.inputs.remove(&node);
                    links.connected(node, now);
                }
                Order::Connect(node, ..) => links.disconnected(node, now),
                Order::Close(node) => drop(self.inputs.remove(&node)),
            }
        }
        for node in links.writable() {
            let input = self.inputs.entry(node).or_default();
            loop {
                let mut slices = [IoSlice::new(&[]); 4];
                let count = links.front(node, &mut slices);
                let sent: usize = slices[..count].iter().map(|slice| slice.len()).sum();
                slices[..count].iter().for_each(|slice| input.extend_from_slice(slice));
                if count == 0 {
                    break;
                }
                links.advance(node, sent);
            }
        }
        let mut asked = Vec::new();
        for (&link, input) in &mut self.inputs {
            while let Some(frame) = take_frame(input) {
                asked.push(read(link, &frame));
            }
        }
        asked
    }

    /// The connection is gone.
    pub fn cut<P>(&mut self, links: &mut Links<P>, node: NodeId, now: Millis) {
        self.inputs.remove(&node);
        links.disconnected(node, now);
    }
}

fn take_frame(input: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = i32::from_be_bytes(input.get(..4)?.try_into().unwrap()) as usize;
    if input.len() < 4 + length {
        return None;
    }
    let rest = input.split_off(4 + length);
    Some(std::mem::replace(input, rest).split_off(4))
}

fn read(link: NodeId, frame: &[u8]) -> Asked {
    let (header, at) = RequestHeader::decode(frame).unwrap();
    Asked {
        link,
        api: header.api_key,
        version: header.api_version,
        correlation_id: header.correlation_id,
        body: frame[at..].to_vec(),
    }
}

/// What brokers say they speak.
pub fn versions(apis: &[(ApiKey, i16)]) -> ApiVersionsResponse<'static> {
    let all = apis.iter().chain(&[(ApiKey::ApiVersions, 4)]);
    let range =
        |&(api, max_version): &(ApiKey, i16)| ApiVersion { api_key: api.code(), min_version: 0, max_version };
    ApiVersionsResponse { api_keys: all.map(range).collect(), ..Default::default() }
}

pub fn link_config() -> LinkConfig {
    LinkConfig {
        client_id: "c".to_string(),
        request_timeout_ms: 1_000,
        reconnect_backoff_ms: 5,
        reconnect_backoff_max_ms: 50,
        setup_timeout_ms: 500,
        security: Security::default(),
    }
}
