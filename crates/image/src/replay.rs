//! Replay: what each metadata record does to the image.

use std::sync::Arc;

use barnabas_protocol::generated::access_control_entry_record::AccessControlEntryRecord;
use barnabas_protocol::generated::broker_registration_change_record::BrokerRegistrationChangeRecord;
use barnabas_protocol::generated::client_quota_record::ClientQuotaRecord;
use barnabas_protocol::generated::delegation_token_record::DelegationTokenRecord;
use barnabas_protocol::generated::metadata_record::MetadataRecord;
use barnabas_protocol::generated::register_broker_record::RegisterBrokerRecord;
use barnabas_protocol::generated::register_controller_record::RegisterControllerRecord;
use barnabas_protocol::generated::user_scram_credential_record::UserScramCredentialRecord;
use barnabas_protocol::wire::DecodeError;
use barnabas_protocol::{LeaderEpoch, NodeId, Offset, PartitionIndex, TopicId, Uuid};

use crate::acls::Acl;
use crate::brokers::{BrokerImage, BrokersImage, Endpoint, SupportedFeature};
use crate::configs::ResourceType;
use crate::controllers::ControllerImage;
use crate::image::{MetadataImage, Parts};
use crate::partition::PartitionImage;
use crate::scram::{ScramCredential, ScramMechanism};
use crate::tokens::DelegationToken;

/// Why a record cannot be applied. The log is not what this node believes it to be: it must stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// A topic record names a topic that exists.
    #[error("topic '{name}' exists already")]
    TopicExists {
        /// The name.
        name: String,
    },
    /// A topic record has the id of a topic that exists.
    #[error("topic id {id} exists already")]
    TopicIdExists {
        /// The id.
        id: TopicId,
    },
    /// A record names a topic that does not exist.
    #[error("topic '{name}' does not exist")]
    UnknownTopic {
        /// The name.
        name: String,
    },
    /// A record names a topic that does not exist.
    #[error("topic id {id} does not exist")]
    UnknownTopicId {
        /// The id.
        id: TopicId,
    },
    /// A record names a partition that its topic does not have.
    #[error("topic id {id} has no partition {index}")]
    UnknownPartition {
        /// The topic.
        id: TopicId,
        /// The partition.
        index: PartitionIndex,
    },
    /// A record names a broker that is not registered.
    #[error("broker {id} is not registered")]
    UnknownBroker {
        /// The broker.
        id: NodeId,
    },
    /// A record is meant for another incarnation of a broker.
    #[error("broker {id} is registered with epoch {current}, the record has {given}")]
    BrokerEpoch {
        /// The broker.
        id: NodeId,
        /// Epoch in the record.
        given: Offset,
        /// Epoch of the registration.
        current: Offset,
    },
    /// A record names a controller that is not registered.
    #[error("controller {id} is not registered")]
    UnknownController {
        /// The controller.
        id: NodeId,
    },
    /// A record removes an access control entry that does not exist.
    #[error("access control entry {id} does not exist")]
    UnknownAcl {
        /// The entry.
        id: Uuid,
    },
    /// A transaction of metadata begins inside another.
    #[error("a metadata transaction begins inside another")]
    TransactionInTransaction,
    /// A transaction of metadata ends or is aborted that has not begun.
    #[error("a metadata transaction ends that has not begun")]
    NoTransaction,
    /// The bytes are no record that is known here; a later release of Kafka may have written them.
    #[error("unreadable metadata record: {0}")]
    Decode(#[from] DecodeError),
    /// A partition's record does not name one directory for each replica.
    #[error("{directories} directories are named for {replicas} replicas")]
    Directories {
        /// How many directories.
        directories: usize,
        /// How many replicas.
        replicas: usize,
    },
    /// A field has a value that has no meaning.
    #[error("{record} has {field}={value}, which has no meaning")]
    Value {
        /// The record.
        record: &'static str,
        /// The field.
        field: &'static str,
        /// Its value.
        value: i64,
    },
}

