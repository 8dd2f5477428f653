//! A reply, as the application gives it.

use std::sync::OnceLock;

use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::StatusCode;

use crate::compression;

/// Status, headers and body. Length, date and content encoding are added when it is sent.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, as it is without an encoding.
    pub body: Bytes,
    /// Number of the operation that it answers; 0 for none.
    pub operation: usize,
    /// The body in gzip, made when it is first asked for; None where it is not worth it.
    gzip: OnceLock<Option<Bytes>>,
}

impl Reply {
    /// A reply with these parts.
    pub fn new(status: StatusCode, headers: HeaderMap, body: Bytes) -> Reply {
        Reply { status, headers, body, operation: 0, gzip: OnceLock::new() }
    }

    /// The body in gzip, if it is worth it.
    pub(crate) fn gzip(&self) -> Option<Bytes> {
        let encoded = self.headers.contains_key(header::CONTENT_ENCODING);
        self.gzip.get_or_init(|| if encoded { None } else { compression::gzip(&self.body) }).clone()
    }

    /// Its type, if it has one.
    pub(crate) fn content_type(&self) -> Option<&HeaderValue> {
        self.headers.get(header::CONTENT_TYPE)
    }

    /// Bytes that it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        self.body.len() + headers + HEAD_BYTES
    }
}

/// What a reply takes besides its bytes, about: tables of headers, allocations.
const HEAD_BYTES: usize = 512;
