//! The state of the metadata quorum, as Python sees it.

use barnabas_protocol::NodeId;
use barnabas_raft::{MetadataLog, Voter, VoterEndpoint};
use pyo3::prelude::*;

use crate::uuid::Uuid;

/// State of the metadata quorum.
#[pyclass(frozen, get_all, module = "barnabas._core")]
pub(crate) struct QuorumInfo {
    leader_id: i32,
    leader_epoch: i32,
    high_watermark: i64,
    log_end_offset: i64,
    /// (id, directory, where it listens)
    voters: Vec<(i32, Uuid, Endpoints)>,
}

/// (name of the listener, host, port)
type Endpoints = Vec<(String, String, u16)>;

impl QuorumInfo {
    /// The quorum of a metadata log whose leader is this node.
    pub(crate) fn of(log: &MetadataLog, leader_id: NodeId) -> QuorumInfo {
        let endpoints = |voter: &Voter| {
            let endpoint = |one: &VoterEndpoint| (one.name.clone(), one.host.clone(), one.port);
            voter.endpoints.iter().map(endpoint).collect()
        };
        QuorumInfo {
            leader_id,
            leader_epoch: log.epoch(),
            high_watermark: log.high_watermark(),
            log_end_offset: log.log_end_offset(),
            voters: (log.quorum().voters().iter())
                .map(|voter| (voter.key.id, Uuid(voter.key.directory_id), endpoints(voter)))
                .collect(),
        }
    }
}
