//! What each record does to the image, and that a snapshot and the difference of images tell the same story.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use barnabas_image::{Change, MetadataImage, MetadataVersion, ReplayError, ResourceType};
use barnabas_protocol::generated::abort_transaction_record::AbortTransactionRecord;
use barnabas_protocol::generated::begin_transaction_record::BeginTransactionRecord;
use barnabas_protocol::generated::broker_registration_change_record::BrokerRegistrationChangeRecord;
use barnabas_protocol::generated::clear_elr_record::ClearElrRecord;
use barnabas_protocol::generated::client_quota_record::{ClientQuotaRecord, EntityData};
use barnabas_protocol::generated::config_record::ConfigRecord;
use barnabas_protocol::generated::end_transaction_record::EndTransactionRecord;
use barnabas_protocol::generated::feature_level_record::FeatureLevelRecord;
use barnabas_protocol::generated::metadata_record::MetadataRecord;
use barnabas_protocol::generated::partition_change_record::PartitionChangeRecord;
use barnabas_protocol::generated::partition_record::PartitionRecord;
use barnabas_protocol::generated::producer_ids_record::ProducerIdsRecord;
use barnabas_protocol::generated::register_broker_record::RegisterBrokerRecord;
use barnabas_protocol::generated::remove_topic_record::RemoveTopicRecord;
use barnabas_protocol::generated::topic_record::TopicRecord;
use barnabas_protocol::wire::Writer;
use barnabas_protocol::Uuid;
use proptest::prelude::*;

fn id(number: u8) -> Uuid {
    Uuid([number; 16])
}

fn topic(name: &str, number: u8) -> MetadataRecord<'_> {
    MetadataRecord::Topic(TopicRecord { name, topic_id: id(number) })
}

fn partition(number: u8, index: i32, replicas: &[i32]) -> MetadataRecord<'static> {
    MetadataRecord::Partition(PartitionRecord {
        topic_id: id(number),
        partition_id: index,
        replicas: replicas.to_vec(),
        isr: replicas.to_vec(),
        directories: replicas.iter().map(|&replica| id(replica as u8)).collect(),
        leader: replicas[0],
        leader_epoch: 0,
        partition_epoch: 0,
        ..PartitionRecord::default()
    })
}

fn change(number: u8, index: i32) -> PartitionChangeRecord {
    PartitionChangeRecord { topic_id: id(number), partition_id: index, ..PartitionChangeRecord::default() }
}

fn config<'a>(resource_type: i8, resource_name: &'a str, value: Option<&'a str>) -> MetadataRecord<'a> {
    MetadataRecord::Config(ConfigRecord { resource_type, resource_name, name: "retention.ms", value })
}

