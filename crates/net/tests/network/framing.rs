//! What happens to bytes on their way in, and in which order responses come out.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use barnabas_net::{Chunk, Outcome};
use socket2::SockRef;

use crate::node::{bind, echo, frame, settings, Client, Node};

#[test]
fn requests_are_answered_in_their_order() {
    let node = Node::start(|request| Outcome::Reply(echo(&request)));
    let mut client = node.connect();
    for round in 0..20 {
        let frames: Vec<u8> = (0..50).flat_map(|id| frame(round * 50 + id, &[id as u8])).collect();
        client.send(&frames);
        for id in 0..50 {
            assert_eq!(client.response(), Some((round * 50 + id, vec![id as u8])));
        }
    }
}

#[test]
fn sixteen_requests_in_flight_cost_one_read_and_one_write() {
    let listener = bind();
    let mut client = Client::connect(listener.address());
    let frames: Vec<u8> = (0..16).flat_map(|id| frame(id, b"body")).collect();
    client.send(&frames);
    let node = Node::serve(
        listener,
        settings(),
        |request| Outcome::Reply(echo(&request)),
        |_, _| panic!("nothing was parked"),
    );
    for id in 0..16 {
        assert_eq!(client.response(), Some((id, b"body".to_vec())));
    }
    drop(client);
    node.gone.recv().unwrap();
    // A read finds the end; another one may have come before the requests.
    assert!(node.network.metrics().sum(|reactor| &reactor.socket_calls) <= 4);
    assert_eq!(node.network.metrics().sum(|reactor| &reactor.requests), 16);
    assert_eq!(node.network.metrics().sum(|reactor| &reactor.bytes_in), frames.len() as u64);
    assert_eq!(node.network.metrics().connections(), 0);
}

#[test]
fn large_and_small_bodies_arrive_whole() {
    let node = Node::start(|request| Outcome::Reply(echo(&request)));
    let mut client = node.connect();
    for (id, size) in
        [0, 1, 4_000, 4_096, 5_000, 40_000, 70_000, 140_000, 3_000_000, 10].into_iter().enumerate()
    {
        let body: Vec<u8> = (0..size).map(|i: usize| (i * 7) as u8).collect();
        let mut writer = Client(client.0.try_clone().unwrap());
        let request = frame(id as i32, &body);
        let sender = std::thread::spawn(move || writer.send(&request));
        assert_eq!(client.response(), Some((id as i32, body)));
        sender.join().unwrap();
    }
}

#[test]
fn invalid_frames_close_the_connection_and_no_other() {
    let node = Node::start(|request| Outcome::Reply(echo(&request)));
    let mut good = node.connect();
    let mut unknown_api = frame(1, b"");
    unknown_api[4] = 77;
    let old_produce = [0, 0, 0, 10, 0, 0, 0, 2, 0, 0, 0, 1, 0xff, 0xff];
    let bad: [&[u8]; 7] = [
        &[0xff; 4],
        &[0; 4],
        &[0, 0, 0, 7],
        &[0x7f, 0xff, 0xff, 0xff],
        &unknown_api,
        &old_produce,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ];
    for bytes in bad {
        let mut client = node.connect();
        client.send(bytes);
        assert!(client.is_closed(), "{bytes:?}");
        node.gone.recv().unwrap();
    }
    assert_eq!(node.network.metrics().sum(|reactor| &reactor.connections_invalid), bad.len() as u64);
    assert_eq!(good.ask(5, b"still here"), Some((5, b"still here".to_vec())));
}

#[test]
fn requests_before_an_invalid_frame_are_answered() {
    let node = Node::start(|request| Outcome::Reply(echo(&request)));
    let mut client = node.connect();
    client.send(&[frame(1, b"good"), vec![0xff; 8]].concat());
    let answer = client.response();
    assert!(answer.is_none() || answer == Some((1, b"good".to_vec())));
    assert!(client.is_closed());
}

#[test]
fn client_that_has_finished_sending_gets_all_its_answers() {
    let node = Node::start(|request| Outcome::Reply(echo(&request)));
    let mut client = node.connect();
    let frames: Vec<u8> = (0..300).flat_map(|id| frame(id, &[1; 1000])).collect();
    let mut writer = Client(client.0.try_clone().unwrap());
    let sender = std::thread::spawn(move || {
        writer.send(&frames);
        writer.finish();
    });
    for id in 0..300 {
        assert_eq!(client.response(), Some((id, vec![1; 1000])));
    }
    assert!(client.is_closed());
    sender.join().unwrap();
}

