"""The edge of the transaction coordinator: handlers, checks of the data plane, markers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from barnabas.coordinator.transaction.requests import ProducerIdAndEpoch
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.add_offsets_to_txn_request import AddOffsetsToTxnRequest
from barnabas.protocol.generated.add_partitions_to_txn_request import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnTopic,
)
from barnabas.protocol.generated.describe_transactions_request import DescribeTransactionsRequest
from barnabas.protocol.generated.end_txn_request import EndTxnRequest
from barnabas.protocol.generated.find_coordinator_request import FindCoordinatorRequest
from barnabas.protocol.generated.init_producer_id_request import InitProducerIdRequest
from barnabas.protocol.generated.list_transactions_request import ListTransactionsRequest
from barnabas.server import dispatch, transactions
from tests.support.cluster import Cluster
from tests.support.fake_node import FakeNative, FakeNode

SETTINGS = {
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
}
ID = "t"


class Native(FakeNative):
    """With partitions that take markers, and Produce requests that wait for a word."""

    def __init__(self) -> None:
        super().__init__()
        self.markers: list[Any] = []
        self.checked: list[tuple[int, list[int]]] = []
        self.published: list[tuple[list[int], list[Any]]] = []
        self.markers_wait = False
        """Whether markers are not committed when they are written."""

    def write_markers(self, _coordinator_epoch: int, rows: list[Any]) -> list[tuple[int, list[int]]]:
        self.markers.extend(rows)
        if self.markers_wait:
            return [(number, []) for number, _ in enumerate(rows, 1)]
        return [(0, [0] * len(row[4])) for row in rows]

    def markers_written(self, _waits_as: int) -> list[int] | None:
        return None if self.markers_wait else [0, 0]

    def publish_transactions(self, ended: list[int], opened: list[Any]) -> None:
        self.published.append((ended, opened))

    def transaction_checked(self, check_id: int, errors: list[int]) -> None:
        self.checked.append((check_id, list(errors)))


@pytest.fixture
async def node() -> FakeNode:
    """A node that coordinates transactions, with a topic of two partitions."""
    cluster = Cluster(1, settings=SETTINGS)
    cluster.create("orders", 2)
    node = FakeNode(cluster)
    node.native = Native()
    node.native.image = node.image
    assert node.coordinators.partitions("__transaction_state") == []
    asked = FindCoordinatorRequest(key_type=1, coordinator_keys=[ID])
    assert (await node.ask(asked, 4)).coordinators[0].key == ID
    return node


async def init(node: FakeNode, version: int = 4, **fields: Any) -> Any:
    asked = InitProducerIdRequest(**{"transactional_id": ID, "transaction_timeout_ms": 60_000, **fields})
    return await node.ask(asked, version)


async def add(node: FakeNode, version: int = 3, connection: int = 1, **fields: Any) -> list[int]:
    """The codes for partitions 0 and 1."""
    asked = AddPartitionsToTxnRequest(
        **{
            "v3_and_below_transactional_id": ID,
            "v3_and_below_topics": [AddPartitionsToTxnTopic("orders", [0, 1])],
            **fields,
        }
    )
    response = await node.ask(asked, version, connection=connection)
    topics = response.results_by_topic_v3_and_below
    return [part.partition_error_code for topic in topics for part in topic.results_by_partition]


async def end(node: FakeNode, version: int = 4, connection: int = 1, **fields: Any) -> Any:
    asked = EndTxnRequest(**{"transactional_id": ID, "committed": True, **fields})
    return await node.ask(asked, version, connection=connection)


async def test_markers_are_written_and_the_transaction_completes(node: FakeNode) -> None:
    given = await init(node)
    assert (given.producer_id, given.producer_epoch) == (0, 0)
    assert await add(node) == [0, 0]
    assert (await end(node)).error_code == 0
    assert node.native.markers == [(0, 0, True, 0, (("orders", 0), ("orders", 1)))]
    described = await node.ask(DescribeTransactionsRequest([ID, "nobody", ""]), 0)
    assert [(one.transaction_state, one.error_code) for one in described.transaction_states] == [
        ("CompleteCommit", 0),
        ("", ErrorCode.TRANSACTIONAL_ID_NOT_FOUND),
        ("", ErrorCode.INVALID_REQUEST),
    ]


async def test_a_transaction_is_not_over_before_its_markers_are_committed(node: FakeNode) -> None:
    async def state() -> str:
        described = await node.ask(DescribeTransactionsRequest([ID]), 0)
        found: str = described.transaction_states[0].transaction_state
        return found

    await init(node)
    await add(node)
    node.native.markers_wait = True
    assert (await end(node)).error_code == 0
    assert await state() == "PrepareCommit"
    assert await add(node) == [ErrorCode.CONCURRENT_TRANSACTIONS] * 2
    transactions.of(node).markers_moved(1)
    node.coordinators.end_turn()
    assert await state() == "PrepareCommit", "one of them still waits"
    node.native.markers_wait = False
    transactions.of(node).markers_moved(1)
    node.coordinators.end_turn()
    assert await state() == "CompleteCommit"
    transactions.of(node).markers_moved(1)
    assert await add(node) == [0, 0]


async def test_the_data_plane_knows_the_partitions_of_clients_that_add_them(node: FakeNode) -> None:
    await init(node)
    await add(node)
    [(ended, [opened])] = node.native.published
    assert (ended, opened[:5]) == ([], (0, 0, ID, 0, 0))
    assert sorted(opened[5]) == [("orders", 0), ("orders", 1)]
    await add(node)
    assert len(node.native.published) == 1, "nothing was added"
    await end(node)
    assert node.native.published[1:] == [([0], [])]
    assert node.native.markers, "it was withdrawn in the turn that wrote the markers"
    await end(node)
    assert len(node.native.published) == 2


async def test_a_late_request_closes_its_connection(node: FakeNode) -> None:
    await init(node)
    await add(node, connection=5)
    assert (await end(node, connection=6)).error_code == 0
    await add(node, connection=6)
    asked = EndTxnRequest(transactional_id=ID, committed=False)
    answers: list[Any] = []
    request: Any = SimpleNamespace(id=1, api_key=26, api_version=4, body=asked, connection=5)
    assert dispatch.begin(node, request, answers.append)
    assert answers == [None]
    listed = await node.ask(ListTransactionsRequest(state_filters=["Ongoing", "Nonsense"]), 2)
    assert [one.transactional_id for one in listed.transaction_states] == [ID]
    assert listed.unknown_state_filters == ["Nonsense"]


@pytest.mark.parametrize(("version", "code"), [(1, "INVALID_PRODUCER_EPOCH"), (2, "PRODUCER_FENCED")])
async def test_old_clients_are_told_of_a_fence_in_their_words(
    node: FakeNode, version: int, code: str
) -> None:
    await init(node)
    await init(node)
    expected = ErrorCode[code]
    assert await add(node, version) == [expected, expected]
    assert (await end(node, version)).error_code == expected
    offsets = AddOffsetsToTxnRequest(transactional_id=ID, group_id="g")
    assert (await node.ask(offsets, version, connection=1)).error_code == expected
    fenced = await init(node, 3 if version == 1 else 4, producer_id=0, producer_epoch=0)
    assert fenced.error_code == expected


async def test_one_wrong_partition_and_nothing_is_attempted(node: FakeNode) -> None:
    await init(node)
    topics = [AddPartitionsToTxnTopic("orders", [0, 2]), AddPartitionsToTxnTopic("__consumer_offsets", [0])]
    assert await add(node, v3_and_below_topics=topics) == [
        ErrorCode.OPERATION_NOT_ATTEMPTED,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.TOPIC_AUTHORIZATION_FAILED,
    ]


async def test_data_plane_verifies_or_adds(node: FakeNode) -> None:
    await init(node)
    asked: Any = SimpleNamespace(
        id=7, transactional_id=ID, producer_id=0, producer_epoch=0, partitions=[("orders", 1)], add=False
    )
    transactions.of(node).data_plane_asks(asked)
    asked.add = True
    transactions.of(node).data_plane_asks(asked)
    asked.add, asked.partitions = False, [("orders", 0), ("orders", 1)]
    transactions.of(node).data_plane_asks(asked)
    asked.producer_epoch = 3
    transactions.of(node).data_plane_asks(asked)
    node.coordinators.end_turn()
    assert node.native.checked == [
        (7, [ErrorCode.TRANSACTION_ABORTABLE]),
        (7, [0]),
        (7, [ErrorCode.TRANSACTION_ABORTABLE, 0]),
        (7, [ErrorCode.INVALID_PRODUCER_EPOCH] * 2),
    ]


async def test_check_without_an_id_is_refused(node: FakeNode) -> None:
    codes: list[list[int]] = []
    nobody = ProducerIdAndEpoch(0, 0)
    transactions.of(node).check("", nobody, [("orders", 0)], add=True, then=codes.append)
    assert codes == [[ErrorCode.INVALID_REQUEST]]


async def test_a_pattern_must_be_one(node: FakeNode) -> None:
    await init(node)
    assert (await node.ask(ListTransactionsRequest(transactional_id_pattern="["), 2)).error_code == (
        ErrorCode.INVALID_REGULAR_EXPRESSION
    )
    found = await node.ask(ListTransactionsRequest(transactional_id_pattern="t|u"), 2)
    assert [one.transactional_id for one in found.transaction_states] == [ID]
