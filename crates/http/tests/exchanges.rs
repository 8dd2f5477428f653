//! A server and raw sockets: what is answered from where, what is bounded, and how it ends.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by its panic")]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use barnabas_http::{HttpServer, HttpSettings, Inbox, Reply, Request, Service, Taker};
use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderValue, CONTENT_TYPE};
use hyper::StatusCode;

const PATIENCE: Duration = Duration::from_secs(60);

struct Running {
    server: HttpServer,
    service: Service,
    address: SocketAddr,
    arrivals: Receiver<()>,
}

fn running(settings: HttpSettings) -> Running {
    let (bell, arrivals) = channel();
    let server = HttpServer::start(settings, Box::new(move || bell.send(()).unwrap_or_default())).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let service = server.serve(listener, 1 << 20).unwrap();
    Running { server, service, address, arrivals }
}

impl Running {
    fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { reader: BufReader::new(stream) }
    }

    /// The next request that the application gets.
    fn request(&self) -> Request {
        loop {
            if let Some(request) = self.server.inbox().drain(1).pop() {
                return request;
            }
            self.arrivals.recv_timeout(PATIENCE).unwrap();
        }
    }

    /// Answers the next request with what it says.
    fn echo(&self) {
        let request = self.request();
        let text = format!("{} {} {}", request.method, request.target, request.body.len());
        assert!(self.server.inbox().answer(request.id, reply(text.into())));
    }
}

fn reply(body: Bytes) -> Arc<Reply> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Arc::new(Reply::new(StatusCode::OK, headers, body))
}

