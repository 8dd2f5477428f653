"""Single requests about groups in all their versions: Apache Kafka 4.3.1 and barnabas answer alike."""

from __future__ import annotations

import pytest

from barnabas.protocol.generated.delete_groups_request import DeleteGroupsRequest
from barnabas.protocol.generated.describe_groups_request import DescribeGroupsRequest
from barnabas.protocol.generated.find_coordinator_request import FindCoordinatorRequest
from barnabas.protocol.generated.heartbeat_request import HeartbeatRequest
from barnabas.protocol.generated.list_groups_request import ListGroupsRequest
from barnabas.protocol.generated.offset_fetch_request import OffsetFetchRequest, OffsetFetchRequestTopic
from barnabas.protocol.generated.txn_offset_commit_request import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from tests.conformance.groups.duel import Duel
from tests.conformance.groups.requests import commit, delete_offsets, fetch, join, leave, sync

pytestmark = [pytest.mark.oracle, pytest.mark.timeout(300)]


@pytest.mark.parametrize("version", range(10))
def test_join_group_is_refused(duel: Duel, version: int) -> None:
    group = f"refused-{version}"
    if version >= 5:
        duel.ask(join("", instance="i"), version)
    duel.ask(join(""), version)
    duel.ask(join(group, session=5), version)
    duel.ask(join(group, session=2_000_000), version)
    duel.ask(join(group, "nobody"), version)
    duel.ask(join(group, protocols={}), version)
    duel.ask(join(group, type=""), version)
    show(duel, group)
    duel.ask(join(f"{group}-first"), version)
    show(duel, f"{group}-first")


def show(duel: Duel, group: str) -> None:
    """Describes a group that there is. Kafka may answer JoinGroup before the group is committed."""
    duel.until(group, lambda described: described.group_state != "Dead")
    duel.ask(DescribeGroupsRequest([group]), 6)


@pytest.mark.parametrize("version", range(6))
def test_who_is_no_member_is_told(duel: Duel, version: int) -> None:
    for group in ("", "no-such-group"):
        duel.ask(sync(group, 1, "x"), version)
        duel.ask(leave(group, "x", "y", version=version), version)
        if version <= 4:
            duel.ask(HeartbeatRequest(group, 1, "x"), version)
    duel.ask(sync("no-such-group", 1, "x", type=None, name=None), version)
    duel.ask(commit("empty-group"), 9)
    duel.ask(leave("empty-group", "x", "y", version=version), version)
    duel.ask(sync("empty-group", 0, "x"), version)


def test_lists_and_descriptions(duel: Duel) -> None:
    member = only_member(duel, "shown")
    for version in range(7):
        duel.ask(DescribeGroupsRequest(["shown", "no-such-group", "shown"]), version)
        if version >= 3:
            duel.ask(DescribeGroupsRequest(["shown", "no-such-group"], True), version)
    for version in range(6):
        duel.ask(ListGroupsRequest(), version)
    for states in (["Stable"], ["stable"], ["nonsense"], ["Empty", "stable"]):
        duel.ask(ListGroupsRequest(states))
    for kinds in (["classic"], ["Classic"], ["consumer"], ["nonsense"], ["share", "CLASSIC"]):
        duel.ask(ListGroupsRequest([], kinds))
    for asked in (
        HeartbeatRequest("shown", 1, member),
        HeartbeatRequest("shown", 2, member),
        HeartbeatRequest("shown", 1, "else"),
        HeartbeatRequest("shown", 1, member, "instance"),
    ):
        duel.ask(asked)
    duel.ask(DeleteGroupsRequest(["shown"]), 2)
    duel.ask(leave("shown", member))


def only_member(duel: Duel, group: str) -> str:
    """Joins a new group as its only member, in generation 1; the member's name."""
    required = duel.ask(join(group))
    joined = duel.ask(join(group, required["member_id"]))
    assert joined["error_code"] == 0, joined
    member: str = joined["member_id"]
    duel.ask(sync(group, 1, member, assignments={member: b"all"}))
    return member