impl MetadataImage {
    /// Applies the record that the log holds at `offset`, written in `epoch`. After an error the image is as it
    /// was before.
    pub fn replay(
        &mut self,
        record: &MetadataRecord<'_>,
        offset: Offset,
        epoch: LeaderEpoch,
    ) -> Result<(), ReplayError> {
        match (record, &mut self.transaction) {
            (MetadataRecord::BeginTransaction(_), None) => {
                self.transaction = Some(Arc::new(self.parts.clone()))
            }
            (MetadataRecord::BeginTransaction(_), Some(_)) => {
                return Err(ReplayError::TransactionInTransaction)
            }
            (MetadataRecord::EndTransaction(_) | MetadataRecord::AbortTransaction(_), None) => {
                return Err(ReplayError::NoTransaction)
            }
            (MetadataRecord::EndTransaction(_), Some(parts)) => {
                self.parts = Parts::clone(parts);
                self.transaction = None;
            }
            (MetadataRecord::AbortTransaction(_), Some(_)) => self.transaction = None,
            (record, Some(parts)) => Arc::make_mut(parts).replay(record)?,
            (record, None) => self.parts.replay(record)?,
        }
        self.advance(offset, epoch);
        Ok(())
    }

    /// Applies a record from its bytes: frame and body.
    pub fn replay_bytes(
        &mut self,
        value: &[u8],
        offset: Offset,
        epoch: LeaderEpoch,
    ) -> Result<(), ReplayError> {
        self.replay(&MetadataRecord::from_bytes(value)?, offset, epoch)
    }
}

impl Parts {
    fn replay(&mut self, record: &MetadataRecord<'_>) -> Result<(), ReplayError> {
        match record {
            MetadataRecord::Topic(topic) => self.topics.create(topic.name, topic.topic_id)?,
            MetadataRecord::RemoveTopic(topic) => {
                let removed = self.topics.remove(topic.topic_id)?;
                self.configs.delete(ResourceType::TOPIC, &removed.name);
            }
            MetadataRecord::Partition(record) => {
                let partition = PartitionImage::from_record(record)?;
                self.topics.set_partition(record.topic_id, record.partition_id, partition)?;
            }
            MetadataRecord::PartitionChange(change) => {
                let (topic, index) = (change.topic_id, change.partition_id);
                self.topics.update_partition(topic, index, |partition| partition.apply(change))?;
            }
            MetadataRecord::ClearElr(record) => self.topics.clear_elr(record.topic_name)?,
            MetadataRecord::Config(config) => {
                let resource_type = ResourceType(config.resource_type);
                self.configs.set(resource_type, config.resource_name, config.name, config.value);
            }
            MetadataRecord::FeatureLevel(feature) => self.features.set(feature.name, feature.feature_level),
            MetadataRecord::ProducerIds(record) => self.producer_ids.set(record.next_producer_id),
            MetadataRecord::RegisterBroker(record) => self.brokers.register(broker(record)),
            MetadataRecord::UnregisterBroker(record) => {
                self.brokers.unregister(record.broker_id, record.broker_epoch)?;
            }
            MetadataRecord::FenceBroker(record) => {
                self.brokers.update(record.id, record.epoch, |broker| broker.fenced = true)?;
            }
            MetadataRecord::UnfenceBroker(record) => {
                self.brokers.update(record.id, record.epoch, |broker| broker.fenced = false)?;
            }
            MetadataRecord::BrokerRegistrationChange(change) => change_broker(&mut self.brokers, change)?,
            MetadataRecord::RegisterController(record) => self.controllers.register(controller(record)),
            MetadataRecord::UnregisterController(record) => {
                self.controllers.unregister(record.controller_id)?
            }
            MetadataRecord::AccessControlEntry(record) => self.acls.add(record.id, acl(record)),
            MetadataRecord::RemoveAccessControlEntry(record) => self.acls.remove(record.id)?,
            MetadataRecord::UserScramCredential(record) => {
                self.scram.set(ScramMechanism(record.mechanism), record.name, scram_credential(record));
            }
            MetadataRecord::RemoveUserScramCredential(record) => {
                self.scram.remove(ScramMechanism(record.mechanism), record.name);
            }
            MetadataRecord::ClientQuota(record) => self.set_quota(record),
            MetadataRecord::DelegationToken(record) => self.tokens.set(record.token_id, token(record)),
            MetadataRecord::RemoveDelegationToken(record) => self.tokens.remove(record.token_id),
            // A migration from ZooKeeper is over in every cluster that Kafka 4 runs.
            MetadataRecord::NoOp(_) | MetadataRecord::ZkMigrationState(_) => {}
            // Handled by the image, of which these parts are the state inside or outside the transaction.
            MetadataRecord::BeginTransaction(_)
            | MetadataRecord::EndTransaction(_)
            | MetadataRecord::AbortTransaction(_) => {}
        }
        Ok(())
    }