struct Client {
    reader: BufReader<TcpStream>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Client {
    fn send(&mut self, bytes: &str) {
        self.reader.get_mut().write_all(bytes.as_bytes()).unwrap();
    }

    fn answer(&mut self) -> Answer {
        self.answer_to("GET")
    }

    fn answer_to(&mut self, method: &str) -> Answer {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.reader.read_line(&mut head).unwrap(), 0, "closed after {head:?}");
        }
        let head = head.to_lowercase();
        let length = head.split("content-length: ").nth(1).map_or("0", |rest| rest.lines().next().unwrap());
        let length = if method == "HEAD" { 0 } else { length.parse().unwrap() };
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).unwrap();
        Answer { status: head[9..12].parse().unwrap(), head, body }
    }

    /// Whatever comes until the connection ends.
    fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is an end too.
        let _ = self.reader.read_to_end(&mut rest);
        rest
    }

    fn is_closed(&mut self) -> bool {
        match self.reader.read(&mut [0]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

#[test]
fn published_replies_are_given_without_the_application() {
    let running = running(HttpSettings::default());
    running.service.published.publish("GET", "/a?b", b"", reply("published".into()));
    let mut client = running.connect();
    client.send("GET /a?b HTTP/1.1\r\nhost: h\r\nx-request-id: 7\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, &answer.body[..]), (200, &b"published"[..]));
    assert!(answer.head.contains("content-type: text/plain"), "{answer:?}");
    assert!(answer.head.contains("x-request-id: 7"), "{answer:?}");
    client.send("HEAD /a?b HTTP/1.1\r\nhost: h\r\n\r\n");
    let answer = client.answer_to("HEAD");
    assert!(answer.head.contains("content-length: 9"), "{answer:?}");
    // Whoever wants another type, or asks for something else, is left to the application.
    client.send("GET /a?b HTTP/1.1\r\nhost: h\r\naccept: text/html\r\n\r\n");
    running.echo();
    assert_eq!(client.answer().body, b"GET /a?b 0");
    running.service.published.withdraw_all();
    client.send("GET /a?b HTTP/1.1\r\nhost: h\r\n\r\n");
    running.echo();
    assert_eq!(client.answer().body, b"GET /a?b 0");
}

#[test]
fn bodies_arrive_whole_however_they_are_framed_and_pipelined_requests_in_order() {
    let running = running(HttpSettings::default());
    let mut client = running.connect();
    client.send("POST /1 HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nhello");
    client.send(
        "POST /2 HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
    );
    client.send("GET /3 HTTP/1.1\r\nhost: h\r\n\r\n");
    for expected in ["POST /1 5", "POST /2 7", "GET /3 0"] {
        running.echo();
        assert_eq!(client.answer().body, expected.as_bytes());
    }
}

/// Answers requests for `/taken` from threads of its own.
struct Elsewhere;

impl Taker for Elsewhere {
    fn take(&self, inbox: &Arc<Inbox>, request: Request) -> Option<Request> {
        if request.target.path() != "/taken" {
            return Some(request);
        }
        let inbox = inbox.clone();
        std::thread::spawn(move || inbox.answer(request.id, reply("taken".into())));
        None
    }
}

/// Answers all requests that have come together, when no more do for the moment.
#[derive(Default)]
struct Together(Mutex<Vec<(u64, Arc<Inbox>)>>);

impl Taker for Together {
    fn take(&self, inbox: &Arc<Inbox>, request: Request) -> Option<Request> {
        self.0.lock().unwrap().push((request.id, inbox.clone()));
        None
    }

    fn settle(&self) {
        let taken = std::mem::take(&mut *self.0.lock().unwrap());
        let Some((_, inbox)) = taken.first().cloned() else { return };
        let of = |id| (id, reply(format!("with {}", taken.len() - 1).into()));
        // Who is not there is not answered, which keeps nobody else from it.
        inbox.answer_all(taken.iter().map(|(id, _)| of(*id)).chain([of(u64::MAX)]).collect());
    }
}

#[test]
fn who_takes_requests_is_told_when_no_more_come_and_answers_many_at_once() {
    let running = running(HttpSettings { threads: 2, ..HttpSettings::default() });
    running.server.inbox().set_taker(Arc::new(Together::default()));
    let mut clients: Vec<Client> = (0..20).map(|_| running.connect()).collect();
    for _ in 0..10 {
        clients.iter_mut().for_each(|client| client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
        for client in &mut clients {
            assert!(client.answer().body.starts_with(b"with "));
        }
    }
    assert_eq!(running.server.inbox().waiting(), 0);
}

#[test]
fn who_takes_requests_sees_them_first_and_answers_from_any_thread() {
    let running = running(HttpSettings::default());
    running.server.inbox().set_taker(Arc::new(Elsewhere));
    let mut client = running.connect();
    for _ in 0..2 {
        client.send("GET /taken HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(client.answer().body, b"taken");
        client.send("GET /other HTTP/1.1\r\nHost: h\r\n\r\n");
        running.echo();
        assert_eq!(client.answer().body, b"GET /other 0");
    }
    assert_eq!(running.server.inbox().waiting(), 0);
}

#[test]
fn large_replies_are_compressed_for_those_who_take_it() {
    let running = running(HttpSettings::default());
    running.service.published.publish("GET", "/", b"", reply(vec![b'x'; 10_000].into()));
    let mut client = running.connect();
    client.send("GET / HTTP/1.1\r\nhost: h\r\naccept-encoding: gzip\r\n\r\n");
    let answer = client.answer();
    assert!(answer.head.contains("content-encoding: gzip"), "{answer:?}");
    let mut body = Vec::new();
    flate2::read::GzDecoder::new(&answer.body[..]).read_to_end(&mut body).unwrap();
    assert_eq!(body, vec![b'x'; 10_000]);
    client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n");
    let answer = client.answer();
    assert!(!answer.head.contains("content-encoding") && answer.head.contains("vary: accept-encoding"));
    assert_eq!(answer.body.len(), 10_000);
}

#[test]
fn bodies_that_are_too_large_are_refused_before_they_are_read() {
    let running = running(HttpSettings { body_bytes_max: 100, ..HttpSettings::default() });
    let mut client = running.connect();
    client.send("POST / HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 101\r\n\r\n");
    let answer = client.answer();
    assert_eq!(answer.status, 413);
    assert_eq!(answer.body, br#"{"error_code":413,"message":"The request's body is over 100 bytes"}"#);
    assert!(client.is_closed());
    // Whoever sends it all the same is heard out, and told.
    let mut client = running.connect();
    let body = "x".repeat(16 << 20);
    client.send(&format!("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
    assert_eq!(client.answer().status, 413);
    let mut client = running.connect();
    let chunks = "14\r\n01234567890123456789\r\n".repeat(6);
    client
        .send(&format!("POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"));
    assert_eq!(client.answer().status, 413);
}

#[test]
fn bodies_of_all_together_are_bounded_and_the_room_comes_back() {
    let running = running(HttpSettings { bodies_bytes_max: 150, ..HttpSettings::default() });
    let post = format!("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 100\r\n\r\n{}", "x".repeat(100));
    let (mut first, mut second) = (running.connect(), running.connect());
    first.send(&post);
    let held = running.request();
    second.send(&post);
    let refused = second.answer();
    assert_eq!(refused.status, 503);
    assert!(refused.head.contains("retry-after: 1"));
    running.server.inbox().answer(held.id, reply("held".into()));
    drop(held);
    assert_eq!(first.answer().body, b"held");
    second.send(&post);
    running.echo();
    assert_eq!(second.answer().status, 200);
}

#[test]
fn who_is_slow_is_given_up() {
    let short = Duration::from_millis(100);
    let settings = HttpSettings {
        head_time_max: short,
        body_time_max: short,
        answer_time_max: short,
        ..HttpSettings::default()
    };
    let running = running(settings);
    let mut head = running.connect();
    head.send("GET / HTTP/1.1\r\nhost:");
    let mut body = running.connect();
    body.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nhe");
    assert_eq!(body.answer().status, 408);
    assert!(body.is_closed());
    head.rest();
    let mut patient = running.connect();
    patient.send("GET /unanswered HTTP/1.1\r\nhost: h\r\n\r\n");
    assert_eq!(patient.answer().status, 503);
}

/// Bytes that tell when nobody has them any more.
struct Owned {
    bytes: Vec<u8>,
    gone: Sender<()>,
}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.gone.send(()).unwrap_or_default();
    }
}

#[test]
fn who_takes_nothing_of_a_reply_is_given_up() {
    let settings = HttpSettings { write_time_max: Duration::from_millis(100), ..HttpSettings::default() };
    let running = running(settings);
    let (gone, is_gone) = channel();
    let body = Bytes::from_owner(Owned { bytes: vec![b'x'; 64 << 20], gone });
    let mut client = running.connect();
    client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n");
    assert!(running.server.inbox().answer(running.request().id, reply(body)));
    is_gone.recv_timeout(PATIENCE).unwrap();
    assert!(client.rest().len() < 64 << 20);
}

#[test]
fn a_request_whose_client_has_gone_is_not_given_out() {
    let running = running(HttpSettings::default());
    let mut client = running.connect();
    client.send("GET /gone HTTP/1.1\r\nhost: h\r\n\r\n");
    running.arrivals.recv_timeout(PATIENCE).unwrap();
    drop(client);
    while running.server.inbox().waiting() > 0 {
        std::thread::yield_now();
    }
    assert!(running.server.inbox().drain(10).is_empty());
}

#[test]
fn connections_over_the_bound_wait_for_one_that_ends() {
    let running = running(HttpSettings { connections_max: 1, ..HttpSettings::default() });
    let mut first = running.connect();
    first.send("GET /1 HTTP/1.1\r\nhost: h\r\n\r\n");
    running.echo();
    assert_eq!(first.answer().status, 200);
    let mut second = running.connect();
    second.send("GET /2 HTTP/1.1\r\nhost: h\r\n\r\n");
    let early = running.arrivals.recv_timeout(Duration::from_millis(50));
    assert_eq!(early, Err(RecvTimeoutError::Timeout));
    drop(first);
    running.echo();
    assert_eq!(second.answer().body, b"GET /2 0");
}

#[test]
fn what_is_in_hand_is_answered_when_the_server_stops_and_nobody_else_is() {
    let running = running(HttpSettings { threads: 3, ..HttpSettings::default() });
    let mut clients: Vec<Client> = (0..6).map(|_| running.connect()).collect();
    for client in &mut clients {
        client.send("GET /last HTTP/1.1\r\nhost: h\r\n\r\n");
    }
    let requests: Vec<Request> = (0..6).map(|_| running.request()).collect();
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| running.server.stop(PATIENCE));
        for request in requests {
            assert!(running.server.inbox().answer(request.id, reply("bye".into())));
        }
        for client in &mut clients {
            assert_eq!(client.answer().body, b"bye");
            assert!(client.is_closed());
        }
        stopping.join().unwrap();
    });
    assert!(TcpStream::connect(running.address).is_err());
}

#[test]
fn nonsense_is_refused_and_heads_have_an_end() {
    let running = running(HttpSettings::default());
    let mut client = running.connect();
    client.send("nonsense\r\n\r\n");
    assert_eq!(client.answer().status, 400);
    let mut client = running.connect();
    client.send("GET / HTTP/1.1\r\nno header\r\n\r\n");
    assert_eq!(client.answer().status, 400);
    let mut client = running.connect();
    client.send("GET / HTTP/1.1\r\nhost: h\r\n");
    let line = format!("x-filler: {}\r\n", "y".repeat(1000));
    for _ in 0..64 {
        if client.reader.get_mut().write_all(line.as_bytes()).is_err() {
            break;
        }
    }
    // Who goes on writing may find the connection reset before the answer is read.
    let rest = client.rest();
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&rest));
    assert_eq!(running.server.inbox().waiting(), 0);
}

#[test]
fn who_looks_for_requests_is_not_notified_and_misses_none() {
    let running = running(HttpSettings::default());
    let inbox = running.server.inbox();
    let mut client = running.connect();
    for number in 0..100 {
        assert!(!inbox.has_arrived(true));
        client.send(&format!("GET /{number} HTTP/1.1\r\nhost: a\r\n\r\n"));
        let has_come = (0..600_000).any(|_| {
            let told = running.arrivals.recv_timeout(Duration::from_micros(100));
            assert!(told.is_err(), "it was told of what it sees itself");
            inbox.has_arrived(true)
        });
        assert!(has_come, "request {number} has not come");
        assert!(inbox.has_arrived(false));
        running.echo();
        assert_eq!(client.answer().body, format!("GET /{number} 0").as_bytes());
    }
    client.send("GET /last HTTP/1.1\r\nhost: a\r\n\r\n");
    running.arrivals.recv_timeout(PATIENCE).unwrap();
    assert_eq!(inbox.drain(1).len(), 1);
}
