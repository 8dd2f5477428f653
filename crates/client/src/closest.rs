//! Which replica a partition is read from (KIP-392): the leader, or one that is closer to `client.rack`, which the leader
//! has named.
//!
//! Always true: whoever is named is forgotten after a while, and as soon as anything is wrong with it; then the leader
//! is asked again, who may name somebody else.

use std::collections::BTreeMap;

use barnabas_protocol::{Millis, NodeId};

use crate::fetch_session::Partition;

/// Replicas that leaders have named.
#[derive(Debug, Default)]
pub struct Closest {
    /// With the time until which that counts.
    named: BTreeMap<Partition, (NodeId, Millis)>,
}

impl Closest {
    /// Whom to read from.
    pub fn node(&mut self, partition: &Partition, leader: NodeId, now: Millis) -> NodeId {
        match self.named.get(partition) {
            Some(&(node, until)) if now < until => node,
            Some(_) => {
                self.named.remove(partition);
                leader
            }
            None => leader,
        }
    }

    /// A leader has named a replica, which counts until then.
    pub fn name(&mut self, partition: Partition, node: NodeId, until: Millis) {
        self.named.insert(partition, (node, until));
    }

    /// Something was wrong with what a node has answered. Whether that was a replica that had been named.
    pub fn forget(&mut self, partition: &Partition, node: NodeId) -> bool {
        let is_named = self.named.get(partition).is_some_and(|(named, _)| *named == node);
        if is_named {
            self.named.remove(partition);
        }
        is_named
    }

    /// A node does not answer.
    pub fn lost(&mut self, node: NodeId) {
        self.named.retain(|_, (named, _)| *named != node);
    }
}
