//! The metadata image: one persistent value, one replay.
//!
//! [`MetadataImage`] is the state that the records of `__cluster_metadata` describe. It is a value: `clone` costs
//! a few reference counts, clones share what has not changed since, and nobody's clone changes under him. The
//! controller's head (with uncommitted records), the broker's committed view and a snapshot are three clones.
//!
//! Always true:
//!   the image is a function of the records replayed, in their order, and of nothing else
//!   a record that cannot be applied leaves the image as it was and stops the node: there is no skipping
//!   between BeginTransaction and EndTransaction readers see the state before the transaction

pub mod acls;
pub mod brokers;
pub mod change;
pub mod configs;
pub mod controllers;
pub mod features;
pub mod image;
pub mod metadata_version;
pub mod partition;
pub mod producer_ids;
pub mod quotas;
mod records;
mod replay;
pub mod scram;
pub mod tokens;
pub mod topics;

pub use acls::{Acl, AclsImage};
pub use brokers::{BrokerImage, BrokersImage, Endpoint, SupportedFeature};
pub use change::{Change, PartitionChange};
pub use configs::{ConfigResource, ConfigsImage, ResourceConfigs, ResourceType};
pub use controllers::{ControllerImage, ControllersImage};
pub use features::FeaturesImage;
pub use image::{MetadataImage, Parts};
pub use metadata_version::MetadataVersion;
pub use partition::{PartitionImage, NO_LEADER};
pub use producer_ids::ProducerIdsImage;
pub use quotas::{QuotaEntity, QuotasImage};
pub use replay::ReplayError;
pub use scram::{ScramCredential, ScramImage, ScramMechanism};
pub use tokens::{DelegationToken, TokensImage};
pub use topics::{TopicImage, TopicsImage};
