"""Which of the records in flight may be delivered now, where a group asks for more than Kafka: order by key,
a time to deliver at, a time to live, priority, a pause before the next attempt.

`Schedule` knows nothing of members and states but what `partition` tells it. All times are milliseconds of
the caller's clock.

Always true:
  a record that is ready is due, and the first of its key that is not done with
  a record of a key is taken only when none before it is in flight
  what is kept is bounded by the number of entries
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from heapq import heapify, heappop, heappush
from typing import NamedTuple

AT_ONCE = -(2**63)
"""When a record is due that waits for nothing."""
NEVER = 2**63 - 1
NO_LANE = 0
NO_TIME = -1
STALE_MAX = 64
"""Entries of a heap that may be out of date beside as many as there are records."""


class Policy(NamedTuple):
    """What a group asks for in one topic."""

    by_key: bool = False
    deliver_at: bool = False
    """Whether the header `deliver-at` counts."""
    expires_at: bool = False
    """Whether the header `expires-at` counts."""
    priority: bool = False
    """Whether the header `priority` counts."""
    delay_ms: int = 0
    """From a record's timestamp to its delivery, where no header says otherwise."""
    ttl_ms: int | None = None
    """From a record's timestamp to its end, where no header says otherwise."""
    backoff_ms: int = 0
    """Pause before the second attempt; doubled before each further one."""
    backoff_ms_max: int = 0
    waiting_max: int = 0
    """Most records that wait, beside those that members have."""

    def is_kafka(self) -> bool:
        """Whether nothing is asked for that Kafka does not do."""
        return self._replace(backoff_ms_max=0, waiting_max=0) == Policy()

    def backoff(self, delivery_count: int) -> int:
        """The pause after so many attempts."""
        return min(self.backoff_ms << min(max(delivery_count - 1, 0), 32), self.backoff_ms_max)


class RecordFacts(NamedTuple):
    """What a record says of itself; times are those of the records, since the Unix epoch."""

    offset: int
    timestamp: int
    lane: int = NO_LANE
    """The same for the same key, NO_LANE without one."""
    deliver_at: int = NO_TIME
    expires_at: int = NO_TIME
    priority: int = 0


class BatchFacts(NamedTuple):
    """Where a record is to be read."""

    base_offset: int
    size: int
    """In bytes."""


class Place(Enum):
    """Where a record stands."""

    BLOCKED = "behind another of its key"
    LATER = "not yet due"
    READY = "to be taken"
    TAKEN = "a member has it"


@dataclass(slots=True)
class Entry:
    """One record that is not done with."""

    lane: int
    rank: int
    """The lower, the sooner."""
    due: int
    expires: int
    batch: BatchFacts
    place: Place = Place.BLOCKED


