//! Error codes of the protocol. The constants and their table are generated.

use std::fmt;

use crate::generated::errors::ERRORS;

/// An error by its code on the wire. Every number is one: newer peers may send codes that have no name here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ErrorCode(pub i16);

/// What is known of an error code.
#[derive(Debug)]
pub(crate) struct ErrorFacts {
    pub(crate) name: &'static str,
    pub(crate) retriable: bool,
    pub(crate) message: &'static str,
}

impl ErrorCode {
    /// How many have a name.
    pub const COUNT: usize = ERRORS.len();

    /// All that have a name, by number.
    pub fn all() -> impl Iterator<Item = ErrorCode> {
        (-1..).map(ErrorCode).take(Self::COUNT)
    }

    /// The code as Apache Kafka takes it in: UNKNOWN_SERVER_ERROR where it has no name.
    pub fn named(code: i16) -> ErrorCode {
        let code = ErrorCode(code);
        if code.facts().is_some() {
            code
        } else {
            ErrorCode::UNKNOWN_SERVER_ERROR
        }
    }

    /// Its place among all that have a name, from 0; that of UNKNOWN_SERVER_ERROR where it has none.
    pub fn place(self) -> usize {
        usize::try_from(i32::from(ErrorCode::named(self.0).0) + 1).unwrap_or(0)
    }

    /// The number on the wire.
    pub fn code(self) -> i16 {
        self.0
    }

    /// Whether it is anything but NONE.
    pub fn is_error(self) -> bool {
        self != ErrorCode::NONE
    }

    /// Kafka's name, e.g. `INVALID_REQUEST`; `UNKNOWN` for a code that is not known.
    pub fn name(self) -> &'static str {
        self.facts().map_or("UNKNOWN", |facts| facts.name)
    }

    /// Whether the same request may succeed later.
    pub fn retriable(self) -> bool {
        self.facts().is_some_and(|facts| facts.retriable)
    }

    /// One sentence on what happened.
    pub fn message(self) -> &'static str {
        self.facts().map_or("An error code that is not known.", |facts| facts.message)
    }

    fn facts(self) -> Option<&'static ErrorFacts> {
        // The table starts with -1.
        ERRORS.get(usize::try_from(i32::from(self.0) + 1).ok()?)
    }
}

impl From<ErrorCode> for i16 {
    fn from(error: ErrorCode) -> i16 {
        error.0
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_name() {
        assert_eq!(ERRORS.len(), 138);
        assert_eq!(ErrorCode(-1).name(), "UNKNOWN_SERVER_ERROR");
        assert_eq!(ErrorCode::NONE.name(), "NONE");
        assert_eq!(ErrorCode::CONTROLLER_ID_NOT_REGISTERED.to_string(), "CONTROLLER_ID_NOT_REGISTERED (136)");
        assert_eq!(ErrorCode(137).name(), "UNKNOWN");
        assert_eq!(ErrorCode(i16::MIN).name(), "UNKNOWN");
        assert!(ErrorCode::NOT_CONTROLLER.retriable());
        assert_eq!(ErrorCode::named(137), ErrorCode::UNKNOWN_SERVER_ERROR);
        assert!(ErrorCode::all().map(ErrorCode::place).eq(0..138));
        assert_eq!(ERRORS.iter().filter(|facts| facts.retriable).count(), 32);
    }
}
