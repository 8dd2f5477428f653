//! Connections that tell a broker who they are: before anything else, again when the session ends, and in vain.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use barnabas_client::link::{LinkConfig, Links};
use barnabas_client::security::{Sasl, Security, Token};
use barnabas_client::ClientError;
use barnabas_protocol::api::ApiKey;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::heartbeat_request::HeartbeatRequest;
use barnabas_protocol::generated::sasl_authenticate_request::SaslAuthenticateRequest;
use barnabas_protocol::generated::sasl_authenticate_response::SaslAuthenticateResponse;
use barnabas_protocol::generated::sasl_handshake_request::SaslHandshakeRequest;
use barnabas_protocol::generated::sasl_handshake_response::SaslHandshakeResponse;
use barnabas_protocol::{Millis, NodeId};
use support::{link_config, versions, Wire};

const NODE: NodeId = 1;
const SESSION_MS: Millis = 10_000;

/// A client of one broker, which takes the token `good`.
struct Run {
    links: Links<()>,
    wire: Wire,
    now: Millis,
    mechanism: &'static str,
    good: Vec<u8>,
    session_ms: Millis,
    /// Names of APIs in the order in which they were asked.
    asked: Vec<&'static str>,
    /// Heartbeats that the broker has not answered yet.
    held: Vec<Vec<u8>>,
}

impl Run {
    fn new(sasl: Sasl) -> Run {
        let security = Security { sasl: Some(sasl), ..Default::default() };
        let mut links = Links::new(LinkConfig { security, ..link_config() });
        links.set_address(NODE, "h", 9, 0);
        let (wire, good) = (Wire::default(), b"\0alice\0secret".to_vec());
        Run {
            links,
            wire,
            now: 0,
            mechanism: "PLAIN",
            good,
            session_ms: SESSION_MS,
            asked: Vec::new(),
            held: Vec::new(),
        }
    }

    /// Lets both sides talk until nothing is said any more; the broker answers all but heartbeats.
    fn talk(&mut self) {
        self.links.ready(NODE, self.now);
        loop {
            let asked = self.wire.take(&mut self.links, self.now, |_| true);
            if asked.is_empty() {
                return;
            }
            for request in asked {
                self.asked.push(request.api.name());
                let answer = match request.api {
                    ApiKey::ApiVersions => {
                        let apis = [
                            (ApiKey::Heartbeat, 4),
                            (ApiKey::SaslHandshake, 1),
                            (ApiKey::SaslAuthenticate, 2),
                        ];
                        request.answer(|writer, version| versions(&apis).encode(writer, version))
                    }
                    ApiKey::SaslHandshake => {
                        let wanted =
                            SaslHandshakeRequest::decode(&mut request.body(), request.version).unwrap();
                        let unknown = wanted.mechanism != self.mechanism;
                        let code =
                            if unknown { ErrorCode::UNSUPPORTED_SASL_MECHANISM } else { ErrorCode::NONE };
                        let response = SaslHandshakeResponse {
                            error_code: code.code(),
                            mechanisms: vec![self.mechanism],
                        };
                        request.answer(|writer, version| response.encode(writer, version))
                    }
                    ApiKey::SaslAuthenticate => {
                        let given =
                            SaslAuthenticateRequest::decode(&mut request.body(), request.version).unwrap();
                        let mut response = SaslAuthenticateResponse {
                            session_lifetime_ms: self.session_ms,
                            ..Default::default()
                        };
                        if given.auth_bytes != self.good {
                            response.error_code = ErrorCode::SASL_AUTHENTICATION_FAILED.code();
                            response.error_message = Some("who is this?");
                        }
                        request.answer(|writer, version| response.encode(writer, version))
                    }
                    _ => {
                        self.held.push(request.answer(|writer, _| {
                            writer.bytes.extend_from_slice(&[0; 7]);
                            Ok(())
                        }));
                        continue;
                    }
                };
                let answers = self.links.received(NODE, &answer, self.now);
                assert!(answers.is_empty(), "what the connection asks for itself is nobody else's");
            }
        }
    }

    fn heartbeat(&mut self) -> bool {
        if !self.links.ready(NODE, self.now) {
            return false;
        }
        let request = HeartbeatRequest { group_id: "g", ..Default::default() };
        let api = (ApiKey::Heartbeat, 4);
        self.links.send(self.now, NODE, api, Some(()), &[], |writer| request.encode(writer, 4)).unwrap();
        self.talk();
        true
    }

