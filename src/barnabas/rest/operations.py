"""The operations of API v3: what each takes, and what it answers."""

from __future__ import annotations

from dataclasses import replace

from barnabas.http.openapi import FLAG, INT64, TEXT, Operation, Shape, array, choice, members, shape
from barnabas.rest.reading import TYPES
from barnabas.rest.shapes import INTEGER

NUMBERS = ("broker_id", "partition_id")
"""Parts of paths that are numbers."""
_ACLS: dict[str, Shape] = {
    "resource_type": shape("AclResourceType"),
    "resource_name": TEXT,
    "pattern_type": shape("AclPatternType"),
    "principal": TEXT,
    "host": TEXT,
    "operation": shape("AclOperation"),
    "permission": shape("AclPermission"),
}
_READ: dict[str, Shape] = {
    "from": choice("earliest", "latest"),
    "timestamp": TEXT,
    "limit": INTEGER,
    "max_bytes": INTEGER,
    "timeout_ms": INTEGER,
    "key_type": choice(*TYPES),
    "value_type": choice(*TYPES),
}
_RECORDS = shape("RecordDataList")
_CHANGED, _CHANGES = shape("UpdateConfigRequestData"), shape("AlterConfigBatchRequestData")
_CLUSTER = "/v3/clusters/{cluster_id}"
_GROUP = f"{_CLUSTER}/consumer-groups/{{consumer_group_id}}"
_PARTITION = "{topic_name}/partitions/{partition_id}"

