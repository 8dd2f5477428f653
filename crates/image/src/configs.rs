//! Configs that were set, by resource. What was not set is not here: defaults belong to whoever reads.

use std::fmt;
use std::sync::Arc;

use imbl::OrdMap;

/// Kind of a resource that has configs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceType(pub i8);

impl ResourceType {
    /// A topic.
    pub const TOPIC: ResourceType = ResourceType(2);
    /// A broker by its id, or all brokers when the name is empty.
    pub const BROKER: ResourceType = ResourceType(4);
    /// Loggers of a broker; never stored.
    pub const BROKER_LOGGER: ResourceType = ResourceType(8);
    /// A client metrics subscription (KIP-714).
    pub const CLIENT_METRICS: ResourceType = ResourceType(16);
    /// A group (KIP-848).
    pub const GROUP: ResourceType = ResourceType(32);
}

/// What a set of configs belongs to. Ordered by type, then by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigResource {
    /// Kind.
    pub resource_type: ResourceType,
    /// Name of the topic, id of the broker, …; empty for the default of all.
    pub name: Arc<str>,
}

impl ConfigResource {
    /// A resource.
    pub fn new(resource_type: ResourceType, name: &str) -> Self {
        Self { resource_type, name: name.into() }
    }
}

impl fmt::Display for ConfigResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.resource_type.0, self.name)
    }
}

/// The configs set for one resource, ordered by name, each name once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourceConfigs {
    entries: Arc<Vec<(Arc<str>, Arc<str>)>>,
}

impl ResourceConfigs {
    /// Number of configs set.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value set for a config.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.position(name).ok().map(|at| &*self.entries[at].1)
    }

    /// (name, value) in order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.entries.iter().map(|(name, value)| (&**name, &**value))
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|(known, _)| (**known).cmp(name))
    }

    fn set(&mut self, name: &str, value: &str) {
        let position = self.position(name);
        let entries = Arc::make_mut(&mut self.entries);
        match position {
            Ok(at) => entries[at].1 = value.into(),
            Err(at) => entries.insert(at, (name.into(), value.into())),
        }
    }

    fn delete(&mut self, name: &str) {
        if let Ok(at) = self.position(name) {
            Arc::make_mut(&mut self.entries).remove(at);
        }
    }
}

/// All configs that were set.
#[derive(Debug, Clone, Default)]
pub struct ConfigsImage {
    resources: OrdMap<ConfigResource, ResourceConfigs>,
}

impl ConfigsImage {
    /// What is set for a resource; empty when nothing is.
    pub fn get(&self, resource_type: ResourceType, name: &str) -> ResourceConfigs {
        self.resources.get(&ConfigResource::new(resource_type, name)).cloned().unwrap_or_default()
    }

    /// One value.
    pub fn value(&self, resource_type: ResourceType, name: &str, config: &str) -> Option<&str> {
        self.resources.get(&ConfigResource::new(resource_type, name))?.get(config)
    }

    /// Resources for which something is set, with what is set.
    pub fn iter(&self) -> impl Iterator<Item = (&ConfigResource, &ResourceConfigs)> {
        self.resources.iter()
    }

    pub(crate) fn map(&self) -> &OrdMap<ConfigResource, ResourceConfigs> {
        &self.resources
    }

    /// Sets a value; None deletes it.
    pub(crate) fn set(&mut self, resource_type: ResourceType, name: &str, config: &str, value: Option<&str>) {
        let resource = ConfigResource::new(resource_type, name);
        match value {
            Some(value) => self.resources.entry(resource).or_default().set(config, value),
            None => {
                let Some(configs) = self.resources.get_mut(&resource) else { return };
                configs.delete(config);
                if configs.is_empty() {
                    self.resources.remove(&resource);
                }
            }
        }
    }

    /// Deletes everything set for a resource.
    pub(crate) fn delete(&mut self, resource_type: ResourceType, name: &str) {
        self.resources.remove(&ConfigResource::new(resource_type, name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_without_configs_is_gone() {
        let mut configs = ConfigsImage::default();
        configs.set(ResourceType::TOPIC, "orders", "retention.ms", Some("1000"));
        configs.set(ResourceType::TOPIC, "orders", "cleanup.policy", Some("compact"));
        configs.set(ResourceType::TOPIC, "orders", "retention.ms", Some("2000"));
        let set = configs.get(ResourceType::TOPIC, "orders");
        assert_eq!(set.iter().collect::<Vec<_>>(), [("cleanup.policy", "compact"), ("retention.ms", "2000")]);

        configs.set(ResourceType::TOPIC, "orders", "retention.ms", None);
        configs.set(ResourceType::TOPIC, "orders", "cleanup.policy", None);
        configs.set(ResourceType::TOPIC, "other", "cleanup.policy", None);
        assert_eq!(configs.iter().count(), 0);
    }
}
