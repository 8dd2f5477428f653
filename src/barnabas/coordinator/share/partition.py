"""How far a share group has got in one partition of a topic: what the partition's leader keeps in memory.

Records between the start offset (SPSO) and the end offset (SPEO) are in flight: available, acquired by a
member until its lock ends, or done with (acknowledged or archived). Nothing here waits or writes: whoever
changes a share partition takes what has to be written down with `take_write`. Acquisitions are not written: a
record that was acquired when its leader went away is available again.

Always true:
  spans cover the offsets from start to end without a hole, in order; the first is not done with
  an acquired span has a member and a deadline, no other has
  what is done with never becomes available again
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from barnabas.coordinator.share.acknowledge import ARCHIVE, REJECT, RELEASE, RENEW, STATES, Run, runs
from barnabas.coordinator.share.batches import (
    ACQUIRED,
    ARCHIVED,
    AVAILABLE,
    DONE,
    StateBatch,
    StateBatches,
)
from barnabas.coordinator.share.schedule import Schedule
from barnabas.errors import InvalidRecordState, InvalidRequest

NOBODY = ""
COUNT_MAX = 2**31 - 1
"""Highest count of records that can be written down."""


class Limits(NamedTuple):
    """The group's configs as they are in force."""

    lock_ms: int
    """How long a member may keep a record."""
    delivery_count_max: int
    in_flight_max: int
    """Most records between start and end."""
    renew: bool = True
    """Whether locks may be renewed."""


NO_LIMITS = Limits(0, 0, 0)
"""For what no limit has a say in."""


class ReadBatch(NamedTuple):
    """A batch of records that was read."""

    base_offset: int
    last_offset: int
    aborted: bool = False
    """Whether its transaction was aborted, where that matters to the group."""


class Acquired(NamedTuple):
    """Records that a member has now."""

    first_offset: int
    last_offset: int
    delivery_count: int


class Dead(NamedTuple):
    """Records that were given up."""

    first_offset: int
    last_offset: int
    delivery_count: int
    rejected: bool
    """By a member; else they were delivered too often."""


class Write(NamedTuple):
    """What is to be written down."""

    start_offset: int
    delivery_complete_count: int
    batches: StateBatches


@dataclass(slots=True)
class Span:
    """Records in one state."""

    first: int
    last: int
    state: int = AVAILABLE
    delivery_count: int = 0
    member: str = NOBODY
    deadline: int = 0
    """When the lock ends, in the milliseconds of the caller's clock."""

    def says_what(self, before: Span) -> bool:
        """Whether it could be one with the span before it."""
        return (
            self.state == before.state
            and self.delivery_count == before.delivery_count
            and self.member == before.member
            and self.deadline == before.deadline
        )