@pytest.mark.parametrize("version", range(2, 11))
def test_offset_commits(duel: Duel, version: int) -> None:
    group = f"commits-{version}"
    member = only_member(duel, group)
    duel.ask(commit(group, 1, member), version)
    duel.ask(commit(group, 2, member), version)
    duel.ask(commit(group), version)
    duel.ask(commit(group, 1, "else"), version)
    duel.ask(commit(group, 1, member, offsets=[("t", 0, 5), ("t", 9, 5), ("t", 1, 6)]), version)
    duel.ask(commit(group, 1, member, offsets=[("nope", 0, 5), ("t", 1, 6), ("nope", 2, 5)]), version)
    duel.ask(commit(group, 1, member, metadata="x" * 5000), version)
    duel.ask(commit(group, 1, member, metadata=None), version)
    duel.ask(commit(group, 1, member, offsets=[]), version)
    duel.ask(commit(group, 1, member, offsets=[("t", 2, -7)]), version)
    duel.ask(commit(f"simple-{version}"), version)
    duel.ask(commit(f"simple-generation-{version}", 5, "x"), version)
    duel.ask(commit(""), version)
    duel.ask(fetch(group, f"simple-{version}", ""), 9)
    duel.ask(leave(group, member))
    duel.ask(commit(group), version)
    duel.ask(fetch(group), 9)


def test_offset_fetches(duel: Duel) -> None:
    duel.ask(commit("fetched", offsets=[("t", 0, 5), ("t", 2, 7)]), 9)
    topics = [OffsetFetchRequestTopic("t", [0, 1, 2, 9]), OffsetFetchRequestTopic("nope", [0])]
    for version in range(1, 8):
        for group in ("fetched", "no-such-group", ""):
            duel.ask(OffsetFetchRequest(group, topics), version)
            if version >= 2:
                duel.ask(OffsetFetchRequest(group, None), version)
    for version in range(8, 11):
        duel.ask(fetch("fetched", "no-such-group", "fetched"), version)
        duel.ask(fetch("fetched", topics=[("t", [0, 2, 9]), ("nope", [0])], stable=True), version)


def test_offsets_and_groups_are_deleted(duel: Duel) -> None:
    member = only_member(duel, "deleted")
    duel.ask(commit("deleted", 1, member))
    duel.ask(commit("simple", offsets=[("t", 0, 1), ("t", 1, 2)]))
    duel.ask(delete_offsets("deleted", ("t", 0)))
    duel.ask(delete_offsets("deleted", ("nope", 0)))
    duel.ask(delete_offsets("simple", ("t", 0), ("t", 9), ("nope", 1)))
    for group in ("no-such-group", ""):
        duel.ask(delete_offsets(group))
        duel.ask(delete_offsets(group, ("t", 0)))
        duel.ask(delete_offsets(group, ("nope", 0)))
    duel.ask(fetch("simple"), 9)
    for version in range(3):
        duel.ask(DeleteGroupsRequest(["deleted", "no-such-group", "simple", "simple", ""]), version)
    duel.ask(leave("deleted", member))
    duel.ask(delete_offsets("deleted", ("t", 2)))
    duel.ask(DeleteGroupsRequest(["deleted"]), 2)
    duel.ask(fetch("deleted", "simple"), 9)
    duel.ask(DescribeGroupsRequest(["deleted"]), 6)


@pytest.mark.parametrize("version", range(7))
def test_coordinators_are_found(duel: Duel, version: int) -> None:
    keys = ["g", "", "t:AAAAAAAAAAAAAAAAAAAAAQ:0"]
    for kind in (0, 9):
        for key in keys:
            if version >= 4:
                duel.ask(FindCoordinatorRequest(key_type=kind, coordinator_keys=[key, "other"]), version)
            elif version >= 1 or kind == 0:
                duel.ask(FindCoordinatorRequest(key_type=kind, key=key), version)
    if version >= 4:
        duel.ask(FindCoordinatorRequest(key_type=2, coordinator_keys=["g"]), version)
        duel.ask(FindCoordinatorRequest(coordinator_keys=[]), version)


@pytest.mark.parametrize("version", range(6))
def test_offsets_of_nobody_s_transaction(duel: Duel, version: int) -> None:
    for topics in ([("t", 0)], [("nope", 0)], [("t", 0), ("t", 9), ("nope", 1)], []):
        request = TxnOffsetCommitRequest(
            transactional_id="nobody",
            group_id=f"transactional-{version}",
            producer_id=77,
            producer_epoch=0,
            topics=[
                TxnOffsetCommitRequestTopic(name, partitions=[TxnOffsetCommitRequestPartition(index, 5)])
                for name, index in topics
            ],
        )
        duel.ask(request, version)
    duel.ask(fetch(f"transactional-{version}"), 9)
