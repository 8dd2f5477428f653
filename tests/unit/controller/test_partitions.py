"""CreatePartitions and AlterPartition."""

from typing import Any

import pytest

from barnabas._core import Uuid
from barnabas.controller import brokers, partitions
from barnabas.errors import BrokerIdNotRegistered, StaleBrokerEpoch
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.alter_partition_request import (
    AlterPartitionRequest,
    BrokerState,
    PartitionData,
    TopicData,
)
from barnabas.protocol.generated.create_partitions_request import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from barnabas.protocol.generated.partition_change_record import PartitionChangeRecord
from tests.support.cluster import Cluster, numbered


def add(
    cluster: Cluster, count: int, assignments: list[list[int]] | None = None, name: str = "t", **options: Any
) -> ErrorCode:
    given = None if assignments is None else [CreatePartitionsAssignment(ids) for ids in assignments]
    request = CreatePartitionsRequest(topics=[CreatePartitionsTopic(name, count, given)], **options)
    (result,) = cluster.apply(partitions.create_partitions(cluster.state, request)).results
    return ErrorCode(result.error_code)


def test_partitions_are_added_with_the_replication_factor_of_the_first() -> None:
    cluster = Cluster(3)
    cluster.create("t", replicas=[[1, 2]])
    assert add(cluster, 3) == ErrorCode.NONE
    assert cluster.topic("t").partition_count == 3
    assert [len(partition.replicas) for _, partition in cluster.topic("t").partitions()] == [2, 2, 2]


def test_added_partitions_can_be_placed_by_hand() -> None:
    cluster = Cluster(3)
    cluster.create("t", replicas=[[1, 2]])
    assert add(cluster, 3, [[3, 1], [2, 3]]) == ErrorCode.NONE
    assert cluster.partition("t", 1).replicas == [3, 1]
    assert cluster.partition("t", 2).replicas == [2, 3]


