//! ShareFetch and ShareAcknowledge, as they go out.

use std::collections::BTreeMap;

use barnabas_protocol::generated::{share_acknowledge_request as tells, share_fetch_request as asks};
use barnabas_protocol::TopicId;

use crate::share::acknowledgements::{runs, Acknowledgements};
use crate::share::config::ShareConfig;
use crate::share::session::{FetchOrder, Told};

/// Acquires no more records than were asked for.
const RECORD_LIMIT: i8 = 1;

/// The request that asks for records, and tells what became of others.
pub(super) fn fetch<'a>(config: &'a ShareConfig, order: &FetchOrder) -> asks::ShareFetchRequest<'a> {
    let mut topics: BTreeMap<TopicId, BTreeMap<i32, asks::FetchPartition>> = BTreeMap::new();
    for &(topic_id, index) in order.added.iter().chain(order.told.said.keys()) {
        let said = order.told.said.get(&(topic_id, index));
        let partition = asks::FetchPartition {
            partition_index: index,
            acknowledgement_batches: said.map(fetch_batches).unwrap_or_default(),
        };
        topics.entry(topic_id).or_default().insert(index, partition);
    }
    let topic = |(topic_id, partitions): (TopicId, BTreeMap<i32, asks::FetchPartition>)| asks::FetchTopic {
        topic_id,
        partitions: partitions.into_values().collect(),
    };
    let mut forgotten: BTreeMap<TopicId, Vec<i32>> = BTreeMap::new();
    for &(topic_id, index) in &order.forgotten {
        forgotten.entry(topic_id).or_default().push(index);
    }
    let forgotten = forgotten.into_iter();
    asks::ShareFetchRequest {
        group_id: Some(&config.group_id),
        member_id: Some(&config.member_id),
        share_session_epoch: order.epoch,
        max_wait_ms: config.fetch_max_wait_ms,
        min_bytes: config.fetch_min_bytes,
        max_bytes: config.fetch_max_bytes,
        max_records: config.max_poll_records,
        batch_size: config.max_poll_records,
        share_acquire_mode: if config.is_limited { RECORD_LIMIT } else { 0 },
        is_renew_ack: false,
        topics: topics.into_iter().map(topic).collect(),
        forgotten_topics_data: forgotten
            .map(|(topic_id, partitions)| asks::ForgottenTopic { topic_id, partitions })
            .collect(),
    }
}

fn fetch_batches(said: &Acknowledgements) -> Vec<asks::AcknowledgementBatch> {
    let batch = |(first_offset, last_offset, code)| asks::AcknowledgementBatch {
        first_offset,
        last_offset,
        acknowledge_types: vec![code],
    };
    runs(said).into_iter().map(batch).collect()
}

/// The request that only tells.
pub(super) fn acknowledge<'a>(
    config: &'a ShareConfig,
    epoch: i32,
    told: &Told,
) -> tells::ShareAcknowledgeRequest<'a> {
    let mut topics: BTreeMap<TopicId, Vec<tells::AcknowledgePartition>> = BTreeMap::new();
    for (&(topic_id, index), said) in &told.said {
        let partition =
            tells::AcknowledgePartition { partition_index: index, acknowledgement_batches: batches(said) };
        topics.entry(topic_id).or_default().push(partition);
    }
    let topics = topics.into_iter();
    tells::ShareAcknowledgeRequest {
        group_id: Some(&config.group_id),
        member_id: Some(&config.member_id),
        share_session_epoch: epoch,
        is_renew_ack: told.renews(),
        topics: topics
            .map(|(topic_id, partitions)| tells::AcknowledgeTopic { topic_id, partitions })
            .collect(),
    }
}

fn batches(said: &Acknowledgements) -> Vec<tells::AcknowledgementBatch> {
    let batch = |(first_offset, last_offset, code)| tells::AcknowledgementBatch {
        first_offset,
        last_offset,
        acknowledge_types: vec![code],
    };
    runs(said).into_iter().map(batch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::session::Place;
    use std::collections::BTreeSet;

    #[test]
    fn a_partition_that_is_new_and_told_of_is_named_once() {
        let place: Place = (TopicId::default(), 3);
        let mut told = Told::default();
        told.add(place, Acknowledgements::from([(1, 1), (2, 1), (4, 0)]), true);
        let order = FetchOrder { epoch: 4, added: BTreeSet::from([place]), forgotten: BTreeSet::new(), told };
        let config = super::super::tests::config();
        let request = fetch(&config, &order);
        assert_eq!(request.topics.len(), 1);
        let [partition] = &request.topics[0].partitions[..] else { panic!("one partition") };
        let batches = &partition.acknowledgement_batches;
        let spans: Vec<_> = batches.iter().map(|batch| (batch.first_offset, batch.last_offset)).collect();
        assert_eq!(spans, [(1, 2), (4, 4)]);
    }
}
