"""What a compacted topic says, kept in memory: what is committed, what is on its way, and the writes between.

Always true:
  reads are answered from what is committed; decisions are made on the head, which has what is on its way too,
  so that writes need not wait for one another
  a write is answered when all of its records are committed and, as everything before them, part of the state
  only the primary decides, and not before it has read what earlier ones wrote
  when a write fails, or somebody else has written, the head is made anew from what is committed, once nothing
  is on its way any more; decisions wait for that
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, Self, TypeVar

from barnabas.errors import BarnabasError, MessageTooLarge
from barnabas.http.errors import HttpError
from barnabas.http.promise import Promise
from barnabas.schema_registry import errors
from barnabas.schema_registry.decision import Decision
from barnabas.schema_registry.order import Written
from barnabas.schema_registry.primary.leadership import Alone
from barnabas.schema_registry.records import UnreadableRecord
from barnabas.schema_registry.storage import Storage

if TYPE_CHECKING:
    from barnabas.schema_registry.order import Stored
    from barnabas.schema_registry.primary.leadership import Leadership

logger = logging.getLogger("barnabas.registry")

R = TypeVar("R")
S = TypeVar("S", bound="Replayed")

WRITE_SECONDS_MAX = 30.0
"""Longest wait for a write."""
LOAD_SECONDS_MAX = 60.0
"""Longest silence of the cluster while the topic is read for the first time."""


class Records(NamedTuple):
    """How records are read and written."""

    decode: Callable[[bytes | None, bytes | None], Any]
    """Raises UnreadableRecord."""
    encode: Callable[[Any], tuple[bytes, bytes | None]]
    noop: Any
    """A record that says nothing."""


class Replayed(Protocol):
    """What records make."""

    def copy(self) -> Self:
        """Another that says the same."""

    def replay(self, record: Any, timestamp: int | None = None) -> None:
        """Takes a record in. Raises UnreadableRecord, and is unchanged, when it makes no sense."""


class _Write:
    """Records of one decision, on their way."""

    __slots__ = ("landings",)

    def __init__(self) -> None:
        self.landings: list[Landing] = []
        """Who waits until it is no longer on its way."""


class Landing(Promise[None]):
    """Kept when writes are part of the state. It fails with what whoever asked for one of them is told."""

    __slots__ = ("_left", "_overdue")

    def __init__(self, writes: Collection[_Write], late: Callable[[], None]) -> None:
        """`late` is called when it takes too long."""
        super().__init__()
        self._left = len(writes)
        for write in writes:
            write.landings.append(self)
        loop = asyncio.get_running_loop()
        self._overdue = loop.call_later(WRITE_SECONDS_MAX, self._end_late, late)

    def landed(self, problem: Exception | None) -> None:
        """One of them is not on its way any more."""
        self._left -= 1
        if problem is not None:
            self._overdue.cancel()
            self.fail(_failed(problem))
        elif not self._left:
            self._overdue.cancel()
            self.keep(None)

    def _end_late(self, late: Callable[[], None]) -> None:
        late()
        self.fail(errors.write_timed_out(WRITE_SECONDS_MAX))


class Replica(Generic[S]):
    """State, storage, and what connects them. All calls belong into one event loop."""

    def __init__(self, configs: Mapping[str, Any], topic: str, state: S, records: Records) -> None:
        self.state = state
        """What is committed."""
        self.leadership: Leadership = Alone()
        """Who writes."""
        self.offset = -1
        """Offset of the last record that is part of the state, or was left out."""
        self.quarantined = 0
        """Records of the topic that could not be used."""
        self._records = records
        self._storage = Storage(configs, self._take, topic)
        self._head: S | None = None
        self._in_flight: set[_Write] = set()
        self._stale = False
        self._foreign = 0
        self._caught_up = 0
        self._catching_up = asyncio.Lock()
        self._readers: list[tuple[int, asyncio.Future[None]]] = []

    async def start(self) -> None:
        """Reads the topic. Raises BarnabasError when it can't be had."""
        began = time.monotonic()
        await asyncio.get_running_loop().run_in_executor(None, self._storage.load, LOAD_SECONDS_MAX)
        self._foreign = self._storage.foreign
        self._storage.start()
        logger.info("%d records were read in %.2f s", self._storage.count, time.monotonic() - began)

    def close(self) -> None:
        """Ends it; writes on their way fail."""
        self._storage.close()

    @property
    def problem(self) -> str | None:
        """Why what is read here may be old."""
        return self._storage.problem

    # ---- records

    async def read_up_to(self, offset: int, seconds: float) -> bool:
        """Waits until the record at `offset` has been read; False if that takes longer than `seconds`."""
        if self.offset >= offset:
            return True
        self._storage.want(offset)
        read: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._readers.append((offset, read))
        try:
            async with asyncio.timeout(seconds):
                await read
        except TimeoutError:
            return False
        return True

    def _take(self, record: Stored) -> Exception | None:
        problem = self._taken(record)
        self.offset = record.offset
        if self._readers:
            for offset, read in self._readers:
                if offset <= self.offset and not read.done():
                    read.set_result(None)
            self._readers = [reader for reader in self._readers if not reader[1].done()]
        return problem

    def _taken(self, record: Stored) -> Exception | None:
        try:
            known = record.record if isinstance(record, Written) else None
            self._replay(known or self._records.decode(record.key, record.value), record.timestamp)
        except UnreadableRecord as error:
            self.quarantined += 1
            return error
        return None

    def _replay(self, record: Any, timestamp: int) -> None:
        """Takes a committed record in."""
        self.state.replay(record, timestamp)

    # ---- writes

    @property
    def settled(self) -> bool:
        """Whether nothing is on its way: what is committed is what decisions are made on."""
        return not self._in_flight and not self._stale

    async def write(self, decide: Callable[[S], Decision[R]]) -> R:
        """Decides, writes, and waits until what was written is committed. Raises HttpError, and NotPrimary
        when another instance has to be asked."""
        while True:
            term = await self.leadership.term()
            if term != self._caught_up:
                await self._catch_up(term)
            head = await self._fresh_head()
            if self.leadership.holds(term):
                break
        response, landing = self._decide(head, decide)
        if landing is not None:
            await landing
        return response

    def decided(self, decide: Callable[[S], Decision[R]]) -> tuple[R, Landing | None] | None:
        """Decides at once: the response, and what it has to wait for, if it does not hold yet. None where
        there is something to wait for before, as `write` does. Raises HttpError."""
        term = self.leadership.held()
        if term is None or term != self._caught_up:
            return None
        head = self._head_now()
        return None if head is None else self._decide(head, decide)

    def _decide(self, head: S, decide: Callable[[S], Decision[R]]) -> tuple[R, Landing | None]:
        decision = decide(head)
        if decision.records:
            return decision.response, self._begin(head, decision.records)
        # What the decision relies on may be on its way itself.
        return decision.response, self._landing(self._in_flight) if self._in_flight else None

    def _begin(self, head: S, records: Sequence[Any]) -> Landing:
        written = [(*self._records.encode(record), record) for record in records]
        for record in records:
            head.replay(record)
        write = _Write()
        landing = self._landing((write,))
        self._in_flight.add(write)
        self._storage.write(written, partial(self._land, write))
        return landing

    def _landing(self, writes: Collection[_Write]) -> Landing:
        return Landing(writes, self._distrust_head)

    def _distrust_head(self) -> None:
        """What is on its way may never come."""
        self._stale = True

    def _land(self, write: _Write, problem: Exception | None) -> None:
        """It is part of the state, or has failed."""
        self._in_flight.discard(write)
        if problem is not None:
            self._stale = True
        for landing in write.landings:
            landing.landed(problem)

    async def _catch_up(self, term: int) -> None:
        """Reads what was written before this instance became the primary."""
        async with self._catching_up:
            if term == self._caught_up:
                return
            try:
                async with asyncio.timeout(WRITE_SECONDS_MAX):
                    offset = await self._storage.append(*self._records.encode(self._records.noop))
            except TimeoutError as error:
                raise errors.write_timed_out(WRITE_SECONDS_MAX) from error
            except BarnabasError as error:
                raise errors.write_failed(error) from error
            if not await self.read_up_to(offset, WRITE_SECONDS_MAX):
                raise errors.write_timed_out(WRITE_SECONDS_MAX)
            self._stale = True  # The head has not seen it.
            self._caught_up = term

    async def _fresh_head(self) -> S:
        while (head := self._head_now()) is None:
            with suppress(HttpError):  # Whoever asked for it is told.
                await self._landing(self._in_flight)
        return head

    def _head_now(self) -> S | None:
        """The head. Anew, when it is not what will be committed; None until that can be known."""
        if self._storage.foreign != self._foreign:
            self._stale = True
        if self._head is None or self._stale:
            if self._in_flight:
                return None
            self._foreign = self._storage.foreign
            self._stale = False
            self._head = self.state.copy()
        return self._head


def _failed(problem: Exception) -> HttpError:
    """What whoever asked for a write is told."""
    if isinstance(problem, MessageTooLarge):
        error = HttpError(422, "The schema is too large for the schemas' topic", 42209)
    else:
        error = errors.write_failed(problem)
    error.__cause__ = problem
    return error
