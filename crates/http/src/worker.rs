//! A thread that talks to clients: accepts them, and serves its share of them.

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::courier::{deliver, Delivery};
use crate::exchange::{answer, Origin, Shared};
use crate::figures::Figures;
use crate::patience::Patience;
use crate::published::Published;
use crate::subject;
use crate::tls::Tls;
use crate::websocket;

/// What a worker is told.
#[derive(Debug)]
pub(crate) enum Command {
    /// Accept connections of this service, and share them among the workers.
    Listen { listener: std::net::TcpListener, served: Served },
    /// Serve a connection.
    Serve(Accepted),
}

/// What the connections of a service have in common.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    pub(crate) service: usize,
    pub(crate) published: Arc<Published>,
    pub(crate) figures: Arc<Figures>,
    /// How paths end to which bodies without a length are sent in pieces.
    pub(crate) in_pieces: Option<Arc<str>>,
    /// None: connections are in clear.
    pub(crate) tls: Option<Tls>,
}

/// A connection on its way to the worker that will serve it.
#[derive(Debug)]
pub(crate) struct Accepted {
    stream: std::net::TcpStream,
    peer: SocketAddr,
    served: Served,
    permit: OwnedSemaphorePermit,
}

/// How workers reach one another, and hear of the end.
#[derive(Debug, Clone)]
pub(crate) struct Crew {
    pub(crate) workers: Arc<[mpsc::UnboundedSender<Command>]>,
    pub(crate) permits: Arc<Semaphore>,
    /// Some once the server stops: the time that exchanges in hand are given.
    pub(crate) stopping: watch::Receiver<Option<Duration>>,
}

/// What reaches a worker from others.
#[derive(Debug)]
pub(crate) struct Inlet {
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
    pub(crate) deliveries: mpsc::UnboundedReceiver<Delivery>,
}

/// Serves, as the worker of this number, until it is told to stop; then until its connections have ended or their
/// time is over.
pub(crate) async fn run(number: usize, shared: Arc<Shared>, mut crew: Crew, inlet: Inlet) {
    let Inlet { mut commands, deliveries } = inlet;
    // Up to the end of the thread: who waits while the server stops is answered too.
    tokio::spawn(deliver(deliveries));
    let mut connections = JoinSet::new();
    let mut acceptors = JoinSet::new();
    let mut stopping = crew.stopping.clone();
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Listen { listener, served }) => {
                    acceptors.spawn(accept(listener, served, crew.clone()));
                }
                Some(Command::Serve(accepted)) => {
                    connections.spawn(serve(number, shared.clone(), accepted, crew.stopping.clone()));
                }
                None => break,
            },
            Some(ended) = connections.join_next(), if !connections.is_empty() => {
                if let Err(error) = ended {
                    log::error!("http: a connection has ended with a panic: {error}");
                }
            }
            _ = stopping.changed() => break,
        }
    }
    acceptors.shutdown().await;
    let grace = crew.stopping.borrow_and_update().unwrap_or_default();
    let ended = async { while connections.join_next().await.is_some() {} };
    // Whoever is not done by then is cut off, with the runtime.
    let _ = tokio::time::timeout(grace, ended).await;
}

async fn accept(listener: std::net::TcpListener, served: Served, crew: Crew) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return log::error!("http: a listener can't be watched: {error}"),
    };
    let mut next = 0;
    loop {
        let Ok(permit) = crew.permits.clone().acquire_owned().await else { return };
        let accepted = listener.accept().await;
        let Some((stream, peer)) = usable(accepted).await else { continue };
        let Ok(stream) = stream.into_std() else { continue };
        let accepted = Accepted { stream, peer, served: served.clone(), permit };
        next = (next + 1) % crew.workers.len();
        // A worker that has ended takes its connections with it: the server stops.
        let _ = crew.workers[next].send(Command::Serve(accepted));
    }
}

/// Pause after an error of accept: most often there is no descriptor to be had, and the next try would fail as well.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

async fn usable(accepted: std::io::Result<(TcpStream, SocketAddr)>) -> Option<(TcpStream, SocketAddr)> {
    match accepted {
        Ok((stream, peer)) => {
            // Without it a reply might wait for an acknowledgement; with an error the stream is broken anyway.
            stream.set_nodelay(true).ok()?;
            Some((stream, peer))
        }
        Err(error) => {
            log::warn!("http: can't accept a connection: {error}");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn serve(
    thread: usize,
    shared: Arc<Shared>,
    accepted: Accepted,
    stopping: watch::Receiver<Option<Duration>>,
) {
    let Accepted { stream, peer, served, permit } = accepted;
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    let _connected = served.figures.connected();
    let tls = served.tls.clone();
    let origin = |subject| {
        let (shared, websocket) = (shared.clone(), Mutex::new(None));
        let is_quick = AtomicBool::new(false);
        let stopping = stopping.clone();
        Arc::new(Origin { shared, served, thread, peer, subject, is_quick, websocket, stopping })
    };
    let Some(tls) = tls else { return exchange(origin(None), stream, permit).await };
    let mut stopped_before = stopping.clone();
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(HANDSHAKE_TIME_MAX, TlsAcceptor::from(tls.0).accept(stream)) => shaken,
        () = stopped(&mut stopped_before) => return,
    };
    match shaken {
        Ok(Ok(stream)) => {
            let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
            let subject = certificates.first().and_then(|certificate| subject::name(certificate));
            exchange(origin(subject.map(Arc::from)), stream, permit).await;
        }
        Ok(Err(error)) => log::debug!("http: no TLS with {peer}: {error}"),
        Err(_) => log::debug!("http: no TLS with {peer}: it takes too long"),
    }
}

/// Longest time until client and server trust each other.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// Answers what comes on a connection, until it ends.
async fn exchange<S>(origin: Arc<Origin>, stream: S, permit: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (peer, mut stopping) = (origin.peer, origin.stopping.clone());
    let settings = &origin.shared.settings;
    let stream = TokioIo::new(Patience::new(stream, settings.write_time_max));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(settings.head_time_max)
        .max_buf_size(settings.head_bytes_max)
        .max_headers(settings.headers_max);
    let serving = origin.clone();
    let connection = builder.serve_connection(stream, service_fn(move |request| answer(&serving, request)));
    let mut connection = std::pin::pin!(connection.with_upgrades());
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stopped(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    let becomes = origin.websocket.lock().take();
    match (served, becomes) {
        (Ok(()), Some((upgrade, outlet))) => websocket::serve(upgrade, outlet, stopping).await,
        (Err(error), _) => log::debug!("http: the connection of {peer} has ended: {error}"),
        (Ok(()), None) => {}
    }
    drop(permit);
}

async fn stopped(stopping: &mut watch::Receiver<Option<Duration>>) {
    // An error means that the server is gone, which is the same.
    let _ = stopping.wait_for(Option::is_some).await;
}
