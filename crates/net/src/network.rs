//! The network as a whole: its threads, their start and their end.

use std::fmt;
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
use crate::timings::SlowLimit;

/// How long a reactor that is not wanted any more waits for its requests in hand.
const RETIREMENT: Duration = Duration::from_secs(30);

/// A running network. Dropping it stops it at once.
pub struct Network {
    addresses: Vec<(Arc<str>, SocketAddr)>,
    acceptor: AcceptorHandle,
    around: Surroundings,
    settings: NetworkSettings,
    metrics: Mutex<NetworkMetrics>,
    failure: Arc<Mutex<Option<String>>>,
    threads: Mutex<Threads>,
}

#[derive(Debug)]
struct Threads {
    acceptor: Option<JoinHandle<()>>,
    /// Those that serve, and those that are about to end.
    reactors: Vec<ReactorThread>,
    stopped: bool,
}

#[derive(Debug)]
struct ReactorThread {
    mailbox: Arc<ReactorMailbox>,
    thread: JoinHandle<()>,
}

impl Network {
    /// Serves `listeners`. Fails when the operating system gives no threads or descriptors.
    pub fn start(
        settings: NetworkSettings,
        listeners: Vec<BoundListener>,
        service: Arc<dyn Service>,
    ) -> io::Result<Network> {
        let addresses =
            listeners.iter().map(|listener| (listener.name.clone(), listener.address())).collect();
        let around = Surroundings {
            service,
            mailboxes: Arc::default(),
            memory: Arc::new(RequestMemory::new(settings.queued_request_bytes_max)),
            generation: Arc::default(),
            slow: Arc::new(SlowLimit::new(settings.slow_request)),
        };
        let metrics = NetworkMetrics { reactors: Vec::new(), acceptor: Arc::default() };
        let acceptor =
            Acceptor::new(listeners, around.mailboxes.clone(), metrics.acceptor.clone(), &settings)?;
        // From here on a failure drops `network`, which ends the threads that run already.
        let network = Network {
            addresses,
            acceptor: acceptor.handle(),
            around,
            metrics: Mutex::new(metrics),
            failure: Arc::default(),
            threads: Mutex::new(Threads { acceptor: None, reactors: Vec::new(), stopped: false }),
            settings,
        };
        network.set_reactors(network.settings.reactors)?;
        let thread = network.spawn("net-acceptor".to_owned(), move || acceptor.run())?;
        network.threads.lock().acceptor = Some(thread);
        Ok(network)
    }

    /// Serves with so many threads from now on: `num.network.threads`, 1 to [`NetworkSettings::REACTORS_MAX`].
    /// A thread too many closes its connections, those with a request in hand once it is answered; connections
    /// stay where they are otherwise.
    pub fn set_reactors(&self, count: usize) -> io::Result<()> {
        let count = count.clamp(1, NetworkSettings::REACTORS_MAX);
        let mut threads = self.threads.lock();
        if threads.stopped {
            return Ok(());
        }
        let mut serving = self.around.mailboxes.get().to_vec();
        while serving.len() < count {
            let reactor = self.spawn_reactor(serving.len())?;
            serving.push(reactor.mailbox.clone());
            threads.reactors.push(reactor);
            self.around.mailboxes.set(&serving);
        }
        let retired = serving.split_off(count);
        self.around.mailboxes.set(&serving);
        for mailbox in retired {
            // A reactor that has failed has ended already.
            let _ = mailbox.push(Item::Stop { grace: RETIREMENT });
        }
        threads.reactors.retain(|reactor| !reactor.thread.is_finished());
        Ok(())
    }

    fn spawn_reactor(&self, number: usize) -> io::Result<ReactorThread> {
        let poll = Poll::new()?;
        let mailbox = Arc::new(ReactorMailbox::new(poll.registry(), MAILBOX)?);
        let metrics = Arc::<ReactorMetrics>::default();
        let (own, around) = (mailbox.clone(), &self.around);
        let mut reactor = Reactor::new(number, poll, own, around, metrics.clone(), &self.settings);
        let thread = self.spawn(format!("net-reactor-{number}"), move || reactor.run())?;
        self.metrics.lock().reactors.push(metrics);
        Ok(ReactorThread { mailbox, thread })
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

    /// Counters, those of reactors that have ended included.
    pub fn metrics(&self) -> NetworkMetrics {
        self.metrics.lock().clone()
    }

    /// Replaces the bounds on connections. Connections above a new bound stay.
    pub fn set_connection_bounds(&self, bounds: ConnectionBounds) -> io::Result<()> {
        self.acceptor.set_bounds(bounds)
    }

    /// Requests that take this long get a line in the log from now on; None: none does.
    pub fn set_slow_request(&self, limit: Option<Duration>) {
        self.around.slow.set(limit);
    }

    /// To be called when the clock of the settings was moved on: parked requests may be due.
    pub fn clock_moved(&self) {
        for mailbox in self.around.mailboxes.get().iter() {
            // A reactor that has ended has nothing parked.
            let _ = mailbox.push(Item::ClockMoved);
        }
    }

    /// What has ended one of the threads, if something has: the node should stop.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }

    /// Stops accepting, lets requests in hand finish for at most `grace`, closes all connections and waits for
    /// the threads. A second call does nothing. Not to be called by a service on a reactor's thread.
    pub fn stop(&self, grace: Duration) {
        let mut threads = self.threads.lock();
        threads.stopped = true;
        if let Some(acceptor) = threads.acceptor.take() {
            self.acceptor.stop();
            join(acceptor);
        }
        for reactor in &threads.reactors {
            // A reactor that has failed has ended already.
            let _ = reactor.mailbox.push(Item::Stop { grace });
        }
        for reactor in threads.reactors.drain(..) {
            join(reactor.thread);
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("addresses", &self.addresses)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
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