#[test]
fn unfinished_frame_of_a_client_that_has_gone_is_dropped() {
    let node = Node::start(|_| panic!("there is no whole request"));
    let mut client = node.connect();
    client.send(&frame(1, b"body")[..15]);
    client.finish();
    assert!(client.is_closed());
    node.gone.recv().unwrap();
}

#[test]
fn requests_without_a_response_do_not_hold_up_the_next() {
    let node = Node::start(|request| match &request.frame[request.body..] {
        b"quiet" => Outcome::NoReply,
        _ => Outcome::Reply(echo(&request)),
    });
    let mut client = node.connect();
    client.send(&[frame(1, b"quiet"), frame(2, b"quiet"), frame(3, b"loud")].concat());
    assert_eq!(client.response(), Some((3, b"loud".to_vec())));
}

#[test]
fn client_that_does_not_read_is_not_served_on() {
    const RESPONSE: u64 = 1 << 20;
    let read = Arc::new(AtomicU64::new(0));
    let (handled, seen) = (AtomicU64::new(0), read.clone());
    let node = Node::start(move |request| {
        let ahead = handled.fetch_add(1, Ordering::SeqCst) * RESPONSE - seen.load(Ordering::SeqCst);
        assert!(ahead <= 3 * RESPONSE, "{ahead} bytes wait although nobody reads them");
        let mut chunks = echo(&request);
        chunks.push(Chunk::Bytes(vec![1; RESPONSE as usize - 8]));
        Outcome::Reply(chunks)
    });
    let mut client = node.connect();
    SockRef::from(&client.0).set_recv_buffer_size(64 * 1024).unwrap();
    let frames: Vec<u8> = (0..40).flat_map(|id| frame(id, b"")).collect();
    client.send(&frames);
    for id in 0..40 {
        let (correlation_id, body) = client.response().unwrap();
        assert_eq!((correlation_id, body.len() as u64), (id, RESPONSE - 8));
        read.fetch_add(RESPONSE, Ordering::SeqCst);
    }
}

#[test]
fn many_connections_are_served_by_several_reactors() {
    let node = Node::start_with(
        barnabas_net::NetworkSettings { reactors: 2, ..settings() },
        |request| Outcome::Reply(echo(&request)),
        |_, _| panic!("nothing was parked"),
    );
    let mut clients: Vec<Client> = (0..200).map(|_| node.connect()).collect();
    for round in 0..3 {
        for (id, client) in clients.iter_mut().enumerate() {
            client.send(&frame(id as i32, &[round]));
        }
        for (id, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.response(), Some((id as i32, vec![round])));
        }
    }
    assert_eq!(node.network.metrics().connections(), 200);
    let metrics = node.network.metrics();
    let served = metrics.reactors.iter().map(|reactor| reactor.requests.get());
    assert_eq!(served.collect::<Vec<_>>(), [300, 300]);
}

#[test]
fn request_says_who_asks_and_what() {
    let node = Node::start(|request| {
        assert_eq!((request.api_key, request.api_version, request.correlation_id), (18, 3, 9));
        assert_eq!(request.client_id.as_deref(), Some("me"));
        assert_eq!(&request.frame[request.body..], b"body");
        assert_eq!(&*request.peer.listener, "PLAINTEXT");
        Outcome::Reply(vec![Chunk::Bytes(
            format!("{:4}{} {}", "", request.peer.address, request.peer.local).into_bytes(),
        )])
    });
    let mut client = node.connect();
    // A flexible header, with a tagged field that nobody knows.
    let header = [0, 18, 0, 3, 0, 0, 0, 9, 0, 2, b'm', b'e', 1, 5, 2, b'a', b'b'];
    client.send(&[&[0, 0, 0, 21], &header[..], b"body"].concat());
    let expected = format!("{} {}", client.0.local_addr().unwrap(), node.address);
    assert_eq!(client.response().unwrap().1, expected.into_bytes());
}

#[test]
fn response_that_lacks_its_end_closes_the_connection() {
    let node = Node::start(|request| {
        let mut chunks = echo(&request);
        chunks.push(Chunk::Missing(1_000));
        Outcome::Reply(chunks)
    });
    let mut client = node.connect();
    // The second request is never answered: its response would be taken for the end of the first one.
    client.send(&[frame(1, b"body"), frame(2, b"body")].concat());
    let mut bytes = Vec::new();
    client.0.read_to_end(&mut bytes).unwrap();
    let whole = [&1_008i32.to_be_bytes()[..], &1i32.to_be_bytes(), b"body"].concat();
    assert_eq!(bytes, whole);
    node.gone.recv().unwrap();
}
