//! Delegation tokens (KIP-48, KIP-900).

use std::sync::Arc;

use barnabas_protocol::Millis;
use imbl::OrdMap;

/// One token, without its secret: that is derived from the id and the cluster's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelegationToken {
    /// Principal that the token stands for.
    pub owner: Arc<str>,
    /// Principal that asked for it.
    pub requester: Arc<str>,
    /// Principals that may renew it.
    pub renewers: Vec<Arc<str>>,
    /// When it was issued.
    pub issue_timestamp: Millis,
    /// When it can't be renewed any more.
    pub max_timestamp: Millis,
    /// When it must be renewed next.
    pub expiration_timestamp: Millis,
}

/// All tokens, by id.
#[derive(Debug, Clone, Default)]
pub struct TokensImage {
    tokens: OrdMap<Arc<str>, Arc<DelegationToken>>,
}

impl TokensImage {
    /// One token.
    pub fn get(&self, id: &str) -> Option<&Arc<DelegationToken>> {
        self.tokens.get(id)
    }

    /// All tokens in order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<DelegationToken>)> {
        self.tokens.iter()
    }

    /// Whether both are one value in memory.
    pub(crate) fn ptr_eq(&self, other: &Self) -> bool {
        self.tokens.ptr_eq(&other.tokens)
    }

    pub(crate) fn set(&mut self, id: &str, token: DelegationToken) {
        self.tokens.insert(id.into(), Arc::new(token));
    }

    pub(crate) fn remove(&mut self, id: &str) {
        self.tokens.remove(id);
    }
}
