"""The same OffsetCommits to a node that writes plain ones without its coordinator, and to one whose
coordinator decides them all, because what is appended there waits for the disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from random import Random
from typing import Any

import pytest

from barnabas._core import Uuid
from barnabas.coordinator.group.lending import TakenBack
from barnabas.coordinator.records import GROUPS
from barnabas.coordinator.shard import decoded
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.consumer_group_heartbeat_request import ConsumerGroupHeartbeatRequest
from barnabas.protocol.generated.create_topics_request import CreatableTopic, CreateTopicsRequest
from barnabas.protocol.generated.find_coordinator_request import FindCoordinatorRequest
from barnabas.protocol.generated.heartbeat_request import HeartbeatRequest
from barnabas.protocol.generated.join_group_request import JoinGroupRequest, JoinGroupRequestProtocol
from barnabas.protocol.generated.offset_commit_key import OffsetCommitKey
from barnabas.protocol.generated.offset_commit_request import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from barnabas.protocol.generated.offset_delete_request import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from barnabas.protocol.generated.offset_fetch_request import OffsetFetchRequest, OffsetFetchRequestGroup
from barnabas.protocol.generated.sync_group_request import SyncGroupRequest, SyncGroupRequestAssignment
from barnabas.server import lent_groups
from barnabas.server.lent_groups import PartitionLending
from barnabas.testing.server import TestBroker
from tests.support.wire import Connection

REQUESTS = 400
ID_VERSION = 10
CLASSIC, CONSUMER, NOBODY = "classic", "consumer", "nobody"
"""Groups with a member of each protocol, and one without members."""
TOPICS = ("t", "u")
SESSION_MS = 600_000
SETTINGS = {
    "group.initial.rebalance.delay.ms": "0",
    "group.consumer.max.session.timeout.ms": str(SESSION_MS),
    "group.consumer.session.timeout.ms": str(SESSION_MS),
    "offset.metadata.max.bytes": "32",
}


class Side:
    """A node and the members of its groups, on one connection."""

    def __init__(self, stack: ExitStack, settings: dict[str, str]) -> None:
        self.broker = TestBroker({**SETTINGS, **settings}, None)
        self.broker.start(0)
        stack.callback(self.broker.close)
        self.connection = stack.enter_context(Connection(self.broker.bootstrap))
        topics = [CreatableTopic(name, 2, 1) for name in TOPICS]
        created = self.connection.request(CreateTopicsRequest(topics, 30_000), 7)
        self.ids = {one.name: one.topic_id for one in created.topics}
        while (
            self.connection.request(FindCoordinatorRequest(coordinator_keys=["g"]), 6)
            .coordinators[0]
            .error_code
        ):
            pass  # It waits a moment itself while the coordinator is on its way.
        self.members = {NOBODY: ("", -1), CLASSIC: self._join(), CONSUMER: self._join_consumer_group()}

    def _join(self) -> tuple[str, int]:
        protocols = [JoinGroupRequestProtocol("range", b"")]
        join = JoinGroupRequest(CLASSIC, SESSION_MS, SESSION_MS, "", None, "consumer", protocols)
        while (answer := self.connection.request(join, 9)).error_code:
            join.member_id = answer.member_id
        sync = SyncGroupRequest(CLASSIC, answer.generation_id, answer.member_id, None, "consumer", "range")
        sync.assignments = [SyncGroupRequestAssignment(answer.member_id, b"")]
        assert not self.connection.request(sync, 5).error_code
        return answer.member_id, answer.generation_id

    def _join_consumer_group(self) -> tuple[str, int]:
        first = ConsumerGroupHeartbeatRequest(
            CONSUMER,
            "m",
            0,
            rebalance_timeout_ms=SESSION_MS,
            subscribed_topic_names=["t"],
            topic_partitions=[],
        )
        answer = self.connection.request(first, 1)
        assert not answer.error_code
        return "m", answer.member_epoch

    def heartbeat(self, group: str) -> Any:
        """The error code for a group's member."""
        member, epoch = self.members[group]
        if group == CLASSIC:
            return self.connection.request(HeartbeatRequest(CLASSIC, epoch, member), 4).error_code
        request = ConsumerGroupHeartbeatRequest(group, member, epoch)
        return self.connection.request(request, 1).error_code

    def commit(
        self, group: str, by: str, late: int, version: int, retention_ms: int, topics: Sequence[Any]
    ) -> Any:
        """What each partition is answered with, by the name of its topic."""
        member, epoch = self.members[by]
        request = OffsetCommitRequest(
            group_id=group,
            generation_id_or_member_epoch=epoch - late,
            member_id=member,
            retention_time_ms=retention_ms,
            topics=[
                OffsetCommitRequestTopic(
                    name,
                    self.ids.get(name, Uuid.ZERO),
                    [OffsetCommitRequestPartition(*partition) for partition in partitions],
                )
                for name, partitions in topics
            ],
        )
        names = {topic_id: name for name, topic_id in self.ids.items()}
        return [
            (
                names.get(topic.topic_id, "") if version >= ID_VERSION else topic.name,
                [(one.partition_index, one.error_code) for one in topic.partitions],
            )
            for topic in self.connection.request(request, version).topics
        ]

    def fetch(self, group: str) -> Any:
        """All offsets of a group."""
        answer = self.connection.request(
            OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group, topics=None)]), 9
        )
        (found,) = answer.groups
        return found.error_code, sorted(
            (topic.name, one.partition_index, one.committed_offset, one.metadata)
            for topic in found.topics
            for one in topic.partitions
        )

    def delete(self, group: str, topic: str, partition: int) -> Any:
        """The error codes for a deletion of one offset."""
        topics = [OffsetDeleteRequestTopic(topic, [OffsetDeleteRequestPartition(partition)])]
        answer = self.connection.request(OffsetDeleteRequest(group, topics), 0)
        codes = [one.error_code for found in answer.topics for one in found.partitions]
        return answer.error_code, codes

    def lent(self) -> object:
        """What the node lends by."""
        assert self.broker.server is not None
        return self.broker.call(lent_groups.of, self.broker.server)._lent

    def records(self) -> list[Any]:
        """What was written of offsets, but for times and ids."""
        assert self.broker.server is not None
        code, _, rows = self.broker.server.native.read_records(GROUPS, 0, 0, 1 << 30)
        assert not code
        return list(self._committed(rows))

    def _committed(self, rows: Sequence[Any]) -> Iterator[Any]:
        for stored in decoded(GROUPS, rows):
            if not isinstance(stored.key, OffsetCommitKey):
                continue
            key, value = stored.key, stored.value
            said: Any = None
            if value is not None:
                assert value.commit_timestamp == stored.timestamp
                assert value.topic_id in (self.ids[key.topic], Uuid.ZERO)
                forever = value.expire_timestamp == -1
                said = (value.offset, value.leader_epoch, value.metadata, bool(value.topic_id), forever)
            yield key.group, key.topic, key.partition, said


