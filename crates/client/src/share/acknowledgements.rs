//! What a member says of records, by offset, and in runs as the wire has it.

use std::collections::BTreeMap;

use barnabas_protocol::Offset;

/// There is no record at the offset: compacted away, or not for users.
pub const GAP: i8 = 0;

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcknowledgeType {
    /// It was worked on.
    Accept,
    /// Somebody else may have it, or this member again.
    Release,
    /// Nobody is to have it again.
    Reject,
    /// It is being worked on, for longer than the lock lasts (KIP-1222).
    Renew,
}

impl AcknowledgeType {
    /// Its number on the wire.
    pub fn code(self) -> i8 {
        match self {
            AcknowledgeType::Accept => 1,
            AcknowledgeType::Release => 2,
            AcknowledgeType::Reject => 3,
            AcknowledgeType::Renew => 4,
        }
    }
}

/// Numbers of types, by offset.
pub type Acknowledgements = BTreeMap<Offset, i8>;

/// First and last offset of runs of the same type, with it.
pub fn runs(said: &Acknowledgements) -> Vec<(Offset, Offset, i8)> {
    let mut runs: Vec<(Offset, Offset, i8)> = Vec::new();
    for (&offset, &code) in said {
        match runs.last_mut() {
            Some((_, last, same)) if *same == code && offset - *last == 1 => *last = offset,
            _ => runs.push((offset, offset, code)),
        }
    }
    runs
}

/// Whether something is renewed.
pub fn renews(said: &Acknowledgements) -> bool {
    said.values().any(|&code| code == AcknowledgeType::Renew.code())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn runs_say_what_was_said(said in prop::collection::btree_map(0i64..40, 0i8..5, 0..40)) {
            let runs = runs(&said);
            let again: Acknowledgements =
                runs.iter().flat_map(|&(first, last, code)| (first..=last).map(move |at| (at, code))).collect();
            prop_assert_eq!(again, said);
            for pair in runs.windows(2) {
                prop_assert!(pair[0].1 + 1 < pair[1].0 || pair[0].2 != pair[1].2);
            }
        }
    }
}
