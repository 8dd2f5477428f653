//! What Python hears of a consumer's group, and says to it: plain tuples.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use barnabas_client::assignment::Start;
use barnabas_client::fetch_session::Partition;
use barnabas_client::group::assignors::Assignor;
use barnabas_client::group::config::{GroupConfig, Protocol};
use barnabas_client::group::desk::{CallKind, Committed, Leaving, Wanted};
use barnabas_client::ClientError;
use barnabas_protocol::{Millis, Offset};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::options::Options;

/// Topic, partition, offset, leader epoch, metadata.
pub(crate) type Offsets = Vec<(String, i32, Offset, i32, String)>;
/// Topic, partition, and where the user has stopped reading.
pub(crate) type Unseen = Vec<(String, i32, Offset)>;
/// What is subscribed to: topics, or a pattern.
pub(crate) type Subscribed = (Option<Vec<String>>, Option<String>);
/// What has happened, and to which partitions.
pub(crate) type Called = (&'static str, Vec<(String, i32)>);
/// Group id, generation or member epoch, member id, instance id.
pub(crate) type Metadata = (String, i32, String, Option<String>);
/// Topic, partition, and offset, leader epoch and metadata where something is committed.
pub(crate) type Told = Vec<(String, i32, Option<(Offset, i32, String)>)>;

pub(crate) fn partition(topic: &str, index: i32) -> Partition {
    (Arc::from(topic), index)
}

/// What is subscribed to: topics, or a pattern.
pub(crate) fn wanted(topics: Option<Vec<String>>, pattern: Option<String>) -> PyResult<Wanted> {
    match (topics, pattern) {
        (Some(topics), None) => Ok(Wanted::Topics(topics.iter().map(|topic| Arc::from(&**topic)).collect())),
        (None, Some(pattern)) => Ok(Wanted::Pattern(pattern)),
        _ => Err(PyValueError::new_err("topics, or a pattern")),
    }
}

/// The other way round.
pub(crate) fn subscription(wanted: Option<Wanted>) -> Subscribed {
    match wanted {
        Some(Wanted::Topics(topics)) => (Some(topics.iter().map(ToString::to_string).collect()), None),
        Some(Wanted::Pattern(pattern)) => (None, Some(pattern)),
        None => (None, None),
    }
}

pub(crate) fn kind_name(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Assigned => "assigned",
        CallKind::Revoked => "revoked",
        CallKind::Lost => "lost",
    }
}

pub(crate) fn named(partitions: &BTreeSet<Partition>) -> Vec<(String, i32)> {
    partitions.iter().map(|(topic, index)| (topic.to_string(), *index)).collect()
}

/// Offsets to be committed.
pub(crate) fn offsets(given: Offsets) -> PyResult<BTreeMap<Partition, Committed>> {
    let mut offsets = BTreeMap::new();
    for (topic, index, offset, leader_epoch, metadata) in given {
        if offset < 0 {
            return Err(PyValueError::new_err(format!("{topic}-{index}: no offset is {offset}")));
        }
        offsets.insert(partition(&topic, index), Committed { offset, leader_epoch, metadata });
    }
    Ok(offsets)
}

/// Offsets that were committed, as [`offsets`] takes them.
pub(crate) fn entries(offsets: BTreeMap<Partition, Committed>) -> Offsets {
    let entry = |((topic, index), at): (Partition, Committed)| {
        (topic.to_string(), index, at.offset, at.leader_epoch, at.metadata)
    };
    offsets.into_iter().map(entry).collect()
}

pub(crate) fn unseen(given: Unseen) -> BTreeMap<Partition, Offset> {
    given.iter().map(|(topic, index, offset)| (partition(topic, *index), *offset)).collect()
}

pub(crate) fn told(positions: BTreeMap<Partition, Option<Committed>>) -> Told {
    let one = |((topic, index), committed): (Partition, Option<Committed>)| {
        let committed = committed.map(|c| (c.offset, c.leader_epoch, c.metadata));
        (topic.to_string(), index, committed)
    };
    positions.into_iter().map(one).collect()
}

/// How the membership ends, by Kafka's name of it.
pub(crate) fn leaving(operation: &str) -> PyResult<Leaving> {
    match operation {
        "default" => Ok(Leaving::Default),
        "leave_group" => Ok(Leaving::Leave),
        "remain_in_group" => Ok(Leaving::Remain),
        other => Err(PyValueError::new_err(format!(
            "group_membership_operation is default, leave_group or remain_in_group, not {other}"
        ))),
    }
}

/// The error of a commit that nobody has waited for long enough.
pub(crate) fn silence(what: &str) -> ClientError {
    ClientError::Timeout(format!("the coordinator has not told {what} in time"))
}

impl Options<'_, '_> {
    /// The configs of a group; None without a `group.id`.
    pub(crate) fn group(&self) -> PyResult<Option<GroupConfig>> {
        let group_id: Option<String> = self.get("group.id")?;
        let Some(group_id) = group_id.filter(|group_id| !group_id.is_empty()) else { return Ok(None) };
        let strategies: Vec<String> = self.get("partition.assignment.strategy")?;
        let assignors = strategies.iter().map(|name| {
            Assignor::from_name(name).ok_or_else(|| PyValueError::new_err(format!("no assignor {name}")))
        });
        let classic = self.text("group.protocol")?.eq_ignore_ascii_case("classic");
        Ok(Some(GroupConfig {
            group_id,
            instance_id: self.get("group.instance.id")?,
            protocol: if classic { Protocol::Classic } else { Protocol::Consumer },
            assignors: assignors.collect::<PyResult<_>>()?,
            remote_assignor: self.get("group.remote.assignor")?,
            rack: self.text("client.rack")?,
            session_timeout_ms: self.get("session.timeout.ms")?,
            heartbeat_interval_ms: self.get("heartbeat.interval.ms")?,
            max_poll_interval_ms: self.get("max.poll.interval.ms")?,
            retry_backoff_ms: self.get("retry.backoff.ms")?,
            exclude_internal: self.get("exclude.internal.topics")?,
            member_id: self.text("member.id")?,
        }))
    }

    /// `auto.offset.reset`; `by_duration` comes with its milliseconds.
    pub(crate) fn reset(&self) -> PyResult<Start> {
        let duration: Option<Millis> = self.get("auto.offset.reset.duration.ms")?;
        Ok(match (self.text("auto.offset.reset")?.as_str(), duration) {
            (_, Some(duration)) => Start::Ago(duration),
            ("earliest", _) => Start::Earliest,
            ("latest", _) => Start::Latest,
            _ => Start::None,
        })
    }
}
