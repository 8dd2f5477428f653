//! A socket to a broker, in clear or under TLS: bytes of requests go in, bytes of answers come out.
//!
//! Always true:
//!   nothing is read or written before [`Transport::establish`] has said that the connection is there
//!   what was written and could not be sent yet is sent by [`Transport::flush`], when the socket takes more

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::SocketAddr;

use mio::event::Source;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::ClientConnection;

/// Why a connection did not come about.
#[derive(Debug)]
pub enum NoConnection {
    /// The network says so: another address may do.
    Network(io::Error),
    /// The two sides don't understand or trust each other, and would not next time.
    Tls(rustls::Error),
    /// The other side has hung up, under TLS in the middle of the handshake.
    HungUp,
}

/// Whether an error says that the other side has ended the connection. Which of them it is, or a plain end,
/// hangs on what was on its way just then.
pub fn is_hang_up(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset)
}

/// A socket that begins to connect; whether the connection is there comes out with [`Transport::establish`].
pub fn open(address: SocketAddr) -> io::Result<TcpStream> {
    #[cfg(target_os = "linux")]
    let stream = if address.ip().is_loopback() { unpaced(address)? } else { TcpStream::connect(address)? };
    #[cfg(not(target_os = "linux"))]
    let stream = TcpStream::connect(address)?;
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// A socket to this machine. Where the system's congestion control is BBR it would pace from timers what is sent, for
/// the sake of a network that is not there: Apache Kafka's network thread takes half as long again for the pieces that
/// come of it. Reno is there everywhere, and open to everybody.
#[cfg(target_os = "linux")]
fn unpaced(address: SocketAddr) -> io::Result<TcpStream> {
    use socket2::{Domain, Protocol, Socket, Type};

    let kind = Type::STREAM.nonblocking();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    // Before it connects: what was paced once stays so.
    let _ = socket.set_tcp_congestion(b"reno");
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

/// One connection.
#[derive(Debug)]
pub struct Transport {
    stream: TcpStream,
    session: Option<Box<ClientConnection>>,
}

impl Transport {
    /// Over a socket that may not be connected yet.
    pub fn new(stream: TcpStream, session: Option<ClientConnection>) -> Transport {
        Transport { stream, session: session.map(Box::new) }
    }

    /// Whether it goes through TLS.
    pub fn is_secured(&self) -> bool {
        self.session.is_some()
    }

    /// Goes on until the connection is there: true then, false when the socket has to do something first.
    pub fn establish(&mut self) -> Result<bool, NoConnection> {
        match self.shake_hands() {
            Err(NoConnection::Network(error)) if is_hang_up(&error) => Err(NoConnection::HungUp),
            other => other,
        }
    }

    fn shake_hands(&mut self) -> Result<bool, NoConnection> {
        match self.stream.take_error() {
            Ok(None) if self.stream.peer_addr().is_ok() => {}
            Ok(None) => return Ok(false),
            Ok(Some(error)) | Err(error) => return Err(NoConnection::Network(error)),
        }
        while self.session.as_ref().is_some_and(|session| session.is_handshaking()) {
            match self.flush() {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(NoConnection::Network(error)),
            }
            if self.session.as_ref().is_some_and(|session| session.is_handshaking()) {
                match self.take_in()? {
                    Some(0) => return Err(NoConnection::HungUp),
                    Some(_) => {}
                    None => return Ok(false),
                }
            }
        }
        match self.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(NoConnection::Network(error)),
            _ => Ok(true),
        }
    }

    /// Takes what the socket has into the session; None when it has nothing, 0 at its end.
    fn take_in(&mut self) -> Result<Option<usize>, NoConnection> {
        let Some(session) = self.session.as_mut() else { return Ok(None) };
        let count = match session.read_tls(&mut self.stream) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(NoConnection::Network(error)),
        };
        if let Err(error) = session.process_new_packets() {
            // The alert that tells the other side why.
            let _ = session.write_tls(&mut self.stream);
            return Err(NoConnection::Tls(error));
        }
        Ok(Some(count))
    }

    /// Bytes of answers; 0 at the end.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(session) = self.session.as_mut() else { return self.stream.read(buffer) };
            match session.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Who ends without saying so is taken at his word, as with a socket in clear: frames have lengths.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                other => return other,
            }
            match self.take_in() {
                Ok(Some(0)) => return Ok(0),
                Ok(Some(_)) => {}
                Ok(None) => return Err(ErrorKind::WouldBlock.into()),
                Err(NoConnection::Network(error)) => return Err(error),
                Err(NoConnection::Tls(error)) => return Err(io::Error::new(ErrorKind::InvalidData, error)),
                Err(NoConnection::HungUp) => return Ok(0),
            }
        }
    }

    /// Whether nothing lies between the bytes of answers and the socket: it is empty when it gives less than it is
    /// asked for.
    pub fn is_clear(&self) -> bool {
        self.session.is_none()
    }

    /// Whether bytes wait here that the socket has given already, so that it will not announce them.
    pub fn holds_input(&mut self) -> bool {
        let Some(session) = self.session.as_mut() else { return false };
        matches!(session.process_new_packets(), Ok(state) if state.plaintext_bytes_to_read() > 0)
    }

    /// Writes what there is room for; how many bytes that was.
    pub fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.flush()?;
        let Some(session) = self.session.as_mut() else { return self.stream.write_vectored(slices) };
        let count = session.writer().write_vectored(slices)?;
        match self.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(count),
        }
    }

    /// Sends what was written before.
    pub fn flush(&mut self) -> io::Result<()> {
        let Some(session) = self.session.as_mut() else { return Ok(()) };
        while session.wants_write() {
            match session.write_tls(&mut self.stream) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => drop(other?),
            }
        }
        Ok(())
    }
}

impl Source for Transport {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.stream.register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.stream.reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.stream.deregister(registry)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpListener;

    use socket2::SockRef;

    use super::*;

    #[test]
    fn a_connection_within_the_machine_is_not_paced() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = open(listener.local_addr().unwrap()).unwrap();
        let algorithm = SockRef::from(&stream).tcp_congestion().unwrap();
        assert!(algorithm.starts_with(b"reno"), "{algorithm:?}");
        assert!(stream.nodelay().unwrap());
    }
}
