//! Fetch sessions (KIP-227): the broker remembers which partitions a client reads, so that a request names only
//! what has changed.
//!
//! Always true: `partitions` is what the broker has in the session, as long as it answers without an error.

use std::collections::BTreeMap;
use std::sync::Arc;

use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::fetch_request::FetchPartition;

/// A partition of a topic.
pub type Partition = (Arc<str>, i32);

/// The epoch of a request that opens a session, and of one that needs none.
const INITIAL_EPOCH: i32 = 0;

/// The session with one broker.
#[derive(Debug, Default)]
pub struct FetchSession {
    id: i32,
    epoch: i32,
    partitions: BTreeMap<Partition, FetchPartition>,
}

/// What a request has to say.
#[derive(Debug, PartialEq)]
pub struct SessionRequest {
    /// Id of the session, or 0 to open one.
    pub id: i32,
    /// Epoch of the session.
    pub epoch: i32,
    /// Partitions that are new or have changed.
    pub changed: Vec<(Partition, FetchPartition)>,
    /// Partitions that are no longer read.
    pub forgotten: Vec<Partition>,
}

impl FetchSession {
    /// Says how exactly `wanted` is read next.
    pub fn request(&mut self, wanted: BTreeMap<Partition, FetchPartition>) -> SessionRequest {
        let is_open = self.epoch != INITIAL_EPOCH;
        let is_new =
            |key: &Partition, data: &FetchPartition| !is_open || self.partitions.get(key) != Some(data);
        let changed = wanted.iter().filter(|(key, data)| is_new(key, data));
        let changed = changed.map(|(key, data)| (key.clone(), data.clone())).collect();
        let forgotten = self.partitions.keys().filter(|key| is_open && !wanted.contains_key(*key));
        let forgotten = forgotten.cloned().collect();
        self.partitions = wanted;
        SessionRequest { id: self.id, epoch: self.epoch, changed, forgotten }
    }

    /// Takes the head of an answer. False when the request has to be said again from the beginning.
    pub fn answered(&mut self, error: ErrorCode, id: i32) -> bool {
        if error.is_error() {
            self.forget();
            return false;
        }
        self.id = id;
        // 0: the broker has no room for a session, so that every request names everything.
        self.epoch = match (id, self.epoch) {
            (0, _) => INITIAL_EPOCH,
            (_, i32::MAX) => 1,
            (_, epoch) => epoch + 1,
        };
        true
    }

    /// The connection was lost, and whether the broker has heard the last request is not known.
    pub fn forget(&mut self) {
        *self = FetchSession::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: i32, fetch_offset: i64) -> (Partition, FetchPartition) {
        (("t".into(), partition), FetchPartition { partition, fetch_offset, ..Default::default() })
    }

    #[test]
    fn only_what_changes_is_said_again() {
        let mut session = FetchSession::default();
        let first = session.request(BTreeMap::from([at(0, 5), at(1, 7)]));
        assert_eq!((first.id, first.epoch, first.changed.len()), (0, 0, 2));
        assert!(session.answered(ErrorCode::NONE, 99));
        let second = session.request(BTreeMap::from([at(0, 6), at(2, 1)]));
        assert_eq!((second.id, second.epoch), (99, 1));
        assert_eq!(second.changed, [at(0, 6), at(2, 1)]);
        assert_eq!(second.forgotten, [("t".into(), 1)]);
        assert!(session.answered(ErrorCode::NONE, 99));
        let third = session.request(BTreeMap::from([at(0, 6), at(2, 1)]));
        assert_eq!((third.epoch, third.changed, third.forgotten), (2, vec![], vec![]));
    }

    #[test]
    fn after_an_error_or_without_a_session_everything_is_said() {
        let mut session = FetchSession::default();
        session.request(BTreeMap::from([at(0, 5)]));
        assert!(session.answered(ErrorCode::NONE, 7));
        assert!(!session.answered(ErrorCode::FETCH_SESSION_ID_NOT_FOUND, 0));
        let again = session.request(BTreeMap::from([at(0, 5)]));
        assert_eq!((again.id, again.epoch, again.changed.len()), (0, 0, 1));
        assert!(session.answered(ErrorCode::NONE, 0));
        let again = session.request(BTreeMap::from([at(0, 5)]));
        assert_eq!((again.id, again.epoch, again.changed.len()), (0, 0, 1));
    }
}
