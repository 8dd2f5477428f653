//! Bodies in pieces: what is handed over when, what is bounded, and how either side hears of the other's end.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use barnabas_http::{BodyEnd, Reply, Request, Serving, OUTFLOW_BYTES_MAX};
use bytes::Bytes;
use hyper::header::HeaderMap;
use hyper::StatusCode;

use crate::running::{running, Running};

const HEAD: &str = "POST /topics/t/records HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

fn pieces() -> Running {
    running(Serving { in_pieces: Some("/records".into()), ..Serving::default() })
}

impl Running {
    fn write(&mut self, text: &str) {
        self.client.write_all(text.as_bytes()).unwrap();
    }
}

fn head() -> Arc<Reply> {
    Arc::new(Reply::new(StatusCode::OK, HeaderMap::new(), Bytes::new()))
}

/// What has come of a body; waits for something.
fn piece(running: &Running, request: &Request) -> (Bytes, Option<BodyEnd>) {
    let reader = request.pieces.as_ref().unwrap();
    running.until(|| Some(reader.take()).filter(|(bytes, end)| !bytes.is_empty() || end.is_some()))
}

#[test]
fn pieces_come_and_go_before_the_body_has_ended() {
    let mut running = pieces();
    running.write(HEAD);
    let request = running.request();
    let writer = running.server.inbox().begin(request.id, head()).unwrap();
    for word in ["one", "two"] {
        running.write(&format!("3\r\n{word}\r\n"));
        assert_eq!(piece(&running, &request), (Bytes::from(word), None));
        writer.write(Bytes::from(format!("<{word}>"))).unwrap();
        assert!(running.read_to("\r\n").len() > 1);
        running.read_to(&format!("<{word}>\r\n"));
    }
    running.write("0\r\n\r\n");
    assert_eq!(piece(&running, &request), (Bytes::new(), Some(BodyEnd::Complete)));
    drop(writer);
    running.read_to("0\r\n\r\n");
}

#[test]
fn a_body_with_a_length_is_waited_for() {
    let mut running = pieces();
    running.write("POST /topics/t/records HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\none");
    let request = running.request();
    assert!(request.pieces.is_none());
    assert_eq!(request.body, "one");
}

#[test]
fn no_more_is_read_than_there_is_room_for() {
    let mut running = pieces();
    running.write(HEAD);
    let request = running.request();
    running.client.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x1_0000));
    // A client that can write hundreds of megabytes is not held back by anything.
    let mut chunks = 0;
    while let Ok(()) = running.client.write_all(chunk.as_bytes()) {
        chunks += 1;
        assert!(chunks < 4096, "nothing holds the client back");
    }
    let (held, _) = request.pieces.as_ref().unwrap().take();
    assert!(held.len() <= 1 << 20, "{} bytes are held", held.len());
}

#[test]
fn a_writer_is_told_how_much_is_on_its_way() {
    let mut running = pieces();
    running.write(HEAD);
    let request = running.request();
    let writer = running.server.inbox().begin(request.id, head()).unwrap();
    // The client reads nothing: sooner or later nobody takes more.
    let mut under_way = 0;
    while under_way < OUTFLOW_BYTES_MAX {
        under_way = writer.write(vec![b'x'; 1 << 20].into()).unwrap();
    }
}
