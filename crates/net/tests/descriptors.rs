//! A node that runs out of file descriptors. One test: the limit is the whole process's.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by its panic")]

use std::any::Any;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::sync::Arc;

use barnabas_net::{
    BoundListener, Chunk, ConnectionId, ListenerSettings, Millis, Network, NetworkSettings, Outcome, Request,
    Service,
};
use socket2::{Domain, Socket, Type};

struct Silent;

impl Service for Silent {
    fn handle(&self, _: Request) -> Outcome {
        Outcome::Reply(vec![Chunk::Bytes(b"here".to_vec())])
    }

    fn resume(&self, _: Box<dyn Any + Send>, _: Millis) -> Outcome {
        Outcome::NoReply
    }

    fn disconnected(&self, _: ConnectionId) {}
}

/// Sets the limit of open descriptors; returns the one before.
fn limit_descriptors(limit: libc::rlim_t) -> libc::rlim_t {
    let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limits` is a valid place for the answer.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limits) }, 0);
    let before = std::mem::replace(&mut limits.rlim_cur, limit);
    // SAFETY: `limits` is valid, and was filled in.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limits) }, 0);
    before
}

#[test]
fn connections_are_accepted_again_when_descriptors_are_free() {
    let listener = BoundListener::bind(&ListenerSettings::new("PLAINTEXT", "127.0.0.1", 0)).unwrap();
    let address = listener.address();
    let settings = NetworkSettings { reactors: 1, ..NetworkSettings::default() };
    let network = Network::start(settings, vec![listener], Arc::new(Silent)).unwrap();

    let mut client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let before = limit_descriptors(client.as_raw_fd() as libc::rlim_t + 1);
    client.connect(&address.into()).unwrap();
    client.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff]).unwrap();
    while network.metrics().acceptor.errors.get() == 0 {
        std::thread::yield_now();
    }
    assert_eq!(network.metrics().acceptor.accepted.get(), 0);

    limit_descriptors(before);
    let mut response = [0; 8];
    client.read_exact(&mut response).unwrap();
    assert_eq!(&response, b"\0\0\0\x04here");
}
