"""Shapes of API v3's requests and responses, under the names that the published description gives them."""

from __future__ import annotations

from barnabas.http.openapi import (
    ANYTHING,
    FLAG,
    INT32,
    INT64,
    TEXT,
    Shape,
    array,
    choice,
    mapping,
    members,
    nullable,
    shape,
)

INTEGER: Shape = {"type": "integer"}
TIME: Shape = {"type": "string", "format": "date-time"}
BASE64: Shape = {"type": "string", "format": "byte"}
_PAYLOAD = choice("AVRO", "BINARY", "JSON", "JSONSCHEMA", "PROTOBUF", "STRING")
_ACL = {
    "host": TEXT,
    "operation": shape("AclOperation"),
    "pattern_type": shape("AclPatternType"),
    "permission": shape("AclPermission"),
    "principal": TEXT,
    "resource_name": TEXT,
    "resource_type": shape("AclResourceType"),
}
_RECORD = {
    "headers": array(shape("ProduceRequestHeader")),
    "key": shape("ProduceRequestData"),
    "partition_id": nullable(INT32),
    "timestamp": nullable(TIME),
    "value": shape("ProduceRequestData"),
}
_PRODUCED = {
    "cluster_id": TEXT,
    "key": shape("ProduceResponseData"),
    "offset": INT64,
    "partition_id": INT32,
    "timestamp": nullable(TIME),
    "topic_name": TEXT,
    "value": shape("ProduceResponseData"),
}


def _resource(**fields: Shape) -> Shape:
    return members(kind=TEXT, metadata=shape("ResourceMetadata"), cluster_id=TEXT, **fields)


def _config(**fields: Shape) -> Shape:
    return _resource(
        name=TEXT,
        value=nullable(TEXT),
        is_default=FLAG,
        is_read_only=FLAG,
        is_sensitive=FLAG,
        source=shape("ConfigSource"),
        synonyms=array(shape("ConfigSynonymData")),
        **fields,
    )


def _list(name: str) -> Shape:
    return members(kind=TEXT, metadata=shape("ResourceCollectionMetadata"), data=array(shape(name)))


