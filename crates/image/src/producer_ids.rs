//! Producer ids: where the next block begins.

use barnabas_protocol::ProducerId;

/// The next block of producer ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProducerIdsImage {
    next: Option<ProducerId>,
}

impl ProducerIdsImage {
    /// First id of the next block; 0 before any block was given out.
    pub fn next_producer_id(&self) -> ProducerId {
        self.next.unwrap_or(0)
    }

    /// The id that a record has set.
    pub(crate) fn set(&mut self, next: ProducerId) {
        self.next = Some(next);
    }

    pub(crate) fn recorded(&self) -> Option<ProducerId> {
        self.next
    }
}