fn image(records: &[MetadataRecord<'_>]) -> MetadataImage {
    let mut image = MetadataImage::default();
    for (offset, record) in records.iter().enumerate() {
        image.replay(record, offset as i64, 1).unwrap();
    }
    image
}

/// The bytes of the snapshot: two images with the same bytes are equal.
fn snapshot(image: &MetadataImage) -> Vec<Vec<u8>> {
    image
        .to_records()
        .map(|(record, version)| {
            let mut writer = Writer::new();
            record.encode(&mut writer, version).unwrap();
            writer.into_bytes()
        })
        .collect()
}

#[test]
fn a_change_adds_one_to_the_partition_epoch_and_to_the_leader_epoch_only_when_it_elects() {
    let mut image = image(&[topic("orders", 1), partition(1, 0, &[1, 2])]);
    let mut apply = |change: PartitionChangeRecord| {
        image.replay(&MetadataRecord::PartitionChange(change), 9, 1).unwrap();
        let partition = image.topics.partition(id(1), 0).unwrap();
        (partition.leader, partition.leader_epoch, partition.partition_epoch)
    };
    assert_eq!(apply(PartitionChangeRecord { isr: Some(vec![1]), ..change(1, 0) }), (1, 0, 1));
    assert_eq!(
        apply(PartitionChangeRecord { leader: 1, ..change(1, 0) }),
        (1, 1, 2),
        "the same leader again"
    );
    assert_eq!(apply(PartitionChangeRecord { leader: -1, ..change(1, 0) }), (-1, 2, 3), "no leader");
    assert_eq!(apply(change(1, 0)), (-1, 2, 4), "nothing");
}

#[test]
fn a_reassignment_that_is_over_leaves_nothing_behind() {
    let mut image = image(&[topic("orders", 1), partition(1, 0, &[1])]);
    let begun = PartitionChangeRecord {
        replicas: Some(vec![1, 2]),
        adding_replicas: Some(vec![2]),
        removing_replicas: Some(vec![1]),
        directories: Some(vec![id(1), id(2)]),
        ..change(1, 0)
    };
    image.replay(&MetadataRecord::PartitionChange(begun), 5, 1).unwrap();
    assert!(image.topics.partition(id(1), 0).unwrap().is_reassigning());
    let over = PartitionChangeRecord {
        replicas: Some(vec![2]),
        isr: Some(vec![2]),
        leader: 2,
        adding_replicas: Some(vec![]),
        removing_replicas: Some(vec![]),
        directories: Some(vec![id(2)]),
        ..change(1, 0)
    };
    image.replay(&MetadataRecord::PartitionChange(over), 6, 1).unwrap();
    let partition = image.topics.partition(id(1), 0).unwrap();
    assert!(!partition.is_reassigning());
    assert_eq!((partition.replicas(), partition.directories()), (&[2][..], &[id(2)][..]));
    assert_eq!(partition.directory_of(2), Some(id(2)));
    assert_eq!(partition.directory_of(1), None);
}

#[test]
fn a_deleted_topic_takes_its_partitions_and_configs_along() {
    let remove = MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id: id(1) });
    let image = image(&[
        topic("orders", 1),
        partition(1, 0, &[1]),
        config(2, "orders", Some("1000")),
        config(4, "", Some("2000")),
        remove,
    ]);
    assert_eq!((image.topics.len(), image.topics.partition_count()), (0, 0));
    assert!(image.topics.by_name("orders").is_none());
    assert!(image.configs.get(ResourceType::TOPIC, "orders").is_empty());
    assert_eq!(image.configs.value(ResourceType::BROKER, "", "retention.ms"), Some("2000"));
}

#[test]
fn a_transaction_is_seen_when_it_ends_and_never_when_it_is_aborted() {
    let begin = MetadataRecord::BeginTransaction(BeginTransactionRecord { name: None });
    let mut aborted = image(&[topic("a", 1), begin.clone(), topic("b", 2)]);
    let mut ended = aborted.clone();
    assert!(ended.in_transaction());
    assert!(ended.topics.by_name("b").is_none());
    assert!(ended.within_transaction().topics.by_name("b").is_some());
    assert_eq!(ended.replay(&begin, 3, 1), Err(ReplayError::TransactionInTransaction));

    let end = MetadataRecord::EndTransaction(EndTransactionRecord {});
    ended.replay(&end, 3, 1).unwrap();
    assert!(ended.topics.by_name("a").is_some() && ended.topics.by_name("b").is_some());
    assert_eq!(ended.replay(&end, 4, 1), Err(ReplayError::NoTransaction));

    let abort = MetadataRecord::AbortTransaction(AbortTransactionRecord { reason: None });
    aborted.replay(&abort, 3, 1).unwrap();
    assert!(aborted.topics.by_name("a").is_some() && aborted.topics.by_name("b").is_none());
}

#[test]
fn a_registration_changes_only_for_its_own_epoch() {
    let register = MetadataRecord::RegisterBroker(RegisterBrokerRecord {
        broker_id: 1,
        broker_epoch: 7,
        ..RegisterBrokerRecord::default()
    });
    let mut image = image(&[register]);
    let change = |broker_epoch, fenced, in_controlled_shutdown| {
        MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChangeRecord {
            broker_id: 1,
            broker_epoch,
            fenced,
            in_controlled_shutdown,
            ..BrokerRegistrationChangeRecord::default()
        })
    };
    assert!(image.brokers.get(1).unwrap().fenced);
    image.replay(&change(7, -1, 0), 8, 1).unwrap();
    assert!(image.brokers.get(1).unwrap().is_active());
    let other = ReplayError::BrokerEpoch { id: 1, given: 6, current: 7 };
    assert_eq!(image.replay(&change(6, 1, 0), 9, 1), Err(other));
    image.replay(&change(7, 0, 1), 9, 1).unwrap();
    assert!(!image.brokers.get(1).unwrap().is_active());
    let value = ReplayError::Value { record: "BrokerRegistrationChangeRecord", field: "fenced", value: 2 };
    assert_eq!(image.replay(&change(7, 2, 0), 10, 1), Err(value));
}

