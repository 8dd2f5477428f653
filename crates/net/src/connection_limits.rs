//! How many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::settings::NetworkSettings;

/// Counts the open connections of all reactors.
#[derive(Debug)]
pub(crate) struct ConnectionLimits {
    bounds: RwLock<ConnectionBounds>,
    open: Mutex<Open>,
}

/// How many connections there may be. May change while the network runs: connections above a new bound stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionBounds {
    /// `max.connections`: of all listeners. Above it, clients wait in the backlog.
    pub connections_max: usize,
    /// `max.connections.per.ip`: above it, connections are closed at once.
    pub per_ip_max: usize,
    /// `max.connections.per.ip.overrides`.
    pub per_ip_overrides: HashMap<IpAddr, usize>,
}

impl Default for ConnectionBounds {
    fn default() -> Self {
        ConnectionBounds {
            connections_max: i32::MAX as usize,
            per_ip_max: i32::MAX as usize,
            per_ip_overrides: HashMap::new(),
        }
    }
}

#[derive(Debug, Default)]
struct Open {
    count: usize,
    by_ip: HashMap<IpAddr, usize>,
    acceptor_waits: bool,
}

/// Room for one connection; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    limits: Arc<ConnectionLimits>,
    ip: IpAddr,
    full_again: Option<Arc<mio::Waker>>,
}

impl ConnectionLimits {
    pub(crate) fn new(settings: &NetworkSettings) -> Self {
        ConnectionLimits { bounds: RwLock::new(settings.connections.clone()), open: Mutex::default() }
    }

    /// Replaces the bounds.
    pub(crate) fn set_bounds(&self, bounds: ConnectionBounds) {
        *self.bounds.write() = bounds;
    }

    /// Whether one more connection may be accepted. After a "no", the next [`Slot`] that is dropped wakes the
    /// acceptor.
    pub(crate) fn has_room(&self) -> bool {
        let connections_max = self.bounds.read().connections_max;
        let mut open = self.open.lock();
        open.acceptor_waits = open.count >= connections_max;
        !open.acceptor_waits
    }

    /// Takes room for a connection from `ip`; None when that address has all it may have.
    pub(crate) fn take(self: &Arc<Self>, ip: IpAddr, acceptor: &Arc<mio::Waker>) -> Option<Slot> {
        let per_ip_max = {
            let bounds = self.bounds.read();
            bounds.per_ip_overrides.get(&ip).copied().unwrap_or(bounds.per_ip_max)
        };
        let mut open = self.open.lock();
        let from_ip = open.by_ip.get(&ip).copied().unwrap_or(0);
        if from_ip >= per_ip_max {
            return None;
        }
        open.by_ip.insert(ip, from_ip + 1);
        open.count += 1;
        Some(Slot { limits: self.clone(), ip, full_again: Some(acceptor.clone()) })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.limits.open.lock();
        open.count -= 1;
        if let Some(from_ip) = open.by_ip.get_mut(&self.ip) {
            *from_ip -= 1;
            if *from_ip == 0 {
                open.by_ip.remove(&self.ip);
            }
        }
        if std::mem::take(&mut open.acceptor_waits) {
            if let Some(acceptor) = self.full_again.take() {
                if let Err(error) = acceptor.wake() {
                    log::error!("Can't wake the acceptor: {error}");
                }
            }
        }
    }
}
