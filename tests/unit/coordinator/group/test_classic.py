"""Classic groups: members, generations, time."""

from __future__ import annotations

from barnabas.coordinator.group.classic.rebalance import NEW_MEMBER_JOIN_TIMEOUT_MS
from barnabas.protocol import ErrorCode
from tests.unit.coordinator.group.group_sim import REBALANCE_MS, SESSION_MS, GroupSim

MINUTE = 60_000


def test_the_first_rebalance_waits_for_more_members() -> None:
    sim = GroupSim(group_initial_rebalance_delay_ms="3000")
    first, second = sim.new_member_id(), sim.new_member_id()
    early = sim.join(first)
    sim.advance(2999)
    late = sim.join(second)
    assert early.waits
    sim.advance(2999)
    assert early.waits  # somebody came: the delay began anew
    sim.advance(2)
    assert early.response.generation_id == late.response.generation_id == 1
    assert {one.member_id for one in early.response.members} == {first, second}
    assert late.response.members == []


def test_the_initial_delay_is_never_longer_than_the_rebalance_timeout() -> None:
    sim = GroupSim(group_initial_rebalance_delay_ms="3000")
    first = sim.join(sim.new_member_id(), rebalance_ms=5000)
    for _ in range(3):
        sim.advance(1900)
        sim.join(sim.new_member_id(), rebalance_ms=5000)
    sim.advance(0)
    assert first.response.generation_id == 1


def test_members_of_one_turn_share_the_first_generation() -> None:
    sim = GroupSim()
    assert len(sim.settled(3)) == 3
    assert sim.group().generation_id == 1