class SharePartition:
    """The records in flight of one share partition."""

    def __init__(self, start_offset: int, batches: StateBatches = ()) -> None:
        """As it was written down; what nothing is known about is available."""
        self.start_offset = start_offset
        self.spans: list[Span] = []
        self.schedule: Schedule | None = None
        """What is delivered when, where the group asks for more than Kafka (see `scheduling`)."""
        self._changed: list[tuple[int, int]] = []
        self._dead: list[Dead] = []
        self._written_start = start_offset
        for batch in batches:
            if batch.last_offset >= start_offset:
                first = max(batch.first_offset, self.end_offset + 1)
                if first > self.end_offset + 1:
                    self.spans.append(Span(self.end_offset + 1, first - 1))
                state = batch.delivery_state if batch.delivery_state in DONE else AVAILABLE
                self.spans.append(Span(first, batch.last_offset, state, batch.delivery_count))
        self.advance()

    @property
    def end_offset(self) -> int:
        """The last offset in flight; the one before the start when there is none."""
        return self.spans[-1].last if self.spans else self.start_offset - 1

    @property
    def in_flight(self) -> int:
        """Records from start to end."""
        return self.end_offset - self.start_offset + 1

    def is_idle(self) -> bool:
        """Whether nobody has a record of it."""
        return all(span.state != ACQUIRED for span in self.spans)

    # ---- acquiring

    def fetch_offset(self, limits: Limits) -> int | None:
        """From where on records are to be read to be acquired; None while there is no room for more."""
        for span in self.spans:
            if span.state == AVAILABLE:
                return span.first
        return self.end_offset + 1 if self.in_flight < limits.in_flight_max else None

    def acquire(
        self,
        member: str,
        batches: Sequence[ReadBatch],
        records_max: int,
        limits: Limits,
        now: int,
        *,
        strict: bool = False,
    ) -> list[Acquired]:
        """Gives a member records of batches that were read from `fetch_offset` on. Whole batches, even if
        they are more than `records_max`, unless that is meant strictly."""
        offset = self.fetch_offset(limits)
        if offset is None:
            return []
        taking = _Taking(self, member, records_max, limits, now + limits.lock_ms, strict=strict)
        for batch in batches:
            if taking.is_full:
                break
            if batch.last_offset < offset:
                continue
            if batch.base_offset > offset:
                self.pass_over(offset, batch.base_offset - 1)  # Compaction has left nothing there.
            first = max(batch.base_offset, offset)
            if batch.aborted:
                self.pass_over(first, batch.last_offset)
            else:
                taking.take(first, batch.last_offset)
            offset = batch.last_offset + 1
        self.advance()
        return taking.acquired

    def pass_over(self, first: int, last: int) -> None:
        """There is nothing to be had between these offsets."""
        if first > last:
            return
        for span in self._within(first, min(last, self.end_offset)):
            if span.state == AVAILABLE:
                span.state = ARCHIVED
        if last > self.end_offset:
            self.spans.append(Span(max(first, self.end_offset + 1), last, ARCHIVED))

    # ---- acknowledging

    def acknowledge(
        self, member: str, batches: Sequence[tuple[int, int, Sequence[int]]], limits: Limits, now: int
    ) -> None:
        """Does what a member says about records that it has: (first offset, last offset, types), one type
        for all or one for each record. All of it is done, or nothing: raises InvalidRequest,
        InvalidRecordState."""
        told = [run for run in runs(batches) if run.last >= self.start_offset]
        for run in told:
            self._validate(run, member, limits)
        for run in told:
            for span in self._within(max(run.first, self.start_offset), run.last):
                self._settle(span, run.type, limits, now)

    def _validate(self, run: Run, member: str, limits: Limits) -> None:
        if run.first > self.end_offset or run.last > self.end_offset:
            raise InvalidRequest("Batch record not found. The offsets in request are past acquired records.")
        if run.type == RENEW and not limits.renew:
            raise InvalidRecordState("Renewing acquisition locks is not enabled for the group.")
        for index in range(self._index(max(run.first, self.start_offset)), len(self.spans)):
            span = self.spans[index]
            if span.first > run.last:
                return
            if span.state != ACQUIRED:
                raise InvalidRecordState("The batch cannot be acknowledged. It is not in the acquired state.")
            if span.member != member:
                raise InvalidRecordState("Member is not the owner of batch record")

    def _settle(self, span: Span, acknowledge_type: int, limits: Limits, now: int) -> None:
        if acknowledge_type == RENEW:
            span.deadline = now + limits.lock_ms
            return
        state = STATES[acknowledge_type]
        if acknowledge_type == RELEASE and span.delivery_count >= limits.delivery_count_max:
            state = ARCHIVED
        if state == ARCHIVED and acknowledge_type in (RELEASE, REJECT):
            rejected = acknowledge_type == REJECT
            self._dead.append(Dead(span.first, span.last, span.delivery_count, rejected))
        span.state, span.member, span.deadline = state, NOBODY, 0
        self._changed.append((span.first, span.last))
        if self.schedule is not None:
            self._reschedule(span, self.schedule, now)

    def _reschedule(self, span: Span, schedule: Schedule, now: int) -> None:
        offsets = range(span.first, span.last + 1)
        if span.state == AVAILABLE:
            for offset in offsets:
                schedule.give_back(offset, span.delivery_count, now)
            return
        for offset in offsets:
            schedule.done(offset)
        # Many may be done with behind one that waits. All that say the same are one span, and one batch of
        # what is written down.
        span.state, span.delivery_count = ARCHIVED, 0

    def release(self, member: str, limits: Limits, now: int) -> None:
        """A member gives back all that it has: its session is over."""
        for span in self.spans:
            if span.state == ACQUIRED and span.member == member:
                self._settle(span, RELEASE, limits, now)

    def expire(self, limits: Limits, now: int) -> None:
        """Takes back what members have kept for too long."""
        for span in self.spans:
            if span.state == ACQUIRED and span.deadline <= now:
                self._settle(span, RELEASE, limits, now)
        self.archive_gone(now)

    def next_deadline(self) -> int | None:
        """When `expire` has something to do; None while nothing is locked or scheduled."""
        ends = [span.deadline for span in self.spans if span.state == ACQUIRED]
        scheduled = self.schedule.next_time() if self.schedule is not None else None
        return min(ends if scheduled is None else [*ends, scheduled], default=None)

    def log_begins_at(self, log_start_offset: int) -> None:
        """The log begins there now: what was before is gone."""
        if log_start_offset <= self.start_offset:
            return
        for span in self._within(self.start_offset, min(log_start_offset - 1, self.end_offset)):
            if span.state not in DONE:
                self._settle(span, ARCHIVE, NO_LIMITS, 0)
        if log_start_offset > self.end_offset:
            self.spans.clear()
            self.start_offset = log_start_offset
        self.advance()

    # ---- delivery by a schedule

    def skip_done(self, offset: int) -> int:
        """The first offset from this one on that is not done with."""
        while offset <= self.end_offset and (span := self.spans[self._index(offset)]).state in DONE:
            offset = span.last + 1
        return offset

    def bring_in(self, offset: int) -> int:
        """The state of a record, which comes into flight if it is the next one."""
        if offset <= self.end_offset:
            return self.spans[self._index(offset)].state
        assert offset == self.end_offset + 1, (offset, self.end_offset)
        one = Span(offset, offset)
        if self.spans and one.says_what(self.spans[-1]):
            self.spans[-1].last = offset
        else:
            self.spans.append(one)
        return AVAILABLE

    def delivery_count(self, offset: int) -> int:
        """How often a record in flight was delivered."""
        return self.spans[self._index(offset)].delivery_count

    def give(self, first: int, last: int, member: str, deadline: int, acquired: list[Acquired]) -> None:
        """Gives available records to a member, and adds them to what it has acquired."""
        for span in self._within(first, last):
            assert span.state == AVAILABLE, span
            self.own(span, member, deadline, acquired)

    def own(self, span: Span, member: str, deadline: int, acquired: list[Acquired]) -> None:
        """A member has the records of a span now; adds them to what it has acquired."""
        span.state, span.member, span.deadline = ACQUIRED, member, deadline
        span.delivery_count += 1
        before = acquired[-1] if acquired else None
        if before and before.last_offset + 1 == span.first and before.delivery_count == span.delivery_count:
            acquired[-1] = before._replace(last_offset=span.last)
        else:
            acquired.append(Acquired(span.first, span.last, span.delivery_count))

    def archive_gone(self, now: int) -> bool:
        """Is done with what nobody is to have any more, and makes ready what is due; whether there was
        anything. Without a schedule there never is."""
        if self.schedule is None:
            return False
        moved, gone = self.schedule.advance(now)
        for offset in gone:
            if self.start_offset <= offset <= self.end_offset:
                for span in self._within(offset, offset):
                    self._settle(span, ARCHIVE, NO_LIMITS, now)
        if gone:
            self.archive_gone(now)  # What waited behind it may be due, too.
        return moved or bool(gone)

    # ---- writing

    def take_dead(self) -> list[Dead]:
        """What was given up since it was asked last."""
        dead, self._dead = self._dead, []
        return dead

    def take_write(self) -> Write | None:
        """What has changed since it was asked last and must not be forgotten; None for nothing."""
        self.advance()
        changed, self._changed = self._changed, []
        if not changed and self.start_offset == self._written_start:
            return None
        batches: list[StateBatch] = []
        for first, last in sorted(changed):
            for span in self._overlapping(max(first, self.start_offset), last):
                if span.state != ACQUIRED:
                    batches.append(
                        StateBatch(
                            max(first, span.first), min(last, span.last), span.state, span.delivery_count
                        )
                    )
        self._written_start = self.start_offset
        count = sum(span.last - span.first + 1 for span in self.spans if span.state in DONE)
        return Write(self.start_offset, min(count, COUNT_MAX), tuple(batches))

    # ---- spans

    def _index(self, offset: int) -> int:
        """The span that holds an offset in flight."""
        return max(bisect_right(self.spans, offset, key=_first) - 1, 0)

    def _overlapping(self, first: int, last: int) -> Iterator[Span]:
        for index in range(self._index(first), len(self.spans)):
            span = self.spans[index]
            if span.first > last:
                return
            if span.last >= first:
                yield span

    def _within(self, first: int, last: int) -> list[Span]:
        """The spans of exactly these offsets, which are in flight: those at the borders are divided."""
        if first > last:
            return []
        begin = self._divide(first)
        end = self._divide(last + 1)
        return self.spans[begin:end]

    def _divide(self, offset: int) -> int:
        """The index of the span that begins at an offset, or of the one behind the end."""
        if offset > self.end_offset:
            return len(self.spans)
        index = self._index(offset)
        span = self.spans[index]
        if span.first == offset:
            return index
        head = Span(span.first, offset - 1, span.state, span.delivery_count, span.member, span.deadline)
        span.first = offset
        self.spans.insert(index, head)
        return index + 1

    def advance(self) -> None:
        """Lets go of what is done with at the start, and puts together what says the same."""
        kept: list[Span] = []
        for span in self.spans:
            if not kept and span.state in DONE:
                self.start_offset = span.last + 1
            elif kept and span.says_what(kept[-1]):
                kept[-1].last = span.last
            else:
                kept.append(span)
        self.spans = kept


