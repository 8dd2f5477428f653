"""What coordinators ask of the native half: their partitions as logs, and the events of these."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from barnabas import _core
from barnabas.config import BrokerSettings
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.partition_record import PartitionRecord
from barnabas.protocol.generated.register_broker_record import RegisterBrokerRecord
from barnabas.protocol.generated.topic_record import TopicRecord
from barnabas.server.native import native_settings

OFFSETS = "__consumer_offsets"


class SeamNode:
    """A node in memory that leads `__consumer_offsets-0`."""

    def __init__(self) -> None:
        # Nobody connects: the listeners' ports are never bound to a fixed number.
        settings = BrokerSettings({"listeners": "PLAINTEXT://127.0.0.1:0"})
        self.native = _core.Node(native_settings(settings, memory=True))
        self.native.start()
        broker = RegisterBrokerRecord(
            broker_id=settings.node_id, incarnation_id=_core.Uuid.random(), fenced=False
        )
        topic_id = _core.Uuid.random()
        partition = PartitionRecord(
            partition_id=0,
            topic_id=topic_id,
            replicas=[settings.node_id],
            isr=[settings.node_id],
            leader=settings.node_id,
            leader_epoch=0,
            partition_epoch=0,
            directories=self.native.directory_ids()[:1],
        )
        records: list[tuple[Any, int]] = [
            (broker, 3),
            (TopicRecord(name=OFFSETS, topic_id=topic_id), 0),
            (partition, 1),
        ]
        assert self.native.wait_committed(self.native.propose(records), 30_000)

    def heard(self) -> list[Any]:
        events = self.native.drain(1_000)
        return [event for event in events if not isinstance(event, _core.Committed | _core.LogLine)]

    def records(self) -> list[_core.CoordinatorRecord]:
        """All of the partition."""
        found: list[_core.CoordinatorRecord] = []
        error, offset, records = self.native.read_records(OFFSETS, 0, 0, 1 << 20)
        while records:
            found += records
            error, offset, records = self.native.read_records(OFFSETS, 0, offset, 1 << 20)
        assert error == 0
        return found


@pytest.fixture
def node() -> Iterator[SeamNode]:
    seam = SeamNode()
    yield seam
    seam.native.stop()


def test_a_coordinator_appends_reads_and_hears_of_its_partition(node: SeamNode) -> None:
    [leadership] = [event for event in node.heard() if isinstance(event, _core.CoordinatorLeadership)]
    assert (leadership.topic, leadership.partition, leadership.leader_epoch) == (OFFSETS, 0, 0)

    native = node.native
    assert native.append_records(OFFSETS, 0, 0, [(b"a", b"1"), (b"b", None)], 17) == (0, 0, 2, 2)
    rows: list[_core.CoordinatorBatch] = [
        (OFFSETS, 0, 0, [(b"c", b"3")], 18, -1, -1, 0),
        (OFFSETS, 0, 1, [(b"d", b"4")], 18, -1, -1, 0),
        (OFFSETS, 9, 0, [(b"e", b"5")], 18, -1, -1, 0),
    ]
    assert native.append_many(rows) == [
        (0, 2, 3, 3),
        (ErrorCode.UNKNOWN_LEADER_EPOCH, -1, -1, -1),
        (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1, -1, -1),
    ]
    data = (-1, -1)
    assert native.read_records(OFFSETS, 0, 0, 1 << 20) == (
        0,
        3,
        [
            (0, 17, *data, b"a", b"1", -1),
            (1, 17, *data, b"b", None, -1),
            (2, 18, *data, b"c", b"3", -1),
        ],
    )
    assert native.read_records(OFFSETS, 0, 3, 1) == (0, 3, [])
    assert native.read_records("nothing", 0, 0, 1) == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1, [])


def test_a_transaction_of_offsets_begins_with_a_guard_and_ends_with_a_marker(node: SeamNode) -> None:
    native = node.native
    node.heard()
    producer = (9, 3)
    refused = native.append_records(OFFSETS, 0, 0, [(b"a", b"1")], 17, *producer)
    assert refused == (ErrorCode.INVALID_TXN_STATE, -1, -1, -1)
    error, guard = native.begin_verification(OFFSETS, 0, *producer)
    assert error == 0
    assert guard > 0
    appended = native.append_records(OFFSETS, 0, 0, [(b"a", b"1")], 17, *producer, verification_guard=guard)
    assert appended == (0, 0, 1, 1)
    assert native.begin_verification(OFFSETS, 0, *producer) == (0, 0)

    partitions = [(OFFSETS, 0), ("nothing", 0)]
    codes = native.write_markers(5, [(*producer, True, 0, partitions)])
    assert codes == [(0, [0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION])]
    assert native.markers_written(1) is None
    ended, committed = node.heard()
    assert isinstance(ended, _core.TransactionEnded)
    assert isinstance(committed, _core.CoordinatorCommitted)
    assert (ended.topic, ended.partition, ended.offset) == (OFFSETS, 0, 1)
    assert (ended.producer_id, ended.producer_epoch, ended.committed) == (*producer, True)
    assert (committed.topic, committed.partition, committed.high_watermark) == (OFFSETS, 0, 2)
    data, marker = node.records()
    assert data == (0, 17, *producer, b"a", b"1", -1)
    assert (marker[0], marker[2:4], marker[6]) == (1, producer, 1)


def test_moves_of_the_high_watermark_that_were_not_looked_at_are_told_as_one(node: SeamNode) -> None:
    node.heard()
    for epoch in range(10):
        node.native.write_markers(5, [(9, epoch, True, 0, [(OFFSETS, 0)])])
    events = node.heard()
    moves = [event.high_watermark for event in events if isinstance(event, _core.CoordinatorCommitted)]
    assert (len(events), moves) == (11, [10])
    node.native.write_markers(5, [(9, 10, True, 0, [(OFFSETS, 0)])])
    assert [type(event) for event in node.heard()] == [_core.TransactionEnded, _core.CoordinatorCommitted]


def test_answers_that_nobody_waits_for_are_ignored(node: SeamNode) -> None:
    node.native.transaction_checked(4711, [0])
