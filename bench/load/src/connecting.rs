//! How the load connects.

use std::net::{TcpStream, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};

use crate::error::LoadError;

/// A connection that sends at once. Where the system's congestion control is BBR it would
/// pace from timers what goes to this machine itself: the figures would be the pace, not the broker's.
pub(crate) fn connect(address: &str) -> Result<TcpStream, LoadError> {
    let address = address.to_socket_addrs()?.next().ok_or(LoadError::Closed)?;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    #[cfg(target_os = "linux")]
    if address.ip().is_loopback() {
        // Before it connects: what was paced once stays so. Reno is there everywhere, and open to everybody.
        let _ = socket.set_tcp_congestion(b"reno");
    }
    socket.connect(&address.into())?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket.into())
}