SHAPES: dict[str, Shape] = {
    "Error": members(error_code=INT32, message=nullable(TEXT)),
    "AclData": _resource(**_ACL),
    "AclOperation": choice(
        "ALL",
        "ALTER",
        "ALTER_CONFIGS",
        "ANY",
        "CLUSTER_ACTION",
        "CREATE",
        "DELETE",
        "DESCRIBE",
        "DESCRIBE_CONFIGS",
        "IDEMPOTENT_WRITE",
        "READ",
        "UNKNOWN",
        "WRITE",
    ),
    "AclPatternType": choice("ANY", "LITERAL", "MATCH", "PREFIXED", "UNKNOWN"),
    "AclPermission": choice("ALLOW", "ANY", "DENY", "UNKNOWN"),
    "AclResourceType": choice(
        "ANY", "CLUSTER", "DELEGATION_TOKEN", "GROUP", "TOPIC", "TRANSACTIONAL_ID", "UNKNOWN"
    ),
    "AlterConfigBatchRequestData": members(
        data=array(members(name=TEXT, operation=nullable(choice("DELETE", "SET")), value=nullable(TEXT))),
        validate_only=FLAG,
    ),
    "AnyValue": nullable(ANYTHING),
    "AuthorizedOperations": array(
        choice(
            "ALL",
            "ALTER",
            "ALTER_CONFIGS",
            "CLUSTER_ACTION",
            "CREATE",
            "DELETE",
            "DESCRIBE",
            "DESCRIBE_CONFIGS",
            "IDEMPOTENT_WRITE",
            "READ",
            "UNKNOWN",
            "WRITE",
        )
    ),
    "BrokerConfigData": _config(broker_id=INTEGER),
    "BrokerData": _resource(
        broker_id=INTEGER,
        configs=shape("Relationship"),
        host=nullable(TEXT),
        partition_replicas=shape("Relationship"),
        port=nullable(INTEGER),
        rack=nullable(TEXT),
    ),
    "ClusterConfigData": _config(config_type=shape("ClusterConfigType")),
    "ClusterConfigType": choice("BROKER"),
    "ClusterData": _resource(
        acls=shape("Relationship"),
        broker_configs=shape("Relationship"),
        brokers=shape("Relationship"),
        consumer_groups=shape("Relationship"),
        controller=shape("Relationship"),
        partition_reassignments=shape("Relationship"),
        topics=shape("Relationship"),
    ),
    "ConfigSource": choice(
        "DEFAULT_CONFIG",
        "DYNAMIC_BROKER_CONFIG",
        "DYNAMIC_BROKER_LOGGER_CONFIG",
        "DYNAMIC_CLUSTER_LINK_CONFIG",
        "DYNAMIC_DEFAULT_BROKER_CONFIG",
        "DYNAMIC_TOPIC_CONFIG",
        "STATIC_BROKER_CONFIG",
        "UNKNOWN",
    ),
    "ConfigSynonymData": members(name=TEXT, source=shape("ConfigSource"), value=nullable(TEXT)),
    "ConsumerAssignmentData": _resource(
        consumer_group_id=TEXT,
        consumer_id=TEXT,
        lag=shape("Relationship"),
        partition=shape("Relationship"),
        partition_id=INTEGER,
        topic_name=TEXT,
    ),
    "ConsumerData": _resource(
        assignments=shape("Relationship"),
        client_id=TEXT,
        consumer_group_id=TEXT,
        consumer_id=TEXT,
        instance_id=nullable(TEXT),
    ),
    "ConsumerGroupData": _resource(
        consumer_group_id=TEXT,
        consumers=shape("Relationship"),
        coordinator=shape("Relationship"),
        is_mixed_consumer_group=FLAG,
        is_simple=FLAG,
        lag_summary=shape("Relationship"),
        partition_assignor=TEXT,
        state=shape("ConsumerGroupState"),
        type=shape("ConsumerGroupType"),
    ),
    "ConsumerGroupLagSummaryData": _resource(
        consumer_group_id=TEXT,
        max_lag=INT64,
        max_lag_client_id=TEXT,
        max_lag_consumer=shape("Relationship"),
        max_lag_consumer_id=TEXT,
        max_lag_instance_id=nullable(TEXT),
        max_lag_partition=shape("Relationship"),
        max_lag_partition_id=INTEGER,
        max_lag_topic_name=TEXT,
        total_lag=INT64,
    ),
    "ConsumerGroupState": choice(
        "ASSIGNING",
        "COMPLETING_REBALANCE",
        "DEAD",
        "EMPTY",
        "PREPARING_REBALANCE",
        "RECONCILING",
        "STABLE",
        "UNKNOWN",
    ),
    "ConsumerGroupType": choice("CLASSIC", "CONSUMER", "SHARE", "UNKNOWN"),
    "ConsumerLagData": _resource(
        client_id=TEXT,
        consumer_group_id=TEXT,
        consumer_id=TEXT,
        current_offset=INT64,
        instance_id=nullable(TEXT),
        lag=INT64,
        log_end_offset=INT64,
        partition_id=INTEGER,
        topic_name=TEXT,
    ),
    "CreateAclRequestData": members(**_ACL),
    "CreateAclRequestDataList": members(data=array(shape("CreateAclRequestData"))),
    "CreateTopicRequestData": members(
        configs=array(members(name=TEXT, value=nullable(TEXT))),
        partitions_count=INTEGER,
        replicas_assignments=mapping(array(INTEGER)),
        replication_factor=INTEGER,
        topic_name=TEXT,
        validate_only=FLAG,
    ),
    "PartitionData": _resource(
        leader=shape("Relationship"),
        partition_id=INTEGER,
        reassignment=shape("Relationship"),
        replicas=shape("Relationship"),
        topic_name=TEXT,
    ),
    "PartitionWithOffsetsData": _resource(
        earliest_offset=INT64, latest_offset=INT64, partition_id=INTEGER, topic_name=TEXT
    ),
    "ProduceBatchRequest": members(entries=array(shape("ProduceBatchRequestEntry"))),
    "ProduceBatchRequestEntry": members(id=TEXT, **_RECORD),
    "ProduceBatchResponse": members(
        failures=array(shape("ProduceBatchResponseFailureEntry")),
        successes=array(shape("ProduceBatchResponseSuccessEntry")),
    ),
    "ProduceBatchResponseFailureEntry": members(error_code=INT32, id=TEXT, message=TEXT),
    "ProduceBatchResponseSuccessEntry": members(id=TEXT, **_PRODUCED),
    "ProduceRequest": members(**_RECORD),
    "ProduceRequestData": nullable(
        members(
            data=shape("AnyValue"),
            schema=nullable(TEXT),
            schema_id=nullable(INTEGER),
            schema_version=nullable(INTEGER),
            subject=nullable(TEXT),
            subject_name_strategy=nullable(choice("RECORD_NAME", "TOPIC_NAME", "TOPIC_RECORD_NAME")),
            type=_PAYLOAD,
        )
    ),
    "ProduceRequestHeader": members(name=TEXT, value=nullable(BASE64)),
    "ProduceResponse": members(error_code=INT32, message=TEXT, **_PRODUCED),
    "ProduceResponseData": nullable(
        members(
            schema_id=nullable(INTEGER),
            schema_version=nullable(INTEGER),
            size=INT64,
            subject=nullable(TEXT),
            type=nullable(_PAYLOAD),
        )
    ),
    "ReassignmentData": _resource(
        adding_replicas=array(INTEGER),
        partition_id=INTEGER,
        removing_replicas=array(INTEGER),
        replicas=shape("Relationship"),
        topic_name=TEXT,
    ),
    "Relationship": members(related=TEXT),
    "ReplicaData": _resource(
        broker=shape("Relationship"),
        broker_id=INTEGER,
        is_in_sync=FLAG,
        is_leader=FLAG,
        partition_id=INTEGER,
        topic_name=TEXT,
    ),
    "ResourceCollectionMetadata": members(next=nullable(TEXT), self=TEXT),
    "ResourceMetadata": members(resource_name=nullable(TEXT), self=TEXT),
    "TopicConfigData": _config(topic_name=TEXT),
    "TopicData": _resource(
        authorized_operations=shape("AuthorizedOperations"),
        configs=shape("Relationship"),
        is_internal=FLAG,
        partition_reassignments=shape("Relationship"),
        partitions=shape("Relationship"),
        partitions_count=INTEGER,
        replication_factor=INTEGER,
        topic_name=TEXT,
    ),
    "UpdateConfigRequestData": members(value=nullable(TEXT)),
    "UpdatePartitionCountRequestData": members(partitions_count=INT32),
}
LISTED = (
    "AclData",
    "BrokerConfigData",
    "BrokerData",
    "ClusterConfigData",
    "ClusterData",
    "ConsumerAssignmentData",
    "ConsumerData",
    "ConsumerGroupData",
    "ConsumerLagData",
    "PartitionData",
    "ReassignmentData",
    "ReplicaData",
    "TopicConfigData",
    "TopicData",
)
"""Resources that there are lists of."""
SHAPES.update({f"{name}List": _list(name) for name in LISTED})

ADDED: dict[str, Shape] = {
    "RecordData": members(
        cluster_id=TEXT,
        topic_name=TEXT,
        partition_id=INT32,
        offset=INT64,
        timestamp=TIME,
        headers=array(shape("ProduceRequestHeader")),
        key=shape("RecordPart"),
        value=shape("RecordPart"),
    ),
    "RecordPart": nullable(members(type=TEXT, data=ANYTHING, error=TEXT)),
    "RecordDataList": _list("RecordData"),
}
"""Shapes that the published description lacks."""
