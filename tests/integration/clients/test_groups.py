"""`barnabas.Consumer` in groups of both protocols, alone and with librdkafka's members."""

import os
import re
import signal
import subprocess
import sys
import time
from typing import Any

import confluent_kafka
import pytest

import barnabas
from barnabas.errors import KafkaError, NoOffset
from tests.integration.clients.members import Member, is_shared, poll_until
from tests.integration.clients.topics import create

PROTOCOLS = ("classic", "consumer")
ASSIGNORS = ("range", "roundrobin", "sticky", "cooperative-sticky")


def fill(cluster: str, topic: str, count: int, partitions: int) -> None:
    """Values "0", "1", … in all partitions in turn."""
    with barnabas.Producer(bootstrap_servers=cluster) as producer:
        for n in range(count):
            producer.produce(topic, str(n), partition=n % partitions)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_members_share_and_go_on_where_others_have_stopped(cluster: str, topic: str, protocol: str) -> None:
    create(cluster, topic, partitions=4)
    fill(cluster, topic, 100, 4)
    first = Member(cluster, topic, group_protocol=protocol, enable_auto_commit=True).subscribe([topic])
    poll_until([first], lambda: len(first.records) == 100)
    assert first.owned == {0, 1, 2, 3}
    second = Member(cluster, topic, group_protocol=protocol).subscribe([topic])
    both = [first, second]
    poll_until(both, lambda: is_shared(both, 4))
    fill(cluster, topic, 40, 4)
    poll_until(both, lambda: sum(len(member.records) for member in both) == 140)
    assert sorted(first.values()[100:] + second.values()) == list(range(40))
    second.consumer.commit()
    second.consumer.close()
    assert second.told[-1][0] == "-"
    poll_until([first], lambda: first.owned == {0, 1, 2, 3})
    assert not any(sign == "lost" for sign, _ in first.told + second.told)
    first.consumer.close()
    with barnabas.Consumer(bootstrap_servers=cluster, group_id=topic) as reader:
        places = [(topic, partition) for partition in range(4)]
        assert [entry.offset for entry in reader.committed(places).values() if entry] == [35] * 4


@pytest.mark.parametrize("assignor", [name for name in ASSIGNORS if name != "sticky"])
def test_members_of_librdkafka_and_ours_share(cluster: str, topic: str, assignor: str) -> None:
    """By the assignors that both know: librdkafka has no sticky one for eager members."""
    create(cluster, topic, partitions=6)
    fill(cluster, topic, 60, 6)
    ours = Member(cluster, topic, partition_assignment_strategy=assignor).subscribe([topic])
    poll_until([ours], lambda: len(ours.owned) == 6)
    config = {
        "bootstrap.servers": cluster,
        "group.id": topic,
        "partition.assignment.strategy": assignor,
        "heartbeat.interval.ms": 200,
        "auto.offset.reset": "earliest",
    }
    theirs = confluent_kafka.Consumer(config)
    theirs.subscribe([topic])
    try:

        def settled() -> bool:
            theirs.poll(0.02)
            mine, other = ours.owned, {one.partition for one in theirs.assignment()}
            return len(mine) == len(other) == 3 and not mine & other

        poll_until([ours], settled)
    finally:
        theirs.close()
    poll_until([ours], lambda: len(ours.owned) == 6)
    ours.consumer.close()


def test_cooperative_members_keep_what_does_not_move(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=4)
    configs: dict[str, Any] = {"partition_assignment_strategy": "cooperative-sticky"}
    first = Member(cluster, topic, **configs).subscribe([topic])
    poll_until([first], lambda: len(first.owned) == 4)
    second = Member(cluster, topic, **configs).subscribe([topic])
    poll_until([first, second], lambda: is_shared([first, second], 4))
    revoked = [partitions for sign, partitions in first.told if sign == "-"]
    assert [len(partitions) for partitions in revoked] == [2]
    for member in (first, second):
        member.consumer.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_static_member_that_comes_back_gets_its_share_without_a_rebalance(
    cluster: str, topic: str, protocol: str
) -> None:
    create(cluster, topic, partitions=4)
    configs: dict[str, Any] = {"group_protocol": protocol}
    members = [Member(cluster, topic, group_instance_id=name, **configs) for name in ("i0", "i1")]
    for member in members:
        member.subscribe([topic])
    poll_until(members, lambda: is_shared(members, 4))
    share = members[1].owned
    told = len(members[0].told)
    members[1].consumer.close()
    back = Member(cluster, topic, group_instance_id="i1", **configs).subscribe([topic])
    poll_until([members[0], back], lambda: back.owned == share)
    assert len(members[0].told) == told
    assert back.consumer.group_metadata().group_instance_id == "i1"
    for member in (members[0], back):
        member.consumer.close(group_membership_operation="leave_group")


