//! The server for what tools read, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by its panic")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use barnabas_net::{BoundListener, HttpReply, HttpServer, ListenerSettings, SystemClock};

/// A server whose body is longer than any socket's buffer.
fn server() -> HttpServer {
    let listener = BoundListener::bind(&ListenerSettings::new("metrics", "127.0.0.1", 0)).unwrap();
    let content = Arc::new(|path: &str| match path {
        "/large" => HttpReply { status: 200, content_type: "text/plain", body: vec![b'x'; 16 << 20] },
        _ => HttpReply::text(200, "small"),
    });
    HttpServer::start(listener, Arc::new(SystemClock::new()), content).unwrap()
}

fn connect(server: &HttpServer) -> TcpStream {
    TcpStream::connect(server.address()).unwrap()
}

fn ask(client: &mut TcpStream, path: &str) -> usize {
    write!(client, "GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    answer.len()
}

#[test]
fn large_body_arrives_whole_though_its_reader_is_slower_than_the_server() {
    let server = server();
    assert!(ask(&mut connect(&server), "/large") > 16 << 20);
}

#[test]
fn who_comes_is_served_however_many_hold_their_connections() {
    let server = server();
    let mut holding = Vec::new();
    for _ in 0..100 {
        let mut client = connect(&server);
        client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        holding.push(client);
    }
    ask(&mut connect(&server), "/");
}

#[test]
fn stop_closes_connections_and_the_port() {
    let server = server();
    let address = server.address();
    let mut client = connect(&server);
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(client.read(&mut [0]).unwrap(), 1);
    drop(server);
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(b"small\n"));
    assert!(TcpStream::connect(address).is_err());
}
