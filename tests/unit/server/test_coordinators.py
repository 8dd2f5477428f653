"""The edge of the coordinators: loading, hashing, shards that fail."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas._core import MetadataImage
from barnabas.config.resolve import BrokerConfigs
from barnabas.config.settings import BrokerSettings
from barnabas.coordinator.group.machine import GroupMachine
from barnabas.coordinator.group.requests import ListGroups
from barnabas.coordinator.group.settings import GroupSettings
from barnabas.coordinator.records import GROUPS, TRANSACTIONS
from barnabas.errors import CoordinatorLoadInProgress, NotCoordinator, UnknownServerError
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.find_coordinator_request import FindCoordinatorRequest
from barnabas.protocol.generated.offset_commit_request import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from barnabas.protocol.generated.offset_fetch_request import OffsetFetchRequest, OffsetFetchRequestGroup
from barnabas.server import coordinators
from barnabas.server.coordinators import Coordinators, Kind, java_hash
from barnabas.server.load_times import LoadTimes
from tests.support.cluster import Cluster
from tests.support.fake_node import FakeNative, FakeNode


@pytest.mark.parametrize(
    ("text", "hashed"),
    [
        ("", 0),
        ("a", 97),
        ("hello", 99162322),
        ("polygenelubricants", 0),  # the one whose hash has no absolute value
        ("console-consumer-12345", 158455506),
        ("größe-𐍈", 175615108),
    ],
)
def test_keys_are_placed_by_java_s_hash(text: str, hashed: int) -> None:
    assert java_hash(text) == hashed


@given(st.text())
def test_any_key_has_a_place(text: str) -> None:
    assert 0 <= java_hash(text) < 2**31


async def test_the_first_question_creates_the_topic_and_waits_until_it_is_served() -> None:
    cluster = Cluster(1, settings={"offsets.topic.num.partitions": "3"})
    cluster.create("t")
    node = FakeNode(cluster)
    assert node.coordinators.partition_of(GROUPS, "g") is None
    await node.ask(FindCoordinatorRequest(key="g"), 3)
    topic = cluster.topic(GROUPS)
    assert topic.partition_count == 3
    assert cluster.image.config(2, GROUPS) == {
        "cleanup.policy": "compact",
        "compression.type": "producer",
        "segment.bytes": "104857600",
    }
    partition = node.coordinators.partition_of(GROUPS, "g")
    assert partition is not None
    assert node.coordinators.serves(GROUPS, partition)
    commit = OffsetCommitRequestTopic("t", partitions=[OffsetCommitRequestPartition(0, 5)])
    response = await node.ask(OffsetCommitRequest("g", topics=[commit]), 9)
    assert response.topics[0].partitions[0].error_code == 0
    fetched = await node.ask(OffsetFetchRequest(groups=[OffsetFetchRequestGroup("g", topics=None)]), 10)
    assert fetched.groups[0].topics[0].topic_id == cluster.topic("t").id
    assert fetched.groups[0].topics[0].partitions[0].committed_offset == 5


def kind(make: Any = GroupMachine) -> Kind:
    return Kind(GROUPS, lambda _: make(), GroupSettings)


def served(native: Any, *kinds: Kind) -> Coordinators:
    loop = asyncio.get_running_loop()
    return Coordinators(
        native, loop, lambda: 0, lambda: BrokerConfigs(BrokerSettings({}), {}, {}), kinds or (kind(),)
    )


class SlowNative(FakeNative):
    """Gives one record at a time, and waits for permission."""

    def __init__(self) -> None:
        super().__init__()
        self.image = MetadataImage
        self.reads = 0

    def read_records(self, topic: str, partition: int, offset: int, bytes_max: int) -> Any:
        self.reads += 1
        code, end, records = super().read_records(topic, partition, offset, bytes_max)
        return code, min(offset + 1, end), records[:1]


async def test_calls_are_put_off_while_a_partition_is_loaded_and_refused_when_it_has_gone() -> None:
    native = SlowNative()
    log = native.log(GROUPS, 0)
    for number in range(10):
        log.records.append(log_record(number))
    log.end = 10
    edge = served(native)
    answers: list[Any] = []
    edge.submit_to(GROUPS, 0, ListGroups(), answers.append)
    edge.leadership(GROUPS, 0, 4)
    edge.submit_to(GROUPS, 0, ListGroups(), answers.append)
    await edge.ready(GROUPS, 0, 5.0)
    assert native.reads >= 11
    edge.submit_to(GROUPS, 0, ListGroups(), answers.append)
    edge.end_turn()
    edge.leadership(GROUPS, 0, -1)
    edge.submit_to(GROUPS, 0, ListGroups(), answers.append)
    assert [type(answer) for answer in answers] == [
        NotCoordinator, CoordinatorLoadInProgress, list, NotCoordinator,
    ]  # fmt: skip
    assert len(answers[2]) == 10


async def test_a_partition_that_somebody_waits_for_is_served_before_the_others() -> None:
    edge = served(FakeNative())
    for partition in range(50):
        edge.leadership(GROUPS, partition, 0)
    await edge.ready(GROUPS, 49, 60.0)
    assert edge.serves(GROUPS, 49)
    # The first round has been read together; whoever waits only then goes before the rest of it.
    assert sum(edge.serves(GROUPS, partition) for partition in range(49)) <= 1
    await edge.ready(GROUPS, 48, 60.0)
    assert edge.serves(GROUPS, 48)
    assert not edge.serves(GROUPS, 47)
    for partition in range(48):
        await edge.ready(GROUPS, partition, 60.0)
        assert edge.serves(GROUPS, partition)


async def test_the_time_that_a_load_took_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    edge, clock = served(FakeNative()), iter(range(0, 10_000, 100))
    monkeypatch.setattr(edge, "_ticks", lambda: next(clock))
    assert all(math.isnan(one) for one in edge.load_times(GROUPS))
    edge.leadership(GROUPS, 0, 0)
    await edge.ready(GROUPS, 0, 60.0)
    average, longest = edge.load_times(GROUPS)
    assert average == longest >= 100


def test_loads_are_forgotten_after_a_minute() -> None:
    times = LoadTimes()
    for partition, (begun, ended) in enumerate(((0, 10), (5, 40), (30_000, 30_100))):
        times.begin(GROUPS, partition, begun)
        times.end(GROUPS, partition, ended)
    times.begin(GROUPS, 9, 0)
    assert times.recent(GROUPS, 30_100) == (145 / 3, 100)
    assert times.recent(GROUPS, 60_040) == (100, 100)
    assert math.isnan(times.recent(TRANSACTIONS, 60_040)[0])


def log_record(number: int) -> Any:
    from barnabas.coordinator.machine import Record
    from barnabas.coordinator.records import encode_record
    from barnabas.coordinator.shard import StoredBytes
    from barnabas.protocol.generated.offset_commit_key import OffsetCommitKey
    from barnabas.protocol.generated.offset_commit_value import OffsetCommitValue

    key, value = encode_record(Record(OffsetCommitKey(f"g{number}", "t", 0), OffsetCommitValue(offset=1), 4))
    assert value is not None
    return StoredBytes(number, 0, -1, -1, key, value, -1)


class Broken(GroupMachine):
    """Fails with its first call."""

    def handle(self, *_: Any) -> None:
        raise RuntimeError("broken")


async def test_a_machine_that_fails_is_replaced(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(coordinators, "RETRY_SECONDS", 0)
    machines = iter((Broken, GroupMachine))
    edge = served(FakeNative(), kind(lambda: next(machines)()))
    edge.leadership(GROUPS, 0, 4)
    await edge.ready(GROUPS, 0, 5.0)
    answers: list[Any] = []
    with caplog.at_level(logging.CRITICAL, "barnabas.coordinators"):
        edge.submit_to(GROUPS, 0, ListGroups(), answers.append)
    assert isinstance(answers[0], UnknownServerError)
    await edge.ready(GROUPS, 0, 5.0)
    edge.submit_to(GROUPS, 0, ListGroups(), answers.append)
    edge.end_turn()
    assert answers[1] == []


async def test_a_record_that_nobody_can_read_keeps_the_partition_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    native = FakeNative()
    log = native.log(GROUPS, 0)
    log.records.append(log_record(0)._replace(key=b"\0"))
    log.end = 1
    edge = served(native)
    edge.leadership(GROUPS, 0, 0)
    await edge.ready(GROUPS, 0, 5.0)
    answers: list[Any] = []
    edge.submit_to(GROUPS, 0, ListGroups(), answers.append)
    assert answers[0].error_code == ErrorCode.NOT_COORDINATOR
    assert "can't be loaded" in caplog.text
