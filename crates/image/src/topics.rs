//! Topics by id and by name.
//!
//! Always true:
//!   both maps name the same topics; a name belongs to one topic at a time
//!   partitions of a topic are numbered from 0 without gaps

use std::sync::Arc;

use barnabas_protocol::{PartitionIndex, TopicId};
use imbl::{OrdMap, Vector};

use crate::partition::PartitionImage;
use crate::replay::ReplayError;

/// A topic and its partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicImage {
    /// Its name.
    pub name: Arc<str>,
    /// Its id.
    pub id: TopicId,
    partitions: Vector<Arc<PartitionImage>>,
}

impl TopicImage {
    /// Number of partitions.
    pub fn partition_count(&self) -> usize {
        self.partitions.len()
    }

    /// One partition; None when the topic has fewer.
    pub fn partition(&self, index: PartitionIndex) -> Option<&Arc<PartitionImage>> {
        self.partitions.get(usize::try_from(index).ok()?)
    }

    /// All partitions in order of their index.
    pub fn partitions(&self) -> impl ExactSizeIterator<Item = (PartitionIndex, &Arc<PartitionImage>)> {
        self.partitions.iter().enumerate().map(|(index, partition)| (index as PartitionIndex, partition))
    }

    /// Whether both are one value in memory, which says without a look inside that nothing has changed.
    pub(crate) fn shares_partitions_with(&self, other: &TopicImage) -> bool {
        self.partitions.ptr_eq(&other.partitions)
    }
}

/// All topics.
#[derive(Debug, Clone, Default)]
pub struct TopicsImage {
    by_id: OrdMap<TopicId, Arc<TopicImage>>,
    by_name: OrdMap<Arc<str>, TopicId>,
    partition_count: usize,
}

impl TopicsImage {
    /// Number of topics.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is no topic.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Number of partitions of all topics.
    pub fn partition_count(&self) -> usize {
        self.partition_count
    }

    /// The topic of an id.
    pub fn by_id(&self, id: TopicId) -> Option<&Arc<TopicImage>> {
        self.by_id.get(&id)
    }

    /// The topic of a name.
    pub fn by_name(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.by_id.get(self.by_name.get(name)?)
    }

    /// One partition of a topic.
    pub fn partition(&self, id: TopicId, index: PartitionIndex) -> Option<&Arc<PartitionImage>> {
        self.by_id(id)?.partition(index)
    }

    /// All topics in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<TopicImage>> {
        self.by_name.values().filter_map(|id| self.by_id.get(id))
    }

    pub(crate) fn ids(&self) -> &OrdMap<TopicId, Arc<TopicImage>> {
        &self.by_id
    }

    /// A topic that begins with no partition.
    pub(crate) fn create(&mut self, name: &str, id: TopicId) -> Result<(), ReplayError> {
        if self.by_name.contains_key(name) {
            return Err(ReplayError::TopicExists { name: name.to_string() });
        }
        if self.by_id.contains_key(&id) {
            return Err(ReplayError::TopicIdExists { id });
        }
        let name: Arc<str> = name.into();
        self.by_name.insert(name.clone(), id);
        self.by_id.insert(id, Arc::new(TopicImage { name, id, partitions: Vector::new() }));
        Ok(())
    }

    /// Removes a topic; gives it back.
    pub(crate) fn remove(&mut self, id: TopicId) -> Result<Arc<TopicImage>, ReplayError> {
        let topic = self.by_id.remove(&id).ok_or(ReplayError::UnknownTopicId { id })?;
        self.by_name.remove(&*topic.name);
        self.partition_count -= topic.partition_count();
        Ok(topic)
    }

    /// Sets the whole state of a partition, which exists or is the next of its topic.
    pub(crate) fn set_partition(
        &mut self,
        id: TopicId,
        index: PartitionIndex,
        partition: PartitionImage,
    ) -> Result<(), ReplayError> {
        let topic = self.by_id.get_mut(&id).ok_or(ReplayError::UnknownTopicId { id })?;
        let position = match usize::try_from(index) {
            Ok(position) if position <= topic.partition_count() => position,
            _ => return Err(ReplayError::UnknownPartition { id, index }),
        };
        let partitions = &mut Arc::make_mut(topic).partitions;
        if position < partitions.len() {
            partitions.set(position, Arc::new(partition));
        } else {
            partitions.push_back(Arc::new(partition));
            self.partition_count += 1;
        }
        Ok(())
    }

    /// Applies `change` to a partition, which it leaves as it was when it fails.
    pub(crate) fn update_partition(
        &mut self,
        id: TopicId,
        index: PartitionIndex,
        change: impl FnOnce(&mut PartitionImage) -> Result<(), ReplayError>,
    ) -> Result<(), ReplayError> {
        let unknown = || ReplayError::UnknownPartition { id, index };
        let position = usize::try_from(index).map_err(|_| unknown())?;
        let topic = self.by_id.get_mut(&id).ok_or(ReplayError::UnknownTopicId { id })?;
        if position >= topic.partition_count() {
            return Err(unknown());
        }
        let partition = Arc::make_mut(topic).partitions.get_mut(position).ok_or_else(unknown)?;
        change(Arc::make_mut(partition))
    }

    /// Forgets the ELR of one topic, or of all when `name` is empty.
    pub(crate) fn clear_elr(&mut self, name: &str) -> Result<(), ReplayError> {
        let topics: Vec<TopicId> = if name.is_empty() {
            self.by_id.keys().copied().collect()
        } else {
            let id =
                self.by_name.get(name).ok_or_else(|| ReplayError::UnknownTopic { name: name.to_string() })?;
            vec![*id]
        };
        for id in topics {
            let Some(topic) = self.by_id.get(&id) else { continue };
            let with_elr: Vec<PartitionIndex> = topic
                .partitions()
                .filter(|(_, partition)| partition.has_elr())
                .map(|(index, _)| index)
                .collect();
            for index in with_elr {
                self.update_partition(id, index, |partition| {
                    partition.clear_elr();
                    Ok(())
                })?;
            }
        }
        Ok(())
    }
}
