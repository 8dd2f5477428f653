//! Registered brokers.

use std::sync::Arc;

use barnabas_protocol::{NodeId, Offset, Uuid};
use imbl::OrdMap;

use crate::replay::ReplayError;

/// An address of a broker or controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Name of the listener.
    pub name: Arc<str>,
    /// Host that others connect to.
    pub host: Arc<str>,
    /// Its port.
    pub port: u16,
    /// 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
    pub security_protocol: i16,
}

/// Levels of a feature that a node supports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupportedFeature {
    /// Name of the feature.
    pub name: Arc<str>,
    /// Lowest level.
    pub min: i16,
    /// Highest level.
    pub max: i16,
}

/// One registered broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerImage {
    /// Its id.
    pub id: NodeId,
    /// Offset of its registration, which fences earlier incarnations.
    pub epoch: Offset,
    /// Names one run of the process.
    pub incarnation_id: Uuid,
    /// Whether it is kept from leading and from being seen by clients.
    pub fenced: bool,
    /// Whether it is handing over its leaderships to stop.
    pub in_controlled_shutdown: bool,
    /// Where it stands, for the placement of replicas.
    pub rack: Option<Arc<str>>,
    /// Its listeners, in the order of the registration.
    pub listeners: Vec<Endpoint>,
    /// What it supports, ordered by name.
    pub features: Vec<SupportedFeature>,
    /// Its available log directories (KIP-858).
    pub log_dirs: Vec<Uuid>,
    /// Directories that take no new partitions; None until the broker has said so (KIP-1066).
    pub cordoned_log_dirs: Option<Vec<Uuid>>,
    /// Set by brokers that came over from ZooKeeper; Kafka 4 has none.
    pub is_migrating_zk_broker: bool,
}

impl BrokerImage {
    /// The address of a listener.
    pub fn listener(&self, name: &str) -> Option<&Endpoint> {
        self.listeners.iter().find(|listener| &*listener.name == name)
    }

    /// The levels it supports of a feature.
    pub fn feature(&self, name: &str) -> Option<&SupportedFeature> {
        self.features.iter().find(|feature| &*feature.name == name)
    }

    /// Whether it may lead partitions: neither fenced nor on its way out.
    pub fn is_active(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }
}

/// All registered brokers.
#[derive(Debug, Clone, Default)]
pub struct BrokersImage {
    brokers: OrdMap<NodeId, Arc<BrokerImage>>,
}

impl BrokersImage {
    /// Number of registered brokers, fenced ones included.
    pub fn len(&self) -> usize {
        self.brokers.len()
    }

    /// Whether no broker is registered.
    pub fn is_empty(&self) -> bool {
        self.brokers.is_empty()
    }

    /// One broker.
    pub fn get(&self, id: NodeId) -> Option<&Arc<BrokerImage>> {
        self.brokers.get(&id)
    }

    /// All brokers in order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<BrokerImage>> {
        self.brokers.values()
    }

    pub(crate) fn map(&self) -> &OrdMap<NodeId, Arc<BrokerImage>> {
        &self.brokers
    }

    pub(crate) fn register(&mut self, broker: BrokerImage) {
        self.brokers.insert(broker.id, Arc::new(broker));
    }

    pub(crate) fn unregister(&mut self, id: NodeId, epoch: Offset) -> Result<(), ReplayError> {
        self.expect(id, epoch)?;
        self.brokers.remove(&id);
        Ok(())
    }

    /// Applies `change` to the registration of this epoch.
    pub(crate) fn update(
        &mut self,
        id: NodeId,
        epoch: Offset,
        change: impl FnOnce(&mut BrokerImage),
    ) -> Result<(), ReplayError> {
        self.expect(id, epoch)?;
        if let Some(broker) = self.brokers.get_mut(&id) {
            change(Arc::make_mut(broker));
        }
        Ok(())
    }

    fn expect(&self, id: NodeId, epoch: Offset) -> Result<(), ReplayError> {
        let broker = self.brokers.get(&id).ok_or(ReplayError::UnknownBroker { id })?;
        if broker.epoch != epoch {
            return Err(ReplayError::BrokerEpoch { id, given: epoch, current: broker.epoch });
        }
        Ok(())
    }
}
