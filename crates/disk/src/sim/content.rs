//! The content of a simulated file: what programs see, and what a power failure leaves of it.

use super::random::Random;

/// What a disk writes whole or not at all, in bytes.
const SECTOR_BYTES: usize = 512;

/// A change that was not synced yet.
#[derive(Debug)]
enum Change {
    Write { position: usize, data: Vec<u8> },
    SetLen(usize),
}

/// One file's bytes.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// As programs see them.
    pub(super) bytes: Vec<u8>,
    /// As they were synced last.
    durable: Vec<u8>,
    /// Since then, in order.
    pending: Vec<Change>,
}

/// How much a power failure leaves of what was not synced.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mercy {
    Nothing,
    Everything,
    /// Any part of it, in any order: whole changes are dropped, writes lose some of their sectors.
    Chance,
}

impl Content {
    pub(super) fn write(&mut self, position: usize, data: &[u8]) {
        write_to(&mut self.bytes, position, data);
        self.pending.push(Change::Write { position, data: data.to_vec() });
    }

    pub(super) fn set_len(&mut self, length: usize) {
        self.bytes.resize(length, 0);
        self.pending.push(Change::SetLen(length));
    }

    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            match change {
                Change::Write { position, data } => write_to(&mut self.durable, position, &data),
                Change::SetLen(length) => self.durable.resize(length, 0),
            }
        }
    }

    pub(super) fn lose_power(&mut self, mercy: Mercy, random: &mut Random) {
        for change in self.pending.drain(..) {
            match (mercy, change) {
                (Mercy::Nothing, _) => {}
                (Mercy::Everything, Change::Write { position, data }) => {
                    write_to(&mut self.durable, position, &data);
                }
                (Mercy::Everything, Change::SetLen(length)) => self.durable.resize(length, 0),
                (Mercy::Chance, Change::Write { position, data }) => {
                    tear(&mut self.durable, position, &data, random);
                }
                (Mercy::Chance, Change::SetLen(length)) => {
                    if random.one_in(2) {
                        self.durable.resize(length, 0);
                    }
                }
            }
        }
        self.bytes.clone_from(&self.durable);
    }
}

fn write_to(bytes: &mut Vec<u8>, position: usize, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    if bytes.len() < position + data.len() {
        bytes.resize(position + data.len(), 0);
    }
    bytes[position..position + data.len()].copy_from_slice(data);
}

/// Writes some sectors of `data`. The length may grow without its bytes: file systems note it on its own.
fn tear(bytes: &mut Vec<u8>, position: usize, data: &[u8], random: &mut Random) {
    if random.one_in(3) {
        return;
    }
    let whole = random.one_in(3);
    if (whole || random.one_in(2)) && bytes.len() < position + data.len() {
        bytes.resize(position + data.len(), 0);
    }
    let mut from = 0;
    while from < data.len() {
        let to = (from + SECTOR_BYTES - (position + from) % SECTOR_BYTES).min(data.len());
        if whole || random.one_in(2) {
            write_to(bytes, position + from, &data[from..to]);
        }
        from = to;
    }
}
