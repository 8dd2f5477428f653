//! Client quotas (KIP-546): numbers by entity and key.

use std::sync::Arc;

use imbl::OrdMap;

/// Whom a quota is for: (type, name) pairs ordered by type; None names the default of the type.
pub type QuotaEntity = Vec<(Arc<str>, Option<Arc<str>>)>;

/// The quotas of one entity, ordered by key.
pub type Quotas = Vec<(Arc<str>, f64)>;

/// All quotas.
#[derive(Debug, Clone, Default)]
pub struct QuotasImage {
    entities: OrdMap<QuotaEntity, Arc<Quotas>>,
}

impl QuotasImage {
    /// The quotas of an entity.
    pub fn get(&self, entity: &QuotaEntity) -> Option<&Arc<Quotas>> {
        self.entities.get(entity)
    }

    /// All entities with their quotas.
    pub fn iter(&self) -> impl Iterator<Item = (&QuotaEntity, &Arc<Quotas>)> {
        self.entities.iter()
    }

    /// Whether both are one value in memory.
    pub(crate) fn ptr_eq(&self, other: &Self) -> bool {
        self.entities.ptr_eq(&other.entities)
    }

    /// Sets a quota; None removes it.
    pub(crate) fn set(&mut self, mut entity: QuotaEntity, key: &str, value: Option<f64>) {
        entity.sort();
        let quotas = self.entities.entry(entity.clone()).or_default();
        let quotas = Arc::make_mut(quotas);
        match (quotas.binary_search_by(|(known, _)| (**known).cmp(key)), value) {
            (Ok(at), Some(value)) => quotas[at].1 = value,
            (Err(at), Some(value)) => quotas.insert(at, (key.into(), value)),
            (Ok(at), None) => drop(quotas.remove(at)),
            (Err(_), None) => {}
        }
        if quotas.is_empty() {
            self.entities.remove(&entity);
        }
    }
}
