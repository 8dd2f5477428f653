//! Control records: what a batch with the control bit holds, as key and value of ordinary records.
//!
//! A key is `version i16 = 0, type i16`. Keys of later versions may be longer; unknown types are passed over.
//! A value is `version i16`, then the generated message of the type (`EndTxnMarker`, `LeaderChangeMessage`, …).

/// What a control record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ControlRecordType {
    /// A transaction was aborted; the value is an EndTxnMarker.
    Abort,
    /// A transaction was committed; the value is an EndTxnMarker.
    Commit,
    /// A leader of the metadata log took office; the value is a LeaderChangeMessage.
    LeaderChange,
    /// First record of a snapshot.
    SnapshotHeader,
    /// Last record of a snapshot.
    SnapshotFooter,
    /// The version of the Raft protocol.
    KRaftVersion,
    /// The voters of the metadata log.
    KRaftVoters,
}

impl ControlRecordType {
    /// The type in a control record's key; None when the key is no such key or the type is not known.
    pub fn from_key(key: &[u8]) -> Option<ControlRecordType> {
        let [_, _, high, low, ..] = *key else { return None };
        match i16::from_be_bytes([high, low]) {
            0 => Some(Self::Abort),
            1 => Some(Self::Commit),
            2 => Some(Self::LeaderChange),
            3 => Some(Self::SnapshotHeader),
            4 => Some(Self::SnapshotFooter),
            5 => Some(Self::KRaftVersion),
            6 => Some(Self::KRaftVoters),
            _ => None,
        }
    }

    /// The key of a control record of this type.
    pub fn key(self) -> [u8; 4] {
        [0, 0, 0, self as u8]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kafkas() {
        assert_eq!(ControlRecordType::Commit.key(), [0, 0, 0, 1]);
        assert_eq!(ControlRecordType::from_key(&[0, 0, 0, 6]), Some(ControlRecordType::KRaftVoters));
        assert_eq!(ControlRecordType::from_key(&[0, 1, 0, 1, 9]), Some(ControlRecordType::Commit));
        assert_eq!(ControlRecordType::from_key(&[0, 0, 0, 7]), None);
        assert_eq!(ControlRecordType::from_key(&[0, 0]), None);
    }
}
