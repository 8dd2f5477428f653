//! `quorum-state`: the epoch, the leader and the vote of this replica, as Kafka keeps them in JSON.
//!
//! Always true: the file is on stable storage before anything that follows from it leaves this node.

use std::path::Path;

use barnabas_disk::Disk;
use barnabas_protocol::{LeaderEpoch, NodeId, Uuid};

use crate::error::{At, RaftError};
use crate::voters::{ReplicaKey, VoterSet};

/// Name of the file inside the metadata log's directory.
pub(crate) const FILE: &str = "quorum-state";

/// What this replica must remember of elections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QuorumState {
    /// The newest epoch this replica has seen.
    pub epoch: LeaderEpoch,
    /// Its leader, when known.
    pub leader: Option<NodeId>,
    /// Whom this replica voted for in the epoch.
    pub voted: Option<ReplicaKey>,
}

impl QuorumState {
    /// The file's content. Version 0 is that of a quorum with kraft.version 0.
    pub(crate) fn to_json(self, kraft_version: i16, voters: &VoterSet) -> String {
        let leader = self.leader.unwrap_or(-1);
        let (voted, directory) = self.voted.map_or((-1, Uuid::ZERO), |voted| (voted.id, voted.directory_id));
        let epoch = self.epoch;
        if kraft_version >= 1 {
            return format!(
                r#"{{"leaderId":{leader},"leaderEpoch":{epoch},"votedId":{voted},"votedDirectoryId":"{directory}","data_version":1}}"#
            );
        }
        let ids: Vec<String> =
            voters.iter().map(|voter| format!(r#"{{"voterId":{}}}"#, voter.key.id)).collect();
        let ids = ids.join(",");
        format!(
            r#"{{"clusterId":"","leaderId":{leader},"leaderEpoch":{epoch},"votedId":{voted},"appliedOffset":0,"currentVoters":[{ids}],"data_version":0}}"#
        )
    }

    /// Reads the file's content; what is wrong with it otherwise.
    pub(crate) fn from_json(text: &str) -> Result<QuorumState, String> {
        let version = number(text, "data_version")?;
        if !(0..=1).contains(&version) {
            return Err(format!("data_version {version} is unknown"));
        }
        let id = |name| match number(text, name)? {
            -1 => Ok(None),
            id => NodeId::try_from(id).map(Some).map_err(|_| format!("{name} {id} is no node id")),
        };
        let epoch = number(text, "leaderEpoch")?;
        let epoch = LeaderEpoch::try_from(epoch).map_err(|_| format!("leaderEpoch {epoch} is no epoch"))?;
        let directory_id = match version {
            0 => Uuid::ZERO,
            _ => Uuid::parse(string(text, "votedDirectoryId")?).ok_or("votedDirectoryId is no id")?,
        };
        let voted = id("votedId")?.map(|id| ReplicaKey { id, directory_id });
        Ok(QuorumState { epoch, leader: id("leaderId")?, voted })
    }

    /// Reads the file of a directory; None when there is none.
    pub(crate) fn load(disk: &dyn Disk, dir: &Path) -> Result<Option<QuorumState>, RaftError> {
        let path = dir.join(FILE);
        if !disk.exists(&path) {
            return Ok(None);
        }
        let content = disk.read(&path).at("read", &path)?;
        let parsed =
            std::str::from_utf8(&content).map_err(|error| error.to_string()).and_then(Self::from_json);
        parsed.map(Some).map_err(|reason| RaftError::Corrupt { path, reason })
    }

    /// Replaces the file of a directory; durable once it returns.
    pub(crate) fn store(
        self,
        disk: &dyn Disk,
        dir: &Path,
        kraft_version: i16,
        voters: &VoterSet,
    ) -> Result<(), RaftError> {
        let path = dir.join(FILE);
        disk.write_atomic(&path, self.to_json(kraft_version, voters).as_bytes()).at("write", &path)
    }
}

/// What follows `"name":`. The names asked for occur once in the file, nested objects included.
fn value<'a>(text: &'a str, name: &str) -> Result<&'a str, String> {
    let quoted = format!("\"{name}\"");
    let at = text.find(&quoted).ok_or_else(|| format!("{name} is missing"))?;
    let rest = text[at + quoted.len()..].trim_start();
    Ok(rest.strip_prefix(':').ok_or_else(|| format!("{name} has no value"))?.trim_start())
}

fn number(text: &str, name: &str) -> Result<i64, String> {
    let rest = value(text, name)?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(rest.len());
    rest[..end].parse().map_err(|_| format!("{name} is no number"))
}

fn string<'a>(text: &'a str, name: &str) -> Result<&'a str, String> {
    let quoted = value(text, name)?.strip_prefix('"').and_then(|rest| rest.split_once('"'));
    quoted.map(|(content, _)| content).ok_or_else(|| format!("{name} is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const APACHE: &str = r#"{"leaderId":1,"leaderEpoch":7,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#;

    #[test]
    fn text_is_kafkas() {
        let state = QuorumState { epoch: 7, leader: Some(1), voted: None };
        assert_eq!(state.to_json(1, &VoterSet::default()), APACHE);
        assert_eq!(QuorumState::from_json(APACHE), Ok(state));
        let directory_id = Uuid(*b"0123456789abcdef");
        let voted = QuorumState { epoch: 8, leader: None, voted: Some(ReplicaKey { id: 3, directory_id }) };
        assert_eq!(QuorumState::from_json(&voted.to_json(1, &VoterSet::default())), Ok(voted));
    }

    #[test]
    fn version_0_is_read_and_written_without_directories() {
        let text = r#"{"clusterId":"","leaderId":2,"leaderEpoch":4,"votedId":2,"appliedOffset":0,"currentVoters":[{"voterId":2}],"data_version":0}"#;
        let voted = Some(ReplicaKey { id: 2, directory_id: Uuid::ZERO });
        let state = QuorumState { epoch: 4, leader: Some(2), voted };
        assert_eq!(QuorumState::from_json(text), Ok(state));
        let key = ReplicaKey { id: 2, directory_id: Uuid::ZERO };
        let voters =
            VoterSet::new([crate::voters::Voter { key, endpoints: Vec::new(), kraft_versions: (0, 0) }]);
        assert_eq!(state.to_json(0, &voters), text);
    }

    #[test]
    fn what_is_no_quorum_state_is_refused_by_name() {
        for (text, reason) in [
            ("", "data_version is missing"),
            (r#"{"data_version":9}"#, "data_version 9 is unknown"),
            (r#"{"leaderEpoch":"x","data_version":1}"#, "leaderEpoch is no number"),
        ] {
            assert_eq!(QuorumState::from_json(text), Err(reason.to_string()));
        }
    }
}
