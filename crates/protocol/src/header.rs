//! The header of a request, read with bounds before anything else is believed; the header of a response.

use crate::api::ApiKey;
use crate::wire::{DecodeError, Reader, Writer};

/// Header of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestHeader<'a> {
    /// The API.
    pub api_key: ApiKey,
    /// Its version; known to be a stable one, except for ApiVersions, which answers every version.
    pub api_version: i16,
    /// Chosen by the client, repeated in the response.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<&'a str>,
}

/// Why a header is refused. Nothing can be answered to such a request: the connection is closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// A key that no API has, or has any more.
    #[error("API key {0} is not known")]
    UnknownApi(i16),
    /// A version that is not served.
    #[error("version {version} of {} is not in {}-{}", api.name(), api.lowest(), api.highest_stable())]
    Version {
        /// The API.
        api: ApiKey,
        /// The version asked for.
        version: i16,
    },
    /// The bytes are no header.
    #[error("malformed header: {0}")]
    Malformed(#[from] DecodeError),
}

impl<'a> RequestHeader<'a> {
    /// Reads the header of a frame (without its length prefix); the second value is where the body begins.
    pub fn decode(frame: &'a [u8]) -> Result<(RequestHeader<'a>, usize), HeaderError> {
        let mut reader = Reader::new(frame);
        let code = reader.i16()?;
        let api_version = reader.i16()?;
        let api_key = ApiKey::from_code(code).ok_or(HeaderError::UnknownApi(code))?;
        if !api_key.is_valid(api_version) && api_key != ApiKey::ApiVersions {
            return Err(HeaderError::Version { api: api_key, version: api_version });
        }
        let correlation_id = reader.i32()?;
        // The client id kept its old encoding in the flexible header.
        let client_id = reader.nullable_string(false)?;
        if api_key.request_header_version(api_version) >= 2 {
            reader.skip_tagged_fields()?;
        }
        Ok((RequestHeader { api_key, api_version, correlation_id, client_id }, reader.position()))
    }

    /// Appends the header of the response to this request.
    pub fn encode_response(&self, writer: &mut Writer) {
        encode_response_header(writer, self.api_key, self.api_version, self.correlation_id);
    }
}

/// Appends the header of a response.
pub fn encode_response_header(writer: &mut Writer, api: ApiKey, version: i16, correlation_id: i32) {
    writer.i32(correlation_id);
    if api.response_header_version(version) >= 1 {
        writer.uvarint(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generated::request_header::RequestHeader as Generated;
    use proptest::prelude::*;

    fn frame(api: ApiKey, version: i16, client_id: Option<&str>) -> Vec<u8> {
        let header = Generated {
            request_api_key: api.code(),
            request_api_version: version,
            correlation_id: 77,
            client_id,
        };
        let mut writer = Writer::new();
        header.encode(&mut writer, api.request_header_version(version)).unwrap();
        writer.u8(0xbb);
        writer.into_bytes()
    }

    #[test]
    fn every_api_and_version_is_read_as_the_generated_header_writes_it() {
        for api in ApiKey::ALL {
            for version in api.lowest()..=api.highest_stable() {
                let frame = frame(api, version, Some("me"));
                let (header, body) = RequestHeader::decode(&frame).unwrap();
                assert_eq!((header.api_key, header.api_version, header.correlation_id), (api, version, 77));
                assert_eq!(header.client_id, Some("me"));
                assert_eq!(&frame[body..], [0xbb]);
            }
        }
    }

    #[test]
    fn unknown_apis_and_versions_are_refused_but_api_versions_is_not() {
        let refused = RequestHeader::decode(&[0, 4, 0, 0, 0, 0, 0, 1, 0xff, 0xff]);
        assert_eq!(refused, Err(HeaderError::UnknownApi(4)));
        let old = frame(ApiKey::Fetch, 4, None);
        assert!(RequestHeader::decode(&old).is_ok());
        let refused = RequestHeader::decode(&[0, 1, 0, 3, 0, 0, 0, 1, 0xff, 0xff]);
        assert_eq!(refused, Err(HeaderError::Version { api: ApiKey::Fetch, version: 3 }));
        let future = [0, 18, 0, 99, 0, 0, 0, 1, 0xff, 0xff, 0];
        let (header, body) = RequestHeader::decode(&future).unwrap();
        assert_eq!((header.api_version, body), (99, 11));
    }

    proptest! {
        #[test]
        fn no_frame_panics(frame: Vec<u8>) {
            let _ = RequestHeader::decode(&frame);
        }
    }
}
