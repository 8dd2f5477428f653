//! What a new image means for the replicas of this node.
//!
//! Replicas are brought in line first and the image is shown to clients afterwards, so that a topic that
//! Metadata names can be written to at once.

use std::collections::HashMap;
use std::sync::Arc;

use barnabas_image::{Change, MetadataImage, PartitionImage, ResourceType, TopicImage};
use barnabas_log::{LogConfig, LogError};
use barnabas_protocol::{Millis, NodeId, PartitionIndex, TopicId, Uuid};

use crate::broker::{Broker, Effect, Hosted, HostedTopics};
use crate::error_code;
use crate::leader::Assignment;
use crate::partition::{Partition, PartitionConfig, Role};
use crate::read::log_error_code;
use crate::topic_name;

/// One run over a change.
struct Apply<'a> {
    broker: &'a Broker,
    image: &'a MetadataImage,
    hosted: HostedTopics,
    configs: HashMap<TopicId, Arc<PartitionConfig>>,
    /// Partitions of coordinators that are new here: coordinators hear of them once they can be read.
    untold: Vec<Arc<Partition>>,
    now: Millis,
}

impl Broker {
    /// Makes `image` the metadata of this node: creates, leads, follows, reconfigures and deletes replicas as
    /// it says. Blocks for the disk; not for reactor threads.
    pub fn apply(&self, image: MetadataImage, now: Millis) {
        let _one_at_a_time = self.applying.lock();
        let old = self.image.load_full();
        let change = Change::between(&old, &image);
        let mut apply = Apply {
            broker: self,
            image: &image,
            hosted: (**self.hosted.load()).clone(),
            configs: HashMap::new(),
            untold: Vec::new(),
            now,
        };
        for topic in &change.topics_deleted {
            apply.delete_topic(topic);
        }
        for partition in &change.partitions {
            apply.partition(&partition.topic, partition.index, &partition.new);
        }
        for resource in change.configs.iter().filter(|r| r.resource_type == ResourceType::TOPIC) {
            apply.reconfigure(&resource.name);
        }
        if !change.brokers.is_empty() {
            apply.refresh_eligible();
        }
        let Apply { hosted, untold, .. } = apply;
        self.hosted.store(Arc::new(hosted));
        self.image.store(Arc::new(image));
        self.tell_of(untold);
    }

    fn tell_of(&self, untold: Vec<Arc<Partition>>) {
        for partition in untold {
            partition.tell_to(self.events.clone());
        }
    }

    /// Takes back the log directories that had failed and work again. Their logs are recovered as at a start; the
    /// replicas in them wait for the controller to hear of it, which gives them their roles back.
    pub(crate) fn mend_directories(&self, now: Millis) {
        if self.logs.all_online() {
            return;
        }
        let _one_at_a_time = self.applying.lock();
        let image = self.image.load_full();
        let mended = self.logs.mend(&|topic| Arc::new(self.topic_config(&image, topic)), now);
        if mended.is_empty() {
            return;
        }
        self.set_strays_aside(&image);
        let hosted = (**self.hosted.load()).clone();
        let (configs, untold) = (HashMap::new(), Vec::new());
        let mut apply = Apply { broker: self, image: &image, hosted, configs, untold, now };
        for topic in image.topics.iter() {
            for (index, partition) in topic.partitions() {
                apply.bring_back(topic, index, partition);
            }
        }
        self.hosted.store(Arc::new(apply.hosted));
        self.tell_of(apply.untold);
        for directory in mended {
            log::info!("log directory {directory} works again: its replicas are back");
            self.failed_directories.lock().remove(&directory);
            self.effects.lock().push(Effect::DirectoryReturned { directory });
        }
    }

    /// Sets the logs aside that no topic has on this node.
    pub fn set_strays_aside(&self, image: &MetadataImage) {
        let node = self.settings().node_id;
        let is_stray = |_: &str, index, topic_id| {
            let partition = image.topics.partition(topic_id, index);
            partition.is_none_or(|partition| !partition.replicas().contains(&node))
        };
        self.note_failures(self.logs.set_strays_aside(is_stray));
    }

