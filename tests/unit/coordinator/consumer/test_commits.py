"""Offsets of consumer groups: whose commits and fetches are let through."""

from __future__ import annotations

import pytest

from barnabas.coordinator.group.requests import FetchOffsets
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.offset_commit_request import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from barnabas.protocol.generated.offset_fetch_request import OffsetFetchRequestGroup
from tests.support.coordinator import CoordinatorSim
from tests.unit.coordinator.consumer.clients import Client, group_sim

AT_ONCE = {"group.consumer.assignment.interval.ms": "0"}


def commit(sim: CoordinatorSim, member_id: str, epoch: int, *indexes: int, version: int = 9) -> int:
    """The error code of a commit to partitions of topic a."""
    topic = OffsetCommitRequestTopic("a", sim.cluster.topic("a").id)
    topic.partitions = [OffsetCommitRequestPartition(index, 5, committed_metadata="") for index in indexes]
    reply = sim.call(OffsetCommitRequest("g", epoch, member_id, topics=[topic]), version=version)
    answer = reply.answers[0]
    return int(getattr(answer, "error_code", 0) or 0)


def fetch(sim: CoordinatorSim, member_id: str | None, epoch: int) -> int:
    group = OffsetFetchRequestGroup("g", member_id, epoch, topics=None)
    answer = sim.call(FetchOffsets(group, require_stable=False)).answers[0]
    return int(answer.error_code)


@pytest.fixture
def sim() -> CoordinatorSim:
    return group_sim(AT_ONCE, a=4)


def test_a_member_commits_with_its_epoch(sim: CoordinatorSim) -> None:
    client = Client(sim, "m1", ("a",))
    client.beat()
    assert commit(sim, "m1", 2, 0) == ErrorCode.NONE
    assert commit(sim, "m1", 3, 0) == ErrorCode.STALE_MEMBER_EPOCH
    assert commit(sim, "m1", 1, 0) == ErrorCode.STALE_MEMBER_EPOCH
    assert commit(sim, "m2", 2, 0) == ErrorCode.UNKNOWN_MEMBER_ID
    assert commit(sim, "m1", 2, 0, version=8) == ErrorCode.UNSUPPORTED_VERSION
    assert commit(sim, "", -1, 0) == ErrorCode.UNKNOWN_MEMBER_ID


def test_a_commit_that_was_under_way_counts_for_partitions_that_stayed(sim: CoordinatorSim) -> None:
    one, two = Client(sim, "m1", ("a",)), Client(sim, "m2", ("a",))
    one.beat()
    one.move()
    two.beat()
    one.beat()
    assert commit(sim, "m1", 2, 0, 3) == ErrorCode.NONE  # It has yet to give up 2 and 3.
    one.move()
    one.beat()
    assert one.epoch == 3
    assert commit(sim, "m1", 2, 0, 1) == ErrorCode.NONE
    assert commit(sim, "m1", 2, 0, 3) == ErrorCode.STALE_MEMBER_EPOCH
    two.beat()
    assert commit(sim, "m2", 3, 3) == ErrorCode.NONE
    assert commit(sim, "m2", 2, 3) == ErrorCode.STALE_MEMBER_EPOCH


def test_offsets_of_an_empty_group_may_be_set_by_tools(sim: CoordinatorSim) -> None:
    client = Client(sim, "m1", ("a",))
    client.beat()
    client.leave()
    assert commit(sim, "", -1, 0) == ErrorCode.NONE


def test_a_member_fetches_with_its_epoch(sim: CoordinatorSim) -> None:
    client = Client(sim, "m1", ("a",))
    client.beat()
    assert fetch(sim, "m1", 2) == ErrorCode.NONE
    assert fetch(sim, "m1", 1) == ErrorCode.STALE_MEMBER_EPOCH
    assert fetch(sim, "m2", 2) == ErrorCode.UNKNOWN_MEMBER_ID
    assert fetch(sim, None, -1) == ErrorCode.NONE