def test_heartbeats_go_on_while_the_program_works(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=2)
    busy = Member(cluster, topic, session_timeout_ms=6_000).subscribe([topic])
    poll_until([busy], lambda: len(busy.owned) == 2)
    generation = busy.consumer.group_metadata()
    time.sleep(7)  # Longer than its session.
    busy.poll(0.1)
    assert busy.consumer.group_metadata() == generation
    assert busy.told == [("+", [0, 1])]
    busy.consumer.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_who_does_not_poll_loses_its_place_and_comes_back(cluster: str, topic: str, protocol: str) -> None:
    create(cluster, topic, partitions=2)
    fill(cluster, topic, 10, 2)
    configs: dict[str, Any] = {"group_protocol": protocol, "max_poll_interval_ms": 1_000}
    lazy = Member(cluster, topic, **configs).subscribe([topic])
    poll_until([lazy], lambda: len(lazy.records) == 10)
    # The other one polls as it should, and gets everything.
    eager = Member(cluster, topic, group_protocol=protocol).subscribe([topic])
    poll_until([eager], lambda: len(eager.owned) == 2)
    with pytest.raises(KafkaError):
        lazy.consumer.commit()
    poll_until([lazy, eager], lambda: is_shared([lazy, eager], 2))
    assert ("lost", [0, 1]) in lazy.told
    for member in (lazy, eager):
        member.consumer.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pattern_finds_topics_that_come_later(cluster: str, topic: str, protocol: str) -> None:
    create(cluster, f"{topic}-a", partitions=1)
    configs: dict[str, Any] = {"group_protocol": protocol, "metadata_max_age_ms": 200}
    member = Member(cluster, topic, **configs).subscribe(re.compile(f"{topic}-[ab]"))
    poll_until([member], lambda: len(member.consumer.assignment()) == 1)
    create(cluster, f"{topic}-b", partitions=2)
    create(cluster, f"{topic}-c", partitions=1)
    poll_until([member], lambda: len(member.consumer.assignment()) == 3)
    member.consumer.close()


def test_subscriptions_change_and_end(cluster: str, topic: str) -> None:
    for name in ("a", "b"):
        create(cluster, f"{topic}-{name}", partitions=1)
    member = Member(cluster, topic).subscribe([f"{topic}-a"])
    poll_until([member], lambda: len(member.consumer.assignment()) == 1)
    member.subscribe([f"{topic}-b"])
    poll_until([member], lambda: [one.topic for one in member.consumer.assignment()] == [f"{topic}-b"])
    with pytest.raises(ValueError, match="subscribed"):
        member.consumer.assign([(topic, 0)])
    member.consumer.unsubscribe()
    assert member.consumer.assignment() == []
    assert member.consumer.subscription() is None
    assert member.told[-1] == ("-", [0])
    assert member.consumer.group_metadata().generation_id == -1
    member.subscribe([f"{topic}-a"])
    poll_until([member], lambda: [one.topic for one in member.consumer.assignment()] == [f"{topic}-a"])
    member.consumer.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_commits_of_all_kinds(cluster: str, topic: str, protocol: str) -> None:
    create(cluster, topic, partitions=2)
    fill(cluster, topic, 40, 2)
    place = barnabas.TopicPartition(topic, 0)
    with barnabas.Consumer(
        bootstrap_servers=cluster,
        group_id=topic,
        group_protocol=protocol,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    ) as consumer:
        consumer.subscribe(topic)
        records: list[barnabas.Record] = []
        while len(records) < 40:
            records += consumer.poll(30)
        assert consumer.committed([place])[place] is None
        tenth = next(record for record in records if (record.partition, record.offset) == (0, 9))
        consumer.commit(tenth)
        found = consumer.committed([place])[place]
        assert found is not None
        assert found.offset == 10
        consumer.commit([record for record in records if record.offset < 15])
        both = consumer.committed([place, (topic, 1)]).values()
        assert [entry.offset for entry in both if entry] == [15, 15]
        consumer.commit({place: barnabas.OffsetAndMetadata(3, metadata="mine")})
        found = consumer.committed([place])[place]
        assert found is not None
        assert (found.offset, found.metadata) == (3, "mine")
        told: list[Exception | None] = []
        pending = consumer.commit_async(on_commit=told.append)
        pending.result(30)
        assert told == [None]
        found = consumer.committed([place])[place]
        assert found is not None
        assert found.offset == 20
        with pytest.raises(KafkaError):
            consumer.commit({place: barnabas.OffsetAndMetadata(3, metadata="x" * 10_000)})


