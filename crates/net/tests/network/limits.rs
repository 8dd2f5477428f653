//! Bounds on connections, idleness and memory.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use barnabas_net::{ConnectionBounds, NetworkSettings, Outcome};

use crate::node::{echo, frame, settings, HandClock, Node};

fn bounded(connections: ConnectionBounds) -> NetworkSettings {
    NetworkSettings { connections, ..settings() }
}

fn echo_node(settings: NetworkSettings) -> Node {
    Node::start_with(settings, |request| Outcome::Reply(echo(&request)), |_, _| panic!("nothing was parked"))
}

#[test]
fn address_with_too_many_connections_is_refused() {
    let node = echo_node(bounded(ConnectionBounds { per_ip_max: 2, ..Default::default() }));
    let (mut first, mut second) = (node.connect(), node.connect());
    assert!(first.ask(1, b"").is_some() && second.ask(1, b"").is_some());
    assert!(node.connect().is_closed());
    assert_eq!(node.network.metrics().acceptor.refused.get(), 1);
    drop(first);
    node.gone.recv().unwrap();
    assert!(node.connect().ask(1, b"").is_some());
}

#[test]
fn address_may_have_a_limit_of_its_own() {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let node = echo_node(bounded(ConnectionBounds {
        per_ip_max: 0,
        per_ip_overrides: [(loopback, 1)].into(),
        ..Default::default()
    }));
    let mut only = node.connect();
    assert!(only.ask(1, b"").is_some());
    assert!(node.connect().is_closed());
}

#[test]
fn connection_above_the_limit_waits_until_another_one_ends() {
    let node = echo_node(bounded(ConnectionBounds { connections_max: 1, ..Default::default() }));
    let mut first = node.connect();
    assert!(first.ask(1, b"").is_some());
    let mut second = node.connect();
    second.send(&frame(2, b"patient"));
    assert!(first.ask(3, b"").is_some());
    assert_eq!(node.network.metrics().acceptor.accepted.get(), 1);
    drop(first);
    assert_eq!(second.response(), Some((2, b"patient".to_vec())));
}

#[test]
fn a_bound_that_is_raised_lets_in_who_waits() {
    let node = echo_node(bounded(ConnectionBounds { connections_max: 1, ..Default::default() }));
    let mut first = node.connect();
    assert!(first.ask(1, b"").is_some());
    let mut second = node.connect();
    second.send(&frame(2, b"patient"));
    node.network.set_connection_bounds(ConnectionBounds::default()).unwrap();
    assert_eq!(second.response(), Some((2, b"patient".to_vec())));
    assert!(first.ask(3, b"").is_some());
}

#[test]
fn idle_connections_are_closed_and_busy_ones_are_not() {
    let clock = Arc::new(HandClock::default());
    let (sender, deferred) = channel();
    let sender = Mutex::new(sender);
    let node = Node::start_with(
        NetworkSettings { clock: clock.clone(), ..settings() },
        move |request| match &request.frame[request.body..] {
            b"defer" => {
                sender.lock().unwrap().send(request).unwrap();
                Outcome::Deferred
            }
            _ => Outcome::Reply(echo(&request)),
        },
        |_, _| panic!("nothing was parked"),
    );
    let (mut idle, mut waiting, mut busy) = (node.connect(), node.connect(), node.connect());
    idle.ask(1, b"").unwrap();
    waiting.send(&frame(2, b"defer"));
    let request = deferred.recv().unwrap();
    busy.ask(3, b"").unwrap();

    clock.advance(599_999);
    busy.ask(4, b"").unwrap();
    assert!(node.gone.try_recv().is_err());
    clock.advance(1);
    busy.ask(5, b"").unwrap();
    assert!(idle.is_closed());
    assert_eq!(node.network.metrics().sum(|reactor| &reactor.connections_expired), 1);
    request.ticket.reply(Some(echo(&request)));
    assert_eq!(waiting.response(), Some((2, b"defer".to_vec())));
}

#[test]
fn requests_wait_for_the_memory_of_others() {
    let (sender, deferred) = channel();
    let sender = Mutex::new(sender);
    let node = Node::start_with(
        NetworkSettings { reactors: 2, queued_request_bytes_max: Some(1000), ..settings() },
        move |request| {
            sender.lock().unwrap().send(request).unwrap();
            Outcome::Deferred
        },
        |_, _| panic!("nothing was parked"),
    );
    let mut clients: Vec<_> = (0..6).map(|_| node.connect()).collect();
    for (id, client) in clients.iter_mut().enumerate() {
        // More than the whole budget: served one at a time.
        client.send(&frame(id as i32, &vec![0; if id % 2 == 0 { 2_000 } else { 50_000 }]));
    }
    for _ in 0..6 {
        let request = deferred.recv().unwrap();
        assert!(deferred.try_recv().is_err());
        request.ticket.reply(Some(echo(&request)));
        let client = &mut clients[request.correlation_id as usize];
        assert_eq!(client.response().unwrap().0, request.correlation_id);
    }
}

#[test]
fn memory_of_a_connection_that_ends_is_given_back() {
    let node = Node::start_with(
        NetworkSettings { queued_request_bytes_max: Some(1000), ..settings() },
        |request| Outcome::Reply(echo(&request)),
        |_, _| panic!("nothing was parked"),
    );
    let mut half = node.connect();
    half.send(&frame(1, &vec![0; 100_000])[..50_000]);
    while node.network.metrics().sum(|reactor| &reactor.bytes_in) < 50_000 {
        std::thread::yield_now();
    }
    let mut other = node.connect();
    other.send(&frame(2, b"waits"));
    drop(half);
    assert_eq!(other.response(), Some((2, b"waits".to_vec())));
}
