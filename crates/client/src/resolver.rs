//! Names of hosts to addresses, without keeping the thread that asks: a name server may take seconds to answer.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use barnabas_protocol::NodeId;
use mio::Waker;
use parking_lot::Mutex;

/// What came of a look-up.
#[derive(Debug)]
pub struct Resolved {
    /// For whom.
    pub node: NodeId,
    /// Which attempt at a connection it was for.
    pub attempt: u64,
    /// All addresses of the name, or why there are none.
    pub addresses: io::Result<Vec<SocketAddr>>,
}

/// Looks names up, each on a thread that ends with the answer.
#[derive(Debug, Clone)]
pub struct Resolver {
    found: Arc<Mutex<Vec<Resolved>>>,
    waker: Arc<Waker>,
}

impl Resolver {
    /// Wakes `waker` when something was found.
    pub fn new(waker: Arc<Waker>) -> Resolver {
        Resolver { found: Arc::default(), waker }
    }

    /// Looks a name up; what is an address already is there at once.
    pub fn look_up(&self, node: NodeId, attempt: u64, host: String, port: u16) {
        if let Ok(address) = host.parse::<IpAddr>() {
            let addresses = Ok(vec![SocketAddr::new(address, port)]);
            return self.found.lock().push(Resolved { node, attempt, addresses });
        }
        let there = self.clone();
        let look = move || {
            let addresses = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
            there.found.lock().push(Resolved { node, attempt, addresses });
            // The client may be gone by now, which is no matter.
            let _ = there.waker.wake();
        };
        let thread = std::thread::Builder::new().name("barnabas-resolver".to_string()).spawn(look);
        if let Err(error) = thread {
            self.found.lock().push(Resolved { node, attempt, addresses: Err(error) });
        }
    }

    /// What was found since the last call.
    pub fn take(&self) -> Vec<Resolved> {
        std::mem::take(&mut self.found.lock())
    }
}
