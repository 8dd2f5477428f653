"""Classic groups and offsets on a directory that moves between Apache Kafka and barnabas: the same records,
and each goes on where the other has stopped."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from barnabas.protocol.generated.describe_groups_request import DescribeGroupsRequest
from barnabas.protocol.generated.heartbeat_request import HeartbeatRequest
from barnabas.protocol.generated.list_groups_request import ListGroupsRequest
from tests.conformance.groups.duel import COORDINATOR_ERRORS, Side, create_topic, find_coordinator, wait_for
from tests.conformance.groups.requests import commit, delete_offsets, fetch, join, leave, sync
from tests.conformance.groups.test_consumer_groups import nodes, records

pytestmark = [pytest.mark.oracle, pytest.mark.slow, pytest.mark.timeout(300)]


class Visit:
    """One node on the directory, with the names that the one before it has given."""

    def __init__(self, bootstrap: str, before: Side | None = None) -> None:
        self.side = Side(bootstrap)
        if before is not None:
            self.side.names, self.side.members = before.names, before.members
            self.side.topics = before.topics
        else:
            create_topic(self.side, "t", 3)
        find_coordinator(self.side, "g")
        wait_for(
            lambda: (
                self.do(DescribeGroupsRequest(["g"]), 5)["groups"][0]["error_code"] not in COORDINATOR_ERRORS
            )
        )

    def do(self, message: Any, version: int) -> Any:
        return self.side.shown(self.side.ask(message, version))


def write(visit: Visit) -> None:
    """Every kind of record that classic groups and offsets have."""
    visit.do(commit("simple", offsets=[("t", 0, 7), ("t", 1, 8)], metadata="note"), 10)
    visit.do(commit("simple", offsets=[("t", 2, 9)], retention=86_400_000), 4)
    visit.do(delete_offsets("simple", ("t", 1)), 0)
    first = visit.do(join("g", instance="i", session=60_000), 9)["member_id"]
    visit.do(sync("g", 1, first, "i", assignments={first: b"all"}), 5)
    visit.do(commit("g", 1, first, "i"), 9)
    required = visit.do(join("left", session=60_000), 9)["member_id"]
    visit.do(join("left", required, session=60_000), 9)
    visit.do(sync("left", 1, required, assignments={required: b"x"}), 5)
    visit.do(leave("left", required), 5)


def look(visit: Visit) -> list[Any]:
    """What clients and administrators see."""
    member = next(iter(visit.side.members))
    return [
        visit.do(ListGroupsRequest(), 5),
        visit.do(DescribeGroupsRequest(["g", "simple", "left"]), 6),
        visit.do(fetch("g", "simple", "left"), 9),
        visit.do(HeartbeatRequest("g", 1, member, "i"), 4),
        visit.do(commit("g", 1, member, "i", offsets=[("t", 1, 6)]), 9),
    ]


@pytest.mark.parametrize("first", ["kafka", "barnabas"])
def test_each_carries_on_with_the_groups_of_the_other(tmp_path: Path, first: str) -> None:
    kafka, barnabas = nodes(tmp_path)
    one, other = (kafka, barnabas) if first == "kafka" else (barnabas, kafka)
    one.start()
    try:
        visit = Visit(kafka.bootstrap)
        write(visit)
        look(visit)
        seen = look(visit)
        visit.side.close()
    finally:
        one.stop()
    other.start()
    try:
        visit = Visit(kafka.bootstrap, visit.side)
        assert look(visit) == seen
        back = visit.do(join("g", instance="i", session=60_000), 9)
        assert (back["generation_id"], back["skip_assignment"]) == (1, True)
        visit.side.close()
    finally:
        other.stop()


def test_the_same_history_writes_the_same_records(tmp_path: Path) -> None:
    written = []
    for name in ("kafka", "barnabas"):
        kafka, barnabas = nodes(tmp_path / name)
        node = kafka if name == "kafka" else barnabas
        node.start()
        try:
            visit = Visit(kafka.bootstrap)
            write(visit)
            visit.side.close()
        finally:
            node.stop()
        text = "\n".join(records(kafka.log_directory))
        for member_id, who in visit.side.names.items():
            text = text.replace(member_id, who)
        written.append(re.sub(r'"(\w*[tT]imestamp)":\d+', r'"\1":0', text).splitlines())
    assert len(written[0]) > 8
    assert written[1] == written[0]
