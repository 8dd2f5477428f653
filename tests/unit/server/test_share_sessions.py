"""Share sessions: epochs, partitions, and how many there may be."""

from __future__ import annotations

import pytest

from barnabas.errors import InvalidShareSessionEpoch, ShareSessionLimitReached, ShareSessionNotFound
from barnabas.server.share_sessions import EPOCH_MAX, FINAL_EPOCH, IDLE_MS_MAX, ShareSessions
from tests.support.cluster import numbered

A, B, C = ((numbered(1), index) for index in range(3))


def test_each_request_has_the_next_epoch() -> None:
    sessions = ShareSessions()
    session = sessions.open("g", "m", 0, 10, 1)
    assert sessions.go_on("g", "m", 1, 0) is session
    for wrong in (1, 3, 0):
        with pytest.raises(InvalidShareSessionEpoch):
            sessions.go_on("g", "m", wrong, 0)
    assert sessions.go_on("g", "m", FINAL_EPOCH, 0) is session
    session.epoch = EPOCH_MAX
    sessions.go_on("g", "m", EPOCH_MAX, 0)
    assert session.epoch == 1
    with pytest.raises(ShareSessionNotFound):
        sessions.go_on("g", "else", 1, 0)


def test_a_new_session_ends_the_one_before() -> None:
    sessions = ShareSessions()
    before = sessions.open("g", "m", 0, 1, 1)
    after = sessions.open("g", "m", 0, 1, 1)
    assert (before.is_open, after.is_open, len(sessions)) == (False, True, 1)


def test_partitions_take_turns() -> None:
    session = ShareSessions().open("g", "m", 0, 1, 1)
    session.update([A, B, C], [])
    firsts = []
    for _ in range(3):
        firsts.append(session.in_turn()[0])
        session.advance(0)
    assert sorted(firsts) == [A, B, C]
    session.update([], [A, C])
    assert session.in_turn() == [B]


def test_silent_sessions_make_room_when_there_is_none() -> None:
    sessions = ShareSessions()
    for name in "ab":
        sessions.open("g", name, 0, 2, 1)
    with pytest.raises(ShareSessionLimitReached):
        sessions.open("g", "c", IDLE_MS_MAX, 2, 1)
    sessions.go_on("g", "b", 1, IDLE_MS_MAX)
    sessions.open("g", "c", IDLE_MS_MAX + 1, 2, 1)
    assert sessions.find("g", "a") is None
    assert sessions.find("g", "b") is not None


def test_a_connection_knows_the_sessions_that_were_opened_on_it() -> None:
    sessions = ShareSessions()
    for name in "ab":
        sessions.open("g", name, 0, 9, 1)
    sessions.open("g", "c", 0, 9, 2)
    assert {session.member_id for session in sessions.of_connection(1)} == {"a", "b"}
    sessions.open("g", "a", 0, 9, 2)
    assert {session.member_id for session in sessions.of_connection(1)} == {"b"}
    sessions.remove("g", "b")
    assert sessions.of_connection(1) == ()
