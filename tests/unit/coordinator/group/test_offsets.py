"""Committed offsets: transactions, age, deletion."""

from __future__ import annotations

import pytest

from barnabas.controller.topics import delete_topics
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.delete_topics_request import DeleteTopicsRequest
from tests.unit.coordinator.group.group_sim import SESSION_MS, GroupSim

DAY = 24 * 60 * 60_000
WEEK = 7 * DAY


def test_offsets_of_a_transaction_count_when_it_commits() -> None:
    sim = GroupSim()
    sim.commit(5)
    sim.commit_in_transaction(1000, 9)
    assert sim.offset() == 5
    assert sim.fetch(0, stable=True).response.topics[0].partitions[0].error_code == (
        ErrorCode.UNSTABLE_OFFSET_COMMIT
    )
    sim.end_transaction(1000, committed=True)
    assert sim.offset() == 9
    assert sim.fetch(0, stable=True).response.topics[0].partitions[0].committed_offset == 9


def test_offsets_of_an_aborted_transaction_are_forgotten() -> None:
    sim = GroupSim()
    sim.commit(5)
    sim.commit_in_transaction(1000, 9)
    sim.end_transaction(1000, committed=False)
    assert sim.offset() == 5


def test_a_commit_that_was_written_after_the_transaction_s_wins() -> None:
    sim = GroupSim()
    sim.commit_in_transaction(1000, 9)
    sim.commit(20)
    sim.end_transaction(1000, committed=True)
    assert sim.offset() == 20


@pytest.mark.parametrize("committed", [False, True])
def test_open_transactions_outlive_a_change_of_leader(committed: bool) -> None:
    sim = GroupSim()
    sim.commit(5)
    sim.commit_in_transaction(1000, 9)
    sim.restart()
    assert sim.offset() == 5
    sim.end_transaction(1000, committed=committed)
    expected = 9 if committed else 5
    assert sim.offset() == expected
    sim.restart()
    assert sim.offset() == expected


def test_a_producer_that_is_fenced_commits_nothing() -> None:
    sim = GroupSim()
    sim.commit(5)
    sim.log.error_code = ErrorCode.INVALID_PRODUCER_EPOCH
    assert sim.commit_in_transaction(1000, 9).error.error_code == ErrorCode.INVALID_PRODUCER_EPOCH
    sim.log.error_code = 0
    assert sim.fetch(0, stable=True).response.topics[0].partitions[0].committed_offset == 5
    assert sim.commit(6).response.topics[0].partitions[0].error_code == 0


def test_only_members_commit_to_a_group_that_has_members() -> None:
    sim = GroupSim()
    (member,) = sim.settled(1)
    assert sim.commit(1).error.error_code == ErrorCode.UNKNOWN_MEMBER_ID
    assert sim.commit(1, member, 2).error.error_code == ErrorCode.ILLEGAL_GENERATION
    assert sim.commit(1, member, 1).response.topics[0].partitions[0].error_code == 0
    assert sim.commit_in_transaction(1, 2, member, 9).error.error_code == ErrorCode.ILLEGAL_GENERATION
    assert sim.commit_in_transaction(1, 2).response.topics[0].partitions[0].error_code == 0


def test_commits_keep_a_member_alive() -> None:
    sim = GroupSim()
    (member,) = sim.settled(1)
    for _ in range(4):
        sim.advance(SESSION_MS - 1)
        assert sim.commit(1, member, 1).response.topics[0].partitions[0].error_code == 0


def test_notes_have_a_limit() -> None:
    sim = GroupSim(offset_metadata_max_bytes="3")
    assert sim.commit(1, metadata="abc").response.topics[0].partitions[0].error_code == 0
    too_long = sim.commit(2, metadata="abcd").response.topics[0].partitions[0]
    assert too_long.error_code == ErrorCode.OFFSET_METADATA_TOO_LARGE
    assert sim.offset() == 1


# ---- age


def test_offsets_of_a_group_without_members_of_any_kind_age_from_their_commit() -> None:
    sim = GroupSim()
    sim.commit(5)
    sim.advance(WEEK - DAY)
    sim.commit(6, partition=1)
    sim.advance(DAY)
    assert (sim.offset(0), sim.offset(1)) == (-1, 6)
    sim.advance(WEEK)
    assert sim.listed() == {}
    sim.restart()
    assert sim.listed() == {}


