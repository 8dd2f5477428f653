//! Requests that are not answered at once: parked and deferred.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use barnabas_net::{Clock, NetworkSettings, Now, Outcome, Request, SystemClock, Ticket};

use crate::node::{echo, frame, settings, Client, HandClock, Node};

const HOUR: i64 = 3_600_000;

fn park(request: Request, millis: i64) -> Outcome {
    Outcome::Park { deadline: request.now + millis, state: Box::new(request) }
}

fn answer(state: Box<dyn std::any::Any + Send>) -> Outcome {
    Outcome::Reply(echo(state.downcast_ref::<Request>().unwrap()))
}

#[test]
fn parked_request_is_resumed_when_it_is_woken() {
    let tickets = Mutex::new(Vec::<Ticket>::new());
    let node = Node::start_with(
        settings(),
        move |request| match &request.frame[request.body..] {
            b"park" => {
                tickets.lock().unwrap().push(request.ticket.clone());
                park(request, HOUR)
            }
            _ => {
                for ticket in tickets.lock().unwrap().drain(..) {
                    ticket.wake();
                    ticket.wake();
                }
                Outcome::Reply(echo(&request))
            }
        },
        |state, _| answer(state),
    );
    let (mut waiting, mut waking) = (node.connect(), node.connect());
    for round in 0..10 {
        // The second request shows that the first one is parked: they are handled in their order.
        waiting.send(&frame(round, b"park"));
        while node.network.metrics().sum(|reactor| &reactor.requests) < 2 * round as u64 + 1 {
            std::thread::yield_now();
        }
        assert_eq!(waking.ask(77, b"wake"), Some((77, b"wake".to_vec())));
        assert_eq!(waiting.response(), Some((round, b"park".to_vec())));
    }
}

#[test]
fn wake_up_that_comes_before_the_request_is_parked_is_not_lost() {
    let node = Node::start_with(
        settings(),
        |request| {
            request.ticket.wake();
            park(request, HOUR)
        },
        |state, _| answer(state),
    );
    let mut client = node.connect();
    client.send(&[frame(1, b"a"), frame(2, b"b")].concat());
    assert_eq!(client.response(), Some((1, b"a".to_vec())));
    assert_eq!(client.response(), Some((2, b"b".to_vec())));
}

#[test]
fn parked_request_is_resumed_at_its_deadline_and_not_before() {
    let clock = Arc::new(HandClock::default());
    let (resumed, log) = channel();
    let resumed = Mutex::new(resumed);
    let node = Node::start_with(
        NetworkSettings { clock: clock.clone(), idle_max: None, ..settings() },
        |request| match &request.frame[request.body..] {
            b"park" => park(request, 500),
            _ => Outcome::Reply(echo(&request)),
        },
        move |state, now| {
            resumed.lock().unwrap().send(now).unwrap();
            answer(state)
        },
    );
    let (mut waiting, mut other) = (node.connect(), node.connect());
    waiting.send(&frame(1, b"park"));
    while node.network.metrics().sum(|reactor| &reactor.requests) < 1 {
        std::thread::yield_now();
    }
    clock.advance(499);
    other.ask(2, b"turn").unwrap();
    other.ask(3, b"turn").unwrap();
    assert!(log.try_recv().is_err());
    clock.advance(1);
    other.ask(4, b"turn").unwrap();
    assert_eq!(waiting.response(), Some((1, b"park".to_vec())));
    assert_eq!(log.recv().unwrap(), 1_700_000_000_500);
}

#[test]
fn deadline_in_the_past_is_due_at_once() {
    let node = Node::start_with(settings(), |request| park(request, -5), |state, _| answer(state));
    assert_eq!(node.connect().ask(1, b"a"), Some((1, b"a".to_vec())));
}

#[test]
fn resumed_request_may_be_parked_again() {
    let node = Node::start_with(
        settings(),
        |request| {
            request.ticket.wake();
            Outcome::Park { deadline: i64::MAX, state: Box::new((3, request)) }
        },
        |state, now| {
            let (left, request) = *state.downcast::<(i32, Request)>().unwrap();
            match left {
                0 => Outcome::Reply(echo(&request)),
                1 => Outcome::Park { deadline: now + 1, state: Box::new((0, request)) },
                _ => {
                    request.ticket.wake();
                    Outcome::Park { deadline: i64::MAX, state: Box::new((left - 1, request)) }
                }
            }
        },
    );
    let mut client = node.connect();
    for id in 0..5 {
        assert_eq!(client.ask(id, b"a"), Some((id, b"a".to_vec())));
    }
}

