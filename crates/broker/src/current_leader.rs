//! What a client that came to the wrong broker is told: who leads, since when, and where that is (KIP-951).

use barnabas_image::{MetadataImage, NO_LEADER};
use barnabas_protocol::{LeaderEpoch, NodeId, PartitionIndex, TopicId};

/// A broker as the answer names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) host: String,
    pub(crate) port: i32,
    pub(crate) rack: Option<String>,
}

/// The leader of a partition by the image, and its epoch; (-1, -1) when the partition is not known.
pub(crate) fn current_leader(
    image: &MetadataImage,
    topic_id: TopicId,
    index: PartitionIndex,
) -> (NodeId, LeaderEpoch) {
    let partition = image.topics.partition(topic_id, index);
    partition.map_or((NO_LEADER, -1), |partition| (partition.leader, partition.leader_epoch))
}

/// The addresses of `leaders`, each once, as far as clients of this listener can reach them.
pub(crate) fn endpoints(
    image: &MetadataImage,
    leaders: impl Iterator<Item = NodeId>,
    listener: &str,
) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for id in leaders {
        let Some(broker) = image.brokers.get(id).filter(|_| nodes.iter().all(|node| node.id != id)) else {
            continue;
        };
        if let Some((host, port)) = crate::cluster_view::is_alive(broker, listener) {
            let rack = broker.rack.as_deref().map(str::to_string);
            nodes.push(Node { id, host: host.to_string(), port: port.into(), rack });
        }
    }
    nodes
}
