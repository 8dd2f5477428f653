//! The image as a whole.

use std::sync::Arc;

use barnabas_protocol::{LeaderEpoch, Offset};

use crate::acls::AclsImage;
use crate::brokers::BrokersImage;
use crate::configs::ConfigsImage;
use crate::controllers::ControllersImage;
use crate::features::FeaturesImage;
use crate::producer_ids::ProducerIdsImage;
use crate::quotas::QuotasImage;
use crate::scram::ScramImage;
use crate::tokens::TokensImage;
use crate::topics::TopicsImage;

/// Everything that the metadata log says, part by part.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// Topics and partitions.
    pub topics: TopicsImage,
    /// Registered brokers.
    pub brokers: BrokersImage,
    /// Registered controllers.
    pub controllers: ControllersImage,
    /// Configs that were set.
    pub configs: ConfigsImage,
    /// Finalized features.
    pub features: FeaturesImage,
    /// The next producer id.
    pub producer_ids: ProducerIdsImage,
    /// Access control entries.
    pub acls: AclsImage,
    /// SCRAM credentials.
    pub scram: ScramImage,
    /// Client quotas.
    pub quotas: QuotasImage,
    /// Delegation tokens.
    pub tokens: TokensImage,
}

/// One state of the cluster's metadata. Its parts are reached as fields: `image.topics`, `image.brokers`, …
#[derive(Debug, Clone)]
pub struct MetadataImage {
    pub(crate) offset: Offset,
    pub(crate) epoch: LeaderEpoch,
    pub(crate) parts: Parts,
    /// State inside a transaction of metadata that has begun and not ended (KIP-868).
    pub(crate) transaction: Option<Arc<Parts>>,
}

impl Default for MetadataImage {
    fn default() -> Self {
        Self { offset: -1, epoch: -1, parts: Parts::default(), transaction: None }
    }
}

impl std::ops::Deref for MetadataImage {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl MetadataImage {
    /// Offset of the last record replayed; -1 when there was none.
    pub fn offset(&self) -> Offset {
        self.offset
    }

    /// Leader epoch of that record; -1 when there was none.
    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// Whether a transaction of metadata has begun and not ended.
    pub fn in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// This image with the records of an open transaction applied: what the controller that writes the
    /// transaction decides upon. The same image when none is open.
    pub fn within_transaction(&self) -> MetadataImage {
        match &self.transaction {
            Some(parts) => MetadataImage { parts: (**parts).clone(), transaction: None, ..*self },
            None => self.clone(),
        }
    }

    /// Notes that the log holds something at `offset` that is no metadata record: a control record.
    pub fn advance(&mut self, offset: Offset, epoch: LeaderEpoch) {
        self.offset = offset;
        self.epoch = epoch;
    }
}
