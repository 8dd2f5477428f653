//! How many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::settings::NetworkSettings;

/// Counts the open connections of all reactors.
#[derive(Debug)]
pub(crate) struct ConnectionLimits {
    connections_max: usize,
    per_ip_max: usize,
    per_ip_overrides: HashMap<IpAddr, usize>,
    open: Mutex<Open>,
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
        ConnectionLimits {
            connections_max: settings.connections_max,
            per_ip_max: settings.connections_per_ip_max,
            per_ip_overrides: settings.connections_per_ip_overrides.clone(),
            open: Mutex::default(),
        }
    }

    /// Whether one more connection may be accepted. After a "no", the next [`Slot`] that is dropped wakes the
    /// acceptor.
    pub(crate) fn has_room(&self) -> bool {
        let mut open = self.open.lock();
        open.acceptor_waits = open.count >= self.connections_max;
        !open.acceptor_waits
    }

    /// Takes room for a connection from `ip`; None when that address has all it may have.
    pub(crate) fn take(self: &Arc<Self>, ip: IpAddr, acceptor: &Arc<mio::Waker>) -> Option<Slot> {
        let per_ip_max = self.per_ip_overrides.get(&ip).copied().unwrap_or(self.per_ip_max);
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
