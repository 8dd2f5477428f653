//! The state machine of a connection, without sockets.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by its panic")]

use std::io;

use barnabas_net::connection::{
    Connection, FrameError, Next, Parked, RequestMemory, HEADER_BYTES_MAX, READ_BYTES_MAX,
};
use barnabas_net::Chunk;
use proptest::prelude::*;

const FRAME_BYTES_MAX: usize = 1 << 20;

/// An ApiVersions request of version 0, which has no body, with `body` after its header.
fn request(correlation_id: i32, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0, 18, 0, 0];
    frame.extend(correlation_id.to_be_bytes());
    frame.extend([0, 2, b'm', b'e']);
    frame.extend(body);
    let mut bytes = (frame.len() as i32).to_be_bytes().to_vec();
    bytes.extend(frame);
    bytes
}

/// What a stream of bytes gave: correlation id and body of each request, and how it ended.
type Transcript = (Vec<(i32, Vec<u8>)>, Option<String>);

/// Feeds `stream` in pieces of the given sizes, over and over, and answers each request at once.
fn transcript(stream: &[u8], sizes: &[usize]) -> Transcript {
    let mut connection = Connection::new(FRAME_BYTES_MAX);
    let memory = RequestMemory::new(None);
    let mut requests = Vec::new();
    let mut rest = stream;
    let mut sizes = sizes.iter().copied().cycle();
    loop {
        match connection.next_request(&memory) {
            Ok(Next::Frame(frame)) => {
                assert_eq!(frame.header.client_id.as_deref(), Some("me"));
                requests.push((frame.header.correlation_id, frame.bytes[frame.header.length..].to_vec()));
                connection.answer(None).unwrap();
            }
            Ok(Next::More) if rest.is_empty() => return (requests, None),
            Ok(Next::More) => {
                let size = sizes.next().unwrap().max(1);
                receive(&mut connection, &mut rest, size);
            }
            Ok(Next::Starved) => panic!("there is no budget"),
            Err(error) => return (requests, Some(error.to_string())),
        }
    }
}

