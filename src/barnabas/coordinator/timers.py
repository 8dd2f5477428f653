"""The timers of one state machine, by key.

Moving a timer to a later time, as each heartbeat does, costs one entry in a dictionary: the heap keeps the
earlier time, and looks again when that has come.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from heapq import heappop, heappush


class Timers:
    """Deadlines by key. Time is a number that never goes back."""

    def __init__(self) -> None:
        self._deadlines: dict[Hashable, int] = {}
        self._heap: list[tuple[int, int, Hashable]] = []
        self._queued: dict[Hashable, int] = {}
        """The earliest time at which the heap has each key."""
        self._count = 0

    def set(self, key: Hashable, deadline: int) -> None:
        """Sets the timer, or moves it."""
        self._deadlines[key] = deadline
        queued = self._queued.get(key)
        if queued is None or deadline < queued:
            self._push(key, deadline)

    def cancel(self, key: Hashable) -> None:
        """Forgets the timer, if there is one."""
        self._deadlines.pop(key, None)

    def next(self) -> int | None:
        """A time before which nothing is due; None when no timer is set."""
        while self._heap:
            at, _, key = self._heap[0]
            deadline = self._deadlines.get(key)
            if deadline is not None and self._queued.get(key) == at:
                if deadline <= at:
                    return at
                heappop(self._heap)
                self._push(key, deadline)
            else:
                heappop(self._heap)
                if self._queued.get(key) == at:
                    del self._queued[key]
        return None

    def take_due(self, now: int) -> Hashable | None:
        """The timer that is due first, which is gone then; None when none is due."""
        at = self.next()
        if at is None or at > now:
            return None
        _, _, key = heappop(self._heap)
        del self._queued[key], self._deadlines[key]
        return key

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self._deadlines)

    def __len__(self) -> int:
        return len(self._deadlines)

    def _push(self, key: Hashable, at: int) -> None:
        self._queued[key] = at
        self._count += 1
        heappush(self._heap, (at, self._count, key))
