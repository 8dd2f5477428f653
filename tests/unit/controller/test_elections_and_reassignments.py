"""ElectLeaders, AlterPartitionReassignments and ListPartitionReassignments."""

import pytest

from barnabas.controller import brokers, elections, partitions, reassignment
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.alter_partition_reassignments_request import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from barnabas.protocol.generated.alter_partition_request import (
    AlterPartitionRequest,
    BrokerState,
    PartitionData,
    TopicData,
)
from barnabas.protocol.generated.elect_leaders_request import ElectLeadersRequest, TopicPartitions
from barnabas.protocol.generated.list_partition_reassignments_request import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsTopics,
)
from barnabas.protocol.generated.partition_change_record import PartitionChangeRecord
from tests.support.cluster import Cluster

PREFERRED, UNCLEAN = elections.PREFERRED, elections.UNCLEAN


def moved_leader() -> Cluster:
    """Broker 1 was away: partition 0 of `t` is led by 2 although 1 is preferred and in sync."""
    cluster = Cluster(2)
    cluster.create("t", replicas=[[1, 2], [2, 1]])
    cluster.write(brokers.fence(cluster.state, 1))
    cluster.write(brokers.unfence(cluster.state, 1))
    for index in (0, 1):
        alter(cluster, [2, 1], index=index, leader=2)
    return cluster


def alter(cluster: Cluster, isr: list[int], *, index: int = 0, leader: int = 1) -> None:
    partition = cluster.partition("t", index)
    data = PartitionData(
        partition_index=index,
        leader_epoch=partition.leader_epoch,
        partition_epoch=partition.partition_epoch,
        new_isr_with_epochs=[BrokerState(member, -1) for member in isr],
    )
    request = AlterPartitionRequest(
        broker_id=leader,
        broker_epoch=cluster.state.brokers[leader].epoch,
        topics=[TopicData(cluster.topic("t").id, [data])],
    )
    cluster.apply(partitions.alter_partition(cluster.state, request, 3))


def elect(
    cluster: Cluster, election_type: int, topics: dict[str, list[int]] | None
) -> dict[str, list[tuple[int, ErrorCode]]]:
    asked = None if topics is None else [TopicPartitions(name, ids) for name, ids in topics.items()]
    request = ElectLeadersRequest(election_type=election_type, topic_partitions=asked)
    response = cluster.apply(elections.elect_leaders(cluster.state, request))
    return {
        results.topic: [
            (result.partition_id, ErrorCode(result.error_code)) for result in results.partition_result
        ]
        for results in response.replica_election_results
    }


def test_a_preferred_election_gives_the_first_replica_its_leadership_back() -> None:
    cluster = moved_leader()
    assert elect(cluster, PREFERRED, {"t": [0, 1]}) == {
        "t": [(0, ErrorCode.NONE), (1, ErrorCode.ELECTION_NOT_NEEDED)]
    }
    assert cluster.partition("t").leader == 1


def test_asked_for_all_an_election_tells_only_of_those_that_were_needed() -> None:
    cluster = moved_leader()
    cluster.create("calm")
    assert elect(cluster, PREFERRED, None) == {"calm": [], "t": [(0, ErrorCode.NONE)]}


def test_unknown_partitions_and_kinds_are_refused() -> None:
    cluster = Cluster(1)
    cluster.create("t")
    assert elect(cluster, PREFERRED, {"nope": [0], "t": [7]}) == {
        "nope": [(0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)],
        "t": [(7, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)],
    }
    for topics, code in ((None, ErrorCode.INVALID_REQUEST), ([], ErrorCode.NONE)):
        asked = ElectLeadersRequest(election_type=5, topic_partitions=topics)
        assert elections.elect_leaders(cluster.state, asked).response.error_code == code


def test_a_first_replica_that_is_not_in_sync_cannot_be_elected() -> None:
    cluster = Cluster(2)
    cluster.create("t", replicas=[[1, 2]])
    cluster.write(brokers.fence(cluster.state, 1))
    cluster.write(brokers.unfence(cluster.state, 1))
    assert elect(cluster, PREFERRED, {"t": [0]}) == {"t": [(0, ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE)]}


