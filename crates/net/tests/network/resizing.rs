//! The number of reactors changes while they serve.

use std::collections::BTreeSet;
use std::sync::mpsc::channel;
use std::sync::Mutex;

use barnabas_net::{Chunk, Outcome, Request};

use crate::node::{frame, settings, Client, Node};

/// A response with the name of the thread that gives it, e.g. `net-reactor-0`.
fn name(request: &Request) -> Vec<Chunk> {
    let thread = std::thread::current().name().unwrap_or("").to_owned();
    vec![Chunk::Bytes([&request.correlation_id.to_be_bytes(), thread.as_bytes()].concat())]
}

fn thread_of(client: &mut Client) -> String {
    String::from_utf8(client.ask(1, b"").unwrap().1).unwrap()
}

#[test]
fn more_threads_take_new_connections_and_the_old_ones_stay() {
    let node = Node::start(|request| Outcome::Reply(name(&request)));
    let mut first = node.connect();
    assert_eq!(thread_of(&mut first), "net-reactor-0");
    node.network.set_reactors(3).unwrap();
    let mut clients: Vec<_> = (0..3).map(|_| node.connect()).collect();
    let threads: BTreeSet<_> = clients.iter_mut().map(thread_of).collect();
    assert_eq!(threads.len(), 3, "dealt out in turn: {threads:?}");
    assert_eq!(thread_of(&mut first), "net-reactor-0");
    assert_eq!(node.network.metrics().connections(), 4);
}

#[test]
fn connections_of_a_thread_too_many_are_closed_and_come_back_to_others() {
    let node = Node::start_with(
        barnabas_net::NetworkSettings { reactors: 3, ..settings() },
        |request| Outcome::Reply(name(&request)),
        |_, _| panic!("nothing was parked"),
    );
    let mut clients: Vec<_> = (0..6).map(|_| node.connect()).collect();
    let threads: Vec<_> = clients.iter_mut().map(thread_of).collect();
    node.network.set_reactors(1).unwrap();
    for (client, thread) in clients.iter_mut().zip(&threads) {
        match thread.as_str() {
            "net-reactor-0" => assert_eq!(thread_of(client), "net-reactor-0"),
            _ => assert!(client.is_closed(), "{thread}"),
        }
    }
    assert_eq!(node.gone.iter().take(4).collect::<BTreeSet<_>>().len(), 4);
    for _ in 0..3 {
        assert_eq!(thread_of(&mut node.connect()), "net-reactor-0");
    }
    // And up again: each connection has an id of its own all the same.
    node.network.set_reactors(3).unwrap();
    let mut again: Vec<_> = (0..6).map(|_| node.connect()).collect();
    assert_eq!(again.iter_mut().map(thread_of).collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(node.network.failure(), None);
}

#[test]
fn request_in_hand_on_a_thread_too_many_is_answered() {
    let (sender, deferred) = channel();
    let sender = Mutex::new(sender);
    let node = Node::start_with(
        barnabas_net::NetworkSettings { reactors: 2, ..settings() },
        move |request| {
            sender.lock().unwrap().send(request).unwrap();
            Outcome::Deferred
        },
        |_, _| panic!("nothing was parked"),
    );
    let mut clients: Vec<_> = (0..2).map(|_| node.connect()).collect();
    for (id, client) in (0..).zip(&mut clients) {
        client.send(&frame(id, b""));
    }
    let requests: Vec<Request> = (0..2).map(|_| deferred.recv().unwrap()).collect();
    node.network.set_reactors(1).unwrap();
    for request in &requests {
        request.ticket.reply(Some(name(request)));
    }
    for (id, client) in (0..).zip(&mut clients) {
        assert_eq!(client.response().unwrap().0, id);
    }
    // The one of the thread that ends, whichever it is, is closed behind its answer.
    let gone = node.gone.recv().unwrap();
    let (closed, kept): (Vec<_>, Vec<_>) = requests.iter().partition(|one| one.ticket.connection == gone);
    assert_eq!((closed.len(), kept.len()), (1, 1));
    let client = &mut clients[closed[0].correlation_id as usize];
    assert!(client.is_closed());
}

#[test]
fn a_network_that_has_stopped_stays_so() {
    let node = Node::start(|request| Outcome::Reply(name(&request)));
    node.network.stop(std::time::Duration::ZERO);
    node.network.set_reactors(4).unwrap();
    assert_eq!(node.network.metrics().reactors.len(), 1);
}
