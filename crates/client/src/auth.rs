//! What a connection says and hears of authentication: Kafka's SASL requests round the exchange of a mechanism.

use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::sasl_authenticate_response::SaslAuthenticateResponse;
use barnabas_protocol::generated::sasl_handshake_request::SaslHandshakeRequest;
use barnabas_protocol::generated::sasl_handshake_response::SaslHandshakeResponse;
use barnabas_protocol::wire::Reader;
use barnabas_protocol::Millis;

use crate::error::ClientError;
use crate::sasl::{Exchange, SaslError};
use crate::security::Security;

/// The version of SaslHandshake after which tokens have requests of their own (KIP-152, Apache Kafka 1.0).
pub const HANDSHAKE: i16 = 1;
/// Percent of a session after which a client authenticates again at the earliest …
pub const SESSION_SHARE_MIN: i64 = 85;
/// … and how many percent later at most, so that not all come at once (as in Apache Kafka).
pub const SESSION_SHARE_SPREAD: i64 = 10;

/// A broker does not hear of it again in less than a second (seen with Apache Kafka 4.3.1: ILLEGAL_SASL_STATE).
pub const PAUSE_MIN_MS: Millis = 1_000;

/// What comes next.
pub enum Next {
    /// The next token of the exchange.
    Send(Exchange, Vec<u8>),
    /// It is over; for how many milliseconds it holds, 0 without an end.
    Done(Millis),
}

/// Why nothing comes next.
pub enum Refusal {
    /// What came can't be read.
    NoAnswer,
    /// It would be the same the next time.
    Final(ClientError),
}

fn failed(code: ErrorCode, message: String) -> Refusal {
    Refusal::Final(ClientError::Broker { code, message })
}

fn broken(error: SaslError) -> Refusal {
    failed(ErrorCode::SASL_AUTHENTICATION_FAILED, error.to_string())
}

/// The first request; None without SASL.
pub fn handshake(security: &Security) -> Option<SaslHandshakeRequest<'static>> {
    security.sasl.as_ref().map(|sasl| SaslHandshakeRequest { mechanism: sasl.mechanism() })
}

/// Takes the answer to it.
pub fn handshaken(security: &Security, body: &[u8], version: i16) -> Result<Next, Refusal> {
    let answer =
        SaslHandshakeResponse::decode(&mut Reader::new(body), version).map_err(|_| Refusal::NoAnswer)?;
    let sasl = security.sasl.as_ref().ok_or(Refusal::NoAnswer)?;
    let code = ErrorCode(answer.error_code);
    if code.is_error() {
        let (mechanism, offered) = (sasl.mechanism(), answer.mechanisms.join(", "));
        return Err(failed(
            code,
            format!("the broker does not take sasl.mechanism {mechanism}; it takes {offered}"),
        ));
    }
    let (exchange, token) = Exchange::begin(sasl, security.entropy).map_err(broken)?;
    Ok(Next::Send(exchange, token))
}

/// Takes the answer to a token.
pub fn continued(exchange: Option<Exchange>, body: &[u8], version: i16) -> Result<Next, Refusal> {
    let answer =
        SaslAuthenticateResponse::decode(&mut Reader::new(body), version).map_err(|_| Refusal::NoAnswer)?;
    let code = ErrorCode(answer.error_code);
    if code.is_error() {
        let message = answer.error_message.filter(|text| !text.is_empty()).unwrap_or(code.message());
        return Err(failed(code, message.to_string()));
    }
    let mut exchange = exchange.ok_or(Refusal::NoAnswer)?;
    match exchange.step(answer.auth_bytes).map_err(broken)? {
        Some(token) => Ok(Next::Send(exchange, token)),
        None => Ok(Next::Done(answer.session_lifetime_ms.max(0))),
    }
}