def test_offsets_of_a_group_that_became_empty_age_from_then_on() -> None:
    sim = GroupSim()
    (member,) = sim.settled(1)
    sim.commit(5, member, 1)
    sim.leave(member)
    sim.advance(WEEK - 1)
    assert sim.offset() == 5
    sim.advance(DAY)
    assert sim.offset() == -1
    assert sim.listed() == {}


def test_offsets_of_topics_that_members_read_do_not_age() -> None:
    sim = GroupSim(group_max_session_timeout_ms=str(2_000_000_000))
    member = sim.join(session_ms=2_000_000_000).response.member_id
    sim.join(member, session_ms=2_000_000_000)
    sim.sync(member, 1, {member: b""})
    sim.commit(5, member, 1)
    sim.commit(6, member, 1, topic="u")
    sim.advance(WEEK + DAY)
    assert (sim.offset(topic="t"), sim.offset(topic="u")) == (5, -1)
    assert sim.listed() == {"g": "Stable"}


def test_offsets_with_a_retention_of_their_own_age_sooner() -> None:
    sim = GroupSim()
    sim.commit(5, version=4, retention_ms=DAY)
    sim.restart()
    sim.advance(DAY - 1)
    assert sim.offset() == 5
    sim.advance(DAY // 24)
    assert sim.offset() == -1


def test_offsets_that_a_transaction_would_change_do_not_age() -> None:
    sim = GroupSim()
    sim.commit(5)
    sim.commit_in_transaction(1000, 9)
    sim.advance(2 * WEEK)
    assert sim.offset() == 5
    sim.end_transaction(1000, committed=False)
    sim.advance(DAY)
    assert (sim.offset(), sim.listed()) == (-1, {})


# ---- deletion


def test_offsets_go_with_their_topic() -> None:
    sim = GroupSim()
    sim.cluster.create("t", 2)
    sim.cluster.create("u")
    sim.commit(5)
    sim.commit(6, topic="u")
    sim.commit_in_transaction(1000, 9, partition=1)
    delete_topic(sim, "t")
    sim.metadata_changed()
    assert (sim.offset(), sim.offset(topic="u")) == (-1, 6)
    sim.end_transaction(1000, committed=True)
    assert sim.offset(1) == -1


def test_offsets_of_a_topic_that_is_created_anew_begin_anew() -> None:
    sim = GroupSim()
    sim.cluster.create("t")
    sim.commit(5)
    delete_topic(sim, "t")
    sim.cluster.create("t", 2)
    sim.commit(7, partition=1)
    sim.metadata_changed()
    assert (sim.offset(0), sim.offset(1)) == (-1, 7)


def delete_topic(sim: GroupSim, name: str) -> None:
    sim.cluster.apply(delete_topics(sim.cluster.state, DeleteTopicsRequest(topic_names=[name]), 5))


def test_a_group_is_deleted_with_its_offsets_once_it_is_empty() -> None:
    sim = GroupSim()
    (member,) = sim.settled(1)
    sim.commit(5, member, 1)
    assert sim.delete() == ErrorCode.NON_EMPTY_GROUP
    sim.leave(member)
    assert sim.delete() == 0
    assert sim.delete() == ErrorCode.GROUP_ID_NOT_FOUND
    assert (sim.offset(), sim.listed()) == (-1, {})
    sim.restart()
    assert (sim.offset(), sim.listed()) == (-1, {})


def test_single_offsets_are_deleted_unless_a_member_reads_them() -> None:
    sim = GroupSim()
    (member,) = sim.settled(1)
    sim.commit(5, member, 1)
    sim.commit(6, member, 1, topic="u")
    codes = [
        sim.delete_offset(topic=topic).response.topics[0].partitions[0].error_code for topic in ("t", "u")
    ]
    assert codes == [ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC, 0]
    assert (sim.offset(topic="t"), sim.offset(topic="u")) == (5, -1)


def test_a_clean_up_of_any_size_is_written() -> None:
    sim = GroupSim()
    sim.shard.batch_bytes_max = 1000
    for partition in range(200):
        sim.commit(5, partition=partition)
    sim.advance(WEEK + DAY)
    assert sim.fetch().response.topics == []
    sim.restart()
    assert sim.listed() == {}
