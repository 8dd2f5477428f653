"""Share groups: Apache Kafka 4.3.1 and barnabas answer alike, and each goes on where the other stopped."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from barnabas.protocol import Message
from barnabas.protocol.generated import alter_share_group_offsets_request as alter
from barnabas.protocol.generated import delete_share_group_offsets_request as delete
from barnabas.protocol.generated import describe_share_group_offsets_request as describe
from barnabas.protocol.generated import share_acknowledge_request as acknowledge
from barnabas.protocol.generated import share_fetch_request as fetch
from barnabas.protocol.generated.delete_groups_request import DeleteGroupsRequest
from barnabas.protocol.generated.share_group_describe_request import ShareGroupDescribeRequest
from barnabas.protocol.generated.share_group_heartbeat_request import ShareGroupHeartbeatRequest
from tests.conformance.groups.duel import Duel, Side, create_topic, find_coordinator, set_config, wait_for
from tests.conformance.groups.test_consumer_groups import nodes

pytestmark = [pytest.mark.oracle, pytest.mark.timeout(300)]

MEMBER = "AAAAAAAAAAAAAAAAAAAAAQ"
RECORDS = 10
PRODUCED_AT = time.time_ns() // 1_000_000
"""The same on both sides, so that the bytes are."""
ACCEPT, RELEASE, REJECT, RENEW = 1, 2, 3, 4
RECORD_LIMIT = 1

Told = tuple[int, int, list[int]]
"""First offset, last offset, types."""


def beat(group: str, epoch: int, topics: Sequence[str] | None = None, member: str = MEMBER) -> Message:
    return ShareGroupHeartbeatRequest(group, member, epoch, None, topics)


def take(
    group: str, epoch: int, *told: Told, records_max: int = 100, partition: int | None = 0
) -> fetch.ShareFetchRequest:
    """A ShareFetch of one partition, or of those of the session."""
    batches = [fetch.AcknowledgementBatch(*one) for one in told]
    asked = [] if partition is None else [fetch.FetchPartition(partition, batches)]
    return fetch.ShareFetchRequest(
        group_id=group,
        member_id=MEMBER,
        share_session_epoch=epoch,
        max_wait_ms=500,
        min_bytes=1,
        max_bytes=1_000_000,
        max_records=records_max,
        batch_size=100,
        share_acquire_mode=RECORD_LIMIT,
        topics=[fetch.FetchTopic("taken", asked)] if asked else [],  # type: ignore[arg-type]
    )


def tell(group: str, epoch: int, *told: Told, renews: bool = False, partition: int = 0) -> Message:
    batches = [acknowledge.AcknowledgementBatch(*one) for one in told]
    topic = acknowledge.AcknowledgeTopic("taken", [acknowledge.AcknowledgePartition(partition, batches)])  # type: ignore[arg-type]
    return acknowledge.ShareAcknowledgeRequest(group, MEMBER, epoch, renews, [topic] if batches else [])


def where(group: str) -> Message:
    """Asks where a group stands."""
    asked = describe.DescribeShareGroupOffsetsRequestGroup(group, None)
    return describe.DescribeShareGroupOffsetsRequest([asked])


def move(group: str, *offsets: tuple[int, int]) -> Message:
    partitions = [alter.AlterShareGroupOffsetsRequestPartition(*one) for one in offsets]
    return alter.AlterShareGroupOffsetsRequest(
        group, [alter.AlterShareGroupOffsetsRequestTopic("taken", partitions)]
    )


def forget(group: str, *topics: str) -> Message:
    asked = [delete.DeleteShareGroupOffsetsRequestTopic(topic) for topic in topics]
    return delete.DeleteShareGroupOffsetsRequest(group, asked)


def prepare(side: Side, group: str) -> None:
    """A topic with records, and a group that begins with the first."""
    create_topic(side, "taken", 1)
    producer = Producer({"bootstrap.servers": side.bootstrap, "linger.ms": 0})
    for number in range(RECORDS):
        producer.produce("taken", str(number), timestamp=PRODUCED_AT)
        producer.flush()
    set_config(side, "share.auto.offset.reset", "earliest", group)
    find_coordinator(side, group)


def join(side: Side, group: str) -> int:
    """Joins until the partition is assigned; the member's epoch."""
    answer = side.ask(beat(group, 0, ["taken"]), 1)

    def is_assigned() -> bool:
        nonlocal answer
        if answer.assignment is not None and answer.assignment.topic_partitions:
            return True
        # A coordinator that is being loaded has not heard of the member.
        topics = None if answer.member_epoch else ["taken"]
        answer = side.ask(beat(group, answer.member_epoch, topics), 1)
        return False

    wait_for(is_assigned)
    return int(answer.member_epoch)


def begin(side: Side, group: str, records_max: int) -> Any:
    """Opens sessions until one has records: who leads the share partition may have to read its state."""
    answer: Any = None

    def has_records() -> bool:
        nonlocal answer
        answer = side.ask(take(group, 0, records_max=records_max), 2)
        return any(topic.partitions[0].acquired_records for topic in answer.responses)

    wait_for(has_records)
    return answer


