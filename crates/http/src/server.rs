//! A server: threads, the services on them, and their end.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, watch, Semaphore};

use crate::body::Budget;
use crate::exchange::Shared;
use crate::figures::Figures;
use crate::inbox::{Inbox, Notify};
use crate::published::Published;
use crate::settings::HttpSettings;
use crate::tls::Tls;
use crate::worker::{self, Command, Crew, Inlet, Served};

/// A running server. Dropping it cuts everybody off.
#[derive(Debug)]
pub struct HttpServer {
    inbox: Arc<Inbox>,
    crew: Crew,
    stop: watch::Sender<Option<Duration>>,
    services: AtomicUsize,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// A service of a server: what was published for it.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its number, which its requests carry.
    pub number: usize,
    /// Its published replies.
    pub published: Arc<Published>,
    /// What it has answered.
    pub figures: Arc<Figures>,
}

/// What may be different with a service.
#[derive(Debug, Clone, Default)]
pub struct Serving {
    /// How paths end to which bodies without a length are handed over in pieces.
    pub in_pieces: Option<Arc<str>>,
    /// Connections go through TLS.
    pub tls: Option<Tls>,
}

impl HttpServer {
    /// Starts the threads; nobody is let in before [`HttpServer::serve`]. `notify` is called when the inbox is no
    /// longer empty.
    pub fn start(settings: HttpSettings, notify: Notify) -> io::Result<HttpServer> {
        let (stop, stopping) = watch::channel(None);
        let threads = 0..settings.threads.max(1);
        let (senders, receivers): (Vec<_>, Vec<_>) =
            threads.clone().map(|_| mpsc::unbounded_channel()).unzip();
        let (couriers, deliveries): (Vec<_>, Vec<_>) = threads.map(|_| mpsc::unbounded_channel()).unzip();
        let inbox = Arc::new(Inbox::new(notify, couriers.into()));
        let permits = Arc::new(Semaphore::new(settings.connections_max));
        let crew = Crew { workers: senders.into(), permits, stopping };
        let budget = Budget::new(settings.bodies_bytes_max);
        let may_stay_awake = std::thread::available_parallelism().is_ok_and(|count| count.get() > 1);
        let shared = Arc::new(Shared { may_stay_awake, settings, inbox: inbox.clone(), budget });
        let server =
            HttpServer { inbox, crew, stop, services: AtomicUsize::new(0), threads: Mutex::default() };
        for (number, (commands, deliveries)) in receivers.into_iter().zip(deliveries).enumerate() {
            let inlet = Inlet { commands, deliveries };
            let thread = start_worker(number, shared.clone(), server.crew.clone(), inlet)?;
            server.threads.lock().push(thread);
        }
        Ok(server)
    }

    /// Serves whoever connects to `listener`; up to `published_bytes_max` bytes of replies may be published.
    pub fn serve(&self, listener: TcpListener, published_bytes_max: usize) -> io::Result<Service> {
        self.serve_with(listener, published_bytes_max, Serving::default())
    }

    /// As [`HttpServer::serve`], otherwise than usual.
    pub fn serve_with(
        &self,
        listener: TcpListener,
        published_bytes_max: usize,
        how: Serving,
    ) -> io::Result<Service> {
        listener.set_nonblocking(true)?;
        let number = self.services.fetch_add(1, Ordering::Relaxed);
        let published = Arc::new(Published::new(published_bytes_max));
        let Serving { in_pieces, tls } = how;
        let figures = Arc::new(Figures::default());
        let served = Served {
            service: number,
            published: published.clone(),
            figures: figures.clone(),
            in_pieces,
            tls,
        };
        let command = Command::Listen { listener, served };
        self.crew.workers[0].send(command).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(Service { number, published, figures })
    }

    /// Requests that wait for the application.
    pub fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// Lets nobody in any more; who waits for an answer may get it within `grace`. Stopping twice does nothing.
    pub fn stop(&self, grace: Duration) {
        let _ = self.stop.send(Some(grace));
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                log::error!("http: a thread has ended with a panic");
            }
        }
        self.inbox.close();
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

fn start_worker(number: usize, shared: Arc<Shared>, crew: Crew, inlet: Inlet) -> io::Result<JoinHandle<()>> {
    let inbox = shared.inbox.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .on_thread_park(move || inbox.settle())
        .build()?;
    std::thread::Builder::new().name(format!("http-{number}")).spawn(move || {
        runtime.block_on(worker::run(number, shared, crew, inlet));
    })
}
