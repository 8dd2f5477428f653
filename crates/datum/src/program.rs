//! Programs: numbers, each in groups of seven bits, the lowest first.

/// Most parts that a schema may have, types and fields together.
pub(crate) const PARTS_MAX: usize = 200_000;

/// Why bytes are no program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// They end too early.
    #[error("the schema's program ends early")]
    Truncated,
    /// They go on behind the end.
    #[error("the schema's program goes on behind its end")]
    Trailing,
    /// A number of more than 32 bits.
    #[error("the schema's program has a number that is too long")]
    Number,
    /// No format begins with this.
    #[error("there is no format {format} of schemas")]
    Format {
        /// What was read.
        format: u8,
    },
    /// No type begins with this.
    #[error("there is no kind {kind} of types")]
    Kind {
        /// What was read.
        kind: u8,
    },
    /// A type that the table has not.
    #[error("there is no type {place} of {count}")]
    Place {
        /// What was read.
        place: u32,
        /// How many there are.
        count: usize,
    },
    /// There are too many types or fields.
    #[error("a schema may have {PARTS_MAX} types and fields")]
    Parts,
}

/// Reads a program.
pub(crate) struct Program<'p> {
    rest: &'p [u8],
    parts_left: usize,
}

impl<'p> Program<'p> {
    pub(crate) fn new(bytes: &'p [u8]) -> Self {
        Program { rest: bytes, parts_left: PARTS_MAX }
    }

    pub(crate) fn byte(&mut self) -> Result<u8, ProgramError> {
        let (first, rest) = self.rest.split_first().ok_or(ProgramError::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(crate) fn number(&mut self) -> Result<u32, ProgramError> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(value).map_err(|_| ProgramError::Number);
            }
        }
        Err(ProgramError::Number)
    }

    /// How many parts follow; each takes a byte at least.
    pub(crate) fn count(&mut self) -> Result<usize, ProgramError> {
        let count = self.number()? as usize;
        if count > self.rest.len() {
            return Err(ProgramError::Truncated);
        }
        self.parts_left = self.parts_left.checked_sub(count).ok_or(ProgramError::Parts)?;
        Ok(count)
    }

    /// How many parts there have been.
    pub(crate) fn parts(&self) -> usize {
        PARTS_MAX - self.parts_left
    }

    /// The place of a type in a table of `count`.
    pub(crate) fn place(&mut self, count: usize) -> Result<u32, ProgramError> {
        let place = self.number()?;
        match (place as usize) < count {
            true => Ok(place),
            false => Err(ProgramError::Place { place, count }),
        }
    }

    /// Several of them.
    pub(crate) fn places(&mut self, count: usize) -> Result<Box<[u32]>, ProgramError> {
        (0..self.count()?).map(|_| self.place(count)).collect()
    }

    pub(crate) fn end(&self) -> Result<(), ProgramError> {
        match self.rest {
            [] => Ok(()),
            _ => Err(ProgramError::Trailing),
        }
    }
}
