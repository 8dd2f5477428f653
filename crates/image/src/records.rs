//! The records that describe an image as it is: what a snapshot holds.
//!
//! Order and versions are those of Kafka's own snapshots: features, brokers, controllers, topics with their
//! partitions, configs, quotas, producer ids, access control entries, SCRAM credentials, delegation tokens.

use barnabas_protocol::generated::access_control_entry_record::AccessControlEntryRecord;
use barnabas_protocol::generated::client_quota_record::{ClientQuotaRecord, EntityData};
use barnabas_protocol::generated::config_record::ConfigRecord;
use barnabas_protocol::generated::delegation_token_record::DelegationTokenRecord;
use barnabas_protocol::generated::feature_level_record::FeatureLevelRecord;
use barnabas_protocol::generated::metadata_record::MetadataRecord;
use barnabas_protocol::generated::producer_ids_record::ProducerIdsRecord;
use barnabas_protocol::generated::register_broker_record::{
    BrokerEndpoint, BrokerFeature, RegisterBrokerRecord,
};
use barnabas_protocol::generated::register_controller_record::{
    ControllerEndpoint, ControllerFeature, RegisterControllerRecord,
};
use barnabas_protocol::generated::topic_record::TopicRecord;
use barnabas_protocol::generated::user_scram_credential_record::UserScramCredentialRecord;

use crate::acls::AclsImage;
use crate::brokers::BrokerImage;
use crate::controllers::ControllerImage;
use crate::features::FeaturesImage;
use crate::image::MetadataImage;
use crate::metadata_version::{MetadataVersion, FEATURE};
use crate::quotas::QuotasImage;
use crate::topics::TopicImage;

impl MetadataImage {
    /// The records that build this image from an empty one, each with the version that the cluster's
    /// `metadata.version` allows. A transaction that has not ended is not in them.
    pub fn to_records(&self) -> impl Iterator<Item = (MetadataRecord<'_>, i16)> {
        let level = self.features.metadata_version();
        feature_records(&self.features)
            .chain(self.brokers.iter().map(move |broker| broker_record(broker, level)))
            .chain(self.controller_records(level))
            .chain(self.topics.iter().flat_map(move |topic| topic_records(topic, level)))
            .chain(self.config_records())
            .chain(quota_records(&self.quotas))
            .chain(self.producer_ids_record())
            .chain(acl_records(&self.acls))
            .chain(self.scram_records(level))
            .chain(self.token_records(level))
    }

    fn controller_records(&self, level: MetadataVersion) -> impl Iterator<Item = (MetadataRecord<'_>, i16)> {
        self.controllers.iter().filter(move |_| level.has_controller_registration()).map(controller_record)
    }

    fn config_records(&self) -> impl Iterator<Item = (MetadataRecord<'_>, i16)> {
        self.configs.iter().flat_map(|(resource, configs)| {
            configs.iter().map(|(name, value)| {
                let resource_type = resource.resource_type.0;
                let (resource_name, value) = (&*resource.name, Some(value));
                (MetadataRecord::Config(ConfigRecord { resource_type, resource_name, name, value }), 0)
            })
        })
    }

    fn producer_ids_record(&self) -> impl Iterator<Item = (MetadataRecord<'_>, i16)> {
        // Kafka's image, too, keeps the next id and not who asked for the last block.
        self.producer_ids.recorded().into_iter().map(|next_producer_id| {
            let record = ProducerIdsRecord { broker_id: -1, broker_epoch: -1, next_producer_id };
            (MetadataRecord::ProducerIds(record), 0)
        })
    }

    fn scram_records(&self, level: MetadataVersion) -> impl Iterator<Item = (MetadataRecord<'_>, i16)> {
        let credentials = self.scram.iter().filter(move |_| level.has_scram());
        credentials.map(|(mechanism, user, credential)| {
            let record = UserScramCredentialRecord {
                name: user,
                mechanism: mechanism.0,
                salt: &credential.salt,
                stored_key: &credential.stored_key,
                server_key: &credential.server_key,
                iterations: credential.iterations,
            };
            (MetadataRecord::UserScramCredential(record), 0)
        })
    }

    fn token_records(&self, level: MetadataVersion) -> impl Iterator<Item = (MetadataRecord<'_>, i16)> {
        self.tokens.iter().filter(move |_| level.has_delegation_tokens()).map(|(id, token)| {
            let record = DelegationTokenRecord {
                owner: &token.owner,
                requester: &token.requester,
                renewers: token.renewers.iter().map(|renewer| &**renewer).collect(),
                issue_timestamp: token.issue_timestamp,
                max_timestamp: token.max_timestamp,
                expiration_timestamp: token.expiration_timestamp,
                token_id: id,
            };
            (MetadataRecord::DelegationToken(record), 0)
        })
    }
}

