//! Registered controllers (KIP-919).

use std::sync::Arc;

use barnabas_protocol::{NodeId, Uuid};
use imbl::OrdMap;

use crate::brokers::{Endpoint, SupportedFeature};
use crate::replay::ReplayError;

/// One registered controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControllerImage {
    /// Its id.
    pub id: NodeId,
    /// Names one run of the process.
    pub incarnation_id: Uuid,
    /// Set by controllers that migrated from ZooKeeper; Kafka 4 has none.
    pub zk_migration_ready: bool,
    /// Its listeners, in the order of the registration.
    pub listeners: Vec<Endpoint>,
    /// What it supports, ordered by name.
    pub features: Vec<SupportedFeature>,
}

/// All registered controllers.
#[derive(Debug, Clone, Default)]
pub struct ControllersImage {
    controllers: OrdMap<NodeId, Arc<ControllerImage>>,
}

impl ControllersImage {
    /// One controller.
    pub fn get(&self, id: NodeId) -> Option<&Arc<ControllerImage>> {
        self.controllers.get(&id)
    }

    /// All controllers in order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ControllerImage>> {
        self.controllers.values()
    }

    pub(crate) fn map(&self) -> &OrdMap<NodeId, Arc<ControllerImage>> {
        &self.controllers
    }

    pub(crate) fn register(&mut self, controller: ControllerImage) {
        self.controllers.insert(controller.id, Arc::new(controller));
    }

    pub(crate) fn unregister(&mut self, id: NodeId) -> Result<(), ReplayError> {
        match self.controllers.remove(&id) {
            Some(_) => Ok(()),
            None => Err(ReplayError::UnknownController { id }),
        }
    }
}