#[test]
fn what_cannot_be_applied_changes_nothing() {
    let mut image = image(&[topic("orders", 1), partition(1, 0, &[1])]);
    let before = (snapshot(&image), image.offset());
    for record in [
        topic("orders", 2),
        topic("other", 1),
        partition(2, 0, &[1]),
        partition(1, 2, &[1]),
        MetadataRecord::PartitionChange(change(1, 1)),
        MetadataRecord::PartitionChange(change(3, 0)),
        MetadataRecord::PartitionChange(PartitionChangeRecord { replicas: Some(vec![1, 2]), ..change(1, 0) }),
        MetadataRecord::PartitionChange(PartitionChangeRecord { leader_recovery_state: 5, ..change(1, 0) }),
        MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id: id(2) }),
        MetadataRecord::ClearElr(ClearElrRecord { topic_name: "missing" }),
        MetadataRecord::EndTransaction(EndTransactionRecord {}),
    ] {
        assert!(image.replay(&record, 99, 2).is_err(), "{record:?}");
        assert_eq!((snapshot(&image), image.offset()), before);
    }
    assert!(matches!(image.replay_bytes(&[1, 30, 0, 0], 99, 2), Err(ReplayError::Decode(_))), "unknown type");
    assert!(
        matches!(image.replay_bytes(&[1, 9, 1, 0], 99, 2), Err(ReplayError::Decode(_))),
        "unknown version"
    );
}

#[test]
fn clearing_the_elr_is_a_change_where_there_was_one() {
    let with_elr = PartitionChangeRecord {
        isr: Some(vec![1]),
        eligible_leader_replicas: Some(vec![2]),
        last_known_elr: Some(vec![3]),
        ..change(1, 0)
    };
    let mut image = image(&[topic("orders", 1), partition(1, 0, &[1, 2, 3]), partition(1, 1, &[1])]);
    image.replay(&MetadataRecord::PartitionChange(with_elr), 5, 1).unwrap();
    assert_eq!(image.topics.partition(id(1), 0).unwrap().elr(), [2]);
    image.replay(&MetadataRecord::ClearElr(ClearElrRecord { topic_name: "" }), 6, 1).unwrap();
    let partition = image.topics.partition(id(1), 0).unwrap();
    assert_eq!(
        (partition.elr(), partition.last_known_elr(), partition.partition_epoch),
        (&[][..], &[][..], 2)
    );
    assert_eq!(image.topics.partition(id(1), 1).unwrap().partition_epoch, 0);
}

#[test]
fn records_have_the_versions_of_the_metadata_version() {
    let register =
        MetadataRecord::RegisterBroker(RegisterBrokerRecord { log_dirs: vec![id(9)], ..Default::default() });
    let records = [register, topic("orders", 1), partition(1, 0, &[1])];
    let versions = |level: i16| {
        let name = "metadata.version";
        let feature = MetadataRecord::FeatureLevel(FeatureLevelRecord { name, feature_level: level });
        let image = image(&[&[feature], &records[..]].concat());
        assert_eq!(image.features.metadata_version(), MetadataVersion(level));
        image.to_records().map(|(record, version)| (record.record_type(), version)).collect::<Vec<_>>()
    };
    assert_eq!(versions(7), [(12, 0), (0, 1), (2, 0), (3, 0)]);
    assert_eq!(versions(17), [(12, 0), (0, 3), (2, 0), (3, 1)]);
    assert_eq!(versions(33), [(12, 0), (0, 4), (2, 0), (3, 2)]);
}

#[test]
fn the_difference_names_what_differs() {
    let old = image(&[topic("a", 1), partition(1, 0, &[1]), partition(1, 1, &[1]), topic("b", 2)]);
    let mut new = old.clone();
    assert!(Change::between(&old, &new).is_empty());
    let records = [
        MetadataRecord::PartitionChange(PartitionChangeRecord { leader: -1, ..change(1, 1) }),
        MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id: id(2) }),
        topic("c", 3),
        partition(3, 0, &[1]),
        config(2, "c", Some("1")),
        MetadataRecord::ProducerIds(ProducerIdsRecord { next_producer_id: 1000, ..Default::default() }),
    ];
    for record in &records {
        new.replay(record, 10, 1).unwrap();
    }
    let difference = Change::between(&old, &new);
    let names = |topics: &[std::sync::Arc<barnabas_image::TopicImage>]| {
        topics.iter().map(|topic| topic.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&difference.topics_created), ["c"]);
    assert_eq!(names(&difference.topics_deleted), ["b"]);
    let partitions: BTreeSet<_> =
        difference.partitions.iter().map(|change| (&*change.topic.name, change.index)).collect();
    assert_eq!(partitions, [("a", 1), ("c", 0)].into());
    assert_eq!(difference.configs.iter().map(ToString::to_string).collect::<Vec<_>>(), ["2:c"]);
    assert!(difference.producer_ids && !difference.acls && difference.brokers.is_empty());
}

