//! Replies that the server gives by itself, in the form that all services have for errors.

use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::StatusCode;

use crate::reply::Reply;

/// Why a request does not reach the application, or its answer not the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The body is over `body_bytes_max`.
    BodyTooLarge { limit: usize },
    /// The body was not complete in time.
    BodyTooSlow { seconds: u64 },
    /// The body could not be read: the client has gone, or its framing is wrong.
    BodyBroken,
    /// All bodies together are over `bodies_bytes_max`.
    Busy,
    /// The application did not answer in time.
    NoAnswer { seconds: u64 },
    /// The server stops.
    Stopping,
}

/// Seconds after which a client may try again.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("1");

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Refusal::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::BodyTooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Refusal::BodyBroken => StatusCode::BAD_REQUEST,
            Refusal::Busy | Refusal::NoAnswer { .. } | Refusal::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn message(self) -> String {
        match self {
            Refusal::BodyTooLarge { limit } => format!("The request's body is over {limit} bytes"),
            Refusal::BodyTooSlow { seconds } => {
                format!("The request's body was not complete within {seconds} seconds")
            }
            Refusal::BodyBroken => "The request's body could not be read".to_owned(),
            Refusal::Busy => "Too many bytes of requests are in hand".to_owned(),
            Refusal::NoAnswer { seconds } => format!("There was no answer within {seconds} seconds"),
            Refusal::Stopping => "The service stops".to_owned(),
        }
    }

    /// Whether the rest of the connection's bytes can't be made sense of, or is not worth reading.
    fn ends_connection(self) -> bool {
        matches!(self, Refusal::BodyTooLarge { .. } | Refusal::BodyTooSlow { .. } | Refusal::BodyBroken)
    }

    /// The reply that says so.
    pub(crate) fn reply(self) -> Reply {
        let status = self.status();
        let body = format!(r#"{{"error_code":{},"message":"{}"}}"#, status.as_u16(), self.message());
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, RETRY_SECONDS);
        }
        if self.ends_connection() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Reply::new(status, headers, Bytes::from(body))
    }
}
