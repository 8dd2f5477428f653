//! The end: of the network, and of requests that fail.

use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::sync::Mutex;
use std::time::Duration;

use barnabas_net::Outcome;

use crate::node::{echo, frame, settings, Node};

const LONG: Duration = Duration::from_secs(3600);

#[test]
fn idle_connections_do_not_hold_up_the_end() {
    let node = Node::start(|request| Outcome::Reply(echo(&request)));
    let mut clients: Vec<_> = (0..10).map(|_| node.connect()).collect();
    for client in &mut clients {
        client.ask(1, b"").unwrap();
    }
    node.network.stop(LONG);
    for client in &mut clients {
        assert!(client.is_closed());
    }
    assert_eq!(node.gone.try_iter().count(), 10);
    assert!(TcpStream::connect(node.address).is_err());
    node.network.stop(LONG);
}

#[test]
fn request_in_hand_is_answered_before_the_end() {
    let (sender, deferred) = channel();
    let sender = Mutex::new(sender);
    let node = Node::start(move |request| {
        sender.lock().unwrap().send(request).unwrap();
        Outcome::Deferred
    });
    let mut client = node.connect();
    client.send(&[frame(1, b"in hand"), frame(2, b"not yet")].concat());
    let request = deferred.recv().unwrap();
    // Closed as soon as the reactor has heard of the end; one that waits in the backlog would be closed before.
    let mut idle = node.connect();
    while node.network.metrics().connections() < 2 {
        std::thread::yield_now();
    }
    std::thread::scope(|scope| {
        scope.spawn(|| node.network.stop(LONG));
        assert!(idle.is_closed());
        request.ticket.reply(Some(echo(&request)));
        assert_eq!(client.response(), Some((1, b"in hand".to_vec())));
        assert!(client.is_closed());
    });
    assert!(deferred.try_recv().is_err());
    request.ticket.reply(Some(echo(&request)));
}

#[test]
fn parked_request_ends_with_the_grace() {
    let node = Node::start_with(
        settings(),
        |request| Outcome::Park { deadline: i64::MAX, state: Box::new(request) },
        |_, _| panic!("nobody wakes it"),
    );
    let mut client = node.connect();
    client.send(&frame(1, b""));
    while node.network.metrics().sum(|reactor| &reactor.requests) < 1 {
        std::thread::yield_now();
    }
    node.network.stop(Duration::ZERO);
    assert!(client.is_closed());
    assert_eq!(node.gone.try_iter().count(), 1);
}

#[test]
fn panic_of_a_service_costs_one_connection() {
    let node = Node::start_with(
        settings(),
        |request| match &request.frame[request.body..] {
            b"panic" => panic!("a fault of the service"),
            b"park" => {
                request.ticket.wake();
                Outcome::Park { deadline: i64::MAX, state: Box::new(()) }
            }
            b"close" => Outcome::Close("asked to".into()),
            _ => Outcome::Reply(echo(&request)),
        },
        |_, _| panic!("a fault of the service when it resumes"),
    );
    let mut good = node.connect();
    for body in [&b"panic"[..], b"park", b"close"] {
        let mut bad = node.connect();
        bad.send(&frame(1, body));
        assert!(bad.is_closed());
        node.gone.recv().unwrap();
        assert_eq!(good.ask(2, b"fine"), Some((2, b"fine".to_vec())));
    }
    assert_eq!(node.network.failure(), None);
    assert_eq!(node.network.metrics().connections(), 1);
}
