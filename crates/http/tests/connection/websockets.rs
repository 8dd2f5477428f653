//! WebSockets, frame by frame: what is written comes as messages, and each end is told with its code.

use std::io::{Read, Write};
use std::sync::Arc;

use barnabas_http::{BodyWriter, Reply, Serving};
use bytes::Bytes;
use hyper::header::HeaderMap;
use hyper::StatusCode;

use crate::running::{running, Running, PATIENCE};

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;

impl Running {
    /// Opens the WebSocket, as the example of RFC 6455 does.
    fn open(&mut self) -> BodyWriter {
        let asked = "GET /r HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
        self.client.write_all(asked.as_bytes()).unwrap();
        let request = self.request();
        assert!(request.is_websocket);
        let head = Arc::new(Reply::new(StatusCode::SWITCHING_PROTOCOLS, HeaderMap::new(), Bytes::new()));
        let writer = self.server.inbox().begin_websocket(request.id, head).unwrap();
        let told = self.read_to("\r\n\r\n").to_lowercase();
        assert!(told.starts_with("http/1.1 101 "), "{told}");
        assert!(told.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{told}");
        writer
    }

    /// The next frame that is no ping: what it is, and what is in it.
    fn frame(&mut self) -> (u8, Vec<u8>) {
        loop {
            let mut head = [0; 2];
            self.client.read_exact(&mut head).unwrap();
            assert_eq!(head[0] & 0x80, 0x80, "a message is one frame");
            let length = match head[1] {
                126 => {
                    let mut length = [0; 2];
                    self.client.read_exact(&mut length).unwrap();
                    usize::from(u16::from_be_bytes(length))
                }
                length => usize::from(length),
            };
            let mut content = vec![0; length];
            self.client.read_exact(&mut content).unwrap();
            match head[0] & 0x0f {
                PING => self.send(0x0a, &content),
                kind => return (kind, content),
            }
        }
    }

    /// Sends a frame, masked by nothing but zeros.
    fn send(&mut self, kind: u8, content: &[u8]) {
        let mut frame = vec![0x80 | kind];
        match content.len() {
            length @ 0..=125 => frame.push(0x80 | length as u8),
            length => {
                frame.push(0x80 | 126);
                frame.extend((length as u16).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(content);
        self.client.write_all(&frame).unwrap();
    }

    /// The code with which the server ends it.
    fn end(&mut self) -> u16 {
        let (kind, content) = self.frame();
        assert_eq!(kind, CLOSE);
        u16::from_be_bytes([content[0], content[1]])
    }

    fn until_gone(&self, writer: &BodyWriter) {
        self.until(|| writer.write(Bytes::new()).is_none().then_some(()));
    }
}

#[test]
fn each_piece_is_a_message_and_the_end_is_normal() {
    let mut running = running(Serving::default());
    let writer = running.open();
    let long = "x".repeat(300);
    for text in ["one", "two", long.as_str()] {
        writer.write(Bytes::copy_from_slice(text.as_bytes())).unwrap();
    }
    for text in ["one", "two", long.as_str()] {
        assert_eq!(running.frame(), (TEXT, text.as_bytes().to_vec()));
    }
    drop(writer);
    assert_eq!(running.end(), 1000);
}

#[test]
fn application_says_why_it_ends() {
    let mut running = running(Serving::default());
    let writer = running.open();
    writer.end_with(1011, "broken".to_owned());
    drop(writer);
    let (kind, content) = running.frame();
    assert_eq!((kind, &content[..2], &content[2..]), (CLOSE, &[0x03, 0xf3][..], &b"broken"[..]));
}

#[test]
fn client_that_talks_or_says_too_much_is_told_so() {
    for (length, code) in [(5, 1003), (5_000, 1009)] {
        let mut running = running(Serving::default());
        let writer = running.open();
        running.send(TEXT, &vec![b'x'; length]);
        assert_eq!(running.end(), code);
        running.until_gone(&writer);
    }
}

#[test]
fn client_that_ends_it_is_answered_and_the_application_hears_of_it() {
    let mut running = running(Serving::default());
    let writer = running.open();
    running.send(CLOSE, &1000_u16.to_be_bytes());
    assert_eq!(running.end(), 1000);
    running.until_gone(&writer);
}

#[test]
fn server_that_stops_says_so() {
    let mut running = running(Serving::default());
    let _writer = running.open();
    std::thread::scope(|scope| {
        let server = &running.server;
        let stopped = scope.spawn(|| server.stop(PATIENCE));
        let mut client = running.client.try_clone().unwrap();
        let mut told = Vec::new();
        while !told.ends_with(b"the service stops") {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            told.push(byte[0]);
        }
        let mut answer = vec![0x80 | CLOSE, 0x82, 0, 0, 0, 0];
        answer.extend(1001_u16.to_be_bytes());
        client.write_all(&answer).unwrap();
        stopped.join().unwrap();
    });
}

#[test]
fn figures_count_a_websocket_once_and_its_connection_while_it_is_there() {
    let mut running = running(Serving::default());
    let writer = running.open();
    let told = |running: &Running| {
        let mut exposition = barnabas_metrics::Exposition::default();
        running.service.figures.write(&[], &mut exposition);
        exposition.into_text()
    };
    let text = told(&running);
    let counted = "barnabas_http_request_seconds_count{operation=\"other\",status=\"101\"} 1";
    assert!(text.contains(counted), "{text}");
    assert!(text.contains("barnabas_http_connections 1\n"), "{text}");
    drop(writer);
    assert_eq!(running.end(), 1000);
}