    fn set_quota(&mut self, record: &ClientQuotaRecord<'_>) {
        let entity =
            record.entity.iter().map(|part| (part.entity_type.into(), part.entity_name.map(Into::into)));
        self.quotas.set(entity.collect(), record.key, (!record.remove).then_some(record.value));
    }
}

fn change_broker(
    brokers: &mut BrokersImage,
    change: &BrokerRegistrationChangeRecord,
) -> Result<(), ReplayError> {
    let value = |field, value: i8| {
        let record = "BrokerRegistrationChangeRecord";
        Err(ReplayError::Value { record, field, value: value.into() })
    };
    if !(-1..=1).contains(&change.fenced) {
        return value("fenced", change.fenced);
    }
    if !(0..=1).contains(&change.in_controlled_shutdown) {
        return value("inControlledShutdown", change.in_controlled_shutdown);
    }
    brokers.update(change.broker_id, change.broker_epoch, |broker| {
        match change.fenced {
            1 => broker.fenced = true,
            -1 => broker.fenced = false,
            _ => {}
        }
        if change.in_controlled_shutdown == 1 {
            broker.in_controlled_shutdown = true;
        }
        if !change.log_dirs.is_empty() {
            broker.log_dirs.clone_from(&change.log_dirs);
        }
        if let Some(cordoned) = &change.cordoned_log_dirs {
            broker.cordoned_log_dirs = Some(cordoned.clone());
        }
    })
}

fn broker(record: &RegisterBrokerRecord<'_>) -> BrokerImage {
    let listeners = record.end_points.iter().map(|endpoint| Endpoint {
        name: endpoint.name.into(),
        host: endpoint.host.into(),
        port: endpoint.port,
        security_protocol: endpoint.security_protocol,
    });
    let features = record.features.iter().map(|feature| SupportedFeature {
        name: feature.name.into(),
        min: feature.min_supported_version,
        max: feature.max_supported_version,
    });
    BrokerImage {
        id: record.broker_id,
        epoch: record.broker_epoch,
        incarnation_id: record.incarnation_id,
        fenced: record.fenced,
        in_controlled_shutdown: record.in_controlled_shutdown,
        rack: record.rack.map(Into::into),
        listeners: listeners.collect(),
        features: by_name(features.collect()),
        log_dirs: record.log_dirs.clone(),
        cordoned_log_dirs: record.cordoned_log_dirs.clone(),
        is_migrating_zk_broker: record.is_migrating_zk_broker,
    }
}

fn controller(record: &RegisterControllerRecord<'_>) -> ControllerImage {
    let listeners = record.end_points.iter().map(|endpoint| Endpoint {
        name: endpoint.name.into(),
        host: endpoint.host.into(),
        port: endpoint.port,
        security_protocol: endpoint.security_protocol,
    });
    let features = record.features.iter().map(|feature| SupportedFeature {
        name: feature.name.into(),
        min: feature.min_supported_version,
        max: feature.max_supported_version,
    });
    ControllerImage {
        id: record.controller_id,
        incarnation_id: record.incarnation_id,
        zk_migration_ready: record.zk_migration_ready,
        listeners: listeners.collect(),
        features: by_name(features.collect()),
    }
}

fn by_name(mut features: Vec<SupportedFeature>) -> Vec<SupportedFeature> {
    features.sort_by(|a, b| a.name.cmp(&b.name));
    features
}

fn acl(record: &AccessControlEntryRecord<'_>) -> Acl {
    Acl {
        resource_type: record.resource_type,
        resource_name: record.resource_name.into(),
        pattern_type: record.pattern_type,
        principal: record.principal.into(),
        host: record.host.into(),
        operation: record.operation,
        permission_type: record.permission_type,
    }
}

fn scram_credential(record: &UserScramCredentialRecord<'_>) -> ScramCredential {
    ScramCredential {
        salt: record.salt.into(),
        stored_key: record.stored_key.into(),
        server_key: record.server_key.into(),
        iterations: record.iterations,
    }
}

fn token(record: &DelegationTokenRecord<'_>) -> DelegationToken {
    DelegationToken {
        owner: record.owner.into(),
        requester: record.requester.into(),
        renewers: record.renewers.iter().map(|&renewer| renewer.into()).collect(),
        issue_timestamp: record.issue_timestamp,
        max_timestamp: record.max_timestamp,
        expiration_timestamp: record.expiration_timestamp,
    }
}