/// `metadata.version` first: a reader must know it before it meets any other record.
fn feature_records(features: &FeaturesImage) -> impl Iterator<Item = (MetadataRecord<'_>, i16)> {
    let of_metadata = features.iter().filter(|(name, _)| &***name == FEATURE);
    let others = features.iter().filter(|(name, _)| &***name != FEATURE);
    of_metadata.chain(others).map(|(name, feature_level)| {
        (MetadataRecord::FeatureLevel(FeatureLevelRecord { name, feature_level }), 0)
    })
}

fn broker_record(broker: &BrokerImage, level: MetadataVersion) -> (MetadataRecord<'_>, i16) {
    let version = level.register_broker_record_version();
    let end_points = broker.listeners.iter().map(|listener| BrokerEndpoint {
        name: &listener.name,
        host: &listener.host,
        port: listener.port,
        security_protocol: listener.security_protocol,
    });
    let features = broker.features.iter().map(|feature| BrokerFeature {
        name: &feature.name,
        min_supported_version: feature.min,
        max_supported_version: feature.max,
    });
    let record = RegisterBrokerRecord {
        broker_id: broker.id,
        is_migrating_zk_broker: broker.is_migrating_zk_broker && version >= 2,
        incarnation_id: broker.incarnation_id,
        broker_epoch: broker.epoch,
        end_points: end_points.collect(),
        features: features.collect(),
        rack: broker.rack.as_deref(),
        fenced: broker.fenced,
        in_controlled_shutdown: broker.in_controlled_shutdown,
        log_dirs: if version >= 3 { broker.log_dirs.clone() } else { Vec::new() },
        cordoned_log_dirs: broker.cordoned_log_dirs.clone().filter(|_| version >= 4),
    };
    (MetadataRecord::RegisterBroker(record), version)
}

fn controller_record(controller: &std::sync::Arc<ControllerImage>) -> (MetadataRecord<'_>, i16) {
    let end_points = controller.listeners.iter().map(|listener| ControllerEndpoint {
        name: &listener.name,
        host: &listener.host,
        port: listener.port,
        security_protocol: listener.security_protocol,
    });
    let features = controller.features.iter().map(|feature| ControllerFeature {
        name: &feature.name,
        min_supported_version: feature.min,
        max_supported_version: feature.max,
    });
    let record = RegisterControllerRecord {
        controller_id: controller.id,
        incarnation_id: controller.incarnation_id,
        zk_migration_ready: controller.zk_migration_ready,
        end_points: end_points.collect(),
        features: features.collect(),
    };
    (MetadataRecord::RegisterController(record), 0)
}

fn topic_records(
    topic: &TopicImage,
    level: MetadataVersion,
) -> impl Iterator<Item = (MetadataRecord<'_>, i16)> {
    let version = level.partition_record_version();
    let partitions = topic.partitions().map(move |(index, partition)| {
        (MetadataRecord::Partition(partition.to_record(topic.id, index, version)), version)
    });
    let record = TopicRecord { name: &topic.name, topic_id: topic.id };
    std::iter::once((MetadataRecord::Topic(record), 0)).chain(partitions)
}

fn quota_records(quotas: &QuotasImage) -> impl Iterator<Item = (MetadataRecord<'_>, i16)> {
    quotas.iter().flat_map(|(entity, quotas)| {
        quotas.iter().map(move |(key, value)| {
            let entity = entity.iter().map(|(entity_type, entity_name)| EntityData {
                entity_type,
                entity_name: entity_name.as_deref(),
            });
            let record = ClientQuotaRecord { entity: entity.collect(), key, value: *value, remove: false };
            (MetadataRecord::ClientQuota(record), 0)
        })
    })
}

fn acl_records(acls: &AclsImage) -> impl Iterator<Item = (MetadataRecord<'_>, i16)> {
    acls.iter().map(|(id, acl)| {
        let record = AccessControlEntryRecord {
            id: *id,
            resource_type: acl.resource_type,
            resource_name: &acl.resource_name,
            pattern_type: acl.pattern_type,
            principal: &acl.principal,
            host: &acl.host,
            operation: acl.operation,
            permission_type: acl.permission_type,
        };
        (MetadataRecord::AccessControlEntry(record), 0)
    })
}
