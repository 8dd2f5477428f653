//! SCRAM credentials of users (KIP-900).

use std::sync::Arc;

use imbl::OrdMap;

/// Which hash a credential is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScramMechanism(pub i8);

impl ScramMechanism {
    /// SCRAM-SHA-256.
    pub const SHA_256: ScramMechanism = ScramMechanism(1);
    /// SCRAM-SHA-512.
    pub const SHA_512: ScramMechanism = ScramMechanism(2);
}

/// What a server keeps of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramCredential {
    /// Random bytes.
    pub salt: Box<[u8]>,
    /// Checks the client.
    pub stored_key: Box<[u8]>,
    /// Proves the server.
    pub server_key: Box<[u8]>,
    /// Rounds of the hash.
    pub iterations: i32,
}

impl std::fmt::Debug for ScramCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Keys stay out of logs and of messages of failed assertions.
        f.debug_struct("ScramCredential").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

/// All credentials.
#[derive(Debug, Clone, Default)]
pub struct ScramImage {
    credentials: OrdMap<(ScramMechanism, Arc<str>), Arc<ScramCredential>>,
}

impl ScramImage {
    /// A user's credential for a mechanism.
    pub fn get(&self, mechanism: ScramMechanism, user: &str) -> Option<&Arc<ScramCredential>> {
        self.credentials.get(&(mechanism, Arc::from(user)))
    }

    /// (mechanism, user, credential) in order of mechanism and user.
    pub fn iter(&self) -> impl Iterator<Item = (ScramMechanism, &Arc<str>, &Arc<ScramCredential>)> {
        self.credentials.iter().map(|((mechanism, user), credential)| (*mechanism, user, credential))
    }

    /// Whether both are one value in memory.
    pub(crate) fn ptr_eq(&self, other: &Self) -> bool {
        self.credentials.ptr_eq(&other.credentials)
    }

    pub(crate) fn set(&mut self, mechanism: ScramMechanism, user: &str, credential: ScramCredential) {
        self.credentials.insert((mechanism, user.into()), Arc::new(credential));
    }

    /// Removes a credential; whether there was one.
    pub(crate) fn remove(&mut self, mechanism: ScramMechanism, user: &str) -> bool {
        self.credentials.remove(&(mechanism, Arc::from(user))).is_some()
    }
}
