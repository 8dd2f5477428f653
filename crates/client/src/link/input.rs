//! What has come of a connection's responses.
//!
//! Always true:
//!   `bytes[..filled]` has come and is not used yet; what lies behind is room
//!   room grows with what has come, not by what a length claims

/// The largest answer that is believed; a larger length is the sign of a peer that speaks something else.
const RESPONSE_BYTES_MAX: usize = 1 << 30;
/// What has to be missing of a response for it to be read to where it stays, without another copy.
const MISSING_BYTES_MIN: usize = 64 * 1024;
/// Room that is made for a response at once.
const ROOM_BYTES: usize = 8 * 1024 * 1024;

/// Bytes that are no response.
pub(super) struct WrongLength;

/// Bytes of one connection.
#[derive(Debug, Default)]
pub(super) struct Input {
    bytes: Vec<u8>,
    filled: usize,
}

impl Input {
    /// What has come.
    pub(super) fn came(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Takes bytes that have come.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.bytes.truncate(self.filled);
        self.bytes.extend_from_slice(bytes);
        self.filled = self.bytes.len();
    }

    /// Size of the response that comes next, without the four bytes that say so; None until they are there.
    pub(super) fn size(&self) -> Result<Option<usize>, WrongLength> {
        let Some((prefix, _)) = self.came().split_first_chunk::<4>() else { return Ok(None) };
        match usize::try_from(i32::from_be_bytes(*prefix)) {
            Ok(size) if (4..=RESPONSE_BYTES_MAX).contains(&size) => Ok(Some(size)),
            _ => Err(WrongLength),
        }
    }

    /// Where the next bytes may be put, if that is a part of the next response alone.
    pub(super) fn room(&mut self) -> Option<&mut [u8]> {
        let end = 4 + self.size().ok()??;
        if end < self.filled + MISSING_BYTES_MIN {
            return None;
        }
        if self.bytes.len() == self.filled {
            let length = end.min((2 * self.filled).max(ROOM_BYTES));
            self.bytes.reserve_exact(length - self.filled);
            self.bytes.resize(length, 0);
        }
        let end = end.min(self.bytes.len());
        self.bytes.get_mut(self.filled..end)
    }

    /// So many bytes have come to where there was room.
    pub(super) fn advance(&mut self, count: usize) {
        self.filled += count;
        assert!(self.filled <= self.bytes.len(), "{count} bytes where there was no room");
    }

    /// Takes the first response out, of `size` bytes after the four that say so.
    pub(super) fn split(&mut self, size: usize) -> Vec<u8> {
        self.bytes.truncate(self.filled);
        let rest = self.bytes.split_off(4 + size);
        self.filled = rest.len();
        std::mem::replace(&mut self.bytes, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn response(size: usize, seed: u8) -> Vec<u8> {
        let mut bytes = (size as i32).to_be_bytes().to_vec();
        bytes.extend((0..size).map(|at| (at as u8).wrapping_mul(31).wrapping_add(seed)));
        bytes
    }

    #[test]
    fn a_length_that_is_a_lie_makes_no_room_for_it() {
        let mut input = Input::default();
        input.extend(&(RESPONSE_BYTES_MAX as i32).to_be_bytes());
        assert_eq!(input.room().map(|room| room.len()), Some(ROOM_BYTES - 4));
        for bytes in [[0xff; 4], [0, 0, 0, 3]] {
            let mut input = Input::default();
            input.extend(&bytes);
            assert!(input.size().is_err() && input.room().is_none());
        }
    }

    proptest! {
        #[test]
        fn responses_come_out_whole_however_they_came(
            sizes in proptest::collection::vec(prop_oneof![4usize..100, 60_000usize..300_000], 1..5),
            steps in proptest::collection::vec(1usize..200_000, 1..8),
        ) {
            let sent: Vec<Vec<u8>> = (0..).zip(&sizes).map(|(seed, &size)| response(size, seed)).collect();
            let stream = sent.concat();
            let (mut input, mut at, mut got) = (Input::default(), 0, Vec::new());
            let mut steps = steps.iter().cycle();
            while at < stream.len() {
                let step = *steps.next().unwrap();
                let rest = &stream[at..];
                let count = match input.room() {
                    Some(room) => {
                        let count = step.min(room.len()).min(rest.len());
                        room[..count].copy_from_slice(&rest[..count]);
                        input.advance(count);
                        count
                    }
                    None => {
                        let count = step.min(rest.len());
                        input.extend(&rest[..count]);
                        count
                    }
                };
                at += count;
                while let Ok(Some(size)) = input.size() {
                    if input.came().len() < 4 + size {
                        break;
                    }
                    got.push(input.split(size));
                }
            }
            prop_assert_eq!(got, sent);
            prop_assert!(input.came().is_empty());
        }
    }
}
