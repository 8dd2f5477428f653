//! Responses that wait to be sent: the sending half of a connection.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem;

use barnabas_disk::FileSlice;

use crate::service::Chunk;

/// Bytes up to this size are copied together with their neighbours; larger ones are sent from where they are.
const JOIN_BYTES_MAX: usize = 4 * 1024;
/// Size up to which small pieces are copied together.
const JOINED_BYTES_MAX: usize = 64 * 1024;
/// Parts of files up to this size are read and join their neighbours: sent from the file they take two calls more.
const READ_BYTES_MAX: usize = 8 * 1024;
/// An emptied buffer up to this size is kept for the next response.
const SPARE_BYTES_MAX: usize = 4 * 1024;

/// Why a response can't be sent. Its connection must be closed.
#[derive(Debug, thiserror::Error)]
pub enum ResponseError {
    /// Its size does not fit into the prefix of a frame.
    #[error("response of {bytes} bytes does not fit into a frame")]
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// A file that a part of it is in.
    #[error("a part of the response can't be read: {0}")]
    File(#[from] io::Error),
}

#[derive(Debug)]
enum Piece {
    /// Small pieces, copied together; grows while it is the last one.
    Joined(Vec<u8>),
    Bytes(Vec<u8>),
    File(FileSlice),
}

/// What goes to the socket next.
pub(crate) enum Front<'a> {
    /// A part of a file, from the given number of bytes after its beginning.
    File(&'a FileSlice, usize),
    /// This many slices were filled in; whether something else follows them.
    Bytes(usize, bool),
}

/// Unsent bytes of one connection, in the order in which they go out.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pieces: VecDeque<Piece>,
    /// Bytes of the first piece that are sent.
    sent: usize,
    unsent: u64,
    spare: Vec<u8>,
    /// The last response lacks its end: nothing may follow it.
    cut: bool,
}

impl Output {
    /// Bytes that wait.
    pub(crate) fn unsent(&self) -> u64 {
        self.unsent
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Whether the last response lacks its end.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }

    /// Adds one response behind those that wait.
    pub(crate) fn push(&mut self, chunks: Vec<Chunk>) -> Result<(), ResponseError> {
        let bytes: u64 = chunks.iter().map(length).sum();
        let size = i32::try_from(bytes).map_err(|_| ResponseError::TooLarge { bytes })?;
        self.join(&size.to_be_bytes());
        for chunk in chunks {
            match chunk {
                Chunk::Bytes(bytes) if bytes.len() <= JOIN_BYTES_MAX => self.join(&bytes),
                Chunk::Bytes(bytes) => self.add(Piece::Bytes(bytes)),
                Chunk::File(slice) if slice.length <= READ_BYTES_MAX => self.join_file(&slice)?,
                Chunk::File(slice) => self.add(Piece::File(slice)),
                Chunk::Missing(_) => self.cut = true,
            }
        }
        Ok(())
    }

    fn add(&mut self, piece: Piece) {
        self.unsent += piece.len() as u64;
        self.pieces.push_back(piece);
    }

    fn join(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            let mut joined = self.joined_with_room(bytes.len());
            joined.extend_from_slice(bytes);
            self.pieces.push_back(Piece::Joined(joined));
            self.unsent += bytes.len() as u64;
        }
    }

    fn join_file(&mut self, slice: &FileSlice) -> io::Result<()> {
        if slice.length > 0 {
            let mut joined = self.joined_with_room(slice.length);
            let start = joined.len();
            joined.resize(start + slice.length, 0);
            slice.file.read_exact_at(&mut joined[start..], slice.position)?;
            self.pieces.push_back(Piece::Joined(joined));
            self.unsent += slice.length as u64;
        }
        Ok(())
    }

    /// Takes the last piece out, if it has room for so many bytes more, or an empty one.
    fn joined_with_room(&mut self, count: usize) -> Vec<u8> {
        match self.pieces.pop_back() {
            Some(Piece::Joined(joined)) if joined.len() + count <= JOINED_BYTES_MAX => joined,
            other => {
                self.pieces.extend(other);
                mem::take(&mut self.spare)
            }
        }
    }

    /// What goes next: a file, or as many bytes as fit into `slices`. None when nothing waits.
    pub(crate) fn front<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> Option<Front<'a>> {
        if let Piece::File(slice) = self.pieces.front()? {
            return Some(Front::File(slice, self.sent));
        }
        let mut count = 0;
        let mut skip = self.sent;
        for (piece, slot) in self.pieces.iter().zip(slices.iter_mut()) {
            let Some(bytes) = piece.bytes() else { break };
            *slot = IoSlice::new(&bytes[mem::take(&mut skip)..]);
            count += 1;
        }
        Some(Front::Bytes(count, count < self.pieces.len()))
    }

    /// Notes that `count` bytes were sent.
    pub(crate) fn advance(&mut self, count: usize) {
        assert!(count as u64 <= self.unsent);
        self.unsent -= count as u64;
        self.sent += count;
        while let Some(length) = self.pieces.front().map(Piece::len) {
            if self.sent < length {
                return;
            }
            self.sent -= length;
            if let Some(Piece::Joined(mut joined)) = self.pieces.pop_front() {
                if joined.capacity() <= SPARE_BYTES_MAX {
                    joined.clear();
                    self.spare = joined;
                }
            }
        }
    }
}

impl Piece {
    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Piece::Joined(bytes) | Piece::Bytes(bytes) => Some(bytes),
            Piece::File(_) => None,
        }
    }

    fn len(&self) -> usize {
        match self {
            Piece::Joined(bytes) | Piece::Bytes(bytes) => bytes.len(),
            Piece::File(slice) => slice.length,
        }
    }
}

fn length(chunk: &Chunk) -> u64 {
    match chunk {
        Chunk::Bytes(bytes) => bytes.len() as u64,
        Chunk::File(slice) => slice.length as u64,
        Chunk::Missing(bytes) => *bytes,
    }
}
