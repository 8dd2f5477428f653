//! What a published reply costs beside a constant one of bare hyper: processor time of the serving thread for each
//! request, measured in turn. `cargo run --release -p barnabas-http --example overhead`
#![allow(clippy::unwrap_used, reason = "a measurement that fails says so by its panic")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use barnabas_http::{HttpServer, HttpSettings, Reply};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HeaderMap, HeaderValue, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;

const CONNECTIONS: usize = 64;
const REQUESTS: usize = 200;
const ROUNDS: usize = 5;
const BODY: &str = r#"{"schema":"\"string\"","id":12345}"#;
const TYPE: HeaderValue = HeaderValue::from_static("application/vnd.schemaregistry.v1+json");

fn main() {
    let bare = bare_hyper();
    let (server, ours) = published();
    let mut costs = [f64::MAX; 2];
    for _ in 0..ROUNDS {
        for (cost, (address, thread)) in costs.iter_mut().zip([(bare, "bare"), (ours, "http-0")]) {
            *cost = cost.min(measured(address, thread));
        }
    }
    let [bare, ours] = costs;
    println!(
        "bare hyper {bare:.2} µs, published {ours:.2} µs of the serving thread: {:.0} %",
        100.0 * bare / ours
    );
    server.stop(std::time::Duration::ZERO);
}

fn bare_hyper() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let serve = async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let service = service_fn(|_| async {
                let mut response = Response::new(Full::new(Bytes::from_static(BODY.as_bytes())));
                response.headers_mut().insert(CONTENT_TYPE, TYPE);
                Ok::<_, std::convert::Infallible>(response)
            });
            let builder = hyper::server::conn::http1::Builder::new();
            tokio::spawn(async move {
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let run = move || runtime.block_on(serve);
    std::thread::Builder::new().name("bare".to_owned()).spawn(run).unwrap();
    address
}

fn published() -> (HttpServer, SocketAddr) {
    let server = HttpServer::start(HttpSettings::default(), Box::new(|| ())).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let service = server.serve(listener, 64 << 20).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, TYPE);
    let reply = Arc::new(Reply::new(StatusCode::OK, headers, Bytes::from_static(BODY.as_bytes())));
    for id in 0..20_000 {
        service.published.publish("GET", &format!("/schemas/ids/{id}"), b"", reply.clone());
    }
    (server, address)
}

/// Microseconds of the thread for each request.
fn measured(address: SocketAddr, thread: &str) -> f64 {
    let mut clients: Vec<TcpStream> =
        (0..CONNECTIONS).map(|_| TcpStream::connect(address).unwrap()).collect();
    turn(&mut clients, 0);
    let before = spent(thread);
    for number in 0..REQUESTS {
        turn(&mut clients, number);
    }
    (spent(thread) - before) / (REQUESTS * CONNECTIONS) as f64
}

/// One request of each client.
fn turn(clients: &mut [TcpStream], number: usize) {
    for (index, client) in clients.iter_mut().enumerate() {
        let id = number * CONNECTIONS + index;
        let request = format!("GET /schemas/ids/{id} HTTP/1.1\r\nhost: h\r\naccept: */*\r\n\r\n");
        client.write_all(request.as_bytes()).unwrap();
    }
    for client in clients {
        let mut answer = [0; 512];
        assert!(client.read(&mut answer).unwrap() > 0 && answer.starts_with(b"HTTP/1.1 200"));
    }
}

/// Microseconds that the thread of this name has run.
fn spent(name: &str) -> f64 {
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path();
        if std::fs::read_to_string(path.join("comm")).unwrap().trim() == name {
            let told = std::fs::read_to_string(path.join("schedstat")).unwrap();
            return told.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e3;
        }
    }
    panic!("no thread {name}")
}
