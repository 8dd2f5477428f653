//! How often each error code stands in a response: what Apache Kafka counts as ErrorsPerSec, NONE among it.
//!
//! Always true:
//!   a response without errors costs no allocation, whatever its size
//!   a code without a name is counted as UNKNOWN_SERVER_ERROR, so that there are never more than
//!   [`ErrorCode::COUNT`] different ones

use crate::error::ErrorCode;

/// Error codes with their counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorTally {
    none: u64,
    /// Everything but NONE, each code once.
    errors: Vec<(ErrorCode, u64)>,
}

impl ErrorTally {
    /// Counts a code.
    #[inline]
    pub fn note(&mut self, code: i16) {
        if code == ErrorCode::NONE.code() {
            self.none += 1;
        } else {
            self.note_error(code);
        }
    }

    #[cold]
    fn note_error(&mut self, code: i16) {
        let code = ErrorCode::named(code);
        match self.errors.iter_mut().find(|(noted, _)| *noted == code) {
            Some((_, count)) => *count += 1,
            None => self.errors.push((code, 1)),
        }
    }

    /// The codes that were counted, each once, with how often.
    pub fn counts(&self) -> impl Iterator<Item = (ErrorCode, u64)> + '_ {
        let none = Some((ErrorCode::NONE, self.none)).filter(|(_, count)| *count > 0);
        none.into_iter().chain(self.errors.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_counted_each_by_itself() {
        let mut tally = ErrorTally::default();
        assert_eq!(tally.counts().count(), 0);
        for code in [3, 0, 6, 3, 0, 0] {
            tally.note(code);
        }
        let counts: Vec<(i16, u64)> = tally.counts().map(|(code, count)| (code.code(), count)).collect();
        assert_eq!(counts, [(0, 3), (3, 2), (6, 1)]);
    }

    #[test]
    fn codes_without_a_name_are_one() {
        let mut tally = ErrorTally::default();
        for code in i16::MIN..=i16::MAX {
            tally.note(code);
        }
        assert_eq!(tally.counts().count(), ErrorCode::COUNT);
        let unknown = tally.counts().find(|(code, _)| *code == ErrorCode::UNKNOWN_SERVER_ERROR);
        assert_eq!(unknown.map(|(_, count)| count), Some(65_536 - ErrorCode::COUNT as u64 + 1));
    }
}
