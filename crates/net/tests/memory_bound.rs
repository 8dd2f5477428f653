//! What a connection can make the node hold, counted by the allocator. One test: it has the process to itself.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by its panic")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::any::Any;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::Arc;

use barnabas_net::{
    BoundListener, ConnectionId, ListenerSettings, Millis, Network, NetworkSettings, Outcome, Request,
    Service,
};

struct Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as isize, Ordering::SeqCst);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as isize, Ordering::SeqCst);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Silent;

impl Service for Silent {
    fn handle(&self, _: Request) -> Outcome {
        Outcome::Deferred
    }

    fn resume(&self, _: Box<dyn Any + Send>, _: Millis) -> Outcome {
        Outcome::NoReply
    }

    fn disconnected(&self, _: ConnectionId) {}
}

/// The beginning of a frame of 100 MB whose header is whole, or never ends.
fn beginning(length: usize, header_ends: bool) -> Vec<u8> {
    let mut bytes = 100_000_000i32.to_be_bytes().to_vec();
    bytes.extend([0, 18, 0, 3, 0, 0, 0, 1, 0xff, 0xff]);
    // No tagged field, or one of 50 MB.
    bytes.extend(if header_ends { &[0][..] } else { &[1, 0, 0x80, 0xe1, 0xeb, 0x17] });
    bytes.resize(length, 0);
    bytes
}

#[test]
fn memory_grows_with_bytes_received_and_not_with_bytes_announced() {
    const CONNECTIONS: usize = 64;
    const KIB: isize = 1024;
    let listener = BoundListener::bind(&ListenerSettings::new("PLAINTEXT", "127.0.0.1", 0)).unwrap();
    let settings = NetworkSettings { reactors: 1, ..NetworkSettings::default() };
    let network = Network::start(settings, vec![listener], Arc::new(Silent)).unwrap();
    let address = network.addresses()[0].1;
    let received = || network.metrics().sum(|reactor| &reactor.bytes_in);

    let mut clients: Vec<TcpStream> =
        (0..CONNECTIONS).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut expected = 0;
    // The buffer that all connections of a reactor share is there from the first read on.
    let trickle = beginning(64 * 1024 - 1, false);
    clients[0].write_all(&trickle[..100]).unwrap();
    while received() < 100 {
        std::thread::yield_now();
    }
    while network.metrics().connections() < CONNECTIONS as u64 {
        std::thread::yield_now();
    }
    let before = LIVE.load(Ordering::SeqCst);
    for (index, client) in clients.iter_mut().enumerate() {
        client.write_all(&trickle[if index == 0 { 100 } else { 0 }..]).unwrap();
        expected += trickle.len() as u64;
    }
    while received() < expected {
        std::thread::yield_now();
    }
    let per_connection = (LIVE.load(Ordering::SeqCst) - before) / CONNECTIONS as isize;
    assert!(per_connection <= 66 * KIB, "{per_connection} bytes for each connection");

    // One byte more, and the header is too long.
    for client in &mut clients {
        client.write_all(&[0]).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap_or(0), 0);
    }
    drop(clients);

    // A valid header may announce 100 MB; memory is taken for what arrives.
    let mut client = TcpStream::connect(address).unwrap();
    let start = beginning(300_000, true);
    let (before, expected) = (LIVE.load(Ordering::SeqCst), received() + start.len() as u64);
    client.write_all(&start).unwrap();
    while received() < expected {
        std::thread::yield_now();
    }
    let held = LIVE.load(Ordering::SeqCst) - before;
    assert!(held <= 2 * start.len() as isize + 64 * KIB, "{held} bytes");
}