_DECLARED: dict[str, Operation] = {
    "GET /v3/clusters": Operation("listKafkaClusters", shape("ClusterDataList")),
    f"GET {_CLUSTER}": Operation("getKafkaCluster", shape("ClusterData")),
    f"POST {_CLUSTER}/acls:batch": Operation(
        "batchCreateKafkaAcls", body=shape("CreateAclRequestDataList"), status=201
    ),
    f"GET {_CLUSTER}/acls": Operation("getKafkaAcls", shape("AclDataList"), query=_ACLS),
    f"POST {_CLUSTER}/acls": Operation("createKafkaAcls", body=shape("CreateAclRequestData"), status=201),
    f"DELETE {_CLUSTER}/acls": Operation(
        "deleteKafkaAcls", members(data=array(shape("AclData"))), query=_ACLS
    ),
    f"GET {_CLUSTER}/broker-configs": Operation("listKafkaClusterConfigs", shape("ClusterConfigDataList")),
    f"POST {_CLUSTER}/broker-configs:alter": Operation(
        "updateKafkaClusterConfigs", body=_CHANGES, status=204
    ),
    f"GET {_CLUSTER}/broker-configs/{{name}}": Operation("getKafkaClusterConfig", shape("ClusterConfigData")),
    f"PUT {_CLUSTER}/broker-configs/{{name}}": Operation(
        "updateKafkaClusterConfig", body=_CHANGED, status=204
    ),
    f"DELETE {_CLUSTER}/broker-configs/{{name}}": Operation("deleteKafkaClusterConfig", status=204),
    f"GET {_CLUSTER}/brokers": Operation("listKafkaBrokers", shape("BrokerDataList")),
    f"GET {_CLUSTER}/brokers/{{broker_id}}": Operation("getKafkaBroker", shape("BrokerData")),
    f"GET {_CLUSTER}/brokers/-/configs": Operation(
        "listKafkaAllBrokerConfigs", shape("BrokerConfigDataList")
    ),
    f"GET {_CLUSTER}/brokers/{{broker_id}}/configs": Operation(
        "listKafkaBrokerConfigs", shape("BrokerConfigDataList")
    ),
    f"POST {_CLUSTER}/brokers/{{broker_id}}/configs:alter": Operation(
        "updateKafkaBrokerConfigBatch", body=_CHANGES, status=204
    ),
    f"GET {_CLUSTER}/brokers/{{broker_id}}/configs/{{name}}": Operation(
        "getKafkaBrokerConfig", shape("BrokerConfigData")
    ),
    f"PUT {_CLUSTER}/brokers/{{broker_id}}/configs/{{name}}": Operation(
        "updateKafkaBrokerConfig", body=_CHANGED, status=204
    ),
    f"DELETE {_CLUSTER}/brokers/{{broker_id}}/configs/{{name}}": Operation(
        "deleteKafkaBrokerConfig", status=204
    ),
    f"GET {_CLUSTER}/brokers/{{broker_id}}/partition-replicas": Operation(
        "searchKafkaReplicasByBroker", shape("ReplicaDataList")
    ),
    f"GET {_CLUSTER}/consumer-groups": Operation("listKafkaConsumerGroups", shape("ConsumerGroupDataList")),
    f"GET {_GROUP}": Operation("getKafkaConsumerGroup", shape("ConsumerGroupData")),
    f"GET {_GROUP}/consumers": Operation("listKafkaConsumers", shape("ConsumerDataList")),
    f"GET {_GROUP}/lag-summary": Operation(
        "getKafkaConsumerGroupLagSummary", shape("ConsumerGroupLagSummaryData")
    ),
    f"GET {_GROUP}/lags": Operation("listKafkaConsumerLags", shape("ConsumerLagDataList")),
    f"GET {_GROUP}/lags/{_PARTITION}": Operation("getKafkaConsumerLag", shape("ConsumerLagData")),
    f"GET {_GROUP}/consumers/{{consumer_id}}": Operation("getKafkaConsumer", shape("ConsumerData")),
    f"GET {_GROUP}/consumers/{{consumer_id}}/assignments": Operation(
        "listKafkaConsumerAssignment", shape("ConsumerAssignmentDataList")
    ),
    f"GET {_GROUP}/consumers/{{consumer_id}}/assignments/{_PARTITION}": Operation(
        "getKafkaConsumerAssignment", shape("ConsumerAssignmentData")
    ),
    f"GET {_CLUSTER}/topics": Operation("listKafkaTopics", shape("TopicDataList")),
    f"POST {_CLUSTER}/topics": Operation(
        "createKafkaTopic", shape("TopicData"), body=shape("CreateTopicRequestData"), status=201
    ),
    f"GET {_CLUSTER}/topics/{{topic_name}}": Operation(
        "getKafkaTopic", shape("TopicData"), query={"include_authorized_operations": FLAG}
    ),
    f"PATCH {_CLUSTER}/topics/{{topic_name}}": Operation(
        "updatePartitionCountKafkaTopic", shape("TopicData"), body=shape("UpdatePartitionCountRequestData")
    ),
    f"DELETE {_CLUSTER}/topics/{{topic_name}}": Operation("deleteKafkaTopic", status=204),
    f"GET {_CLUSTER}/topics/{{topic_name}}/configs": Operation(
        "listKafkaTopicConfigs", shape("TopicConfigDataList")
    ),
    f"POST {_CLUSTER}/topics/{{topic_name}}/configs:alter": Operation(
        "updateKafkaTopicConfigBatch", body=_CHANGES, status=204
    ),
    f"GET {_CLUSTER}/topics/{{topic_name}}/configs/{{name}}": Operation(
        "getKafkaTopicConfig", shape("TopicConfigData")
    ),
    f"PUT {_CLUSTER}/topics/{{topic_name}}/configs/{{name}}": Operation(
        "updateKafkaTopicConfig", body=_CHANGED, status=204
    ),
    f"DELETE {_CLUSTER}/topics/{{topic_name}}/configs/{{name}}": Operation(
        "deleteKafkaTopicConfig", status=204
    ),
    f"GET {_CLUSTER}/topics/{_PARTITION}/offset": Operation(
        "listKafkaPartitionOffsets", shape("PartitionWithOffsetsData"), query={"offset_type": TEXT}
    ),
    f"GET {_CLUSTER}/topics/{{topic_name}}/partitions": Operation(
        "listKafkaPartitions", shape("PartitionDataList")
    ),
    f"GET {_CLUSTER}/topics/{_PARTITION}": Operation("getKafkaPartition", shape("PartitionData")),
    f"GET {_CLUSTER}/topics/-/partitions/-/reassignment": Operation(
        "listKafkaAllReassignments", shape("ReassignmentDataList")
    ),
    f"GET {_CLUSTER}/topics/{{topic_name}}/partitions/-/reassignment": Operation(
        "searchKafkaReassignmentsByTopic", shape("ReassignmentDataList")
    ),
    f"GET {_CLUSTER}/topics/{_PARTITION}/reassignment": Operation(
        "getKafkaReassignment", shape("ReassignmentData")
    ),
    f"GET {_CLUSTER}/topics/{_PARTITION}/replicas": Operation("listKafkaReplicas", shape("ReplicaDataList")),
    f"GET {_CLUSTER}/topics/{_PARTITION}/replicas/{{broker_id}}": Operation(
        "getKafkaReplica", shape("ReplicaData")
    ),
    f"GET {_CLUSTER}/topics/-/configs": Operation("listKafkaAllTopicConfigs", shape("TopicConfigDataList")),
    f"POST {_CLUSTER}/topics/{{topic_name}}/records": Operation(
        "produceRecord", shape("ProduceResponse"), body=shape("ProduceRequest")
    ),
    f"POST {_CLUSTER}/topics/{{topic_name}}/records:batch": Operation(
        "produceRecordsBatch", shape("ProduceBatchResponse"), body=shape("ProduceBatchRequest"), status=207
    ),
    f"GET {_CLUSTER}/topics/{{topic_name}}/records": Operation(
        "listKafkaRecords", _RECORDS, query={**_READ, "group": TEXT}, websocket=True
    ),
    f"GET {_CLUSTER}/topics/{_PARTITION}/records": Operation(
        "listKafkaPartitionRecords", _RECORDS, query={**_READ, "offset": INT64}, websocket=True
    ),
}


def _numbered(path: str, operation: Operation) -> Operation:
    numbers = {name: INTEGER for name in NUMBERS if f"{{{name}}}" in path}
    return replace(operation, path=numbers, errors=(400, 401, 403, 404, 422, 429))


OPERATIONS = {name: _numbered(name, operation) for name, operation in _DECLARED.items()}
