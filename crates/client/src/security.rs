//! How a client talks to brokers: in clear or under TLS, as somebody or as nobody.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::sasl::Hash;
use crate::tls::Tls;

/// Where a client's chance comes from: nonces and jitter.
#[derive(Debug, Clone, Copy)]
pub struct Entropy(pub fn() -> u64);

impl Default for Entropy {
    /// None at all: for tests of what has nothing to do with chance.
    fn default() -> Self {
        Entropy(|| 0)
    }
}

/// All of `security.protocol`.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// None: in clear.
    pub tls: Option<Tls>,
    /// None: brokers are not told who this is, except by a certificate.
    pub sasl: Option<Sasl>,
    /// For nonces.
    pub entropy: Entropy,
}

/// How to prove who one is.
#[derive(Clone)]
pub enum Sasl {
    /// PLAIN: the password itself.
    Plain {
        /// Whose.
        username: String,
        /// In clear.
        password: String,
    },
    /// SCRAM: the proof that one knows the password.
    Scram {
        /// Of the mechanism.
        hash: Hash,
        /// Whose; the id of a delegation token.
        username: String,
        /// Or the HMAC of a delegation token.
        password: String,
        /// Whether it is a delegation token (KIP-48).
        token: bool,
    },
    /// OAUTHBEARER: a token that somebody else has given out.
    Bearer(Token),
}

impl Sasl {
    /// Kafka's name of the mechanism.
    pub fn mechanism(&self) -> &'static str {
        match self {
            Sasl::Plain { .. } => "PLAIN",
            Sasl::Scram { hash: Hash::Sha256, .. } => "SCRAM-SHA-256",
            Sasl::Scram { hash: Hash::Sha512, .. } => "SCRAM-SHA-512",
            Sasl::Bearer(_) => "OAUTHBEARER",
        }
    }
}

impl fmt::Debug for Sasl {
    // Without the secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sasl({})", self.mechanism())
    }
}

/// The token that connections use from now on; whoever gives tokens out replaces it.
#[derive(Clone, Default)]
pub struct Token(Arc<Mutex<String>>);

impl Token {
    /// Replaces it.
    pub fn set(&self, token: String) {
        *self.0.lock() = token;
    }

    /// The last one; empty while there is none.
    pub fn get(&self) -> String {
        self.0.lock().clone()
    }

    /// Whether anybody else may ask for it.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}
