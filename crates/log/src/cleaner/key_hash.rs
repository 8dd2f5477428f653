//! The hash that stands for a key while a log is compacted: SipHash-2-4 with 128 bits.
//!
//! Two keys of one hash would be taken for one, and the older record of the two be lost. Among a hundred
//! million keys the odds of that are below one in 10^22. The hash is keyed at random, so that nobody who
//! writes records can look for such keys beforehand, as they could with MD5.

/// A key of the hash: 128 random bits.
pub type HashKey = [u64; 2];

struct State([u64; 4]);

impl State {
    #[inline]
    fn round(&mut self) {
        let [v0, v1, v2, v3] = &mut self.0;
        *v0 = v0.wrapping_add(*v1);
        *v1 = v1.rotate_left(13) ^ *v0;
        *v0 = v0.rotate_left(32);
        *v2 = v2.wrapping_add(*v3);
        *v3 = v3.rotate_left(16) ^ *v2;
        *v0 = v0.wrapping_add(*v3);
        *v3 = v3.rotate_left(21) ^ *v0;
        *v2 = v2.wrapping_add(*v1);
        *v1 = v1.rotate_left(17) ^ *v2;
        *v2 = v2.rotate_left(32);
    }

    #[inline]
    fn take(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.round();
        self.0[0] ^= word;
    }

    fn finish(&mut self) -> u64 {
        for _ in 0..4 {
            self.round();
        }
        self.0[0] ^ self.0[1] ^ self.0[2] ^ self.0[3]
    }
}

/// The hash of `bytes`.
pub(crate) fn hash(key: HashKey, bytes: &[u8]) -> [u64; 2] {
    let [k0, k1] = key;
    let mut state = State([
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d ^ 0xee, // 0xee: 128 bits are wanted.
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ]);
    let words = bytes.chunks_exact(8);
    let rest = words.remainder();
    for word in words {
        let mut value = [0; 8];
        value.copy_from_slice(word);
        state.take(u64::from_le_bytes(value));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    last[7] = bytes.len() as u8;
    state.take(u64::from_le_bytes(last));
    state.0[2] ^= 0xee;
    let first = state.finish();
    state.0[1] ^= 0xdd;
    [first, state.finish()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_published_vectors() {
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let input: Vec<u8> = (0..64).collect();
        let bytes = |length: usize| hash(key, &input[..length]).map(u64::to_le_bytes).concat();
        let expected = |text: &str| -> Vec<u8> {
            (0..16).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
        };
        assert_eq!(bytes(0), expected("a3817f04ba25a8e66df67214c7550293"));
        assert_eq!(bytes(1), expected("da87c1d86b99af44347659119b22fc45"));
    }
}
