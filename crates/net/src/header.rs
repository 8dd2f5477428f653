//! The header of a request, kept beside its frame.

use std::sync::Arc;

use barnabas_protocol::header::{HeaderError, RequestHeader};
use barnabas_protocol::wire::DecodeError;

/// What a request begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Which API.
    pub api_key: i16,
    /// Version of the API; one that is served, except for ApiVersions.
    pub api_version: i16,
    /// Chosen by the client, repeated in the response.
    pub correlation_id: i32,
    /// Name that the client has given itself.
    pub client_id: Option<Arc<str>>,
    /// Bytes of the header: where the body begins.
    pub length: usize,
}

/// Decodes the header at the beginning of `bytes`. Clients call themselves the same in each request: `known` is the
/// name of the last one.
pub(crate) fn decode(bytes: &[u8], known: Option<&Arc<str>>) -> Result<Header, HeaderError> {
    let (header, length) = RequestHeader::decode(bytes)?;
    Ok(Header {
        api_key: header.api_key.code(),
        api_version: header.api_version,
        correlation_id: header.correlation_id,
        client_id: header.client_id.map(|name| match known.filter(|known| &***known == name) {
            Some(known) => known.clone(),
            None => name.into(),
        }),
        length,
    })
}

/// Whether more bytes may make the header valid.
pub(crate) fn is_incomplete(error: &HeaderError) -> bool {
    matches!(error, HeaderError::Malformed(DecodeError::End { .. }))
}