fn receive(connection: &mut Connection, rest: &mut &[u8], size: usize) -> usize {
    let read = |buffer: &mut Vec<u8>, limit: usize| {
        let (piece, left) = rest.split_at(size.min(limit).min(rest.len()));
        buffer.extend_from_slice(piece);
        *rest = left;
        io::Result::Ok(piece.len())
    };
    connection.receive(read).unwrap()
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let body = prop_oneof![
        8 => proptest::collection::vec(any::<u8>(), 0..50),
        1 => (0usize..200_000).prop_map(|length| vec![7; length]),
    ];
    let piece = prop_oneof![
        20 => (any::<i32>(), body).prop_map(|(id, body)| request(id, &body)),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_segmentation_of_a_stream_gives_the_same_requests(
        stream in stream(),
        sizes in proptest::collection::vec(prop_oneof![1usize..10, 1usize..100_000], 1..20),
    ) {
        prop_assert_eq!(transcript(&stream, &sizes), transcript(&stream, &[usize::MAX]));
    }

    #[test]
    fn garbage_does_not_panic(
        stream in proptest::collection::vec(any::<u8>(), 0..2000),
        sizes in proptest::collection::vec(1usize..300, 1..5),
    ) {
        transcript(&stream, &sizes);
    }
}

#[test]
fn requests_split_at_every_byte_are_whole() {
    let stream = [request(1, b"first"), request(2, b""), request(3, &[9; 300])].concat();
    let expected = (vec![(1, b"first".to_vec()), (2, vec![]), (3, vec![9; 300])], None);
    for cut in 1..stream.len() {
        assert_eq!(transcript(&stream, &[cut, usize::MAX]), expected, "cut at {cut}");
    }
    assert_eq!(transcript(&stream, &[1]), expected);
}

#[test]
fn large_frames_split_at_every_kind_of_place_are_whole() {
    let body: Vec<u8> = (0..300_000u32).map(|i| i as u8).collect();
    let stream = [request(1, &body), request(2, b"next")].concat();
    let expected = (vec![(1, body), (2, b"next".to_vec())], None);
    for size in [4, 5, 12, 15, 16, 32_768, 65_535, 65_536, 65_537, READ_BYTES_MAX, 250_000, 300_016, 300_020]
    {
        assert_eq!(transcript(&stream, &[size]), expected, "pieces of {size}");
    }
}

#[test]
fn sizes_that_no_request_has_are_refused_with_their_number() {
    for size in [i32::MIN, -1, 0, 7, FRAME_BYTES_MAX as i32 + 1, i32::MAX] {
        let (requests, error) = transcript(&size.to_be_bytes(), &[1]);
        assert!(requests.is_empty());
        assert!(error.unwrap().contains(&format!("frame of {size} bytes")), "{size}");
    }
}

#[test]
fn unknown_apis_and_versions_are_refused_and_an_unknown_version_of_api_versions_is_not() {
    let header = |api: i16, version: i16| {
        let mut bytes = request(1, &[0]);
        bytes[4..6].copy_from_slice(&api.to_be_bytes());
        bytes[6..8].copy_from_slice(&version.to_be_bytes());
        bytes
    };
    assert!(transcript(&header(999, 0), &[99]).1.unwrap().contains("999"));
    assert!(transcript(&header(0, 2), &[99]).1.unwrap().contains("version 2 of Produce"));
    assert_eq!(transcript(&header(18, 99), &[99]), (vec![(1, vec![])], None));
}

#[test]
fn header_of_a_large_frame_is_checked_before_the_frame_is_there() {
    let mut bytes = request(1, &[0; 100_000]);
    bytes[4..6].copy_from_slice(&999i16.to_be_bytes());
    assert!(transcript(&bytes[..40], &[1]).1.unwrap().contains("999"));
}

/// CVE-2026-111115: tagged fields of a header that comes before authentication.
#[test]
fn tagged_fields_of_a_header_are_bounded_in_count_and_bytes() {
    let mut header = vec![0, 18, 0, 3, 0, 0, 0, 1, 0xff, 0xff];
    header.extend([0xff, 0xff, 0xff, 0x0f]); // 33 million tagged fields
    header.resize(100_000, 0);
    let stream = [(header.len() as i32).to_be_bytes().to_vec(), header].concat();
    assert!(transcript(&stream, &[usize::MAX]).1.unwrap().contains("33554431"));

    let mut header = vec![0, 18, 0, 3, 0, 0, 0, 1, 0xff, 0xff];
    header.extend([1, 0, 0x80, 0x80, 0x20]); // one of 512 KiB
    header.resize(700_000, 0);
    let stream = [(header.len() as i32).to_be_bytes().to_vec(), header].concat();
    let (requests, error) = transcript(&stream, &[1000]);
    assert!(requests.is_empty());
    assert!(error.unwrap().contains("524288 bytes wanted"));
}

#[test]
fn header_that_never_ends_is_refused_at_64_kib() {
    let mut connection = Connection::new(FRAME_BYTES_MAX);
    let memory = RequestMemory::new(None);
    let mut stream = 700_000i32.to_be_bytes().to_vec();
    stream.extend([0, 18, 0, 3, 0, 0, 0, 1, 0xff, 0xff, 1, 0, 0x80, 0x80, 0x20]);
    stream.resize(700_004, 0);
    let mut rest = &stream[..];
    let error = loop {
        match connection.next_request(&memory) {
            Ok(Next::More) => assert_ne!(receive(&mut connection, &mut rest, 700), 0),
            Ok(next) => panic!("{next:?}"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, FrameError::Header(_)));
    assert_eq!(stream.len() - rest.len(), HEADER_BYTES_MAX);
}

#[test]
fn next_request_waits_until_the_one_in_hand_is_answered() {
    let mut connection = Connection::new(FRAME_BYTES_MAX);
    let memory = RequestMemory::new(Some(1));
    let stream = [request(1, b""), request(2, b"")].concat();
    let Ok(Next::More) = connection.next_request(&memory) else { panic!() };
    receive(&mut connection, &mut &stream[..], usize::MAX);

    let Ok(Next::Frame(_)) = connection.next_request(&memory) else { panic!() };
    connection.park(Parked { due: std::time::Duration::ZERO, deadline: 0, state: Box::new("state") });
    assert!(!connection.is_free());
    assert!(connection.unpark(2).is_none(), "another request's number");
    let parked = connection.unpark(1).unwrap();
    assert_eq!(parked.state.downcast_ref(), Some(&"state"));
    let free = connection.answer(Some(vec![Chunk::Bytes(vec![1])])).unwrap();
    assert_eq!(free, request(1, b"").len() - 4);
    assert_eq!(connection.unsent(), 5);

    assert_eq!(connection.next_request(&memory).unwrap(), Next::Starved);
    let _ = memory.release(free);
    let Ok(Next::Frame(frame)) = connection.next_request(&memory) else { panic!() };
    assert_eq!(frame.header.correlation_id, 2);
}