    fn answer_heartbeats(&mut self) -> usize {
        let held = std::mem::take(&mut self.held);
        held.iter().map(|answer| self.links.received(NODE, answer, self.now).len()).sum()
    }
}

fn plain(password: &str) -> Sasl {
    Sasl::Plain { username: "alice".to_string(), password: password.to_string() }
}

#[test]
fn a_client_says_who_it_is_before_anything_else() {
    let mut run = Run::new(plain("secret"));
    run.talk();
    assert_eq!(run.asked, ["ApiVersions", "SaslHandshake", "SaslAuthenticate"]);
    assert!(run.heartbeat());
    assert_eq!(run.answer_heartbeats(), 1);
    assert_eq!(run.links.problem(), None);
}

#[test]
fn a_wrong_password_is_told_once_and_tried_again_after_a_pause() {
    let mut run = Run::new(plain("guessed"));
    run.talk();
    let Some(ClientError::Broker { code, message }) = run.links.take_refusal() else { panic!("not refused") };
    assert_eq!((code, message.as_str()), (ErrorCode::SASL_AUTHENTICATION_FAILED, "h:9: who is this?"));
    assert_eq!(run.links.take_refusal(), None);
    assert!(!run.links.ready(NODE, run.now));
    run.talk();
    assert_eq!(run.asked.len(), 3, "it waits");
    run.now += 10;
    run.talk();
    assert_eq!(run.asked.len(), 6);
}

#[test]
fn a_mechanism_that_the_broker_does_not_take_is_named_with_those_that_it_does() {
    let mut run = Run::new(plain("secret"));
    run.mechanism = "SCRAM-SHA-256";
    run.talk();
    let Some(ClientError::Broker { code, message }) = run.links.take_refusal() else { panic!("not refused") };
    assert_eq!(code, ErrorCode::UNSUPPORTED_SASL_MECHANISM);
    assert!(message.contains("PLAIN") && message.contains("it takes SCRAM-SHA-256"), "{message}");
}

#[test]
fn a_session_is_prolonged_between_requests_with_the_token_of_that_time() {
    let token = Token::default();
    token.set("first".to_string());
    let mut run = Run::new(Sasl::Bearer(token.clone()));
    run.mechanism = "OAUTHBEARER";
    run.good = b"n,,\x01auth=Bearer first\x01\x01".to_vec();
    run.talk();
    assert!(run.heartbeat());
    token.set("second".to_string());
    run.good = b"n,,\x01auth=Bearer second\x01\x01".to_vec();

    run.now = SESSION_MS * 85 / 100 - 1;
    assert!(run.heartbeat(), "it is not time yet");
    run.now += 1;
    assert!(!run.heartbeat(), "what is under way comes first");
    assert_eq!(run.asked.iter().filter(|&&api| api == "SaslAuthenticate").count(), 1);
    assert_eq!(run.answer_heartbeats(), 2);
    assert!(!run.links.ready(NODE, run.now));
    run.talk();
    assert_eq!(run.asked[run.asked.len() - 2..], ["SaslHandshake", "SaslAuthenticate"]);
    assert!(run.heartbeat());
    assert_eq!(run.links.take_refusal(), None);
}

#[test]
fn a_session_that_is_too_short_to_be_prolonged_ends_with_a_new_connection() {
    let mut run = Run::new(plain("secret"));
    run.session_ms = 1_000;
    run.talk();
    assert!(run.heartbeat());
    run.now = 850;
    assert!(!run.heartbeat(), "what is under way comes first");
    assert_eq!(run.answer_heartbeats(), 1);
    run.asked.clear();
    run.talk();
    run.talk();
    assert_eq!(run.asked, ["ApiVersions", "SaslHandshake", "SaslAuthenticate"]);
    assert!(run.heartbeat());
}

#[test]
fn a_port_for_tls_is_recognized_by_its_alert() {
    let mut run = Run::new(plain("secret"));
    run.links.ready(NODE, 0);
    run.wire.take(&mut run.links, 0, |_| true);
    run.links.received(NODE, &[0x15, 0x03, 0x03, 0, 2, 2, 80], 0);
    let Some(ClientError::Tls(message)) = run.links.take_refusal() else { panic!("not refused") };
    assert!(message.starts_with("h:9: the broker speaks TLS"), "{message}");
}