@pytest.mark.parametrize(
    ("count", "assignments", "code"),
    [
        (2, None, ErrorCode.INVALID_PARTITIONS),
        (1, None, ErrorCode.INVALID_PARTITIONS),
        (-1, None, ErrorCode.INVALID_PARTITIONS),
        (4, [[1]], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (3, [], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (3, [[]], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (3, [[1, 1]], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (3, [[9]], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (3, [[1, 2]], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (2**31 - 1, None, ErrorCode.POLICY_VIOLATION),
    ],
)
def test_what_is_no_sound_increase_is_refused(
    count: int, assignments: list[list[int]] | None, code: ErrorCode
) -> None:
    cluster = Cluster(2)
    cluster.create("t", 2)
    assert add(cluster, count, assignments) == code
    assert cluster.topic("t").partition_count == 2


def test_unknown_topics_and_topics_named_twice_are_refused() -> None:
    cluster = Cluster(1)
    cluster.create("t")
    assert add(cluster, 2, name="nope") == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    twice = CreatePartitionsRequest(topics=[CreatePartitionsTopic("t", 2), CreatePartitionsTopic("t", 3)])
    decision = partitions.create_partitions(cluster.state, twice)
    assert decision.records == []
    assert [result.error_code for result in decision.response.results] == [ErrorCode.INVALID_REQUEST]


def test_no_partition_is_added_when_only_validation_is_asked_for() -> None:
    cluster = Cluster(1)
    cluster.create("t")
    assert add(cluster, 2, validate_only=True) == ErrorCode.NONE
    assert cluster.topic("t").partition_count == 1


# ---- AlterPartition ---------------------------------------------------------------------------------------


def alter_isr(
    cluster: Cluster, isr: list[int], *, topic_id: Uuid | None = None, broker: int = 1, **fields: Any
) -> Any:
    partition = cluster.partition("t")
    data = PartitionData(
        **{
            "partition_index": 0,
            "leader_epoch": partition.leader_epoch,
            "partition_epoch": partition.partition_epoch,
            "new_isr_with_epochs": [BrokerState(member, -1) for member in isr],
            **fields,
        }
    )
    registered = cluster.image.broker(broker)
    assert registered is not None
    request = AlterPartitionRequest(
        broker_id=broker,
        broker_epoch=registered.epoch,
        topics=[TopicData(topic_id or cluster.topic("t").id, [data])],
    )
    response = cluster.apply(partitions.alter_partition(cluster.state, request, 3))
    return response.topics[0].partitions[0]


def three_replicas() -> Cluster:
    cluster = Cluster(3)
    cluster.create("t", replicas=[[1, 2, 3]])
    return cluster


def test_a_leader_shrinks_and_grows_its_isr() -> None:
    cluster = three_replicas()
    result = alter_isr(cluster, [1, 2])
    assert (result.error_code, result.isr, result.leader_id) == (0, [1, 2], 1)
    assert (result.leader_epoch, result.partition_epoch) == (0, 1)
    assert cluster.partition("t").isr == [1, 2]
    assert alter_isr(cluster, [1, 2, 3]).partition_epoch == 2
    assert cluster.partition("t").isr == [1, 2, 3]


def test_an_isr_that_is_so_already_changes_nothing() -> None:
    result = alter_isr(three_replicas(), [1, 2, 3])
    assert (result.error_code, result.partition_epoch) == (0, 0)


@pytest.mark.parametrize(
    ("isr", "fields", "code"),
    [
        ([1, 2], {"leader_epoch": 1}, ErrorCode.NOT_CONTROLLER),
        ([1, 2], {"partition_epoch": 9}, ErrorCode.NOT_CONTROLLER),
        ([1, 2], {"leader_epoch": -1}, ErrorCode.FENCED_LEADER_EPOCH),
        ([1, 2], {"partition_epoch": -1}, ErrorCode.INVALID_UPDATE_VERSION),
        ([1, 2], {"broker": 2}, ErrorCode.INVALID_REQUEST),
        ([2, 3], {}, ErrorCode.INVALID_REQUEST),
        ([1, 9], {}, ErrorCode.INVALID_REQUEST),
        ([], {}, ErrorCode.INVALID_REQUEST),
        ([1, 2], {"leader_recovery_state": 1}, ErrorCode.INVALID_REQUEST),
        ([1], {"leader_recovery_state": 1}, ErrorCode.INVALID_REQUEST),
        ([1], {"leader_recovery_state": 7}, ErrorCode.INVALID_REQUEST),
        ([1, 2], {"partition_index": 5}, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ([1, 2], {"topic_id": numbered(77)}, ErrorCode.UNKNOWN_TOPIC_ID),
        (
            [1],
            {"new_isr_with_epochs": [BrokerState(1, -1), BrokerState(2, 99)]},
            ErrorCode.INELIGIBLE_REPLICA,
        ),
    ],
)
def test_isrs_that_cannot_be_are_refused(isr: list[int], fields: dict[str, Any], code: ErrorCode) -> None:
    cluster = three_replicas()
    assert alter_isr(cluster, isr, **fields).error_code == code
    assert cluster.partition("t").isr == [1, 2, 3]


def test_fenced_brokers_cannot_join_an_isr() -> None:
    cluster = three_replicas()
    cluster.write(brokers.fence(cluster.state, 3))
    assert alter_isr(cluster, [1, 2, 3]).error_code == ErrorCode.INELIGIBLE_REPLICA


def test_only_the_registered_broker_with_its_epoch_is_heard() -> None:
    cluster = three_replicas()
    with pytest.raises(StaleBrokerEpoch):
        partitions.alter_partition(cluster.state, AlterPartitionRequest(broker_id=1, broker_epoch=0), 3)
    with pytest.raises(BrokerIdNotRegistered):
        partitions.alter_partition(cluster.state, AlterPartitionRequest(broker_id=9, broker_epoch=0), 3)


def test_members_that_leave_below_min_isr_stay_eligible() -> None:
    cluster = Cluster(3)
    cluster.create("t", replicas=[[1, 2, 3]], configs={"min.insync.replicas": "2"})
    alter_isr(cluster, [1])
    assert cluster.partition("t").elr == [2, 3]
    alter_isr(cluster, [1, 3])
    assert cluster.partition("t").elr == []


def test_without_elr_nobody_stays_eligible() -> None:
    cluster = Cluster(3, levels={"eligible.leader.replicas.version": 0})
    topic = cluster.create("t", replicas=[[1, 2, 3]], configs={"min.insync.replicas": "2"})
    partition = cluster.partition("t")
    data = PartitionData(
        partition_index=0, partition_epoch=0, leader_epoch=0, new_isr_with_epochs=[BrokerState(1, -1)]
    )
    epoch = cluster.image.broker(1).epoch  # type: ignore[union-attr]
    request = AlterPartitionRequest(broker_id=1, broker_epoch=epoch, topics=[TopicData(topic.id, [data])])
    decision = partitions.alter_partition(cluster.state, request, 3)
    assert decision.records == [(PartitionChangeRecord(partition_id=0, topic_id=topic.id, isr=[1]), 2)]
    assert partition.elr == []
