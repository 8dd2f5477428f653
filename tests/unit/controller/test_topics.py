"""CreateTopics and DeleteTopics: records written and errors answered, as Apache Kafka 4.3.1 does."""

from typing import Any

import pytest

from barnabas._core import Uuid
from barnabas.controller import topics
from barnabas.protocol import ErrorCode, Message
from barnabas.protocol.generated.config_record import ConfigRecord
from barnabas.protocol.generated.create_topics_request import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from barnabas.protocol.generated.delete_topics_request import DeleteTopicsRequest, DeleteTopicState
from barnabas.protocol.generated.partition_record import PartitionRecord
from barnabas.protocol.generated.remove_topic_record import RemoveTopicRecord
from barnabas.protocol.generated.topic_record import TopicRecord
from tests.support.cluster import Cluster, numbered


def creatable(
    name: str,
    partitions: int = -1,
    replication_factor: int = -1,
    assignments: dict[int, list[int]] | list[tuple[int, list[int]]] = {},  # noqa: B006
    configs: dict[str, str | None] | None = None,
) -> CreatableTopic:
    pairs = assignments.items() if isinstance(assignments, dict) else assignments
    return CreatableTopic(
        name,
        partitions,
        replication_factor,
        [CreatableReplicaAssignment(index, ids) for index, ids in pairs],
        [CreatableTopicConfig(key, value) for key, value in (configs or {}).items()],
    )


def create_codes(cluster: Cluster, *asked: CreatableTopic) -> list[tuple[str, ErrorCode]]:
    response = cluster.apply(topics.create_topics(cluster.state, CreateTopicsRequest(topics=asked)))
    return [(result.name, ErrorCode(result.error_code)) for result in response.topics]


def messages(records: list[tuple[Message, int]]) -> list[Message]:
    return [message for message, _ in records]


def test_a_new_topics_configs_are_shown_as_they_were_given() -> None:
    asked = creatable("orders", 1, 1, configs={"min.cleanable.dirty.ratio": "0"})
    decision = topics.create_topics(Cluster(1).state, CreateTopicsRequest(topics=[asked]))
    (result,) = decision.response.topics
    assert {config.name: config.value for config in result.configs or ()}["min.cleanable.dirty.ratio"] == "0"


def test_a_topic_is_its_record_its_configs_and_its_partitions() -> None:
    cluster = Cluster(1)
    cluster.ids = 0
    asked = CreateTopicsRequest(topics=[creatable("orders", 2, 1, configs={"retention.ms": "5000"})])
    decision = topics.create_topics(cluster.state, asked)
    directory = cluster.image.broker(1).log_dirs[0]  # type: ignore[union-attr]
    partition: dict[str, Any] = {
        "topic_id": numbered(1),
        "replicas": [1],
        "isr": [1],
        "leader": 1,
        "leader_epoch": 0,
        "partition_epoch": 0,
        "directories": [directory],
    }
    assert decision.records == [
        (TopicRecord(name="orders", topic_id=numbered(1)), 0),
        (ConfigRecord(resource_type=2, resource_name="orders", name="retention.ms", value="5000"), 0),
        (PartitionRecord(partition_id=0, **partition), 2),
        (PartitionRecord(partition_id=1, **partition), 2),
    ]
    (result,) = decision.response.topics
    assert (result.error_code, result.topic_id) == (0, numbered(1))
    assert (result.num_partitions, result.replication_factor) == (2, 1)
    shown = {config.name: (config.value, config.config_source) for config in result.configs or ()}
    assert shown["retention.ms"] == ("5000", 1)
    assert shown["segment.bytes"] == ("1073741824", 5)
    assert shown["min.insync.replicas"] == ("1", 3)
    assert list(shown) == sorted(shown)


def test_a_topic_without_numbers_takes_the_brokers_defaults() -> None:
    cluster = Cluster(3, settings={"num.partitions": "4", "default.replication.factor": "2"})
    assert create_codes(cluster, creatable("defaults")) == [("defaults", ErrorCode.NONE)]
    partitions = cluster.topic("defaults").partitions()
    assert [len(partition.replicas) for _, partition in partitions] == [2, 2, 2, 2]