def test_records_are_taken_and_acknowledged_alike(duel: Duel) -> None:
    group = "share"
    for side in duel.sides:
        prepare(side, group)
    duel.ask(beat(group, 5))
    duel.ask(beat(group, 0))
    duel.ask(beat(group, -2, ["taken"]))
    epochs = [join(side, group) for side in duel.sides]
    assert epochs[0] == epochs[1]
    duel.ask(beat(group, epochs[0] + 1))
    duel.ask(beat(group, epochs[0] - 2))
    duel.ask(beat(group, epochs[0], member="AAAAAAAAAAAAAAAAAAAABQ"))
    duel.ask(ShareGroupDescribeRequest([group]))
    duel.ask(ShareGroupDescribeRequest(["no-such-group"]))
    duel.ask(take(group, 3))
    duel.ask(take(group, 0, (0, 0, [ACCEPT])))
    shown = [side.shown(begin(side, group, 4)) for side in duel.sides]
    assert shown[0] == shown[1]
    duel.ask(take(group, 7))
    for session_epoch, told in enumerate(
        [
            [(0, 0, [ACCEPT])],
            [(9, 9, [ACCEPT])],
            [(1, 1, [9])],
            [(2, 2, [ACCEPT]), (1, 1, [ACCEPT])],
            [(1, 3, [ACCEPT, ACCEPT])],
            [(1, 1, [RENEW])],
            [(1, 3, [ACCEPT, RELEASE, REJECT])],
            [(3, 3, [ACCEPT])],
        ],
        1,
    ):
        duel.ask(tell(group, session_epoch, *told))
    duel.ask(tell(group, 9, (1, 1, [ACCEPT]), partition=4))
    duel.ask(tell(group, 0, (1, 1, [ACCEPT])))
    duel.ask(tell(group, 44, (1, 1, [ACCEPT])))
    duel.ask(take(group, 10, records_max=3, partition=None))
    duel.ask(tell(group, 11, (2, 2, [RENEW]), renews=True))
    # Kafka writes a start offset down with the next change only: what is left to be done is the same.
    lags = [side.ask(where(group), 1).groups[0].topics[0].partitions[0].lag for side in duel.sides]
    assert lags[0] == lags[1]
    duel.ask(move(group, (0, 3)))
    duel.ask(forget(group, "taken"))
    duel.ask(tell(group, -1))
    duel.ask(tell(group, -1))


def test_offsets_are_described_altered_and_deleted_alike(duel: Duel) -> None:
    group = "share-offsets"
    for side in duel.sides:
        prepare(side, group)
        join(side, group)
        begin(side, group, 2)
    duel.ask(tell(group, -1, (0, 1, [ACCEPT])))
    duel.ask(DeleteGroupsRequest([group]), 2)
    duel.ask(beat(group, -1))
    duel.ask(beat(group, -1))
    duel.ask(ShareGroupDescribeRequest([group]))
    duel.ask(move(group, (0, 3), (7, 3)))
    for side in duel.sides:
        wait_for(lambda: side.ask(where(group), 1).groups[0].topics[0].partitions[0].start_offset == 3)  # noqa: B023
    duel.ask(where(group))
    duel.ask(where("no-such-share-group"))
    duel.ask(forget("no-such-share-group", "taken"))
    duel.ask(forget(group, "taken", "no-such-topic"))
    duel.ask(forget(group, "taken"))
    duel.ask(where(group))
    duel.ask(DeleteGroupsRequest([group]), 2)
    duel.ask(DeleteGroupsRequest([group]), 2)


def test_a_session_ends_with_the_connection_on_which_it_was_opened(duel: Duel) -> None:
    group, shown = "share-gone", []
    for side in duel.sides:
        prepare(side, group)
        set_config(side, "share.record.lock.duration.ms", "60000", group)
        join(side, group)
        begin(side, group, 3)
        side.connections.pop("main").socket.close()
        found: list[Any] = []

        def are_given_back() -> bool:
            again = take(group, 0)
            again.member_id = "AAAAAAAAAAAAAAAAAAAAAg"
            answer = side.ask(again, 2)  # noqa: B023
            found[:] = [one for topic in answer.responses for one in topic.partitions[0].acquired_records]  # noqa: B023
            return bool(found) and found[0].first_offset == 0  # noqa: B023

        wait_for(are_given_back)
        given_back = [one for one in found if one.first_offset < 3]
        shown.append([(one.first_offset, one.last_offset, one.delivery_count) for one in given_back])
    assert shown[0] == shown[1]


@pytest.mark.slow
@pytest.mark.parametrize("first", ["kafka", "barnabas"])
def test_each_carries_on_with_the_share_groups_of_the_other(tmp_path: Path, first: str) -> None:
    kafka, barnabas = nodes(tmp_path)
    one, other = (kafka, barnabas) if first == "kafka" else (barnabas, kafka)
    one.start()
    try:
        side = Side(kafka.bootstrap)
        prepare(side, "g")
        epoch = join(side, "g")
        begin(side, "g", 6)
        side.ask(tell("g", 1, (0, 1, [ACCEPT]), (4, 5, [ACCEPT, RELEASE])), 2)
        side.ask(tell("g", -1), 2)
        before = [side.shown(side.ask(where("g"), 1)), side.shown(side.ask(beat("g", epoch), 1).member_epoch)]
        side.close()
    finally:
        one.stop()
    other.start()
    try:
        moved = Side(kafka.bootstrap)
        moved.topics = side.topics
        find_coordinator(moved, "g")
        wait_for(lambda: moved.ask(beat("g", epoch), 1).error_code == 0)
        assert [
            moved.shown(moved.ask(where("g"), 1)),
            moved.shown(moved.ask(beat("g", epoch), 1).member_epoch),
        ] == before
        (topic,) = begin(moved, "g", 100).responses
        acquired = topic.partitions[0].acquired_records
        counts = {
            offset: one.delivery_count
            for one in acquired
            for offset in range(one.first_offset, one.last_offset + 1)
        }
        # What was given back with the session counts as delivered; what was accepted does not come again.
        assert counts == {2: 2, 3: 2, 5: 2, 6: 1, 7: 1, 8: 1, 9: 1}
        moved.close()
    finally:
        other.stop()