class Schedule:
    """The records of one share partition that are not done with, as far as they were read."""

    def __init__(self, policy: Policy, clock_ahead: int, next_offset: int) -> None:
        """`clock_ahead`: how far the clock of the records is ahead of the caller's."""
        self.policy = policy
        self.clock_ahead = clock_ahead
        self.next_offset = next_offset
        """From where on records are to be read."""
        self.entries: dict[int, Entry] = {}
        self.taken = 0
        self._lanes: dict[int, deque[int]] = {}
        self._ready: list[tuple[int, int]] = []
        """Heap of (rank, offset)."""
        self._later: list[tuple[int, int]] = []
        """Heap of (due, offset)."""
        self._ends: list[tuple[int, int]] = []
        """Heap of (expires, offset)."""
        self._holes: list[int] = []

    # ---- records come and go

    def add(self, record: RecordFacts, batch: BatchFacts, *, taken: bool) -> None:
        """A record was read; those before it were read already."""
        policy, offset = self.policy, record.offset
        entry = Entry(
            record.lane if policy.by_key else NO_LANE,
            -record.priority if policy.priority else 0,
            self._due(record),
            self._end(record),
            batch,
        )
        self.entries[offset] = entry
        if entry.expires != NEVER:
            heappush(self._ends, (entry.expires, offset))
        if entry.lane != NO_LANE:
            self._lanes.setdefault(entry.lane, deque()).append(offset)
        if taken:
            entry.place = Place.TAKEN
            self.taken += 1
        else:
            self._offer(offset, entry)

    def _due(self, record: RecordFacts) -> int:
        if self.policy.deliver_at and record.deliver_at != NO_TIME:
            return record.deliver_at - self.clock_ahead
        if self.policy.delay_ms:
            return record.timestamp + self.policy.delay_ms - self.clock_ahead
        return AT_ONCE

    def _end(self, record: RecordFacts) -> int:
        if self.policy.expires_at and record.expires_at != NO_TIME:
            return record.expires_at - self.clock_ahead
        if self.policy.ttl_ms is not None:
            return record.timestamp + self.policy.ttl_ms - self.clock_ahead
        return NEVER

    def _offer(self, offset: int, entry: Entry) -> None:
        if entry.lane != NO_LANE and self._lanes[entry.lane][0] != offset:
            entry.place = Place.BLOCKED
        elif entry.due == AT_ONCE:
            self._make_ready(offset, entry)
        else:
            entry.place = Place.LATER
            heappush(self._later, (entry.due, offset))

    def _make_ready(self, offset: int, entry: Entry) -> None:
        entry.place = Place.READY
        heappush(self._ready, (entry.rank, offset))

    def give_back(self, offset: int, delivery_count: int, now: int) -> None:
        """The member that had the record has it no more, and it is not done with."""
        entry = self.entries.get(offset)
        if entry is None:
            if offset < self.next_offset:
                self._holes.append(offset)
            return
        self.taken -= 1
        backoff = self.policy.backoff(delivery_count)
        if backoff:
            entry.due = max(entry.due, now + backoff)
        if entry.expires <= now:
            heappush(self._ends, (entry.expires, offset))
        self._offer(offset, entry)
        self._trim()

    def done(self, offset: int) -> None:
        """The record is done with: the next of its key may go."""
        entry = self.entries.pop(offset, None)
        if entry is None:
            return
        if entry.place is Place.TAKEN:
            self.taken -= 1
        if entry.lane != NO_LANE:
            self._leave_lane(offset, entry.lane)
        self._trim()

    def _leave_lane(self, offset: int, lane: int) -> None:
        queue = self._lanes[lane]
        was_first = queue[0] == offset
        queue.remove(offset)
        if not queue:
            del self._lanes[lane]
        elif was_first and self.entries[queue[0]].place is Place.BLOCKED:
            self._offer(queue[0], self.entries[queue[0]])

    def _trim(self) -> None:
        """Takes out of the heaps what is out of date, once it is most of them."""
        most = 2 * len(self.entries) + STALE_MAX
        if len(self._ready) > most:
            self._ready = [one for one in self._ready if self._stands(one[1], Place.READY)]
            heapify(self._ready)
        if len(self._later) > most:
            self._later = [one for one in self._later if self._waits(*one)]
            heapify(self._later)
        if len(self._ends) > most:
            self._ends = [(one.expires, at) for at, one in self.entries.items() if one.expires != NEVER]
            heapify(self._ends)

    def _stands(self, offset: int, place: Place) -> bool:
        entry = self.entries.get(offset)
        return entry is not None and entry.place is place

    def _waits(self, due: int, offset: int) -> bool:
        return self._stands(offset, Place.LATER) and self.entries[offset].due == due

    # ---- time

    def advance(self, now: int) -> tuple[bool, list[int]]:
        """Makes ready what is due: whether there was anything, and offsets where nothing is to be had any
        more, to be called done."""
        moved = False
        while self._later and self._later[0][0] <= now:
            due, offset = heappop(self._later)
            if self._waits(due, offset):
                self._make_ready(offset, self.entries[offset])
                moved = True
        gone, self._holes = self._holes, []
        while self._ends and self._ends[0][0] <= now:
            _, offset = heappop(self._ends)
            entry = self.entries.get(offset)
            # What a member has is the member's until its lock ends; `give_back` looks again.
            if entry is not None and entry.place is not Place.TAKEN:
                gone.append(offset)
        return moved, gone

    def next_time(self) -> int | None:
        """When `advance` has something to do, at the earliest."""
        while self._later and not self._waits(*self._later[0]):
            heappop(self._later)
        times = [heap[0][0] for heap in (self._later, self._ends) if heap]
        return min(times, default=None)

    # ---- taking

    def first(self) -> tuple[int, Entry] | None:
        """The record that is to be taken next."""
        while self._ready:
            offset = self._ready[0][1]
            if self._stands(offset, Place.READY):
                return offset, self.entries[offset]
            heappop(self._ready)
        return None

    def take_first(self) -> None:
        """A member takes what `first` has given."""
        _, offset = heappop(self._ready)
        self.entries[offset].place = Place.TAKEN
        self.taken += 1

    def has_enough(self, records_max: int) -> bool:
        """Whether there is no need to read on for somebody who wants so many records."""
        return not self.policy.priority and self.first() is not None and len(self._ready) >= records_max
