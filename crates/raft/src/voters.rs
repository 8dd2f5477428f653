//! The voters of a metadata quorum.

use barnabas_protocol::generated::voters_record::{
    Endpoint, KRaftVersionFeature, Voter as VoterRecord, VotersRecord,
};
use barnabas_protocol::wire::{DecodeError, Reader};
use barnabas_protocol::{NodeId, Uuid};

/// A replica of the metadata log: the node, and the directory that makes it the same replica after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaKey {
    /// The node.
    pub id: NodeId,
    /// Its metadata log directory; zero where it is not known (kraft.version 0).
    pub directory_id: Uuid,
}

/// Where a voter listens for the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoterEndpoint {
    /// Name of the listener.
    pub name: String,
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// One voter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voter {
    /// Who it is.
    pub key: ReplicaKey,
    /// Where it listens.
    pub endpoints: Vec<VoterEndpoint>,
    /// Lowest and highest kraft.version that it supports.
    pub kraft_versions: (i16, i16),
}

/// The voters, ordered by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VoterSet {
    voters: Vec<Voter>,
}

impl VoterSet {
    /// These voters; of two with one id the last counts.
    pub fn new(voters: impl IntoIterator<Item = Voter>) -> Self {
        let by_id: std::collections::BTreeMap<NodeId, Voter> =
            voters.into_iter().map(|voter| (voter.key.id, voter)).collect();
        Self { voters: by_id.into_values().collect() }
    }

    /// All voters in order of their ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Voter> {
        self.voters.iter()
    }

    /// Number of voters.
    pub fn len(&self) -> usize {
        self.voters.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.voters.is_empty()
    }

    /// One voter by its node.
    pub fn get(&self, id: NodeId) -> Option<&Voter> {
        self.voters.iter().find(|voter| voter.key.id == id)
    }

    /// Whether the replica votes. Where a directory is not known the node's id decides.
    pub fn contains(&self, key: ReplicaKey) -> bool {
        self.get(key.id).is_some_and(|voter| {
            let (known, given) = (voter.key.directory_id, key.directory_id);
            known == given || known.is_zero() || given.is_zero()
        })
    }

    /// The voters, of whom `id` listens at `endpoints`.
    #[must_use]
    pub fn with_endpoints(&self, id: NodeId, endpoints: &[VoterEndpoint]) -> Self {
        let mut changed = self.clone();
        if let Some(voter) = changed.voters.iter_mut().find(|voter| voter.key.id == id) {
            voter.endpoints = endpoints.to_vec();
        }
        changed
    }

    /// Number of voters that decide.
    pub fn majority(&self) -> usize {
        self.voters.len() / 2 + 1
    }

    pub(crate) fn to_record(&self) -> VotersRecord<'_> {
        let voters = self.voters.iter().map(|voter| VoterRecord {
            voter_id: voter.key.id,
            voter_directory_id: voter.key.directory_id,
            endpoints: voter
                .endpoints
                .iter()
                .map(|endpoint| Endpoint { name: &endpoint.name, host: &endpoint.host, port: endpoint.port })
                .collect(),
            kraft_version_feature: KRaftVersionFeature {
                min_supported_version: voter.kraft_versions.0,
                max_supported_version: voter.kraft_versions.1,
            },
        });
        VotersRecord { version: 0, voters: voters.collect() }
    }

    /// Reads the value of a KRaftVoters control record.
    pub(crate) fn from_value(value: &[u8]) -> Result<VoterSet, DecodeError> {
        let record = VotersRecord::decode(&mut Reader::new(value), 0)?;
        Ok(Self::new(record.voters.iter().map(|voter| {
            Voter {
                key: ReplicaKey { id: voter.voter_id, directory_id: voter.voter_directory_id },
                endpoints: voter
                    .endpoints
                    .iter()
                    .map(|endpoint| VoterEndpoint {
                        name: endpoint.name.to_string(),
                        host: endpoint.host.to_string(),
                        port: endpoint.port,
                    })
                    .collect(),
                kraft_versions: (
                    voter.kraft_version_feature.min_supported_version,
                    voter.kraft_version_feature.max_supported_version,
                ),
            }
        })))
    }
}
