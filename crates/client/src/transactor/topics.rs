//! Partitions and offsets by topic, as requests have them.

use std::collections::BTreeMap;
use std::sync::Arc;

use barnabas_protocol::generated::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use barnabas_protocol::generated::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};

use crate::sender::Key;
use crate::transaction::CommittedOffset;

pub(super) fn topics_of<'a>(keys: &[Key], names: &'a [Arc<str>]) -> Vec<AddPartitionsToTxnTopic<'a>> {
    let mut by_topic: BTreeMap<usize, Vec<i32>> = BTreeMap::new();
    for &(topic, partition) in keys {
        by_topic.entry(topic).or_default().push(partition as i32);
    }
    let topics = by_topic.into_iter();
    topics.map(|(topic, partitions)| AddPartitionsToTxnTopic { name: &names[topic], partitions }).collect()
}

pub(super) fn offsets_by_topic(offsets: &[CommittedOffset]) -> Vec<TxnOffsetCommitRequestTopic<'_>> {
    let mut by_topic: BTreeMap<&str, Vec<TxnOffsetCommitRequestPartition<'_>>> = BTreeMap::new();
    for offset in offsets {
        by_topic.entry(&offset.topic).or_default().push(TxnOffsetCommitRequestPartition {
            partition_index: offset.partition,
            committed_offset: offset.offset,
            committed_leader_epoch: offset.leader_epoch,
            committed_metadata: Some(&offset.metadata),
        });
    }
    let topics = by_topic.into_iter();
    topics
        .map(|(name, partitions)| TxnOffsetCommitRequestTopic { name, partitions, ..Default::default() })
        .collect()
}