def test_nothing_is_written_when_only_validation_is_asked_for() -> None:
    asked = CreateTopicsRequest(topics=[creatable("dry", 1, 1)], validate_only=True)
    decision = topics.create_topics(Cluster(1).state, asked)
    assert decision.records == []
    assert decision.response.topics[0].error_code == ErrorCode.NONE
    assert decision.response.topics[0].num_partitions == 1


@pytest.mark.parametrize("name", ["", ".", "..", "a" * 250, "two words", "a/b", "é", "a\n"])
def test_illegal_names_are_refused(name: str) -> None:
    assert create_codes(Cluster(1), creatable(name, 1, 1)) == [(name, ErrorCode.INVALID_TOPIC_EXCEPTION)]


def test_the_longest_legal_name_is_accepted() -> None:
    assert create_codes(Cluster(1), creatable("a" * 249, 1, 1)) == [("a" * 249, ErrorCode.NONE)]


def test_names_that_metrics_confuse_collide_with_existing_topics_only() -> None:
    cluster = Cluster(1)
    both = create_codes(cluster, creatable("a.b", 1, 1), creatable("a_b", 1, 1))
    assert both == [("a.b", ErrorCode.NONE), ("a_b", ErrorCode.NONE)]
    cluster.create("c_d")
    assert create_codes(cluster, creatable("c.d", 1, 1)) == [("c.d", ErrorCode.INVALID_TOPIC_EXCEPTION)]
    assert create_codes(cluster, creatable("c_d", 1, 1)) == [("c_d", ErrorCode.TOPIC_ALREADY_EXISTS)]


def test_one_refused_topic_does_not_hinder_the_others() -> None:
    codes = create_codes(
        Cluster(1),
        creatable("good", 1, 1),
        creatable("twice", 1, 1),
        creatable("none", 0, 1),
        creatable("__cluster_metadata", 1, 1),
        creatable("twice", 1, 1),
    )
    assert codes == [
        ("good", ErrorCode.NONE),
        ("none", ErrorCode.INVALID_PARTITIONS),
        ("twice", ErrorCode.INVALID_REQUEST),
        ("__cluster_metadata", ErrorCode.INVALID_REQUEST),
    ]


@pytest.mark.parametrize(
    ("partitions", "replication_factor", "code"),
    [
        (0, 1, ErrorCode.INVALID_PARTITIONS),
        (-2, 1, ErrorCode.INVALID_PARTITIONS),
        (1, 0, ErrorCode.INVALID_REPLICATION_FACTOR),
        (1, -2, ErrorCode.INVALID_REPLICATION_FACTOR),
        (1, 2, ErrorCode.INVALID_REPLICATION_FACTOR),
        (0, 0, ErrorCode.INVALID_REPLICATION_FACTOR),
        (10_001, 1, ErrorCode.POLICY_VIOLATION),
        (10_000, 1, ErrorCode.POLICY_VIOLATION),  # The topic's own record makes one too many.
        (2**31 - 1, 1, ErrorCode.POLICY_VIOLATION),
    ],
)
def test_bad_numbers_are_refused(partitions: int, replication_factor: int, code: ErrorCode) -> None:
    assert create_codes(Cluster(1), creatable("t", partitions, replication_factor)) == [("t", code)]


def test_too_many_partitions_together_refuse_the_whole_request() -> None:
    codes = create_codes(Cluster(1), creatable("a", 6_000, 1), creatable("b", 5_000, 1))
    assert codes == [("a", ErrorCode.POLICY_VIOLATION), ("b", ErrorCode.POLICY_VIOLATION)]


