//! Fetch, as it goes out in each version.

use barnabas_protocol::generated::fetch_request::{FetchRequest, FetchTopic, ForgottenTopic};

use crate::fetch_session::SessionRequest;
use crate::fetcher::{FetcherConfig, CONSUMER};

/// Fetch: the leader epoch of what was fetched last is compared with the log from this version on (KIP-595).
const LAST_EPOCH: i16 = 12;

/// The request for what has changed in a session.
pub(super) fn fetch<'a>(
    config: &'a FetcherConfig,
    version: i16,
    session: &'a SessionRequest,
) -> FetchRequest<'a> {
    let mut topics: Vec<FetchTopic<'a>> = Vec::new();
    for ((topic, _), data) in &session.changed {
        let mut data = data.clone();
        if version < 9 {
            data.current_leader_epoch = -1;
        }
        if version < LAST_EPOCH {
            data.last_fetched_epoch = -1;
        }
        match topics.last_mut().filter(|last| last.topic == &**topic) {
            Some(last) => last.partitions.push(data),
            None => topics.push(FetchTopic { topic, partitions: vec![data], ..Default::default() }),
        }
    }
    let mut forgotten: Vec<ForgottenTopic<'a>> = Vec::new();
    for (topic, partition) in session.forgotten.iter().filter(|_| version >= 7) {
        match forgotten.last_mut().filter(|last| last.topic == &**topic) {
            Some(last) => last.partitions.push(*partition),
            None => {
                forgotten.push(ForgottenTopic { topic, partitions: vec![*partition], ..Default::default() })
            }
        }
    }
    FetchRequest {
        replica_id: CONSUMER,
        max_wait_ms: config.fetch_max_wait_ms,
        min_bytes: config.fetch_min_bytes,
        max_bytes: config.fetch_max_bytes,
        isolation_level: i8::from(config.read_committed),
        session_id: if version >= 7 { session.id } else { 0 },
        session_epoch: if version >= 7 { session.epoch } else { -1 },
        topics,
        forgotten_topics_data: forgotten,
        rack_id: if version >= 11 { &config.client_rack } else { "" },
        ..Default::default()
    }
}
