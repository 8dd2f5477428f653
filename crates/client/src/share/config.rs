//! The configs of a share consumer.

use barnabas_protocol::Millis;

/// What decides how a share consumer takes records.
#[derive(Debug, Clone)]
pub struct ShareConfig {
    /// `group.id`.
    pub group_id: String,
    /// What the member calls itself: nobody else has the same.
    pub member_id: String,
    /// `client.rack`.
    pub rack: String,
    /// `share.acknowledgement.mode` is `explicit`: the user says of each record what became of it.
    pub is_explicit: bool,
    /// `share.acquire.mode` is `record_limit`: never more than `max.poll.records` are taken at once.
    pub is_limited: bool,
    /// `max.poll.records`.
    pub max_poll_records: i32,
    /// `max.poll.interval.ms`.
    pub max_poll_interval_ms: Millis,
    /// `fetch.min.bytes`.
    pub fetch_min_bytes: i32,
    /// `fetch.max.bytes`.
    pub fetch_max_bytes: i32,
    /// `fetch.max.wait.ms`.
    pub fetch_max_wait_ms: i32,
    /// `check.crcs`.
    pub check_crcs: bool,
    /// `retry.backoff.ms`.
    pub retry_backoff_ms: Millis,
}

impl ShareConfig {
    /// Whether the user has gone without asking for records for too long.
    pub(super) fn is_overdue(&self, polled_at: Millis, now: Millis) -> bool {
        now - polled_at > self.max_poll_interval_ms
    }
}