def _first(span: Span) -> int:
    return span.first


class _Taking:
    """One acquisition as it goes on."""

    def __init__(
        self,
        partition: SharePartition,
        member: str,
        records_max: int,
        limits: Limits,
        deadline: int,
        *,
        strict: bool,
    ) -> None:
        self.acquired: list[Acquired] = []
        self.is_full = records_max <= 0
        self._partition = partition
        self._member = member
        self._left = records_max
        self._limits = limits
        self._deadline = deadline
        self._strict = strict

    def take(self, first: int, last: int) -> None:
        """Takes what is available between two offsets of one batch."""
        partition = self._partition
        for span in partition._within(first, min(last, partition.end_offset)):
            if span.state == AVAILABLE and not self.is_full:
                self._take_again(span)
        self._take_new(max(first, partition.end_offset + 1), last)
        # Without strictness a batch is taken whole, and the next one if there is still room.
        self.is_full = self.is_full or self._left <= 0

    def _take_again(self, span: Span) -> None:
        """Takes records that have been delivered before, or were passed over."""
        partition, last = self._partition, span.last
        if span.delivery_count and span.delivery_count == self._limits.delivery_count_max - 1:
            # The last attempt: if the record is a poisonous one, it is to harm no other.
            self.is_full = True
            if self.acquired:
                return
            last = span.first
        elif self._strict:
            last = min(last, span.first + self._left - 1)
        if last < span.last:
            (span,) = partition._within(span.first, last)
        self._own(span)
        if self._strict and self._left <= 0:
            self.is_full = True

    def _take_new(self, first: int, last: int) -> None:
        """Takes records that come into flight."""
        partition = self._partition
        room = self._limits.in_flight_max - partition.in_flight
        if first > last or self.is_full:
            return
        if room <= 0:
            self.is_full = True
            return
        if self._strict:
            last = min(last, first + min(self._left, room) - 1)
        span = Span(first, last)
        partition.spans.append(span)
        self._own(span)
        if self._strict and self._left <= 0:
            self.is_full = True

    def _own(self, span: Span) -> None:
        self._left -= span.last - span.first + 1
        self._partition.own(span, self._member, self._deadline, self.acquired)
