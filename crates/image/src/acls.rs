//! Access control entries, by their ids.

use std::sync::Arc;

use barnabas_protocol::Uuid;
use imbl::OrdMap;

use crate::replay::ReplayError;

/// One access control entry. Numbers are Kafka's (`ResourceType`, `PatternType`, `AclOperation`, …).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    /// Kind of resource: 2 topic, 3 group, 4 cluster, 5 transactional id, 6 delegation token, 7 user.
    pub resource_type: i8,
    /// Name, or prefix of names.
    pub resource_name: Arc<str>,
    /// 3 literal, 4 prefixed.
    pub pattern_type: i8,
    /// For example `User:alice`.
    pub principal: Arc<str>,
    /// Address that the rule holds for, or `*`.
    pub host: Arc<str>,
    /// What is done.
    pub operation: i8,
    /// 2 deny, 3 allow.
    pub permission_type: i8,
}

/// All access control entries.
#[derive(Debug, Clone, Default)]
pub struct AclsImage {
    acls: OrdMap<Uuid, Arc<Acl>>,
}

impl AclsImage {
    /// One entry.
    pub fn get(&self, id: Uuid) -> Option<&Arc<Acl>> {
        self.acls.get(&id)
    }

    /// All entries in order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&Uuid, &Arc<Acl>)> {
        self.acls.iter()
    }

    /// Whether both are one value in memory.
    pub(crate) fn ptr_eq(&self, other: &Self) -> bool {
        self.acls.ptr_eq(&other.acls)
    }

    pub(crate) fn add(&mut self, id: Uuid, acl: Acl) {
        self.acls.insert(id, Arc::new(acl));
    }

    pub(crate) fn remove(&mut self, id: Uuid) -> Result<(), ReplayError> {
        match self.acls.remove(&id) {
            Some(_) => Ok(()),
            None => Err(ReplayError::UnknownAcl { id }),
        }
    }
}
