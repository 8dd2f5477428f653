"""In which order records of a topic are handed on, those that are read and those that are written.

Always true:
  records are handed on in the order of their offsets, each once
  a record is handed on when it has been read; one of our own as soon as all in-sync replicas have it, if
  everything before it has been handed on: it is passed over when it is read
  a write is done when all of its records have been handed on or have failed
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

AHEAD_MAX = 10_000
"""Own records that are handed on and not read yet; more are handed on when they are read."""


class Stored(Protocol):
    """A record of the topic."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


@dataclass(slots=True, eq=False)
class Write:
    """Records that belong together."""

    left: int
    """How many are on their way."""
    landed: Callable[[Exception | None], None]
    """Called when none is, with the first problem."""
    problem: Exception | None = None

    def done(self, problem: Exception | None) -> None:
        """One of them is not on its way any more."""
        self.left -= 1
        self.problem = self.problem or problem
        if not self.left:
            self.landed(self.problem)


@dataclass(slots=True, eq=False)
class Written:
    """A record on its way to the topic and back."""

    key: bytes
    value: bytes | None
    timestamp: int
    write: Write
    offset: int = -1
    """-1 until it is acknowledged, and where no broker has told."""
    record: Any = None
    """What key and value say, where it need not be read in them."""


class Order:
    """What was handed on, and what is on its way."""

    def __init__(self, take: Callable[[Stored], Exception | None]) -> None:
        """`take` is given each record, and says why it can't be used."""
        self._take = take
        self._written: deque[Written] = deque()
        """In the order in which they were sent."""
        self._ahead: deque[Written] = deque()
        """Handed on, and not read yet."""
        self.next = 0
        """Offset of the record that is to be handed on next."""
        self.foreign = 0
        """Records that others wrote."""

    @property
    def is_ahead(self) -> bool:
        """Whether something was handed on that will be read."""
        return bool(self._ahead)

    def sent(self, written: Written) -> None:
        """A record is on its way, behind all before it."""
        self._written.append(written)

    def acknowledged(self, written: Written, offset: int) -> int | None:
        """All in-sync replicas have a record. Up to which offset others must be read first, if any."""
        written.offset = offset
        self._hand_acknowledged_on()
        first = self._written[0] if self._written else None
        return None if first is None or first.offset < self.next else first.offset

    def failed(self, written: Written, error: Exception) -> None:
        """A record will not get there, as far as is known."""
        if written in self._written:
            self._written.remove(written)
            written.write.done(error)

    def fail_all(self, error: Exception) -> None:
        """Nothing will get there any more."""
        for written in list(self._written):
            self.failed(written, error)

    def read(self, record: Stored) -> None:
        """A record has been read."""
        if self._ahead and self._was_ahead(record):
            self.next = max(self.next, record.offset + 1)
            return
        problem = self._hand_on(record)
        if self._written and _is(self._written[0], record):
            self._written.popleft().write.done(problem)
        else:
            self.foreign += 1
        if self._written:
            self._hand_acknowledged_on()

    def _was_ahead(self, record: Stored) -> bool:
        while self._ahead and self._ahead[0].offset < record.offset:
            self._ahead.popleft()  # Compaction was quicker.
        if not self._ahead or self._ahead[0].offset > record.offset:
            return False
        if _is(self._ahead[0], record):
            self._ahead.popleft()
            return True
        self._ahead.clear()  # Another log, after an unclean election.
        return False

    def _hand_acknowledged_on(self) -> None:
        while self._written and self._written[0].offset == self.next and len(self._ahead) < AHEAD_MAX:
            written = self._written.popleft()
            self._ahead.append(written)
            written.write.done(self._hand_on(written))

    def _hand_on(self, record: Stored) -> Exception | None:
        self.next = record.offset + 1
        return self._take(record)


def _is(written: Written, record: Stored) -> bool:
    """Whether a record that was read is one that was written."""
    return written.offset in (-1, record.offset) and (written.key, written.value) == (
        record.key,
        record.value,
    )
