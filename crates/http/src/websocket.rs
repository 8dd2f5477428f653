//! WebSockets on which the application writes and clients listen: each piece of a reply is a message.
//!
//! Always true:
//!   a client that answers no ping is given up, and so is one that takes nothing
//!   whoever is told the end is told why: by a code of RFC 6455
//!   what a client may send is bounded, and none of it reaches the application

use std::time::Duration;

use base64::Engine;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::WebSocketStream;

use crate::streams::{Outlet, ReplyBody};

/// Between two pings.
const PING_TIME: Duration = Duration::from_secs(20);
/// How long a client may take to agree to the end.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes of a message of a client, which is not read anyway.
const CLIENT_MESSAGE_BYTES_MAX: usize = 4 * 1024;
/// Appended to a client's key in the answer (RFC 6455, 1.3).
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const KEY: HeaderName = header::SEC_WEBSOCKET_KEY;
const ACCEPT: HeaderName = header::SEC_WEBSOCKET_ACCEPT;
const VERSION: HeaderName = header::SEC_WEBSOCKET_VERSION;

/// Whether a request asks for a WebSocket, as RFC 6455 has it.
pub(crate) fn is_asked_for(method: &Method, headers: &HeaderMap) -> bool {
    let has = |name: HeaderName, token: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
    };
    method == Method::GET
        && has(header::CONNECTION, "upgrade")
        && has(header::UPGRADE, "websocket")
        && headers.get(VERSION).is_some_and(|version| version == "13")
        && headers.contains_key(KEY)
}

/// The response with which the connection becomes a WebSocket.
pub(crate) fn switching(key: Option<&HeaderValue>) -> Response<ReplyBody> {
    let mut proof = key.map_or(Vec::new(), |key| key.as_bytes().to_vec());
    proof.extend_from_slice(KEY_SUFFIX);
    let proof = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &proof);
    let accept = base64::engine::general_purpose::STANDARD.encode(proof);
    let mut response = Response::new(ReplyBody::Whole(Bytes::new().into()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::try_from(accept) {
        headers.insert(ACCEPT, accept);
    }
    response
}

/// How the connection ends.
enum End {
    /// The client is told so.
    Told(CloseCode, Utf8Bytes),
    /// The client has said so, and is answered.
    Asked,
    /// It is gone.
    Gone,
}

impl End {
    fn told(code: CloseCode, reason: &'static str) -> End {
        End::Told(code, Utf8Bytes::from_static(reason))
    }
}

/// Writes what the application gives until it has no more, the client goes, or the server stops.
pub(crate) async fn serve(
    upgrade: OnUpgrade,
    mut outlet: Outlet,
    mut stopping: watch::Receiver<Option<Duration>>,
) {
    let Ok(upgraded) = upgrade.await else { return };
    let config = WebSocketConfig::default()
        .max_message_size(Some(CLIENT_MESSAGE_BYTES_MAX))
        .max_frame_size(Some(CLIENT_MESSAGE_BYTES_MAX));
    let mut socket =
        WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    let end = written(&mut socket, &mut outlet, &mut stopping).await;
    // The application hears that nobody reads any more.
    drop(outlet);
    let closed = async {
        let told = match end {
            End::Gone => return,
            // The answer waits to be sent.
            End::Asked => socket.flush().await,
            End::Told(code, reason) => socket.close(Some(CloseFrame { code, reason })).await,
        };
        if told.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    // A client that does not answer is cut off.
    let _ = tokio::time::timeout(CLOSE_TIME_MAX, closed).await;
}

type Socket = WebSocketStream<TokioIo<Upgraded>>;

async fn written(
    socket: &mut Socket,
    outlet: &mut Outlet,
    stopping: &mut watch::Receiver<Option<Duration>>,
) -> End {
    let mut pings = tokio::time::interval(PING_TIME);
    let mut heard = true;
    loop {
        let message = tokio::select! {
            piece = outlet.piece() => match piece {
                Some(piece) => message(piece),
                None => return outlet.reason().map_or(
                    End::told(CloseCode::Normal, ""),
                    |(code, reason)| End::Told(CloseCode::from(code), reason.into()),
                ),
            },
            read = socket.next() => match taken(read) {
                Ok(()) => {
                    heard = true;
                    continue;
                }
                Err(end) => return end,
            },
            _ = pings.tick() => match std::mem::take(&mut heard) {
                true => Message::Ping(Bytes::new()),
                false => return End::Gone,
            },
            _ = stopping.wait_for(Option::is_some) => return End::told(CloseCode::Away, "the service stops"),
        };
        if socket.send(message).await.is_err() {
            return End::Gone;
        }
    }
}

fn message(piece: Bytes) -> Message {
    match Utf8Bytes::try_from(piece.clone()) {
        Ok(text) => Message::Text(text),
        Err(_) => Message::Binary(piece),
    }
}

/// What a client has sent: a sign of life, or an end.
fn taken(read: Option<Result<Message, Error>>) -> Result<(), End> {
    match read {
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(()),
        Some(Ok(Message::Close(_))) => Err(End::Asked),
        Some(Ok(Message::Text(_) | Message::Binary(_))) => {
            Err(End::told(CloseCode::Unsupported, "nothing is read here"))
        }
        Some(Err(Error::Capacity(_))) => Err(End::told(CloseCode::Size, "nothing is read here")),
        Some(Err(Error::Protocol(_))) => Err(End::told(CloseCode::Protocol, "")),
        Some(Err(Error::Utf8(_))) => Err(End::told(CloseCode::Invalid, "")),
        Some(Err(_)) | None => Err(End::Gone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_key_is_that_of_the_rfc() {
        let response = switching(Some(&HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==")));
        assert_eq!(response.headers()[ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
