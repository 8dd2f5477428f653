use super::*;
use proptest::prelude::*;

const CODECS: [Compression; 4] =
    [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

fn compressed(codec: Compression, input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    compress(codec, None, input, &mut out).unwrap();
    out
}

fn decompressed(codec: Compression, input: &[u8], max: usize) -> Result<Vec<u8>, CompressionError> {
    let mut out = Vec::new();
    decompress(codec, input, max, &mut out).map(|()| out)
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    let runs = proptest::collection::vec((any::<u8>(), 1..5000usize), 0..60);
    runs.prop_map(|runs| runs.into_iter().flat_map(|(byte, count)| vec![byte; count]).collect())
}

fn codec() -> impl Strategy<Value = Compression> {
    (0..4usize).prop_map(|index| CODECS[index])
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(
        runs in data(),
        noise in proptest::collection::vec(any::<u8>(), 0..100_000),
        codec in codec(),
        pieces in 1..70_000usize,
    ) {
        let input = [runs, noise].concat();
        let bytes = compressed(codec, &input);
        prop_assert_eq!(decompressed(codec, &bytes, input.len()), Ok(input.clone()));
        let mut decompressor = Decompressor::new(codec, &bytes, input.len()).unwrap();
        let mut piece = vec![0; pieces];
        let mut whole = Vec::new();
        loop {
            match decompressor.read(&mut piece).unwrap() {
                0 => break,
                count => whole.extend_from_slice(&piece[..count]),
            }
        }
        prop_assert_eq!(whole, input);
    }

    #[test]
    fn one_byte_more_than_the_cap_is_refused(runs in data(), codec in codec()) {
        prop_assume!(!runs.is_empty());
        let bytes = compressed(codec, &runs);
        let refused = decompressed(codec, &bytes, runs.len() - 1);
        let too_large = matches!(refused, Err(CompressionError::TooLarge { .. }));
        prop_assert!(too_large);
    }

    #[test]
    fn a_changed_byte_is_refused_or_harmless(
        runs in data(), codec in codec(), at: prop::sample::Index, byte: u8,
    ) {
        let mut bytes = compressed(codec, &runs);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(out) = decompressed(codec, &bytes, 400_000) {
            prop_assert!(out.len() <= 400_000);
        }
    }

    #[test]
    fn no_input_makes_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), codec in codec()) {
        if let Ok(out) = decompressed(codec, &bytes, 10_000) {
            prop_assert!(out.len() <= 10_000);
        }
    }
}

#[test]
fn input_that_ends_anywhere_is_refused() {
    let input: Vec<u8> = (0..40_000u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
    for codec in CODECS {
        let bytes = compressed(codec, &input);
        for cut in 0..bytes.len() {
            let out = decompressed(codec, &bytes[..cut], 1 << 20);
            // Snappy's frame has no end mark: a cut between two blocks can't be seen, the records tell.
            let between_blocks =
                codec == Compression::Snappy && out.as_ref().is_ok_and(|out| out.len() % 32_768 == 0);
            assert!(out.is_err() || between_blocks, "{codec:?} cut at {cut} of {}", bytes.len());
        }
    }
}

#[test]
fn bytes_after_the_end_are_refused() {
    for codec in CODECS {
        for trailing in [&[0][..], &[1, 2, 3], &[0xff; 40]] {
            let bytes = [&compressed(codec, b"some text")[..], trailing].concat();
            assert!(decompressed(codec, &bytes, 1000).is_err(), "{codec:?} {trailing:?}");
        }
    }
}

#[test]
fn frames_are_those_of_kafkas_clients() {
    let lz4 = compressed(Compression::Lz4, b"a");
    assert_eq!(lz4, [4, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, 1, 0, 0, 0x80, b'a', 0, 0, 0, 0]);
    let snappy = compressed(Compression::Snappy, b"a");
    assert_eq!(snappy, *b"\x82SNAPPY\x00\0\0\0\x01\0\0\0\x01\0\0\0\x03\x01\x00a");
    assert_eq!(compressed(Compression::Gzip, b"a")[..4], [0x1f, 0x8b, 8, 0]);
    assert_eq!(compressed(Compression::Zstd, b"a")[..4], [0x28, 0xb5, 0x2f, 0xfd]);
}

#[test]
fn snappy_is_read_with_and_without_a_frame() {
    let raw = snap::raw::Encoder::new().compress_vec(b"some text, some text").unwrap();
    assert_eq!(decompressed(Compression::Snappy, &raw, 100).unwrap(), b"some text, some text");
    let framed = compressed(Compression::Snappy, b"some text");
    let twice = [&framed[..], &framed[..]].concat();
    assert_eq!(decompressed(Compression::Snappy, &twice, 100).unwrap(), b"some textsome text");
    let mut future = framed.clone();
    future[11] = 0;
    assert!(decompressed(Compression::Snappy, &future, 100).is_err());
}

#[test]
fn a_snappy_block_that_promises_what_it_can_not_hold_is_refused() {
    let promise = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0];
    let error = decompressed(Compression::Snappy, &promise, usize::MAX);
    let reason = "size that the block can't hold";
    assert_eq!(error, Err(CompressionError::Corrupt { codec: "snappy", reason }));
}

