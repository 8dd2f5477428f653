"""The controller's listener beside that of Apache Kafka 4.3.1: what is served, and with which errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from barnabas import Broker
from barnabas.protocol import ApiKey, Message, message_class
from barnabas.protocol.generated import alter_partition_reassignments_request as reassigning
from barnabas.protocol.generated import create_partitions_request as growing
from barnabas.protocol.generated import create_topics_request as creating
from barnabas.protocol.generated import delete_topics_request as deleting
from barnabas.protocol.generated import describe_configs_request as configs
from barnabas.protocol.generated import describe_quorum_request as quorum
from barnabas.protocol.generated import elect_leaders_request as electing
from barnabas.protocol.generated import incremental_alter_configs_request as altering
from barnabas.protocol.generated import list_partition_reassignments_request as reassignments
from barnabas.protocol.generated import update_features_request as features
from barnabas.protocol.generated.api_versions_request import ApiVersionsRequest
from barnabas.protocol.generated.describe_acls_request import DescribeAclsRequest
from barnabas.protocol.generated.describe_cluster_request import DescribeClusterRequest
from barnabas.protocol.generated.unregister_broker_request import UnregisterBrokerRequest
from tests.support.oracle import apache_kafka, free_port
from tests.support.wire import Connection

pytestmark = [pytest.mark.oracle, pytest.mark.timeout(300)]

NOT_SERVED_YET = {
    ApiKey.FETCH, *range(52, 55), 56, 58, 59, ApiKey.BROKER_REGISTRATION, ApiKey.BROKER_HEARTBEAT,
    ApiKey.ALLOCATE_PRODUCER_IDS, ApiKey.CONTROLLER_REGISTRATION, ApiKey.ASSIGN_REPLICAS_TO_DIRS, 80, 81, 82,
}  # fmt: skip
"""What nodes ask each other, as docs/compatibility.md has it."""

CRASHING = {ApiKey.FETCH_SNAPSHOT}
"""Empty, this ends the real Kafka."""


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[str, str]]:
    """Addresses of both controllers."""
    port = free_port()
    listeners = f"PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:{port}"
    with apache_kafka() as kafka, Broker(settings={"listeners": listeners}):
        yield f"127.0.0.1:{kafka.controller_port}", f"127.0.0.1:{port}"


def ask(address: str, message: Message, version: int) -> Any:
    with Connection(address) as connection:
        return connection.request(message, version)


def codes(value: Any) -> list[int]:
    """All error codes of a response, in its order."""
    if isinstance(value, list):
        return [code for element in value for code in codes(element)]
    fields = getattr(type(value), "__slots__", ())
    found = [value.error_code] if "error_code" in fields else []
    return found + [code for name in fields for code in codes(getattr(value, name))]


def ranges(response: Any) -> dict[int, tuple[int, int]]:
    return {api.api_key: (api.min_version, api.max_version) for api in response.api_keys}


def test_the_same_apis_are_listed(pair: tuple[str, str]) -> None:
    asked = ApiVersionsRequest(client_software_name="test", client_software_version="1")
    for version in range(5):
        kafka, ours = (ranges(ask(address, asked, version)) for address in pair)
        assert {key for key in kafka if key not in ours} == NOT_SERVED_YET
        assert ours.keys() <= kafka.keys()
        newer = {key for key in ours if ours[key] != kafka[key]}
        assert newer <= {ApiKey.API_VERSIONS}, newer


def test_what_is_not_listed_closes_the_connection(pair: tuple[str, str]) -> None:
    kafka = ranges(ask(pair[0], ApiVersionsRequest(), 0))
    for key in ApiKey:
        if key not in kafka and key not in CRASHING:
            kind = message_class(key, response=False)
            for address in pair:
                assert ask(address, kind(), kind.LOWEST_VERSION) is None, key


def config(kind: int, name: str, key: str, value: str) -> Message:
    resource = altering.AlterConfigsResource(kind, name, [altering.AlterableConfig(key, 0, value)])
    return altering.IncrementalAlterConfigsRequest([resource])


def described(kind: int, name: str) -> Message:
    return configs.DescribeConfigsRequest([configs.DescribeConfigsResource(kind, name, ["retention.ms"])])


def log(topic: str, partition: int) -> Message:
    return quorum.DescribeQuorumRequest([quorum.TopicData(topic, [quorum.PartitionData(partition)])])


def topic(name: str, partitions: int = 1, replicas: int = 1) -> Message:
    made = creating.CreatableTopic(name=name, num_partitions=partitions, replication_factor=replicas)
    return creating.CreateTopicsRequest(topics=[made], timeout_ms=10_000)


def feature(name: str, level: int) -> Message:
    update = features.FeatureUpdateKey(feature=name, max_version_level=level, upgrade_type=1)
    return features.UpdateFeaturesRequest(feature_updates=[update], timeout_ms=10_000)


def move(name: str, replica: int) -> Message:
    partition = reassigning.ReassignablePartition(0, [replica])
    moved = reassigning.ReassignableTopic(name, [partition])
    return reassigning.AlterPartitionReassignmentsRequest(timeout_ms=10_000, topics=[moved])


def delete(name: str) -> Message:
    return deleting.DeleteTopicsRequest(topics=[deleting.DeleteTopicState(name=name)], timeout_ms=10_000)


STEPS: list[tuple[Message, int]] = [
    *((DescribeClusterRequest(endpoint_type=kind), 2) for kind in (0, 1, 2, 3)),
    (DescribeClusterRequest(), 0),
    (topic("orders", 2), 7),
    (topic("orders"), 5),
    (topic("wide", replicas=2), 7),
    (topic("a/b"), 2),
    (described(2, "orders"), 4),
    (described(2, "nobody"), 1),
    (described(4, "1"), 4),
    (described(4, "2"), 4),
    (described(8, ""), 4),
    (config(2, "orders", "retention.ms", "70000"), 1),
    (config(2, "orders", "retention.ms", "never"), 1),
    (config(2, "nobody", "retention.ms", "70000"), 1),
    (config(4, "", "log.cleaner.threads", "2"), 1),
    (config(16, "metrics", "interval.ms", "60000"), 0),
    (growing.CreatePartitionsRequest([growing.CreatePartitionsTopic("orders", 1)], 10_000), 3),
    (electing.ElectLeadersRequest(timeout_ms=10_000, topic_partitions=None), 2),
    (move("orders", 1), 0),
    (move("orders", 7), 1),
    (move("nobody", 1), 1),
    (reassignments.ListPartitionReassignmentsRequest(10_000, None), 0),
    (log("__cluster_metadata", 0), 2),
    (log("__cluster_metadata", 1), 0),
    (feature("group.version", 9), 2),
    (feature("nothing.version", 1), 1),
    (DescribeAclsRequest(resource_type_filter=2, pattern_type_filter=3, operation=1, permission_type=1), 3),
    (UnregisterBrokerRequest(broker_id=4242), 0),
    (delete("orders"), 6),
    (delete("orders"), 6),
]


def test_requests_are_answered_with_the_same_errors(pair: tuple[str, str]) -> None:
    for number, (message, version) in enumerate(STEPS):
        kafka, ours = (ask(address, message, version) for address in pair)
        assert codes(ours) == codes(kafka), (number, message, kafka, ours)
