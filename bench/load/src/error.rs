//! Why a run gives no figures.

use barnabas_protocol::batch::BatchError;
use barnabas_protocol::batch_builder::BuildError;
use barnabas_protocol::record::RecordError;
use barnabas_protocol::wire::{DecodeError, EncodeError};

/// Why a run gives no figures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("a request can't be written: {0}")]
    Encode(#[from] EncodeError),
    #[error("a response can't be read: {0}")]
    Decode(#[from] DecodeError),
    #[error("a batch can't be built: {0}")]
    Build(#[from] BuildError),
    #[error("a batch can't be read: {0}")]
    Batch(#[from] BatchError),
    #[error("a record can't be read: {0}")]
    Record(#[from] RecordError),
    #[error("{api} was answered with error {code}")]
    Refused { api: &'static str, code: i16 },
    #[error("topic {0} has no leaders")]
    NoLeaders(String),
    #[error("the broker has closed a connection")]
    Closed,
    #[error("responses are missing after {0} s")]
    Silent(u64),
    #[error("an answer is no HTTP with a length")]
    NotHttp,
    #[error("of {records} records {answered} were written, {refused} refused")]
    Stream { records: usize, answered: usize, refused: usize },
    #[error("a thread of the load has panicked")]
    Panic,
}

impl LoadError {
    /// Nothing for code 0, the error otherwise.
    pub(crate) fn of(api: &'static str, code: i16) -> Result<(), LoadError> {
        if code == 0 {
            Ok(())
        } else {
            Err(LoadError::Refused { api, code })
        }
    }
}
