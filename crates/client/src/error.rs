//! What can go wrong for a user of a client.

use barnabas_protocol::error::ErrorCode;

/// Why a record was not delivered, or a call not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The broker said so; the text is its own, or that of the code.
    #[error("{message}")]
    Broker {
        /// The code of the answer.
        code: ErrorCode,
        /// What happened, with names.
        message: String,
    },
    /// Nothing came of it in time.
    #[error("{0}")]
    Timeout(String),
    /// It was part of a transaction that is not committed.
    #[error("the transaction was aborted")]
    Aborted,
    /// The buffer had no room for `max.block.ms`.
    #[error("no room in buffer.memory={buffer_memory} for {max_block_ms} ms")]
    BufferFull {
        /// `buffer.memory`.
        buffer_memory: usize,
        /// `max.block.ms`.
        max_block_ms: i64,
    },
    /// One record that is larger than a request, or than the buffer.
    #[error("a record of {size} bytes is over {config}={limit}")]
    RecordTooLarge {
        /// Bytes that the record takes at most.
        size: usize,
        /// The config that forbids it.
        config: &'static str,
        /// Its value.
        limit: usize,
    },
    /// A partition that the topic does not have.
    #[error("topic {topic} has no partition {partition}: it has {count}")]
    NoPartition {
        /// The topic.
        topic: String,
        /// The number asked for.
        partition: i32,
        /// How many it has.
        count: usize,
    },
    /// A position that no log has, while `auto.offset.reset` is `none`.
    #[error("{topic}-{partition} has no position, and auto.offset.reset=none: {reason}")]
    NoOffset {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// What was tried.
        reason: String,
    },
    /// What was read is not in the log any more, while `auto.offset.reset` is `none` (KIP-320).
    #[error(
        "{topic}-{partition} was truncated: what was read up to {position} is gone, and the log differs from \
         {divergent} on (-1: nobody knows from where on)"
    )]
    Truncated {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Offset of the record that would come next.
        position: i64,
        /// The first offset at which the log differs.
        divergent: i64,
    },
    /// A regular expression that is none.
    #[error("the pattern is no regular expression: {0}")]
    Pattern(String),
    /// Something of a group was asked of a consumer that has none.
    #[error("group.id is not set")]
    NoGroup,
    /// Bytes of a broker that are not what they should be.
    #[error("{0}")]
    Corrupt(String),
    /// The two sides don't trust or understand each other.
    #[error("{0}")]
    Tls(String),
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
    /// Something the operating system refused.
    #[error("{0}")]
    Io(String),
}

impl ClientError {
    /// The same, with the broker that it is about.
    #[must_use]
    pub fn at(self, host: &str, port: u16) -> ClientError {
        match self {
            ClientError::Broker { code, message } => {
                ClientError::Broker { code, message: format!("{host}:{port}: {message}") }
            }
            ClientError::Tls(message) => ClientError::Tls(format!("{host}:{port}: {message}")),
            other => other,
        }
    }

    /// The error of a code, with what it was about.
    pub fn broker(code: ErrorCode, about: &str) -> ClientError {
        ClientError::Broker { code, message: format!("{about}: {} ({})", code.message(), code.name()) }
    }
}
