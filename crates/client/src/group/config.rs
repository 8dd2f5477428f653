//! The configs of a member of a group.

use barnabas_protocol::Millis;

use crate::group::assignors::Assignor;

/// `group.protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// The members share out, led by one of them.
    Classic,
    /// The coordinator shares out (KIP-848).
    Consumer,
}

/// What decides how a consumer is a member of its group.
#[derive(Debug, Clone)]
pub struct GroupConfig {
    /// `group.id`.
    pub group_id: String,
    /// `group.instance.id`.
    pub instance_id: Option<String>,
    /// `group.protocol`.
    pub protocol: Protocol,
    /// `partition.assignment.strategy`, the preferred one first.
    pub assignors: Vec<Assignor>,
    /// `group.remote.assignor`.
    pub remote_assignor: Option<String>,
    /// `client.rack`.
    pub rack: String,
    /// `session.timeout.ms`.
    pub session_timeout_ms: i32,
    /// `heartbeat.interval.ms`.
    pub heartbeat_interval_ms: Millis,
    /// `max.poll.interval.ms`.
    pub max_poll_interval_ms: i32,
    /// `retry.backoff.ms`.
    pub retry_backoff_ms: Millis,
    /// `exclude.internal.topics`: patterns don't find `__consumer_offsets` and its like.
    pub exclude_internal: bool,
    /// What a member of the consumer protocol calls itself (KIP-1082): nobody else has the same.
    pub member_id: String,
}

impl GroupConfig {
    /// Whether members keep their partitions while the group is rebalancing: all assignors have to allow it.
    pub fn is_cooperative(&self) -> bool {
        self.assignors.iter().all(|assignor| assignor.is_cooperative())
    }

    /// The time for which the user may go without asking for records.
    pub(super) fn is_overdue(&self, polled_at: Millis, now: Millis) -> bool {
        now - polled_at > Millis::from(self.max_poll_interval_ms)
    }
}