def step(chance: Random, number: int) -> tuple[Any, ...]:
    """The next request: the name of a method of `Side`, and what it is told."""
    group = chance.choice((NOBODY, CLASSIC, CONSUMER))
    match chance.choices(("commit", "heartbeat", "fetch", "delete"), (60, 30, 3, 2))[0]:
        case "heartbeat":
            return "heartbeat", chance.choice((CLASSIC, CONSUMER))
        case "fetch":
            return "fetch", group
        case "delete":
            return "delete", group, chance.choice(TOPICS), chance.randrange(2)
    by = chance.choices((group, NOBODY, CLASSIC), (12, 1, 1))[0]
    late = chance.choices((0, 1, -1), (12, 1, 1))[0]
    version = chance.choice((9, 9, 9, 10, 10, *range(2, 9)))
    retention_ms = chance.choice((-1, -1, 60_000)) if version < 5 else -1
    names = chance.choice((("t",), ("t",), ("u", "t"), ("t", "t"), ("t", "unknown")))
    topics = [
        (
            name,
            [
                (chance.choice((0, 0, 1, 1, 1, 2)), number, chance.randrange(-1, 9), chance.choice(NOTES))
                for _ in range(chance.choice((1, 1, 2)))
            ],
        )
        for name in names
    ]
    return "commit", group, by, late, version, retention_ms, topics


NOTES = ("", "", "note", "ü" * 20, None, "x" * 33)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_written_without_the_coordinator_is_what_it_would_have_written(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: Counter[object] = Counter()
    take_back = PartitionLending.take_back

    def counted(lending: PartitionLending, group_ids: Sequence[str]) -> TakenBack:
        back = take_back(lending, group_ids)
        written[lending._lent] += back.records
        return back

    monkeypatch.setattr(PartitionLending, "take_back", counted)
    chance = Random(seed)
    with ExitStack() as stack:
        lends, decides = Side(stack, {}), Side(stack, {"barnabas.durability": "fsync"})
        codes: Counter[int] = Counter()
        for number in range(REQUESTS):
            name, *about = step(chance, number)
            answers = [getattr(side, name)(*about) for side in (lends, decides)]
            assert answers[0] == answers[1], (number, name, about)
            if name == "commit":
                codes.update(code for _, partitions in answers[0] for _, code in partitions)
        for group in (NOBODY, CLASSIC, CONSUMER):
            assert lends.fetch(group) == decides.fetch(group)
        assert lends.records() == decides.records()
        assert written[lends.lent()] >= 20
        assert not written[decides.lent()]
        assert {
            ErrorCode.NONE,
            ErrorCode.OFFSET_METADATA_TOO_LARGE,
            ErrorCode.UNKNOWN_MEMBER_ID,
        } < codes.keys()
