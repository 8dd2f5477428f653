"""Streams groups on a directory that moves between Apache Kafka and barnabas: the same records, and each goes
on where the other has stopped."""

from __future__ import annotations

import re
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.groups.duel import PROBE, Side, create_topic, find_coordinator, wait_for
from tests.conformance.groups.run import SETTINGS
from tests.conformance.groups.test_consumer_groups import kind, nodes, records
from tests.conformance.groups.test_streams_groups import (
    CHANGELOG,
    PARTITIONS,
    REPARTITION,
    Member,
    commit,
    described,
    prepare,
    settle,
    settle_alone,
    start,
)

pytestmark = [pytest.mark.oracle, pytest.mark.slow, pytest.mark.timeout(300)]


AT_ONCE = {
    **SETTINGS,
    "group.streams.assignment.interval.ms": "0",
    "group.streams.assignor.offload.enable": "false",
}
"""With which an assignment depends on no moment."""


def begin(side: Side) -> tuple[Member, Member]:
    """Two members share a group's tasks, and one has committed. The internal topics are there already: in how
    many steps the coordinator hears of those that it makes depends on the moment."""
    for topic in (REPARTITION, CHANGELOG):
        create_topic(side, topic, PARTITIONS)
    prepare(side)
    members = start(side, lambda _: None)
    side.ask(commit("first", members[0].epoch), 9)
    return members


def look(side: Side) -> Any:
    """What a group's records say; numbers of partitions are looked up with the first heartbeat."""
    group = described(side)["groups"][0]
    return {name: shown for name, shown in group.items() if name != "topology"}


def test_the_same_history_writes_the_same_records(tmp_path: Path) -> None:
    written = []
    for name in ("kafka", "barnabas"):
        kafka, barnabas = nodes(tmp_path / name, AT_ONCE)
        node = kafka if name == "kafka" else barnabas
        node.start()
        try:
            with closing(Side(kafka.bootstrap)) as side:
                first, second = begin(side)
                assert not second.beat(member_epoch=-1)
                settle_alone(first)
        finally:
            node.stop()
        found = [
            re.sub(r'"commitTimestamp":\d+', "", line)
            for line in records(kafka.log_directory)
            if PROBE not in line
        ]
        # Those of one decision that have the same type come in any order.
        written.append([sorted(run) for _, run in groupby(found, kind)])
    assert len(written[0]) > 10
    assert written[1] == written[0]


def test_each_carries_on_with_the_groups_of_the_other(tmp_path: Path) -> None:
    kafka, barnabas = nodes(tmp_path)
    members: list[Member] = []
    before: Any = None
    for node in (barnabas, kafka, barnabas):
        node.start()
        try:
            with closing(Side(kafka.bootstrap)) as side:
                if before is None:
                    members += begin(side)
                else:
                    find_coordinator(side, "app")
                    for member in members:
                        member.side = side
                        shown = member.shown
                        # Found, and a moment later not the coordinator: Apache Kafka on a busy machine.
                        wait_for(lambda: not member.beat())  # noqa: B023
                        assert member.shown == shown, "nobody is moved"
                    assert look(side) == before
                    members.append(Member(side, f"member {len(members)}"))
                    settle(side, *members)
                before = look(side)
        finally:
            node.stop()
    assert sum(len(one.tasks["active_tasks"]) for one in members) == 2 * PARTITIONS
    assert all(one.tasks["active_tasks"] for one in members)