/// Records that may or may not fit the image they meet.
fn any_record() -> impl Strategy<Value = MetadataRecord<'static>> {
    let name = prop_oneof![Just("a"), Just("b"), Just("c")];
    let nodes = || proptest::collection::vec(1..6i32, 1..4);
    let some_nodes = || proptest::option::of(proptest::collection::vec(1..6i32, 0..6));
    prop_oneof![
        (name.clone(), 1..4u8).prop_map(|(name, number)| topic(name, number)),
        (1..4u8).prop_map(|n| MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id: id(n) })),
        (1..4u8, 0..3i32, nodes()).prop_map(|(number, index, nodes)| partition(number, index, &nodes)),
        (1..4u8, 0..3i32, some_nodes(), -2..4i32, some_nodes(), some_nodes()).prop_map(
            |(number, index, isr, leader, adding, elr)| {
                MetadataRecord::PartitionChange(PartitionChangeRecord {
                    isr,
                    leader,
                    adding_replicas: adding,
                    eligible_leader_replicas: elr,
                    ..change(number, index)
                })
            }
        ),
        (prop_oneof![Just(2i8), Just(4)], name, proptest::option::of(Just("v")))
            .prop_map(|(kind, name, value)| config(kind, name, value)),
        (0..3i16).prop_map(|feature_level| {
            MetadataRecord::FeatureLevel(FeatureLevelRecord { name: "group.version", feature_level })
        }),
        (any::<bool>(), 0..3u8).prop_map(|(remove, n)| {
            let entity = vec![EntityData { entity_type: "user", entity_name: (n > 0).then_some("alice") }];
            let record = ClientQuotaRecord { entity, key: "producer_byte_rate", value: n.into(), remove };
            MetadataRecord::ClientQuota(record)
        }),
        Just(MetadataRecord::BeginTransaction(BeginTransactionRecord { name: None })),
        Just(MetadataRecord::EndTransaction(EndTransactionRecord {})),
        Just(MetadataRecord::AbortTransaction(AbortTransactionRecord { reason: None })),
    ]
}

const LEVEL: MetadataRecord<'static> =
    MetadataRecord::FeatureLevel(FeatureLevelRecord { name: "metadata.version", feature_level: 33 });

proptest! {
    #[test]
    fn a_snapshot_builds_the_same_image(records in proptest::collection::vec(any_record(), 0..80)) {
        let mut original = image(&[LEVEL]);
        for (offset, record) in records.iter().enumerate() {
            let before = snapshot(&original);
            if original.replay(record, offset as i64, 1).is_err() {
                prop_assert_eq!(&before, &snapshot(&original));
            }
        }
        let bytes = snapshot(&original);
        let mut built = MetadataImage::default();
        for record in &bytes {
            built.replay_bytes(record, 0, 0).unwrap();
        }
        prop_assert_eq!(&bytes, &snapshot(&built));
        prop_assert_eq!(original.topics.partition_count(), built.topics.partition_count());
    }

    #[test]
    fn the_difference_is_empty_exactly_when_the_images_are_equal(
        records in proptest::collection::vec(any_record(), 0..60), at in 0..60usize
    ) {
        let mut all = image(&[LEVEL]);
        let mut middle = all.clone();
        for (offset, record) in records.iter().enumerate() {
            let _ = all.replay(record, offset as i64, 1);
            if offset == at {
                middle = all.clone();
            }
        }
        let (old, new) = (snapshot(&middle), snapshot(&all));
        let difference = Change::between(&middle, &all);
        if old != new {
            prop_assert!(!difference.is_empty());
        }
        for topic in all.topics.iter() {
            for (index, partition) in topic.partitions() {
                let before = middle.topics.partition(topic.id, index);
                let named = difference.partitions.iter().any(|c| c.topic.id == topic.id && c.index == index);
                prop_assert_eq!(named, before != Some(partition));
            }
        }
    }
}
