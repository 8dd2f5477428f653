//! A node made of closures, and a client that speaks just enough.

use std::any::Any;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use barnabas_net::{
    BoundListener, Chunk, Clock, ConnectionId, ListenerSettings, Millis, Network, NetworkSettings, Now,
    Outcome, Request, Service,
};

type Handle = dyn Fn(Request) -> Outcome + Send + Sync;
type Resume = dyn Fn(Box<dyn Any + Send>, Millis) -> Outcome + Send + Sync;

/// A service made of closures.
pub(crate) struct Toy {
    handle: Box<Handle>,
    resume: Box<Resume>,
    gone: Mutex<Sender<ConnectionId>>,
}

impl Service for Toy {
    fn handle(&self, request: Request) -> Outcome {
        (self.handle)(request)
    }

    fn resume(&self, state: Box<dyn Any + Send>, now: Millis) -> Outcome {
        (self.resume)(state, now)
    }

    fn disconnected(&self, connection: ConnectionId) {
        let _ = self.gone.lock().unwrap().send(connection);
    }
}

/// A running network.
pub(crate) struct Node {
    pub(crate) network: Network,
    pub(crate) address: SocketAddr,
    /// Connections whose end the service was told.
    pub(crate) gone: Receiver<ConnectionId>,
}

pub(crate) fn settings() -> NetworkSettings {
    NetworkSettings { reactors: 1, ..NetworkSettings::default() }
}

impl Node {
    pub(crate) fn start(handle: impl Fn(Request) -> Outcome + Send + Sync + 'static) -> Node {
        Node::start_with(settings(), handle, |_, _| panic!("nothing was parked"))
    }

    pub(crate) fn start_with(
        settings: NetworkSettings,
        handle: impl Fn(Request) -> Outcome + Send + Sync + 'static,
        resume: impl Fn(Box<dyn Any + Send>, Millis) -> Outcome + Send + Sync + 'static,
    ) -> Node {
        Node::serve(bind(), settings, handle, resume)
    }

    pub(crate) fn serve(
        listener: BoundListener,
        settings: NetworkSettings,
        handle: impl Fn(Request) -> Outcome + Send + Sync + 'static,
        resume: impl Fn(Box<dyn Any + Send>, Millis) -> Outcome + Send + Sync + 'static,
    ) -> Node {
        let (sender, gone) = channel();
        let toy = Toy { handle: Box::new(handle), resume: Box::new(resume), gone: Mutex::new(sender) };
        let network = Network::start(settings, vec![listener], Arc::new(toy)).unwrap();
        let address = network.addresses()[0].1;
        Node { network, address, gone }
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }
}

pub(crate) fn bind() -> BoundListener {
    BoundListener::bind(&ListenerSettings::new("PLAINTEXT", "127.0.0.1", 0)).unwrap()
}

/// A response that repeats the correlation id and the body of its request.
pub(crate) fn echo(request: &Request) -> Vec<Chunk> {
    let mut bytes = request.correlation_id.to_be_bytes().to_vec();
    bytes.extend(&request.frame[request.body..]);
    vec![Chunk::Bytes(bytes)]
}

/// An ApiVersions request with any bytes as its body.
pub(crate) fn frame(correlation_id: i32, body: &[u8]) -> Vec<u8> {
    let mut bytes = (10 + body.len() as i32).to_be_bytes().to_vec();
    bytes.extend([0, 18, 0, 0]);
    bytes.extend(correlation_id.to_be_bytes());
    bytes.extend([0xff, 0xff]);
    bytes.extend(body);
    bytes
}

/// One connection of a client. Reading gives up after some seconds, so that a failing test ends.
pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Client(stream)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    pub(crate) fn finish(&self) {
        self.0.shutdown(Shutdown::Write).unwrap();
    }

    /// Correlation id and body of the next response; None when the node has closed the connection.
    pub(crate) fn response(&mut self) -> Option<(i32, Vec<u8>)> {
        let mut prefix = [0; 4];
        if self.0.read_exact(&mut prefix).is_err() {
            return None;
        }
        let mut bytes = vec![0; i32::from_be_bytes(prefix) as usize];
        self.0.read_exact(&mut bytes).ok()?;
        let body = bytes.split_off(4);
        Some((i32::from_be_bytes(bytes.try_into().unwrap()), body))
    }

    pub(crate) fn ask(&mut self, correlation_id: i32, body: &[u8]) -> Option<(i32, Vec<u8>)> {
        self.send(&frame(correlation_id, body));
        self.response()
    }

    /// Whether the node has closed the connection without a further byte.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.0.read(&mut [0]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

/// A clock that stands until it is moved.
#[derive(Default)]
pub(crate) struct HandClock(AtomicU64);

impl HandClock {
    pub(crate) fn advance(&self, millis: u64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Now {
        let millis = self.0.load(Ordering::SeqCst);
        Now { wall: 1_700_000_000_000 + millis as Millis, monotonic: Duration::from_millis(millis) }
    }
}