    /// Changes the defaults of all topics' configs, for topics that override them not.
    pub fn set_log_defaults(&self, defaults: LogConfig, now: Millis) {
        let _one_at_a_time = self.applying.lock();
        self.log_defaults.store(Arc::new(defaults));
        let image = self.image.load_full();
        let hosted = (**self.hosted.load()).clone();
        let (configs, untold) = (HashMap::new(), Vec::new());
        let mut apply = Apply { broker: self, image: &image, hosted, configs, untold, now };
        for topic in image.topics.iter() {
            apply.reconfigure(&topic.name);
        }
    }

    /// The configuration of a topic: what is set for it, over the defaults of this node.
    pub fn topic_config(&self, image: &MetadataImage, topic: &str) -> LogConfig {
        let set = image.configs.get(ResourceType::TOPIC, topic);
        let defaults = self.log_defaults.load();
        defaults.with_overrides(set.iter()).unwrap_or_else(|_| {
            // The controller has let a value through that this release can't read: the others count all the same.
            set.iter().fold((**defaults).clone(), |config, (name, value)| {
                config.with_overrides([(name, value)]).unwrap_or_else(|error| {
                    log::warn!("topic {topic}: {error}");
                    config
                })
            })
        })
    }
}

impl Apply<'_> {
    fn partition(&mut self, topic: &Arc<TopicImage>, index: PartitionIndex, image: &PartitionImage) {
        let node = self.broker.settings().node_id;
        if !image.replicas().contains(&node) {
            self.remove(topic.id, index, error_code::NOT_LEADER_OR_FOLLOWER);
            return;
        }
        let Some(partition) = self.host(topic, index, image) else { return };
        let assignment = self.assignment(image);
        if let Err(error) = partition.take_role(image.leader, &assignment, self.now) {
            log::error!("{partition:?} can't take its role: {error}");
            self.broker.storage_failed(&partition, &error);
            partition.take_offline(error_code::KAFKA_STORAGE_ERROR);
        }
    }

    /// Hosts a replica anew whose log was lost with its directory and is there again.
    fn bring_back(&mut self, topic: &Arc<TopicImage>, index: PartitionIndex, image: &PartitionImage) {
        let slots = self.hosted.get(&topic.id).cloned().unwrap_or_default();
        let lost = match slots.get(index as usize).and_then(Option::as_ref) {
            Some(Hosted::Online(partition)) => matches!(*partition.role.read(), Role::Offline { .. }),
            Some(Hosted::Failed(_)) => true,
            None => false,
        };
        if lost && self.broker.logs.log(&topic.name, index).is_some() {
            let slots = Arc::make_mut(self.hosted.entry(topic.id).or_default());
            slots[index as usize] = None;
            self.partition(topic, index, image);
        }
    }

    /// The replica, created when it is not there.
    fn host(
        &mut self,
        topic: &Arc<TopicImage>,
        index: PartitionIndex,
        image: &PartitionImage,
    ) -> Option<Arc<Partition>> {
        let place = index as usize;
        let there = self.hosted.get(&topic.id).and_then(|topic| topic.get(place)?.clone());
        if let Some(Hosted::Online(partition)) = there {
            return Some(partition);
        }
        let slot = match self.create(topic, index, image) {
            Ok(partition) => {
                let partition = partition.shared(self.broker.syncs.clone());
                if topic_name::is_internal(&topic.name) {
                    self.untold.push(partition.clone());
                }
                Hosted::Online(partition)
            }
            Err(error) => {
                log::error!("{}-{index} can't be opened: {error}", topic.name);
                Hosted::Failed(log_error_code(&error))
            }
        };
        let slots = Arc::make_mut(self.hosted.entry(topic.id).or_default());
        if slots.len() <= place {
            slots.resize(place + 1, None);
        }
        slots[place] = Some(slot.clone());
        match slot {
            Hosted::Online(partition) => Some(partition),
            Hosted::Failed(_) => None,
        }
    }

    fn create(
        &mut self,
        topic: &Arc<TopicImage>,
        index: PartitionIndex,
        image: &PartitionImage,
    ) -> Result<Partition, LogError> {
        let broker = self.broker;
        let settings = broker.settings();
        let config = self.config(topic);
        let assigned = image.directory_of(settings.node_id);
        let wanted = assigned.filter(|directory| {
            ![Uuid::DIRECTORY_UNASSIGNED, Uuid::DIRECTORY_MIGRATING, Uuid::DIRECTORY_LOST].contains(directory)
        });
        let may_be_there = |wanted: &Uuid| {
            !broker.logs.may_create_in(*wanted) && broker.logs.log(&topic.name, index).is_none()
        };
        if let Some(directory) = wanted.filter(may_be_there) {
            return Err(LogError::DirectoryOffline { directory });
        }
        let open =
            || broker.logs.get_or_create(&topic.name, index, topic.id, config.log.clone(), wanted, self.now);
        let log = match open() {
            Err(LogError::TopicId { .. }) => {
                // The log of an earlier topic of this name, deleted while this node was away; or so it seems,
                // for a damaged disk. It is kept.
                broker.logs.set_aside(&topic.name, index, self.now)?;
                open()?
            }
            opened => opened?,
        };
        let directory = broker.logs.directory_of(&topic.name, index);
        if let Some(directory) = directory.filter(|directory| Some(*directory) != assigned) {
            let (topic_id, index) = (topic.id, index);
            broker.effects.lock().push(Effect::AssignDirectory { topic_id, index, directory });
        }
        // A log that was loaded at the start knows the defaults only.
        log.write().update_config(config.log.clone());
        let (node, lag_max_ms) = (settings.node_id, settings.replica_lag_time_max_ms);
        Ok(Partition::new(node, topic.name.clone(), topic.id, index, config, log, lag_max_ms))
    }

    fn config(&mut self, topic: &TopicImage) -> Arc<PartitionConfig> {
        let (broker, image) = (self.broker, self.image);
        let make = || {
            let config = Arc::new(broker.topic_config(image, &topic.name));
            let schemas = broker.schema_tables.of(&topic.name, topic.id, &config);
            Arc::new(PartitionConfig::new(config, schemas))
        };
        self.configs.entry(topic.id).or_insert_with(make).clone()
    }

    fn reconfigure(&mut self, name: &str) {
        let Some(topic) = self.image.topics.by_name(name).cloned() else { return };
        let Some(slots) = self.hosted.get(&topic.id).cloned() else { return };
        let config = self.config(&topic);
        for slot in slots.iter().flatten() {
            if let Hosted::Online(partition) = slot {
                partition.set_config(config.clone());
                // Another durability may let the high watermark go on, or ask for a sync.
                partition.advance_high_watermark(self.now);
            }
        }
    }

    fn delete_topic(&mut self, topic: &TopicImage) {
        for (index, _) in topic.partitions() {
            self.remove(topic.id, index, error_code::UNKNOWN_TOPIC_OR_PARTITION);
        }
        self.hosted.remove(&topic.id);
    }

    /// Stops and deletes a replica; whoever waits for it gets `error`.
    fn remove(&mut self, topic_id: TopicId, index: PartitionIndex, error: i16) {
        let Some(slots) = self.hosted.get_mut(&topic_id) else { return };
        let slot = Arc::make_mut(slots).get_mut(index as usize).and_then(Option::take);
        let Some(Hosted::Online(partition)) = slot else { return };
        partition.take_offline(error);
        self.broker.gone.keep(&partition);
        if let Err(error) = self.broker.logs.delete(&partition.topic, index, self.now) {
            log::error!("{partition:?} can't be deleted: {error}");
        }
    }

    fn assignment(&self, image: &PartitionImage) -> Assignment {
        Assignment {
            replicas: image.replicas().to_vec(),
            isr: image.isr().to_vec(),
            leader_epoch: image.leader_epoch,
            partition_epoch: image.partition_epoch,
            eligible: self.eligible(image),
        }
    }

    fn eligible(&self, image: &PartitionImage) -> Vec<NodeId> {
        let active = |id: &NodeId| self.image.brokers.get(*id).is_some_and(|broker| broker.is_active());
        image.replicas().iter().copied().filter(active).collect()
    }

    /// Brokers have come or gone: leaders learn which replicas may join their ISRs.
    fn refresh_eligible(&self) {
        for slot in self.hosted.values().flat_map(|slots| slots.iter().flatten()) {
            let Hosted::Online(partition) = slot else { continue };
            let Some(image) = self.image.topics.partition(partition.topic_id, partition.index) else {
                continue;
            };
            if image.replicas().len() > 1 {
                if let Role::Leader(leader) = &mut *partition.role.write() {
                    leader.set_eligible(self.eligible(image));
                }
            }
        }
    }
}