#[test]
fn deferred_requests_are_answered_in_any_order_across_connections() {
    let (sender, deferred) = channel();
    let sender = Mutex::new(sender);
    let node = Node::start_with(
        NetworkSettings { reactors: 2, ..settings() },
        move |request| {
            sender.lock().unwrap().send(request).unwrap();
            Outcome::Deferred
        },
        |_, _| panic!("nothing was parked"),
    );
    let mut clients: Vec<Client> = (0..40).map(|_| node.connect()).collect();
    for (id, client) in clients.iter_mut().enumerate() {
        client.send(&frame(id as i32, b"first"));
        client.send(&frame(1000 + id as i32, b"second"));
    }
    for correlation_base in [0, 1000] {
        let mut requests: Vec<Request> = (0..40).map(|_| deferred.recv().unwrap()).collect();
        assert!(deferred.try_recv().is_err(), "the second request waits for the first one's answer");
        requests.reverse();
        for request in &requests {
            request.ticket.wake(); // not parked: does nothing
            request.ticket.reply(Some(echo(request)));
            request.ticket.reply(Some(vec![])); // answered already: does nothing
        }
        for (id, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.response().unwrap().0, correlation_base + id as i32);
        }
    }
}

#[test]
fn answer_of_none_closes_the_connection() {
    let node = Node::start(|request| {
        request.ticket.reply(None);
        Outcome::Deferred
    });
    let mut client = node.connect();
    client.send(&frame(1, b""));
    assert!(client.is_closed());
}

#[test]
fn ticket_of_a_closed_connection_does_nothing_to_the_one_that_took_its_place() {
    let (sender, deferred) = channel();
    let sender = Mutex::new(sender);
    let node = Node::start(move |request| {
        sender.lock().unwrap().send(request).unwrap();
        Outcome::Deferred
    });
    let mut first = node.connect();
    first.send(&frame(1, b""));
    let old = deferred.recv().unwrap();
    old.ticket.reply(Some(echo(&old)));
    assert_eq!(first.response(), Some((1, vec![])));
    drop(first);
    assert_eq!(node.gone.recv().unwrap(), old.peer.connection);

    let mut second = node.connect();
    second.send(&frame(2, b""));
    let new = deferred.recv().unwrap();
    assert_ne!(new.peer.connection, old.peer.connection);
    old.ticket.reply(Some(echo(&old)));
    old.ticket.wake();
    new.ticket.reply(Some(echo(&new)));
    assert_eq!(second.response(), Some((2, vec![])));
}

#[test]
fn state_that_was_parked_is_dropped_before_the_service_hears_of_the_end() {
    struct Noted(std::sync::mpsc::Sender<&'static str>);
    impl Drop for Noted {
        fn drop(&mut self) {
            self.0.send("state dropped").unwrap();
        }
    }
    let (sender, log) = channel();
    let sender = Mutex::new(sender);
    let node = Node::start_with(
        settings(),
        move |request| {
            let state = Noted(sender.lock().unwrap().clone());
            Outcome::Park { deadline: request.now + HOUR, state: Box::new(state) }
        },
        |_, _| panic!("nobody wakes it"),
    );
    let mut client = node.connect();
    client.send(&frame(1, b""));
    while node.network.metrics().sum(|reactor| &reactor.requests) < 1 {
        std::thread::yield_now();
    }
    // A reset, unlike a mere end of sending, says that nobody waits for the answer.
    socket2::SockRef::from(&client.0).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(client);
    node.gone.recv().unwrap();
    assert_eq!(log.try_recv(), Ok("state dropped"));
}

/// The system's clocks, the wall clock ahead of them by what a test has moved it on.
#[derive(Default)]
struct AheadClock {
    system: SystemClock,
    ahead: AtomicI64,
}

impl Clock for AheadClock {
    fn now(&self) -> Now {
        let now = self.system.now();
        Now { wall: now.wall + self.ahead.load(Ordering::Relaxed), ..now }
    }
}

#[test]
fn parked_request_is_resumed_when_the_clock_is_moved_past_its_deadline() {
    let clock = Arc::new(AheadClock::default());
    let settings = NetworkSettings { clock: clock.clone(), ..settings() };
    let node = Node::start_with(settings, |request| park(request, HOUR), |state, _| answer(state));
    let mut client = node.connect();
    for round in 0..3 {
        client.send(&frame(round, b"park"));
        while node.network.metrics().sum(|reactor| &reactor.requests) <= round as u64 {
            std::thread::yield_now();
        }
        clock.ahead.fetch_add(HOUR, Ordering::Relaxed);
        node.network.clock_moved();
        assert_eq!(client.response(), Some((round, b"park".to_vec())));
    }
}