def test_an_unclean_election_takes_a_live_replica_and_marks_it_as_recovering() -> None:
    cluster = Cluster(2)
    cluster.create("t", replicas=[[1, 2]])
    alter(cluster, [1])
    cluster.write(brokers.fence(cluster.state, 1))
    assert cluster.partition("t").leader == -1
    assert elect(cluster, UNCLEAN, {"t": [0]}) == {"t": [(0, ErrorCode.NONE)]}
    partition = cluster.partition("t")
    assert (partition.leader, partition.isr, partition.leader_recovery_state) == (2, [2], 1)
    assert elect(cluster, UNCLEAN, {"t": [0]}) == {"t": [(0, ErrorCode.ELECTION_NOT_NEEDED)]}


def test_the_controller_rebalances_leaders_so_many_at_a_time() -> None:
    cluster = Cluster(2)
    cluster.create("t", replicas=[[1, 2], [1, 2], [1, 2]])
    cluster.write(brokers.fence(cluster.state, 1))
    cluster.write(brokers.unfence(cluster.state, 1))
    for index in range(3):
        alter(cluster, [2, 1], index=index, leader=2)
    assert len(elections.rebalance_leaders(cluster.state, 2)) == 2
    cluster.write(elections.rebalance_leaders(cluster.state, 10))
    assert elections.rebalance_leaders(cluster.state, 10) == []


def test_topics_that_allow_it_get_a_leader_without_being_asked() -> None:
    cluster = Cluster(2)
    cluster.create("t", replicas=[[1, 2]])
    cluster.create("careful", replicas=[[1, 2]])
    alter(cluster, [1])
    cluster.write(brokers.fence(cluster.state, 1))
    assert elections.elect_missing_leaders(cluster.state, 10) == []
    daring = Cluster(2)
    daring.create("t", replicas=[[1, 2]], configs={"unclean.leader.election.enable": "true"})
    alter(daring, [1])
    daring.write(brokers.fence(daring.state, 1))
    assert daring.partition("t").leader == 2


# ---- reassignments ----------------------------------------------------------------------------------------


def reassign(
    cluster: Cluster, replicas: list[int] | None, *, name: str = "t", index: int = 0, factor: bool = True
) -> ErrorCode:
    target = ReassignableTopic(name, [ReassignablePartition(index, replicas)])
    request = AlterPartitionReassignmentsRequest(topics=[target], allow_replication_factor_change=factor)
    response = cluster.apply(reassignment.alter_partition_reassignments(cluster.state, request))
    return ErrorCode(response.responses[0].partitions[0].error_code)


def ongoing(cluster: Cluster) -> list[tuple[str, int, list[int], list[int], list[int]]]:
    request = ListPartitionReassignmentsRequest(topics=None)
    listed = reassignment.list_partition_reassignments(cluster.image, request)
    return [
        (
            topic.name,
            partition.partition_index,
            partition.replicas,
            partition.adding_replicas,
            partition.removing_replicas,
        )
        for topic in listed.topics
        for partition in topic.partitions
    ]


def test_a_move_adds_then_waits_then_removes() -> None:
    cluster = Cluster(3)
    cluster.create("t", replicas=[[1, 2]])
    assert reassign(cluster, [2, 3]) == ErrorCode.NONE
    assert ongoing(cluster) == [("t", 0, [2, 3, 1], [3], [1])]
    alter(cluster, [1, 2, 3])
    partition = cluster.partition("t")
    assert (partition.replicas, partition.isr, partition.leader) == ([2, 3], [2, 3], 2)
    assert ongoing(cluster) == []


def test_a_new_order_of_the_same_replicas_takes_effect_at_once() -> None:
    cluster = Cluster(2)
    cluster.create("t", replicas=[[1, 2]])
    assert reassign(cluster, [2, 1]) == ErrorCode.NONE
    assert cluster.partition("t").replicas == [2, 1]
    assert ongoing(cluster) == []


