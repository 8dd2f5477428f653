//! A server with one service, and one client that speaks to it in raw bytes.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{channel, Receiver};
use std::time::Duration;

use barnabas_http::{HttpServer, HttpSettings, Request, Service, Serving};

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Running {
    pub(crate) server: HttpServer,
    pub(crate) service: Service,
    pub(crate) client: TcpStream,
    arrivals: Receiver<()>,
}

pub(crate) fn running(how: Serving) -> Running {
    let (bell, arrivals) = channel();
    let notify = Box::new(move || bell.send(()).unwrap_or_default());
    let server = HttpServer::start(HttpSettings::default(), notify).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let service = server.serve_with(listener, 1 << 20, how).unwrap();
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    Running { server, service, client, arrivals }
}

impl Running {
    /// Looks again with each news, until there is something.
    pub(crate) fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        loop {
            if let Some(found) = look() {
                return found;
            }
            self.arrivals.recv_timeout(PATIENCE).unwrap();
            self.server.inbox().news();
        }
    }

    /// The next request that the application gets.
    pub(crate) fn request(&self) -> Request {
        self.until(|| self.server.inbox().drain(1).pop())
    }

    /// Reads until the client has been sent `end`.
    pub(crate) fn read_to(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        while !read.ends_with(end.as_bytes()) {
            let mut byte = [0];
            self.client.read_exact(&mut byte).unwrap();
            read.push(byte[0]);
        }
        String::from_utf8(read).unwrap()
    }
}
