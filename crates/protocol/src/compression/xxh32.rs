//! xxHash, 32 bits, seed 0: the checksum of LZ4 frames.

const PRIME: [u32; 5] = [0x9e37_79b1, 0x85eb_ca77, 0xc2b2_ae3d, 0x27d4_eb2f, 0x1656_67b1];

/// Takes bytes as they come.
pub(super) struct Xxh32 {
    lanes: [u32; 4],
    buffer: [u8; 16],
    total: u64,
}

impl Xxh32 {
    pub(super) fn new() -> Self {
        let lanes = [PRIME[0].wrapping_add(PRIME[1]), PRIME[1], 0, 0u32.wrapping_sub(PRIME[0])];
        Xxh32 { lanes, buffer: [0; 16], total: 0 }
    }

    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        let held = (self.total % 16) as usize;
        self.total += bytes.len() as u64;
        if held > 0 {
            let count = bytes.len().min(16 - held);
            self.buffer[held..held + count].copy_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            if held + count < 16 {
                return;
            }
            let stripe = self.buffer;
            self.stripe(&stripe);
        }
        let mut stripes = bytes.chunks_exact(16);
        for stripe in &mut stripes {
            self.stripe(stripe);
        }
        self.buffer[..stripes.remainder().len()].copy_from_slice(stripes.remainder());
    }

    fn stripe(&mut self, stripe: &[u8]) {
        for (lane, word) in self.lanes.iter_mut().zip(stripe.chunks_exact(4)) {
            let mixed = lane.wrapping_add(little_endian(word).wrapping_mul(PRIME[1]));
            *lane = mixed.rotate_left(13).wrapping_mul(PRIME[0]);
        }
    }

    pub(super) fn finish(&self) -> u32 {
        let mut hash = if self.total >= 16 {
            let [a, b, c, d] = self.lanes;
            a.rotate_left(1)
                .wrapping_add(b.rotate_left(7))
                .wrapping_add(c.rotate_left(12))
                .wrapping_add(d.rotate_left(18))
        } else {
            PRIME[4]
        };
        hash = hash.wrapping_add(self.total as u32);
        let mut words = self.buffer[..(self.total % 16) as usize].chunks_exact(4);
        for word in &mut words {
            hash = hash.wrapping_add(little_endian(word).wrapping_mul(PRIME[2]));
            hash = hash.rotate_left(17).wrapping_mul(PRIME[3]);
        }
        for &byte in words.remainder() {
            hash = hash.wrapping_add(u32::from(byte).wrapping_mul(PRIME[4]));
            hash = hash.rotate_left(11).wrapping_mul(PRIME[0]);
        }
        hash = (hash ^ (hash >> 15)).wrapping_mul(PRIME[1]);
        hash = (hash ^ (hash >> 13)).wrapping_mul(PRIME[2]);
        hash ^ (hash >> 16)
    }
}

pub(super) fn xxh32(bytes: &[u8]) -> u32 {
    let mut hash = Xxh32::new();
    hash.update(bytes);
    hash.finish()
}

fn little_endian(word: &[u8]) -> u32 {
    u32::from_le_bytes([word[0], word[1], word[2], word[3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_published_vectors() {
        assert_eq!(xxh32(b""), 0x02cc_5d05);
        assert_eq!(xxh32(b"abc"), 0x32d1_53ff);
        assert_eq!(xxh32(b"Nobody inspects the spammish repetition"), 0xe229_3b2f);
    }

    #[test]
    fn pieces_make_the_whole() {
        let bytes: Vec<u8> = (0..=255).collect();
        for cut in 0..bytes.len() {
            let mut hash = Xxh32::new();
            hash.update(&bytes[..cut]);
            hash.update(&bytes[cut..]);
            assert_eq!(hash.finish(), xxh32(&bytes));
        }
    }
}
