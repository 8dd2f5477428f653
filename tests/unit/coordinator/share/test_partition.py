"""Share partitions: who has which record, how often it was delivered, and what becomes of it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas.coordinator.share.acknowledge import ACCEPT, GAP, REJECT, RELEASE, RENEW
from barnabas.coordinator.share.batches import (
    ACKNOWLEDGED,
    ACQUIRED,
    ARCHIVED,
    AVAILABLE,
    StateBatch,
    StateBatches,
    combine,
)
from barnabas.coordinator.share.partition import Acquired, Dead, Limits, ReadBatch, SharePartition, Write
from barnabas.errors import InvalidRecordState, InvalidRequest

LIMITS = Limits(lock_ms=1000, delivery_count_max=5, in_flight_max=200)
ALL = 1000


def offsets(acquired: list[Acquired]) -> list[int]:
    return [offset for first, last, _ in acquired for offset in range(first, last + 1)]


@pytest.fixture
def partition() -> SharePartition:
    return SharePartition(0)


def test_batches_are_acquired_whole_unless_the_limit_is_strict(partition: SharePartition) -> None:
    batches = [ReadBatch(0, 9), ReadBatch(10, 19), ReadBatch(20, 29)]
    assert partition.acquire("a", batches, 12, LIMITS, 0) == [Acquired(0, 19, 1)]
    assert partition.acquire("b", batches[2:], 3, LIMITS, 0, strict=True) == [Acquired(20, 22, 1)]
    assert partition.fetch_offset(LIMITS) == 23


def test_released_records_are_delivered_again_and_given_up_at_last(partition: SharePartition) -> None:
    limits = LIMITS._replace(delivery_count_max=2)
    for count in (1, 2):
        assert partition.acquire("a", [ReadBatch(0, 0)], ALL, limits, 0) == [Acquired(0, 0, count)]
        partition.acknowledge("a", [(0, 0, [RELEASE])], limits, 0)
        write = partition.take_write()
    assert write == Write(1, 0, ())
    assert partition.fetch_offset(limits) == 1


def test_a_record_on_its_last_attempt_is_delivered_alone(partition: SharePartition) -> None:
    limits = LIMITS._replace(delivery_count_max=2)
    partition.acquire("a", [ReadBatch(0, 2)], ALL, limits, 0)
    partition.acknowledge("a", [(0, 2, [RELEASE])], limits, 0)
    assert partition.acquire("a", [ReadBatch(0, 2)], ALL, limits, 0) == [Acquired(0, 0, 2)]


def test_records_come_back_when_their_lock_ends(partition: SharePartition) -> None:
    partition.acquire("a", [ReadBatch(0, 4)], ALL, LIMITS, 0)
    partition.acknowledge("a", [(0, 1, [RENEW])], LIMITS, 400)
    assert partition.next_deadline() == 1000
    partition.expire(LIMITS, 1000)
    assert partition.acquire("b", [ReadBatch(0, 4)], ALL, LIMITS, 1000) == [Acquired(2, 4, 2)]
    assert partition.next_deadline() == 1400


def test_a_session_that_ends_gives_back_what_its_member_has(partition: SharePartition) -> None:
    partition.acquire("a", [ReadBatch(0, 1)], ALL, LIMITS, 0)
    partition.acquire("b", [ReadBatch(2, 3)], ALL, LIMITS, 0)
    partition.release("a", LIMITS, 0)
    assert partition.acquire("c", [ReadBatch(0, 3)], ALL, LIMITS, 0) == [Acquired(0, 1, 2)]


def test_each_record_may_have_a_type_of_its_own(partition: SharePartition) -> None:
    partition.acquire("a", [ReadBatch(0, 4)], ALL, LIMITS, 0)
    partition.acknowledge("a", [(0, 4, [ACCEPT, REJECT, RELEASE, ACCEPT, GAP])], LIMITS, 0)
    assert partition.take_write() == Write(
        2,
        2,
        (StateBatch(2, 2, AVAILABLE, 1), StateBatch(3, 3, ACKNOWLEDGED, 1), StateBatch(4, 4, ARCHIVED, 1)),
    )


def test_nothing_of_a_wrong_acknowledgement_is_done(partition: SharePartition) -> None:
    partition.acquire("a", [ReadBatch(0, 4)], ALL, LIMITS, 0)
    partition.acquire("b", [ReadBatch(5, 9)], ALL, LIMITS, 0)
    for error, batches in (
        (InvalidRecordState, [(0, 1, [ACCEPT]), (4, 5, [ACCEPT])]),
        (InvalidRequest, [(0, 1, [ACCEPT]), (8, 10, [ACCEPT])]),
        (InvalidRequest, [(0, 1, [ACCEPT]), (1, 2, [ACCEPT])]),
        (InvalidRequest, [(0, 4, [ACCEPT, ACCEPT])]),
        (InvalidRequest, [(0, 4, [])]),
        (InvalidRequest, [(0, 4, [5])]),
        (InvalidRequest, [(4, 3, [ACCEPT])]),
    ):
        with pytest.raises(error):
            partition.acknowledge("a", batches, LIMITS, 0)
    assert partition.take_write() is None


def test_what_is_done_with_is_not_acknowledged_twice(partition: SharePartition) -> None:
    partition.acquire("a", [ReadBatch(0, 4)], ALL, LIMITS, 0)
    partition.acknowledge("a", [(2, 2, [ACCEPT])], LIMITS, 0)
    with pytest.raises(InvalidRecordState):
        partition.acknowledge("a", [(2, 2, [RELEASE])], LIMITS, 0)
    partition.acknowledge("a", [(0, 1, [ACCEPT])], LIMITS, 0)
    assert partition.take_write() == Write(3, 0, ())
    partition.acknowledge("a", [(0, 1, [ACCEPT])], LIMITS, 0)  # Below the start: as if it were new.
    assert partition.take_write() is None


def test_locks_are_not_renewed_where_that_is_forbidden(partition: SharePartition) -> None:
    partition.acquire("a", [ReadBatch(0, 0)], ALL, LIMITS, 0)
    with pytest.raises(InvalidRecordState):
        partition.acknowledge("a", [(0, 0, [RENEW])], LIMITS._replace(renew=False), 0)


def test_no_more_records_come_into_flight_than_may_be(partition: SharePartition) -> None:
    limits = LIMITS._replace(in_flight_max=10)
    partition.acquire("a", [ReadBatch(0, 9)], ALL, limits, 0)
    assert partition.fetch_offset(limits) is None
    partition.acknowledge("a", [(5, 5, [RELEASE])], limits, 0)
    assert partition.acquire("b", [ReadBatch(0, 9), ReadBatch(10, 19)], ALL, limits, 0) == [Acquired(5, 5, 2)]
    partition.acknowledge("a", [(0, 4, [ACCEPT])], limits, 0)
    partition.take_write()
    assert partition.fetch_offset(limits) == 10


def test_aborted_records_and_holes_of_compaction_keep_nobody_waiting(partition: SharePartition) -> None:
    batches = [ReadBatch(3, 4, aborted=True), ReadBatch(7, 8)]
    assert partition.acquire("a", batches, ALL, LIMITS, 0) == [Acquired(7, 8, 1)]
    assert partition.take_write() == Write(7, 0, ())


def test_records_that_the_log_has_lost_are_forgotten(partition: SharePartition) -> None:
    partition.acquire("a", [ReadBatch(0, 9)], ALL, LIMITS, 0)
    partition.log_begins_at(4)
    assert partition.take_write() == Write(4, 0, ())
    partition.log_begins_at(50)
    assert (partition.start_offset, partition.fetch_offset(LIMITS)) == (50, 50)


def test_what_is_given_up_is_told_once_with_the_reason(partition: SharePartition) -> None:
    limits = LIMITS._replace(delivery_count_max=2)
    partition.acquire("a", [ReadBatch(0, 4)], ALL, limits, 0)
    partition.acknowledge("a", [(0, 4, [REJECT, GAP, RELEASE, ACCEPT, RELEASE])], limits, 0)
    partition.log_begins_at(1)
    assert partition.take_dead() == [Dead(0, 0, 1, rejected=True)]
    assert partition.acquire("a", [ReadBatch(0, 4)], ALL, limits, 0) == [Acquired(2, 2, 2)]
    partition.expire(limits, 1000)
    partition.log_begins_at(5)
    assert partition.take_dead() == [Dead(2, 2, 2, rejected=False)]
    assert partition.take_dead() == []


def test_holes_in_what_was_written_down_are_available() -> None:
    partition = SharePartition(10, (StateBatch(12, 13, ACKNOWLEDGED, 1), StateBatch(16, 16, AVAILABLE, 3)))
    assert partition.fetch_offset(LIMITS) == 10
    acquired = partition.acquire("a", [ReadBatch(10, 19)], ALL, LIMITS, 0)
    assert acquired == [
        Acquired(10, 11, 1),
        Acquired(14, 15, 1),
        Acquired(16, 16, 4),
        Acquired(17, 19, 1),
    ]


class History:
    """What a share partition must never forget, beside the partition and what was written of it."""

    def __init__(self) -> None:
        self.partition = SharePartition(0)
        self.now = 0
        self.held: dict[int, tuple[str, int]] = {}
        """Who has a record, and until when."""
        self.counts: dict[int, int] = {}
        self.done: set[int] = set()
        self.start, self.batches = 0, ()

    start: int
    batches: StateBatches

    def acquire(self, member: str, lengths: list[int], records_max: int, strict: bool) -> None:
        offset = self.partition.fetch_offset(LIMITS)
        if offset is None:
            return
        base, batches = offset, []
        for length in lengths:
            batches.append(ReadBatch(base, base + length - 1))
            base += length
        acquired = self.partition.acquire(member, batches, records_max, LIMITS, self.now, strict=strict)
        assert acquired, "there was something, and it was not given"
        if strict:
            assert len(offsets(acquired)) <= records_max
        for first, last, count in acquired:
            for record in range(first, last + 1):
                assert record not in self.done, "a record that was done with is delivered again"
                assert record not in self.held, "a record has two owners"
                self.counts[record] = self.counts.get(record, 0) + 1
                assert count == self.counts[record] <= LIMITS.delivery_count_max
                self.held[record] = (member, self.now + LIMITS.lock_ms)

    def acknowledge(self, record: int, length: int, kind: int) -> None:
        member, _ = self.held[record]
        last = record
        while last - record + 1 < length and self.held.get(last + 1, ("", 0))[0] == member:
            last += 1
        self.partition.acknowledge(member, [(record, last, [kind])], LIMITS, self.now)
        for one in range(record, last + 1):
            if kind == RENEW:
                self.held[one] = (member, self.now + LIMITS.lock_ms)
            else:
                self._let_go(one, released=kind == RELEASE)

    def _let_go(self, record: int, *, released: bool) -> None:
        del self.held[record]
        if not released or self.counts[record] == LIMITS.delivery_count_max:
            self.done.add(record)

    def leave(self, member: str) -> None:
        self.partition.release(member, LIMITS, self.now)
        for record, (owner, _) in list(self.held.items()):
            if owner == member:
                self._let_go(record, released=True)

    def wait(self, ms: int) -> None:
        self.now += ms
        self.partition.expire(LIMITS, self.now)
        for record, (_, deadline) in list(self.held.items()):
            if deadline <= self.now:
                self._let_go(record, released=True)

    def write(self) -> None:
        write = self.partition.take_write()
        if write is not None:
            assert write.start_offset >= self.start
            self.start = write.start_offset
            self.batches = combine(self.batches, write.batches, write.start_offset)

    def fail_over(self) -> None:
        """Another leader reads what was written: what was acquired is available, and was delivered as often
        as was written."""
        self.partition = SharePartition(self.start, self.batches)
        self.held.clear()
        self.counts = {
            offset: batch.delivery_count
            for batch in self.batches
            for offset in range(batch.first_offset, batch.last_offset + 1)
        }

    def check(self) -> None:
        spans = self.partition.spans
        assert all(one.last + 1 == two.first for one, two in itertools.pairwise(spans))
        assert not spans or spans[0].first == self.partition.start_offset
        states = {offset: span.state for span in spans for offset in range(span.first, span.last + 1)}
        assert {offset for offset, state in states.items() if state == ACQUIRED} == self.held.keys()
        for offset in range(self.partition.end_offset + 1):
            done = states.get(offset, ACKNOWLEDGED) in (ACKNOWLEDGED, ARCHIVED)
            assert done == (offset in self.done), f"record {offset} is lost or comes again"


MEMBERS = st.sampled_from("ab")
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("acquire"),
            MEMBERS,
            st.lists(st.integers(1, 6), min_size=1, max_size=3),
            st.integers(1, 12),
            st.booleans(),
        ),
        st.tuples(
            st.just("acknowledge"),
            st.integers(0, 50),
            st.integers(1, 8),
            st.sampled_from((ACCEPT, ACCEPT, RELEASE, REJECT, RENEW)),
        ),
        st.tuples(st.just("leave"), MEMBERS),
        st.tuples(st.just("wait"), st.integers(1, 1500)),
        st.tuples(st.just("fail over")),
    ),
    max_size=40,
)


@given(steps=STEPS)
def test_no_record_is_lost_or_delivered_after_it_was_done_with(steps: list[tuple]) -> None:  # type: ignore[type-arg]
    history = History()
    for what, *how in steps:
        match what:
            case "acquire":
                history.acquire(*how)
            case "acknowledge":
                if history.held:
                    records = sorted(history.held)
                    history.acknowledge(records[how[0] % len(records)], *how[1:])
            case "leave":
                history.leave(*how)
            case "wait":
                history.wait(*how)
            case "fail over":
                history.fail_over()
        history.write()
        history.check()


@st.composite
def written(draw: st.DrawFn) -> StateBatch:
    first = draw(st.integers(0, 30))
    state = draw(st.sampled_from((AVAILABLE, ACKNOWLEDGED, ARCHIVED)))
    return StateBatch(first, first + draw(st.integers(0, 10)), state, draw(st.integers(1, 3)))


@given(before=st.lists(written(), max_size=6), news=st.lists(written(), max_size=6), start=st.integers(0, 40))
def test_what_is_written_last_counts(before: list[StateBatch], news: list[StateBatch], start: int) -> None:
    model: dict[int, tuple[int, int]] = {}
    for batch in [*before, *news]:
        for offset in range(batch.first_offset, batch.last_offset + 1):
            model[offset] = (batch.delivery_state, batch.delivery_count)
    combined = combine(combine((), before, 0), news, start)
    told = {
        offset: (batch.delivery_state, batch.delivery_count)
        for batch in combined
        for offset in range(batch.first_offset, batch.last_offset + 1)
    }
    assert told == {offset: what for offset, what in model.items() if offset >= start}
    assert all(one.last_offset < two.first_offset for one, two in itertools.pairwise(combined))
