//! What differs between two images.
//!
//! Subtrees that both images share are skipped without a look inside, so that the difference of two images
//! costs about as much as it is large.

use std::sync::Arc;

use barnabas_protocol::{NodeId, PartitionIndex};
use imbl::ordmap::DiffItem;
use imbl::OrdMap;

use crate::configs::ConfigResource;
use crate::image::MetadataImage;
use crate::partition::PartitionImage;
use crate::topics::TopicImage;

/// A partition that is new or differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionChange {
    /// Its topic, as it is in the new image.
    pub topic: Arc<TopicImage>,
    /// Its number.
    pub index: PartitionIndex,
    /// As it was; None when the partition is new.
    pub old: Option<Arc<PartitionImage>>,
    /// As it is.
    pub new: Arc<PartitionImage>,
}

/// What differs between two images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Topics that only the new image has. A topic that was deleted and created again has another id.
    pub topics_created: Vec<Arc<TopicImage>>,
    /// Topics that only the old image has, as they were.
    pub topics_deleted: Vec<Arc<TopicImage>>,
    /// Partitions that are new or differ, those of created topics included.
    pub partitions: Vec<PartitionChange>,
    /// Resources whose configs differ, deleted topics' included.
    pub configs: Vec<ConfigResource>,
    /// Brokers whose registration is new, gone or differs.
    pub brokers: Vec<NodeId>,
    /// Controllers whose registration is new, gone or differs.
    pub controllers: Vec<NodeId>,
    /// Features whose finalized level differs.
    pub features: Vec<Arc<str>>,
    /// Whether the next producer id differs.
    pub producer_ids: bool,
    /// Whether an access control entry may differ.
    pub acls: bool,
    /// Whether a SCRAM credential may differ.
    pub scram: bool,
    /// Whether a client quota may differ.
    pub quotas: bool,
    /// Whether a delegation token may differ.
    pub tokens: bool,
}

impl Change {
    /// The difference from `old` to `new`.
    pub fn between(old: &MetadataImage, new: &MetadataImage) -> Change {
        let mut change = Change {
            configs: differing_keys(old.configs.map(), new.configs.map()),
            brokers: differing_keys(old.brokers.map(), new.brokers.map()),
            controllers: differing_keys(old.controllers.map(), new.controllers.map()),
            features: differing_keys(old.features.map(), new.features.map()),
            producer_ids: old.producer_ids != new.producer_ids,
            acls: !old.acls.ptr_eq(&new.acls),
            scram: !old.scram.ptr_eq(&new.scram),
            quotas: !old.quotas.ptr_eq(&new.quotas),
            tokens: !old.tokens.ptr_eq(&new.tokens),
            ..Change::default()
        };
        for difference in old.topics.ids().diff(new.topics.ids()) {
            match difference {
                DiffItem::Add(_, topic) => {
                    change.add_partitions(None, topic);
                    change.topics_created.push(topic.clone());
                }
                DiffItem::Update { old: (_, old), new: (_, new) } => change.add_partitions(Some(old), new),
                DiffItem::Remove(_, topic) => change.topics_deleted.push(topic.clone()),
            }
        }
        change
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Change::default()
    }

    fn add_partitions(&mut self, old: Option<&Arc<TopicImage>>, new: &Arc<TopicImage>) {
        if old.is_some_and(|old| old.shares_partitions_with(new)) {
            return;
        }
        for (index, partition) in new.partitions() {
            let before = old.and_then(|old| old.partition(index));
            if before.is_some_and(|before| Arc::ptr_eq(before, partition) || before == partition) {
                continue;
            }
            self.partitions.push(PartitionChange {
                topic: new.clone(),
                index,
                old: before.cloned(),
                new: partition.clone(),
            });
        }
    }
}

/// Keys that only one map has, or that have another value in each.
fn differing_keys<K: Ord + Clone, V: PartialEq>(old: &OrdMap<K, V>, new: &OrdMap<K, V>) -> Vec<K> {
    old.diff(new)
        .map(|difference| match difference {
            DiffItem::Add(key, _) | DiffItem::Remove(key, _) => key.clone(),
            DiffItem::Update { new: (key, _), .. } => key.clone(),
        })
        .collect()
}
