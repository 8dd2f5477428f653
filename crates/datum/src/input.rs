//! The bytes of a value, read once from first to last.

/// Why bytes are no value of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {what}")]
pub struct Misfit {
    /// Where, counted from what follows the schema's id.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
}

/// What of a value is still to be read.
pub(crate) struct Input<'v> {
    bytes: &'v [u8],
    at: usize,
    /// Of what is read now: a part of the value may say how long it is.
    end: usize,
}

impl<'v> Input<'v> {
    pub(crate) fn new(bytes: &'v [u8]) -> Self {
        Input { bytes, at: 0, end: bytes.len() }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    #[inline]
    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.end
    }

    #[cold]
    pub(crate) fn misfit<T>(&self, what: &'static str) -> Result<T, Misfit> {
        Err(Misfit { at: self.at, what })
    }

    pub(crate) fn ends(&self) -> Result<(), Misfit> {
        match self.is_at_end() {
            true => Ok(()),
            false => self.misfit("bytes follow the value"),
        }
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Result<u8, Misfit> {
        if self.at >= self.end {
            return self.misfit("the value ends early");
        }
        let byte = self.bytes[self.at];
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    pub(crate) fn take(&mut self, size: u64) -> Result<&'v [u8], Misfit> {
        if size > (self.end - self.at) as u64 {
            return self.misfit("a part of the value is longer than what is left");
        }
        let start = self.at;
        self.at += size as usize;
        Ok(&self.bytes[start..self.at])
    }

    /// Moves over text of `size` bytes.
    #[inline]
    pub(crate) fn text(&mut self, size: u64) -> Result<(), Misfit> {
        let start = self.at;
        let bytes = self.take(size)?;
        match bytes.is_ascii() || std::str::from_utf8(bytes).is_ok() {
            true => Ok(()),
            false => Err(Misfit { at: start, what: "text is not UTF-8" }),
        }
    }

    /// A number in groups of seven bits, the lowest first, in at most `bytes_max` bytes; bits above the 64th are lost.
    #[inline]
    pub(crate) fn varint(&mut self, bytes_max: u32) -> Result<u64, Misfit> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        let mut value = u64::from(first & 0x7f);
        for group in 1..bytes_max {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << (7 * group);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        self.misfit("a number is too long")
    }

    /// From now on the next `size` bytes are all there is; to be given to [`Input::widen`]: what there was.
    #[inline]
    pub(crate) fn narrow(&mut self, size: u64) -> Result<usize, Misfit> {
        if size > (self.end - self.at) as u64 {
            return self.misfit("a part of the value is longer than what is left");
        }
        Ok(std::mem::replace(&mut self.end, self.at + size as usize))
    }

    /// Ends a part, which must have been read to its end.
    #[inline]
    pub(crate) fn widen(&mut self, end: usize) -> Result<(), Misfit> {
        self.ends()?;
        self.end = end;
        Ok(())
    }
}