#[test]
fn gzip_members_follow_one_another() {
    let member = compressed(Compression::Gzip, b"one");
    let two = [&member[..], &member[..]].concat();
    assert_eq!(decompressed(Compression::Gzip, &two, 100).unwrap(), b"oneone");
}

/// A frame of two stored blocks with the checksums that `flags` ask for.
fn lz4_frame(flags: u8, sizes: u8) -> Vec<u8> {
    let mut out = 0x184d_2204u32.to_le_bytes().to_vec();
    out.extend_from_slice(&[flags, sizes]);
    if flags & 8 != 0 {
        out.extend_from_slice(&6u64.to_le_bytes());
    }
    out.push((xxh32::xxh32(&out[4..]) >> 8) as u8);
    for block in [b"abc", b"def"] {
        out.extend_from_slice(&0x8000_0003u32.to_le_bytes());
        out.extend_from_slice(block);
        if flags & 16 != 0 {
            out.extend_from_slice(&xxh32::xxh32(block).to_le_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    if flags & 4 != 0 {
        out.extend_from_slice(&xxh32::xxh32(b"abcdef").to_le_bytes());
    }
    out
}

#[test]
fn lz4_frames_are_read_with_every_flag_that_kafka_takes() {
    for flags in [0x60, 0x64, 0x68, 0x70, 0x7c] {
        for sizes in [0x40, 0x50, 0x60, 0x70] {
            let frame = lz4_frame(flags, sizes);
            assert_eq!(decompressed(Compression::Lz4, &frame, 6).unwrap(), b"abcdef", "{flags:x} {sizes:x}");
        }
    }
    for (flags, sizes) in
        [(0x40, 0x40), (0x61, 0x40), (0x62, 0x40), (0xa0, 0x40), (0x60, 0x30), (0x60, 0xc0), (0x60, 0x41)]
    {
        assert!(decompressed(Compression::Lz4, &lz4_frame(flags, sizes), 6).is_err(), "{flags:x} {sizes:x}");
    }
}

#[test]
fn every_bit_of_an_lz4_frame_with_checksums_counts() {
    let frame = lz4_frame(0x7c, 0x40);
    for at in 0..frame.len() {
        for bit in 0..8 {
            let mut changed = frame.clone();
            changed[at] ^= 1 << bit;
            let out = decompressed(Compression::Lz4, &changed, 100);
            assert!(out.is_err(), "byte {at} bit {bit}: {out:?}");
        }
    }
}

#[test]
fn zstd_windows_are_taken_up_to_those_of_level_22() {
    // A frame header with a window, then one raw, last block with one byte.
    let frame = |window_log: u8| [0x28, 0xb5, 0x2f, 0xfd, 0, (window_log - 10) << 3, 0x09, 0, 0, b'a'];
    assert_eq!(decompressed(Compression::Zstd, &frame(27), 1).unwrap(), b"a");
    assert!(decompressed(Compression::Zstd, &frame(28), 1).is_err());
}

#[test]
fn levels_are_kafkas() {
    let mut out = Vec::new();
    let levels = [
        (Compression::Gzip, &[-1, 1, 9][..], &[-2, 0, 10][..]),
        (Compression::Lz4, &[1, 9, 17], &[0, 18]),
        (Compression::Zstd, &[-131_072, 0, 22], &[-131_073, 23]),
    ];
    for (codec, good, bad) in levels {
        for &level in good {
            assert_eq!(compress(codec, Some(level), b"text", &mut out), Ok(()), "{codec:?} {level}");
        }
        for &level in bad {
            let error = CompressionError::Level { codec: codec.name(), level };
            assert_eq!(compress(codec, Some(level), b"text", &mut out), Err(error));
        }
    }
}
