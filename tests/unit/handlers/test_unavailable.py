"""Coordinator APIs of a node that coordinates nothing: codes where Apache Kafka 4.3.1 has them."""

import pytest

from barnabas.protocol import ErrorCode, Message
from barnabas.protocol.generated.add_partitions_to_txn_request import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTransaction,
)
from barnabas.protocol.generated.consumer_group_heartbeat_request import ConsumerGroupHeartbeatRequest
from barnabas.protocol.generated.delete_groups_request import DeleteGroupsRequest
from barnabas.protocol.generated.describe_groups_request import DescribeGroupsRequest
from barnabas.protocol.generated.describe_transactions_request import DescribeTransactionsRequest
from barnabas.protocol.generated.end_txn_request import EndTxnRequest
from barnabas.protocol.generated.find_coordinator_request import FindCoordinatorRequest
from barnabas.protocol.generated.heartbeat_request import HeartbeatRequest
from barnabas.protocol.generated.join_group_request import JoinGroupRequest
from barnabas.protocol.generated.list_groups_request import ListGroupsRequest
from barnabas.protocol.generated.offset_commit_request import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from barnabas.protocol.generated.offset_fetch_request import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
)
from tests.support.cluster import Cluster
from tests.support.fake_node import FakeNode

NOT_AVAILABLE, NOT_COORDINATOR = ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.NOT_COORDINATOR


def node_with_topic() -> FakeNode:
    cluster = Cluster(1)
    cluster.create("t")
    return FakeNode(cluster)


@pytest.mark.parametrize("version", range(4))
async def test_one_coordinator_is_looked_for_in_vain(version: int) -> None:
    response = await FakeNode().ask(FindCoordinatorRequest(key="g"), version)
    assert (response.error_code, response.node_id, response.port) == (NOT_AVAILABLE, -1, -1)


@pytest.mark.parametrize("version", range(4, 7))
async def test_many_coordinators_are_looked_for_in_vain(version: int) -> None:
    response = await FakeNode().ask(FindCoordinatorRequest(coordinator_keys=["g", "h"]), version)
    assert [(c.key, c.error_code, c.node_id) for c in response.coordinators] == [
        ("g", NOT_AVAILABLE, -1),
        ("h", NOT_AVAILABLE, -1),
    ]


async def test_unknown_kinds_of_coordinators_are_refused() -> None:
    async def code(kind: int, key: str, version: int = 6) -> int:
        asked = FindCoordinatorRequest(key_type=kind, coordinator_keys=[key])
        response = await FakeNode().ask(asked, version)
        found: int = response.coordinators[0].error_code
        return found

    assert await code(9, "g") == ErrorCode.INVALID_REQUEST
    assert await code(2, "g") == ErrorCode.INVALID_REQUEST
    assert await code(2, "g:AAAAAAAAAAAAAAAAAAAAAQ:0") == NOT_AVAILABLE
    assert await code(2, "g:AAAAAAAAAAAAAAAAAAAAAQ:0", version=5) == ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize(
    "asked",
    [
        JoinGroupRequest(group_id="g"),
        HeartbeatRequest(group_id="g"),
        EndTxnRequest(transactional_id="x"),
        ConsumerGroupHeartbeatRequest(group_id="g"),
    ],
    ids=lambda asked: type(asked).__name__,
)
async def test_what_belongs_to_a_coordinator_is_sent_elsewhere(asked: Message) -> None:
    assert (await FakeNode().ask(asked)).error_code == NOT_COORDINATOR


async def test_no_groups_are_here() -> None:
    response = await FakeNode().ask(ListGroupsRequest())
    assert (response.error_code, response.groups) == (ErrorCode.NONE, [])


async def test_each_group_that_is_asked_for_is_elsewhere() -> None:
    response = await FakeNode().ask(DescribeGroupsRequest(groups=["a", "b"]))
    assert [(g.group_id, g.error_code) for g in response.groups] == [
        ("a", NOT_COORDINATOR),
        ("b", NOT_COORDINATOR),
    ]
    response = await FakeNode().ask(DeleteGroupsRequest(groups_names=["a"]))
    assert [(g.group_id, g.error_code) for g in response.results] == [("a", NOT_COORDINATOR)]
    response = await FakeNode().ask(DescribeTransactionsRequest(transactional_ids=["x"]))
    assert [(t.transactional_id, t.error_code) for t in response.transaction_states] == [
        ("x", NOT_COORDINATOR)
    ]


async def test_partitions_are_looked_for_before_the_coordinator() -> None:
    topics = [
        OffsetCommitRequestTopic(name=name, partitions=[OffsetCommitRequestPartition(index)])
        for name, index in (("t", 0), ("t", 9), ("nope", 0))
    ]
    response = await node_with_topic().ask(OffsetCommitRequest(group_id="g", topics=topics), 9)
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert [
        (topic.name, partition.partition_index, partition.error_code)
        for topic in response.topics
        for partition in topic.partitions
    ] == [("t", 9, unknown), ("t", 0, NOT_COORDINATOR), ("nope", 0, unknown)]


async def test_committed_offsets_are_elsewhere_in_each_generation_of_the_api() -> None:
    node = node_with_topic()
    topics = [OffsetFetchRequestTopic("t", [0])]
    oldest = await node.ask(OffsetFetchRequest(group_id="g", topics=topics), 1)
    partition = oldest.topics[0].partitions[0]
    assert (partition.committed_offset, partition.error_code) == (-1, NOT_COORDINATOR)
    middle = await node.ask(OffsetFetchRequest(group_id="g", topics=topics), 5)
    assert (middle.error_code, middle.topics) == (NOT_COORDINATOR, [])
    newest = await node.ask(OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id="g")]), 9)
    assert [(g.group_id, g.error_code) for g in newest.groups] == [("g", NOT_COORDINATOR)]


async def test_nothing_is_attempted_when_one_partition_of_a_transaction_is_unknown() -> None:
    node = node_with_topic()

    def topics(*names: str) -> list[AddPartitionsToTxnTopic]:
        return [AddPartitionsToTxnTopic(name, [0]) for name in names]

    asked = AddPartitionsToTxnRequest(v3_and_below_topics=topics("t", "nope"))
    response = await node.ask(asked, 3)
    codes = {
        topic.name: topic.results_by_partition[0].partition_error_code
        for topic in response.results_by_topic_v3_and_below
    }
    assert codes == {
        "t": ErrorCode.OPERATION_NOT_ATTEMPTED,
        "nope": ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    }
    asked = AddPartitionsToTxnRequest(
        transactions=[AddPartitionsToTxnTransaction(transactional_id="x", topics=topics("t"))]
    )
    response = await node.ask(asked, 5)
    (result,) = response.results_by_transaction
    assert result.topic_results[0].results_by_partition[0].partition_error_code == NOT_COORDINATOR