def test_a_silent_member_is_removed_and_the_others_rebalance() -> None:
    sim = GroupSim()
    leader, silent = sim.settled(2)
    for _ in range(3):
        sim.advance(SESSION_MS // 2)
        code = sim.heartbeat(leader, 1).error_code
    assert code == ErrorCode.REBALANCE_IN_PROGRESS
    assert sim.heartbeat(silent, 1).error_code == ErrorCode.UNKNOWN_MEMBER_ID
    assert sim.join(leader).response.generation_id == 2


def test_members_that_do_not_join_in_time_are_removed() -> None:
    sim = GroupSim()
    leader, slow = sim.settled(2)
    joining = sim.join(sim.new_member_id())
    again = sim.join(leader)
    for _ in range(REBALANCE_MS // 5000):
        assert joining.waits
        sim.heartbeat(slow, 1)
        sim.advance(5000)
    assert joining.response.generation_id == again.response.generation_id == 2
    assert sim.heartbeat(slow, 2).error_code == ErrorCode.UNKNOWN_MEMBER_ID


def test_members_that_do_not_sync_in_time_are_removed() -> None:
    sim = GroupSim()
    leader, follower = sim.settled(2)
    with sim.held():
        sim.join(leader, protocols={"range": b"new"})
        sim.join(follower)
    sim.sync(leader, 2, {leader: b"1", follower: b"2"})
    for _ in range(REBALANCE_MS // 5000):
        sim.heartbeat(leader, 2)
        sim.heartbeat(follower, 2)
        sim.advance(5000)
    assert sim.heartbeat(follower, 2).error_code == ErrorCode.UNKNOWN_MEMBER_ID
    assert sim.heartbeat(leader, 2).error_code == ErrorCode.REBALANCE_IN_PROGRESS


def test_a_member_that_waits_for_its_first_generation_is_given_up_in_the_end() -> None:
    sim = GroupSim()
    (leader,) = sim.settled(1)
    waiting = sim.join(version=3, rebalance_ms=30 * MINUTE)
    for _ in range(NEW_MEMBER_JOIN_TIMEOUT_MS // 5000 + 1):
        sim.heartbeat(leader, 1)
        sim.advance(5000)
    assert waiting.error_code == ErrorCode.UNKNOWN_MEMBER_ID


def test_an_id_that_nobody_comes_back_with_holds_no_rebalance_up_for_longer_than_a_session() -> None:
    sim = GroupSim()
    (leader,) = sim.settled(1)
    sim.new_member_id()
    again = sim.join(leader)
    assert again.waits
    sim.advance(SESSION_MS)
    assert again.response.generation_id == 2


def test_groups_grow_no_larger_than_configured() -> None:
    sim = GroupSim(group_max_size="2")
    leader, _ = sim.settled(2)
    assert sim.join().error_code == ErrorCode.GROUP_MAX_SIZE_REACHED
    assert sim.join(version=3).error_code == ErrorCode.GROUP_MAX_SIZE_REACHED
    assert sim.heartbeat(leader, 1).error_code == 0


def test_session_timeouts_have_bounds() -> None:
    sim = GroupSim(group_min_session_timeout_ms="5000", group_max_session_timeout_ms="6000")
    for session_ms, code in ((4999, 26), (5000, 79), (6000, 79), (6001, 26)):
        assert sim.join(session_ms=session_ms, group=f"g{session_ms}").error_code == code


def test_the_protocol_that_most_members_like_best_is_chosen() -> None:
    sim = GroupSim()
    members = [sim.new_member_id() for _ in range(3)]
    said = ({"a": b"", "b": b""}, {"b": b"", "a": b""}, {"c": b"", "b": b"", "a": b""})
    with sim.held():
        replies = [sim.join(member, protocols=words) for member, words in zip(members, said, strict=True)]
    assert {reply.response.protocol_name for reply in replies} == {"b"}


def test_who_has_no_protocol_in_common_with_the_others_stays_out() -> None:
    sim = GroupSim()
    sim.settled(1)
    assert sim.join(protocols={"other": b""}).error_code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert sim.join(type="connect").error_code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL


def test_a_static_member_keeps_its_place_until_its_session_ends() -> None:
    sim = GroupSim()
    first = sim.join(instance="i").response.member_id
    sim.sync(first, 1, {first: b"mine"}, "i")
    sim.restart()
    second = sim.join(instance="i").response
    assert (second.generation_id, second.skip_assignment) == (1, True)
    assert sim.sync(second.member_id, 1, instance="i").response.assignment == b"mine"
    assert sim.heartbeat(first, 1, "i").error_code == ErrorCode.FENCED_INSTANCE_ID
    sim.advance(SESSION_MS)
    assert sim.listed() == {"g": "Empty"}


def test_who_asks_twice_is_answered_twice() -> None:
    sim = GroupSim()
    leader, follower = sim.settled(2)
    lost = sim.join(leader)
    again = sim.join(leader)
    assert lost.error_code == ErrorCode.REBALANCE_IN_PROGRESS
    sim.join(follower)
    assert again.response.generation_id == 2
    lost = sim.sync(follower, 2)
    again = sim.sync(follower, 2)
    assert lost.error_code == ErrorCode.REBALANCE_IN_PROGRESS
    sim.sync(leader, 2, {follower: b"x"})
    assert again.response.assignment == b"x"


def test_a_stable_group_is_the_same_after_a_change_of_leader() -> None:
    sim = GroupSim()
    leader, follower = sim.settled(2)
    before = sim.describe()
    waiting = sim.join(leader)
    sim.restart()
    assert waiting.error.error_code == ErrorCode.NOT_COORDINATOR
    assert sim.describe() == before
    for member in (leader, follower):
        assert sim.heartbeat(member, 1).error_code == 0
    sim.advance(SESSION_MS)
    assert sim.listed() == {"g": "Empty"}


def test_an_assignment_that_is_too_large_begins_a_new_rebalance() -> None:
    sim = GroupSim()
    sim.shard.batch_bytes_max = 2000
    leader, follower = sim.settled(2)
    sim.join(leader)
    joined = sim.join(follower)
    assert joined.response.generation_id == 2
    waiting = sim.sync(follower, 2)
    assert sim.sync(leader, 2, {leader: b"x" * 3000}).error_code == ErrorCode.UNKNOWN_SERVER_ERROR
    assert waiting.error_code == ErrorCode.UNKNOWN_SERVER_ERROR
    assert sim.heartbeat(follower, 2).error_code == ErrorCode.REBALANCE_IN_PROGRESS
    with sim.held():
        again = [sim.join(member) for member in (leader, follower)]
    assert {reply.response.generation_id for reply in again} == {3}


def test_a_member_leaves_the_group_it_never_joined() -> None:
    sim = GroupSim()
    pending = sim.new_member_id()
    assert sim.leave(pending).response.members[0].error_code == 0
    assert sim.join(pending).error_code == ErrorCode.UNKNOWN_MEMBER_ID
