//! What clients are shown of brokers and partitions: the image as seen from one listener.

use barnabas_image::{BrokerImage, MetadataImage, PartitionImage, NO_LEADER};
use barnabas_protocol::{LeaderEpoch, NodeId, Uuid};

use crate::error_code;

/// Whether clients may be sent to the broker by this listener.
pub(crate) fn is_alive<'a>(broker: &'a BrokerImage, listener: &str) -> Option<(&'a str, u16)> {
    if broker.fenced {
        return None;
    }
    broker.listener(listener).map(|endpoint| (&*endpoint.host, endpoint.port))
}

/// One partition as Metadata and DescribeTopicPartitions tell it.
pub(crate) struct PartitionView {
    pub(crate) error_code: i16,
    pub(crate) leader_id: NodeId,
    pub(crate) leader_epoch: LeaderEpoch,
    pub(crate) offline_replicas: Vec<NodeId>,
}

impl PartitionView {
    /// `error_listeners`: whether the client knows LISTENER_NOT_FOUND.
    pub(crate) fn new(
        image: &MetadataImage,
        partition: &PartitionImage,
        listener: &str,
        error_listeners: bool,
    ) -> PartitionView {
        let leader = image.brokers.get(partition.leader);
        let reachable = leader.is_some_and(|leader| leader.listener(listener).is_some());
        let error_code = match leader {
            _ if reachable => error_code::NONE,
            Some(_) if error_listeners => error_code::LISTENER_NOT_FOUND,
            _ => error_code::LEADER_NOT_AVAILABLE,
        };
        let offline = |replica: &NodeId| is_offline(image, partition, *replica, listener);
        PartitionView {
            error_code,
            leader_id: if reachable { partition.leader } else { NO_LEADER },
            leader_epoch: partition.leader_epoch,
            offline_replicas: partition.replicas().iter().copied().filter(offline).collect(),
        }
    }
}

fn is_offline(image: &MetadataImage, partition: &PartitionImage, replica: NodeId, listener: &str) -> bool {
    let Some(broker) = image.brokers.get(replica) else { return true };
    if broker.fenced || broker.listener(listener).is_none() {
        return true;
    }
    match partition.directory_of(replica) {
        None | Some(Uuid::DIRECTORY_UNASSIGNED) | Some(Uuid::DIRECTORY_MIGRATING) => false,
        Some(Uuid::DIRECTORY_LOST) => true,
        Some(directory) => !broker.log_dirs.is_empty() && !broker.log_dirs.contains(&directory),
    }
}
