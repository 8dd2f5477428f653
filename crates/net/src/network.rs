//! The network as a whole: its threads, their start and their end.

use std::io;
use std::net::SocketAddr;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use mio::Poll;
use parking_lot::Mutex;

use crate::acceptor::{Acceptor, AcceptorHandle};
use crate::connection::RequestMemory;
use crate::connection_limits::ConnectionBounds;
use crate::listener::BoundListener;
use crate::mailbox::{Item, ReactorMailbox};
use crate::metrics::{NetworkMetrics, ReactorMetrics};
use crate::reactor::{Reactor, Surroundings, MAILBOX};
use crate::service::Service;
use crate::settings::NetworkSettings;

/// A running network. Dropping it stops it at once.
#[derive(Debug)]
pub struct Network {
    addresses: Vec<(Arc<str>, SocketAddr)>,
    acceptor: AcceptorHandle,
    mailboxes: Vec<Arc<ReactorMailbox>>,
    metrics: NetworkMetrics,
    failure: Arc<Mutex<Option<String>>>,
    threads: Mutex<Threads>,
}

#[derive(Debug)]
struct Threads {
    acceptor: Option<JoinHandle<()>>,
    reactors: Vec<JoinHandle<()>>,
}

impl Network {
    /// Serves `listeners`. Fails when the operating system gives no threads or descriptors.
    pub fn start(
        settings: NetworkSettings,
        listeners: Vec<BoundListener>,
        service: Arc<dyn Service>,
    ) -> io::Result<Network> {
        let count = settings.reactors.clamp(1, NetworkSettings::REACTORS_MAX);
        let addresses =
            listeners.iter().map(|listener| (listener.name.clone(), listener.address())).collect();
        let polls = (0..count).map(|_| Poll::new()).collect::<io::Result<Vec<_>>>()?;
        let mailboxes = polls
            .iter()
            .map(|poll| ReactorMailbox::new(poll.registry(), MAILBOX).map(Arc::new))
            .collect::<io::Result<Vec<_>>>()?;
        let metrics = NetworkMetrics {
            reactors: (0..count).map(|_| Arc::default()).collect(),
            acceptor: Arc::default(),
        };
        let acceptor = Acceptor::new(listeners, mailboxes.clone(), metrics.acceptor.clone(), &settings)?;
        let around = Surroundings {
            service,
            mailboxes: mailboxes.clone(),
            memory: Arc::new(RequestMemory::new(settings.queued_request_bytes_max)),
        };
        // From here on a failure drops `network`, which ends the threads that run already.
        let network = Network {
            addresses,
            acceptor: acceptor.handle(),
            mailboxes,
            metrics,
            failure: Arc::default(),
            threads: Mutex::new(Threads { acceptor: None, reactors: Vec::new() }),
        };
        for (number, (poll, metrics)) in polls.into_iter().zip(&network.metrics.reactors).enumerate() {
            let reactor = network.spawn_reactor(number, poll, &around, metrics.clone(), &settings)?;
            network.threads.lock().reactors.push(reactor);
        }
        let thread = network.spawn("net-acceptor".to_owned(), move || acceptor.run())?;
        network.threads.lock().acceptor = Some(thread);
        Ok(network)
    }

    fn spawn_reactor(
        &self,
        number: usize,
        poll: Poll,
        around: &Surroundings,
        metrics: Arc<ReactorMetrics>,
        settings: &NetworkSettings,
    ) -> io::Result<JoinHandle<()>> {
        let mut reactor = Reactor::new(number, poll, around, metrics, settings);
        self.spawn(format!("net-reactor-{number}"), move || reactor.run())
    }

    /// Starts a thread that doesn't end silently: an error or a panic is logged and kept in `failure`.
    fn spawn<F>(&self, name: String, run: F) -> io::Result<JoinHandle<()>>
    where
        F: FnOnce() -> io::Result<()> + Send + 'static,
    {
        let failure = self.failure.clone();
        std::thread::Builder::new().name(name.clone()).spawn(move || {
            let reason = match catch_unwind(AssertUnwindSafe(run)) {
                Ok(Ok(())) => return,
                Ok(Err(error)) => format!("thread {name} has failed: {error}"),
                Err(panic) => format!("thread {name} has failed: {}", panic_message(&*panic)),
            };
            log::error!("{reason}");
            failure.lock().get_or_insert(reason);
        })
    }

    /// Names and addresses of the listeners, with their real ports.
    pub fn addresses(&self) -> &[(Arc<str>, SocketAddr)] {
        &self.addresses
    }

    /// Counters.
    pub fn metrics(&self) -> &NetworkMetrics {
        &self.metrics
    }

    /// Replaces the bounds on connections. Connections above a new bound stay.
    pub fn set_connection_bounds(&self, bounds: ConnectionBounds) -> io::Result<()> {
        self.acceptor.set_bounds(bounds)
    }

    /// What has ended one of the threads, if something has: the node should stop.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }

    /// Stops accepting, lets requests in hand finish for at most `grace`, closes all connections and waits for
    /// the threads. A second call does nothing. Not to be called by a service on a reactor's thread.
    pub fn stop(&self, grace: Duration) {
        let mut threads = self.threads.lock();
        if let Some(acceptor) = threads.acceptor.take() {
            self.acceptor.stop();
            join(acceptor);
        }
        if threads.reactors.is_empty() {
            return;
        }
        for mailbox in &self.mailboxes {
            // A reactor that has failed has ended already.
            let _ = mailbox.push(Item::Stop { grace });
        }
        for reactor in threads.reactors.drain(..) {
            join(reactor);
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        log::error!("A network thread has ended with a panic");
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic")
}
