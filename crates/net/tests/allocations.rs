//! How often a request allocates on its way from the socket to the service and back. See the broker's test of this
//! name. One test: the counters see the whole process.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by its panic")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::any::Any;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use barnabas_net::{
    BoundListener, Chunk, ConnectionId, ListenerSettings, Millis, Network, NetworkSettings, Outcome, Request,
    Service,
};

struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::SeqCst);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Answers with the correlation id: two allocations of its own.
struct Echo;

const OF_THE_SERVICE: usize = 2;

impl Service for Echo {
    fn handle(&self, request: Request) -> Outcome {
        Outcome::Reply(vec![Chunk::Bytes(request.correlation_id.to_be_bytes().to_vec())])
    }

    fn resume(&self, _: Box<dyn Any + Send>, _: Millis) -> Outcome {
        Outcome::NoReply
    }

    fn disconnected(&self, _: ConnectionId) {}
}

/// Allocations of a request, from the first byte sent to the last byte received.
fn count(client: &mut TcpStream, frames: &[u8], answers: &mut [u8]) -> usize {
    let before = COUNT.load(Ordering::SeqCst);
    client.write_all(frames).unwrap();
    client.read_exact(answers).unwrap();
    COUNT.load(Ordering::SeqCst) - before
}

#[test]
fn request_allocates_no_more_than_it_did() {
    let listener = BoundListener::bind(&ListenerSettings::new("PLAINTEXT", "127.0.0.1", 0)).unwrap();
    let settings = NetworkSettings { reactors: 1, ..NetworkSettings::default() };
    let network = Network::start(settings, vec![listener], Arc::new(Echo)).unwrap();
    let mut client = TcpStream::connect(network.addresses()[0].1).unwrap();
    client.set_nodelay(true).unwrap();

    // ApiVersions version 0 of the client "test".
    let frame = [0, 0, 0, 14, 0, 18, 0, 0, 0, 0, 0, 1, 0, 4, b't', b'e', b's', b't'];
    let mut answer = [0; 8];
    let one = (0..200).map(|_| count(&mut client, &frame, &mut answer)).min().unwrap();
    println!("{one} allocations for a request, {OF_THE_SERVICE} of them by the service");
    assert!(one <= OF_THE_SERVICE + REQUEST_MAX, "a request allocates {one} times");
}

/// The frame.
const REQUEST_MAX: usize = 1;