def fail_at_the_first_record(configs: dict[str, Any], topic: str, offset: int) -> None:
    with barnabas.Consumer(**configs) as consumer:
        consumer.subscribe(topic)
        for record in consumer:
            assert record.offset == offset
            raise ZeroDivisionError


def test_iteration_commits_what_was_given_out_and_no_more(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    fill(cluster, topic, 100, 1)
    configs: dict[str, Any] = {
        "bootstrap_servers": cluster,
        "group_id": topic,
        "auto_offset_reset": "earliest",
    }
    with barnabas.Consumer(**configs) as consumer:
        consumer.subscribe(topic)
        for record in consumer:
            if record.offset == 41:
                break
    with pytest.raises(ZeroDivisionError):
        fail_at_the_first_record(configs, topic, 42)
    with barnabas.Consumer(**configs) as consumer:
        consumer.subscribe(topic)
        assert next(iter(consumer)).offset == 42
        assert consumer.position(topic, 0) == 43


def test_where_a_group_begins(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    now = int(time.time() * 1000)
    with barnabas.Producer(bootstrap_servers=cluster) as producer:
        for age in (7_200_000, 3_600_000, 60_000):
            producer.produce(topic, b"x", timestamp=now - age)
    ages = (("by_duration:PT1H30M", 1), ("by_duration:PT1S", 3))
    for reset, offset in (("earliest", 0), ("latest", 3), *ages):
        with barnabas.Consumer(
            bootstrap_servers=cluster, group_id=f"{topic}-{reset}", auto_offset_reset=reset
        ) as consumer:
            consumer.assign([(topic, 0)])
            assert consumer.position(topic, 0) == offset, reset
    with barnabas.Consumer(bootstrap_servers=cluster, group_id=topic, auto_offset_reset="none") as consumer:
        consumer.subscribe(topic)
        with pytest.raises(NoOffset, match="committed none"):
            consumer.poll(30)


def test_what_a_listener_raises_is_raised_by_poll(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    with barnabas.Consumer(bootstrap_servers=cluster, group_id=topic) as consumer:

        def fail(*_: object) -> None:
            raise ZeroDivisionError

        consumer.subscribe(topic, on_assign=fail)
        with pytest.raises(ZeroDivisionError):
            consumer.poll(30)
        assert consumer.assignment() == [barnabas.TopicPartition(topic, 0)]


def test_a_seek_in_a_listener_decides_where_reading_begins(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    fill(cluster, topic, 10, 1)
    with barnabas.Consumer(bootstrap_servers=cluster, group_id=topic) as consumer:
        consumer.subscribe(topic, on_assign=lambda mine, _: mine.seek(topic, 0, 7))
        assert consumer.poll(30)[0].offset == 7


MEMBER = """
import sys, barnabas
consumer = barnabas.Consumer(
    bootstrap_servers=sys.argv[1], group_id=sys.argv[2], session_timeout_ms=6000, heartbeat_interval_ms=500
)
consumer.subscribe(sys.argv[2], on_assign=lambda *_: print("mine", flush=True))
while True:
    consumer.poll(1.0)
"""


def test_a_member_that_is_killed_is_missed(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=2)
    command = [sys.executable, "-c", MEMBER, cluster, topic]
    killed = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"mine\n"
        member = Member(cluster, topic).subscribe([topic])
        poll_until([member], lambda: len(member.owned) == 1)
    finally:
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        if killed.stdout is not None:
            killed.stdout.close()
    poll_until([member], lambda: len(member.owned) == 2)
    member.consumer.close()