def test_the_same_replicas_again_change_nothing() -> None:
    cluster = Cluster(1)
    topic = cluster.create("t")
    request = AlterPartitionReassignmentsRequest(
        topics=[ReassignableTopic("t", [ReassignablePartition(0, [1])])]
    )
    assert reassignment.alter_partition_reassignments(cluster.state, request).records == []
    assert cluster.topic("t").id == topic.id


def test_a_cancelled_move_goes_back_to_where_it_came_from() -> None:
    cluster = Cluster(3)
    cluster.create("t", replicas=[[1, 2]])
    reassign(cluster, [2, 3])
    assert reassign(cluster, None) == ErrorCode.NONE
    partition = cluster.partition("t")
    assert (sorted(partition.replicas), partition.adding_replicas, partition.removing_replicas) == (
        [1, 2],
        [],
        [],
    )
    assert reassign(cluster, None) == ErrorCode.NO_REASSIGNMENT_IN_PROGRESS


def test_a_second_move_replaces_the_first() -> None:
    cluster = Cluster(4)
    cluster.create("t", replicas=[[1, 2]])
    reassign(cluster, [2, 3])
    reassign(cluster, [2, 4])
    assert ongoing(cluster) == [("t", 0, [2, 4, 1, 3], [4], [1, 3])]
    reassign(cluster, [1, 2])
    assert cluster.partition("t").replicas == [1, 2]
    assert ongoing(cluster) == []


@pytest.mark.parametrize(
    ("replicas", "code"),
    [
        ([1, 1], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ([], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ([9], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ([1, -1], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (None, ErrorCode.NO_REASSIGNMENT_IN_PROGRESS),
    ],
)
def test_moves_that_cannot_be_are_refused(replicas: list[int] | None, code: ErrorCode) -> None:
    cluster = Cluster(1)
    cluster.create("t")
    assert reassign(cluster, replicas) == code


def test_unknown_partitions_cannot_be_moved() -> None:
    cluster = Cluster(1)
    cluster.create("t")
    assert reassign(cluster, [1], name="nope") == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert reassign(cluster, None, name="nope") == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert reassign(cluster, [1], index=5) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_the_replication_factor_changes_only_where_the_request_allows_it() -> None:
    cluster = Cluster(3)
    cluster.create("t", replicas=[[1, 2]])
    assert reassign(cluster, [1, 2, 3], factor=False) == ErrorCode.INVALID_REPLICATION_FACTOR
    assert reassign(cluster, [1, 3], factor=False) == ErrorCode.NONE


def test_listing_tells_of_what_is_asked_for_and_known() -> None:
    cluster = Cluster(3)
    cluster.create("t", replicas=[[1], [1]])
    reassign(cluster, [2])
    asked = ListPartitionReassignmentsRequest(
        topics=[
            ListPartitionReassignmentsTopics("t", [0, 1, 9]),
            ListPartitionReassignmentsTopics("nope", [0]),
        ]
    )
    listed = reassignment.list_partition_reassignments(cluster.image, asked)
    assert [(topic.name, [p.partition_index for p in topic.partitions]) for topic in listed.topics] == [
        ("t", [0])
    ]


def test_removed_replicas_are_fenced_off_by_a_new_epoch() -> None:
    cluster = Cluster(2)
    topic = cluster.create("t", replicas=[[1, 2]])
    request = AlterPartitionReassignmentsRequest(
        topics=[ReassignableTopic("t", [ReassignablePartition(0, [1])])]
    )
    decision = reassignment.alter_partition_reassignments(cluster.state, request)
    directories = [cluster.state.brokers[1].log_dirs[0]]
    expected = PartitionChangeRecord(
        partition_id=0, topic_id=topic.id, isr=[1], leader=1, replicas=[1], directories=directories
    )
    assert decision.records == [(expected, 2)]
