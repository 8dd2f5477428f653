//! Listening sockets: bound before the node serves, so that a port is known, and a failure said, early.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};

use crate::settings::ListenerSettings;

/// Why a listener can't be bound. Each cause wants another remedy, so each is a variant.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else listens there.
    #[error("listener {listener}: {address} is in use")]
    AddressInUse {
        /// The listener.
        listener: String,
        /// Where it should listen.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The machine does not have the address.
    #[error("listener {listener}: {address} is not an address of this machine")]
    AddressNotAvailable {
        /// The listener.
        listener: String,
        /// Where it should listen.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The port needs rights that the process lacks.
    #[error("listener {listener}: no permission to listen on {address}")]
    PermissionDenied {
        /// The listener.
        listener: String,
        /// Where it should listen.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The host name has no address.
    #[error("listener {listener}: host name {host} can't be resolved")]
    Resolve {
        /// The listener.
        listener: String,
        /// The host name.
        host: String,
        /// What the resolver said; None when it found nothing.
        source: Option<io::Error>,
    },
    /// Anything else.
    #[error("listener {listener}: can't listen on {address}")]
    Other {
        /// The listener.
        listener: String,
        /// Where it should listen.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
}

impl BindError {
    fn new(listener: &str, address: SocketAddr, source: io::Error) -> Self {
        let listener = listener.to_owned();
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::AddressInUse { listener, address, source },
            io::ErrorKind::AddrNotAvailable => Self::AddressNotAvailable { listener, address, source },
            io::ErrorKind::PermissionDenied => Self::PermissionDenied { listener, address, source },
            _ => Self::Other { listener, address, source },
        }
    }
}

/// A socket that listens: clients can connect, and wait in its backlog until the network starts.
#[derive(Debug)]
pub struct BoundListener {
    pub(crate) name: Arc<str>,
    pub(crate) socket: std::net::TcpListener,
    address: SocketAddr,
}

impl BoundListener {
    /// Binds and listens.
    pub fn bind(settings: &ListenerSettings) -> Result<Self, BindError> {
        let mut failure = None;
        for address in addresses(settings)? {
            match listen(address, settings.backlog) {
                Ok(socket) => match socket.local_addr() {
                    Ok(bound) => {
                        return Ok(BoundListener {
                            name: settings.name.as_str().into(),
                            socket,
                            address: bound,
                        });
                    }
                    Err(error) => failure = Some((address, error)),
                },
                // A machine without IPv6: the wildcard is then that of IPv4, tried next.
                Err(error) => {
                    failure = failure.filter(|_| settings.host.is_empty()).or(Some((address, error)))
                }
            }
        }
        match failure {
            Some((address, error)) => Err(BindError::new(&settings.name, address, error)),
            None => Err(BindError::Resolve {
                listener: settings.name.clone(),
                host: settings.host.clone(),
                source: None,
            }),
        }
    }

    /// Name of the listener.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The socket, for who serves it by other means.
    pub fn into_socket(self) -> std::net::TcpListener {
        self.socket
    }
}

/// Addresses to try, best first.
fn addresses(settings: &ListenerSettings) -> Result<Vec<SocketAddr>, BindError> {
    if settings.host.is_empty() {
        return Ok(vec![
            (Ipv6Addr::UNSPECIFIED, settings.port).into(),
            (Ipv4Addr::UNSPECIFIED, settings.port).into(),
        ]);
    }
    match (settings.host.as_str(), settings.port).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.collect()),
        Err(source) => Err(BindError::Resolve {
            listener: settings.name.clone(),
            host: settings.host.clone(),
            source: Some(source),
        }),
    }
}

fn listen(address: SocketAddr, backlog: i32) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    // A restart must not wait for connections in TIME_WAIT; on Unix this does not allow a second listener.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    #[cfg(target_os = "linux")]
    if address.ip().is_loopback() {
        // Where the system's congestion control is BBR it would pace from timers what goes to this machine itself.
        // Connections have what the listener had; Reno is there everywhere, and open to everybody.
        let _ = socket.set_tcp_congestion(b"reno");
    }
    socket.listen(backlog)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_zero_becomes_a_real_port() {
        let listener = BoundListener::bind(&ListenerSettings::new("PLAINTEXT", "127.0.0.1", 0)).unwrap();
        assert_ne!(listener.address().port(), 0);
        assert_eq!(listener.name(), "PLAINTEXT");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn connections_within_the_machine_are_not_paced() {
        let listener = BoundListener::bind(&ListenerSettings::new("A", "127.0.0.1", 0)).unwrap();
        let algorithm = socket2::SockRef::from(&listener.socket).tcp_congestion().unwrap();
        assert!(algorithm.starts_with(b"reno"), "{algorithm:?}");
    }

    #[test]
    fn second_listener_on_a_port_is_told_that_it_is_in_use() {
        for host in ["127.0.0.1", ""] {
            let first = BoundListener::bind(&ListenerSettings::new("A", host, 0)).unwrap();
            let error =
                BoundListener::bind(&ListenerSettings::new("B", host, first.address().port())).unwrap_err();
            assert!(matches!(error, BindError::AddressInUse { .. }), "{error:?}");
            assert!(error.to_string().starts_with("listener B: "), "{error}");
        }
    }

    #[test]
    fn foreign_address_is_not_available() {
        // 192.0.2.0/24 is for documentation: no machine has it.
        let error = BoundListener::bind(&ListenerSettings::new("A", "192.0.2.1", 0)).unwrap_err();
        assert!(matches!(error, BindError::AddressNotAvailable { .. }), "{error:?}");
    }

    #[test]
    fn unknown_host_is_named() {
        let error = BoundListener::bind(&ListenerSettings::new("A", "no such host", 0)).unwrap_err();
        assert!(matches!(&error, BindError::Resolve { host, .. } if host == "no such host"), "{error:?}");
    }
}