@pytest.mark.parametrize(
    ("topic", "code"),
    [
        (creatable("t", assignments={0: [1], 1: [2]}), ErrorCode.NONE),
        (creatable("t", 1, assignments={0: [1]}), ErrorCode.INVALID_REQUEST),
        (creatable("t", -1, 1, assignments={0: [1]}), ErrorCode.INVALID_REQUEST),
        (creatable("t", assignments={0: [1], 2: [1]}), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (creatable("t", assignments={-1: [1]}), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (creatable("t", assignments=[(0, [1]), (0, [1])]), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (creatable("t", assignments={0: [1, 1]}), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (creatable("t", assignments={0: [9]}), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (creatable("t", assignments={0: []}), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (creatable("t", assignments={0: [1], 1: [1, 2]}), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
    ],
)
def test_manual_assignments_are_checked(topic: CreatableTopic, code: ErrorCode) -> None:
    assert create_codes(Cluster(2), topic) == [("t", code)]


@pytest.mark.parametrize(
    "configs",
    [
        {"retention.ms": "soon"},
        {"retention.ms": None},
        {"no.such.config": "1"},
        {"": "1"},
        {"cleanup.policy": "recycle"},
        {"min.insync.replicas": "0"},
        {"min.compaction.lag.ms": "10", "max.compaction.lag.ms": "5"},
    ],
)
def test_bad_configs_are_refused(configs: dict[str, str | None]) -> None:
    assert create_codes(Cluster(1), creatable("t", 1, 1, configs=configs)) == [
        ("t", ErrorCode.INVALID_CONFIG)
    ]


def test_configs_are_looked_at_before_numbers_and_existence_before_both() -> None:
    cluster = Cluster(1)
    cluster.create("there")
    bad: dict[str, str | None] = {"no.such.config": "1"}
    assert create_codes(cluster, creatable("t", 0, 1, configs=bad)) == [("t", ErrorCode.INVALID_CONFIG)]
    assert create_codes(cluster, creatable("there", 0, 1, configs=bad)) == [
        ("there", ErrorCode.TOPIC_ALREADY_EXISTS)
    ]


def delete_codes(
    cluster: Cluster, *asked: tuple[str | None, Uuid]
) -> list[tuple[str | None, Uuid, ErrorCode]]:
    request = DeleteTopicsRequest(topics=[DeleteTopicState(name, topic_id) for name, topic_id in asked])
    response = cluster.apply(topics.delete_topics(cluster.state, request, 6))
    return [(result.name, result.topic_id, ErrorCode(result.error_code)) for result in response.responses]


def test_topics_are_deleted_by_name_and_by_id() -> None:
    cluster = Cluster(1)
    a, b = cluster.create("a").id, cluster.create("b").id
    request = DeleteTopicsRequest(topics=[DeleteTopicState("a", Uuid.ZERO), DeleteTopicState(None, b)])
    decision = topics.delete_topics(cluster.state, request, 6)
    assert messages(decision.records) == [RemoveTopicRecord(topic_id=a), RemoveTopicRecord(topic_id=b)]
    assert [(result.name, result.topic_id) for result in decision.response.responses] == [("a", a), ("b", b)]
    cluster.apply(decision)
    assert cluster.image.topic_count() == 0


def test_old_versions_delete_by_name() -> None:
    cluster = Cluster(1)
    cluster.create("a")
    request = DeleteTopicsRequest(topic_names=["a", "nope", "nope"])
    response = cluster.apply(topics.delete_topics(cluster.state, request, 5))
    assert [(result.name, result.error_code) for result in response.responses] == [
        ("a", ErrorCode.NONE),
        ("nope", ErrorCode.INVALID_REQUEST),
    ]


def test_a_topic_must_be_named_once_and_in_one_way() -> None:
    cluster = Cluster(1)
    a, b, c = (cluster.create(name).id for name in "abc")
    unknown = numbered(99)
    assert delete_codes(
        cluster,
        ("a", a),
        (None, Uuid.ZERO),
        ("nope", Uuid.ZERO),
        (None, unknown),
        ("b", Uuid.ZERO),
        (None, b),
        (None, c),
        (None, c),
    ) == [
        ("a", a, ErrorCode.INVALID_REQUEST),
        (None, Uuid.ZERO, ErrorCode.INVALID_REQUEST),
        ("nope", Uuid.ZERO, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (None, unknown, ErrorCode.UNKNOWN_TOPIC_ID),
        ("b", b, ErrorCode.INVALID_REQUEST),
        (None, c, ErrorCode.INVALID_REQUEST),
    ]
    assert cluster.image.topic_count() == 3


def test_a_deleted_topic_takes_its_configs_with_it() -> None:
    cluster = Cluster(1)
    cluster.create("a", configs={"retention.ms": "5"})
    delete_codes(cluster, ("a", Uuid.ZERO))
    assert cluster.image.config(2, "a") == {}


def test_internal_and_illegal_names_are_not_created_by_asking_for_them() -> None:
    names = ["plain", "plain", "__consumer_offsets", "bad name", "__mine", "__cluster_metadata"]
    assert topics.auto_created(names) == ["plain", "__mine"]
