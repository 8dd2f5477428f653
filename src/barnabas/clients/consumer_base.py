"""What both faces of a consumer, the one that waits and the one that is awaited, do alike."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from barnabas._core import NativeConsumer, Record
from barnabas.clients.configs import consumer_values
from barnabas.clients.consumer_types import (
    Commits,
    ConsumerGroupMetadata,
    Listener,
    OffsetAndMetadata,
    OnCommit,
    OnCommitted,
    OnConsume,
    OnRebalance,
    PendingCommit,
    Place,
    TopicPartition,
    commit_entries,
)

if TYPE_CHECKING:
    from barnabas.clients.serdes import Deserializers

log = logging.getLogger("barnabas.consumer")

_FLAGS = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s", re.VERBOSE: "x"}
WAIT_SLICE_SECONDS = 0.05
"""Another thread may be told of what this one waits for: it looks again now and then."""


class ConsumerBase:
    """The state of a consumer, and what it does without waiting."""

    def __init__(
        self,
        configs: Mapping[str, Any] | None = None,
        /,
        *,
        on_consume: OnConsume | None = None,
        on_commit: OnCommitted | None = None,
        **keywords: Any,
    ) -> None:
        self._on_consume = on_consume
        self._on_commit = on_commit
        values = consumer_values(configs, keywords, tells_commits=on_commit is not None)
        self._max_poll_records: int = values["max.poll.records"]
        self._request_seconds: float = values["request.timeout.ms"] / 1000
        self._has_group = bool(values["group.id"])
        self._native = NativeConsumer(values)
        self._listener = Listener()
        self._deserializers = deserializers_of(values)
        self._ahead: deque[Any] = deque()
        """Records that iteration has taken and not given out yet."""
        self._unread: deque[Record] = deque()
        """Records behind one that could not be read, with it: they come after those ahead."""
        self._pending: dict[int, PendingCommit] = {}
        self._pending_lock = threading.Lock()
        self._commits_at_end = self._native.commits_itself
        self._is_closed = False

    # ---- what is read

    def assign(self, partitions: Iterable[Place]) -> None:
        """Reads exactly these partitions from now on, without a group's say. Those it reads already go on
        where they are, unless an offset is given."""
        if any(part is not None for part in self._native.subscription()):
            raise ValueError("it is subscribed: unsubscribe() comes before assign()")
        wanted = [TopicPartition(*partition) for partition in partitions]
        kept = {(topic, index) for topic, index, offset in wanted if offset is None}
        for place in self._unseen().keys() - kept:
            self._forget_ahead(*place)
        self._native.assign([(*partition, None) for partition in wanted])

    def subscribe(
        self,
        topics: str | Iterable[str] | re.Pattern[str],
        *,
        on_assign: OnRebalance | None = None,
        on_revoke: OnRebalance | None = None,
        on_lost: OnRebalance | None = None,
    ) -> None:
        """Reads these topics as a member of the group `group.id`, which says which of their partitions: a
        name, names, or a compiled pattern that matches whole names (RE2's syntax; with
        `group.protocol=consumer` the broker reads it).

        The callables get the consumer and the partitions, in the thread that polls: `on_assign` before the
        first record, `on_revoke` while other members wait for the partitions, `on_lost` (or else `on_revoke`)
        when they are another member's already."""
        if self._native.assignment() and not any(part is not None for part in self._native.subscription()):
            raise ValueError("partitions were given to it: unsubscribe() comes before subscribe()")
        self._listener = Listener(on_assign, on_revoke, on_lost)
        if isinstance(topics, re.Pattern):
            self._native.subscribe(None, _re2(topics))
        else:
            self._native.subscribe([topics] if isinstance(topics, str) else list(topics), None)

    def subscription(self) -> list[str] | re.Pattern[str] | None:
        """What it is subscribed to."""
        topics, pattern = self._native.subscription()
        return topics if pattern is None else re.compile(pattern)

    def assignment(self) -> list[TopicPartition]:
        """The partitions that it reads."""
        return [TopicPartition(*partition) for partition in self._native.assignment()]

    def paused(self) -> list[TopicPartition]:
        """The partitions that are paused."""
        return [TopicPartition(*partition) for partition in self._native.paused()]

    # ---- where

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Goes on at `offset`."""
        self._seek(topic, partition, offset, None)

    def seek_to_beginning(self, topic: str, partition: int) -> None:
        """Goes on at the first record there is."""
        self._seek(topic, partition, None, "earliest")

    def seek_to_end(self, topic: str, partition: int) -> None:
        """Goes on with what is written from now on."""
        self._seek(topic, partition, None, "latest")

    def seek_to_time(self, topic: str, partition: int, timestamp: int) -> None:
        """Goes on at the first record that is not older; after the last one when all are."""
        self._seek(topic, partition, timestamp, "timestamp")

    def pause(self, topic: str, partition: int) -> None:
        """Gives out no records of the partition until `resume`."""
        unseen = self._unseen().get((topic, partition))
        if unseen is not None:
            self.seek(topic, partition, unseen)
        self._moved(self._native.pause(topic, partition, True), topic, partition)

    def resume(self, topic: str, partition: int) -> None:
        """Gives out records of the partition again."""
        self._moved(self._native.pause(topic, partition, False), topic, partition)

    def _seek(self, topic: str, partition: int, offset: int | None, place: str | None) -> None:
        self._moved(self._native.seek(topic, partition, offset, place), topic, partition)
        self._forget_ahead(topic, partition)

    @staticmethod
    def _moved(found: bool, topic: str, partition: int) -> None:
        if not found:
            raise ValueError(f"{topic}-{partition} is not assigned")

    # ---- the group

    def group_metadata(self) -> ConsumerGroupMetadata:
        """Who it is in its group, for a producer that commits its offsets in a transaction."""
        known = self._native.group_metadata()
        if known is None:
            raise ValueError("group.id is not set")
        return ConsumerGroupMetadata(*known)

    def commit_async(
        self, offsets: Commits | None = None, on_commit: OnCommit | None = None
    ) -> PendingCommit:
        """Commits without waiting: the positions, or what is given (see `commit`). `on_commit` is called with
        an exception or None, from `poll`, in the thread that calls it; what comes back can be waited for."""
        with self._pending_lock:
            if offsets is None:
                unseen = [(*place, offset) for place, offset in self._unseen().items()]
                number = self._native.commit(None, unseen)
            else:
                number = self._native.commit(commit_entries(offsets), [])
            pending = self._pending[number] = PendingCommit(self, number, on_commit)
        return pending

    def wait_for_commit(self, number: int, pending: PendingCommit, timeout: float | None) -> None:
        """Lets a commit be done, as far as `timeout` seconds allow it."""
        end = None if timeout is None else time.monotonic() + timeout
        while not pending.is_done:
            left = WAIT_SLICE_SECONDS if end is None else min(end - time.monotonic(), WAIT_SLICE_SECONDS)
            error: Exception | None = None
            try:
                if not self._native.committed(number, max(left, 0.0)):
                    if left <= 0:
                        return
                    continue
            except Exception as failure:
                error = failure
            with self._pending_lock:
                mine = self._pending.pop(number, None)
            if mine is not None:
                mine.done(error)
        self._tell_commits()

    def _report_commits(self) -> None:
        with self._pending_lock:
            done = [
                (self._pending.pop(number, None), error) for number, error in self._native.take_committed()
            ]
        for pending, error in done:
            if pending is not None:
                pending.done(error)
        self._tell_commits()

    def _tell_commits(self) -> None:
        """Tells `on_commit` what became of commits of all kinds."""
        if self._on_commit is None:
            return
        for entries, error in self._native.take_told():
            offsets = {TopicPartition(*entry[:2]): OffsetAndMetadata(*entry[2:]) for entry in entries}
            try:
                self._on_commit(error, offsets)
            except Exception:  # It is told; what it makes of that ends no poll, and no close.
                log.exception("on_commit failed for %d partitions", len(offsets))

    # ---- figures

    def metrics(self) -> dict[str, float]:
        """Figures by the names of Apache Kafka's clients (`records-consumed-total`, `records-lag-max`,
        `fetch-latency-avg`, …), of the time since the consumer began. Means and maxima of nothing are not a
        number."""
        return self._native.figures()

    # ---- what is given out

    def _consumed(self, records: list[Record]) -> list[Record]:
        """Reads keys and values, and shows records to `on_consume` before the user gets them."""
        if self._deserializers is not None:
            records = self._read(records, self._deserializers)
        if self._on_consume is None or not records:
            return records
        try:
            given = self._on_consume(records)
        except Exception:  # As in Java's client: an interceptor loses no records.
            log.exception("on_consume failed for %d records", len(records))
            return records
        return records if given is None else given

    def _read(self, records: Sequence[Record], deserializers: Deserializers) -> list[Any]:
        """The records up to the first that can't be read; why it can't is raised if that is the first."""
        read, error = deserializers.read(records, "; seek() to the offset behind it passes over it")
        self._unread.extendleft(reversed(records[len(read) :]))
        if error is not None and not read:
            raise error
        return read

    # ---- what iteration has taken

    def _take_ahead(self, most: int) -> list[Record]:
        return [self._ahead.popleft() for _ in range(min(most, len(self._ahead)))]

    def _unseen(self) -> dict[tuple[str, int], int]:
        """Where the user has stopped, in partitions of which iteration has taken more records."""
        unseen: dict[tuple[str, int], int] = {}
        for record in (*self._ahead, *self._unread):
            unseen.setdefault((record.topic, record.partition), record.offset)
        return unseen

    def _take_unread(self, most: int) -> list[Record]:
        return [self._unread.popleft() for _ in range(min(most, len(self._unread)))]

    def _forget_ahead(self, topic: str, partition: int) -> None:
        def others(records: deque[Any]) -> deque[Any]:
            return deque(r for r in records if (r.topic, r.partition) != (topic, partition))

        if self._ahead or self._unread:
            self._ahead, self._unread = others(self._ahead), others(self._unread)

    def _forget_all(self) -> None:
        self._ahead.clear()
        self._unread.clear()

    def _drop(self, partitions: list[TopicPartition]) -> None:
        for topic, partition, _ in partitions:
            self._forget_ahead(topic, partition)


def deserializers_of(values: Mapping[str, Any]) -> Deserializers | None:
    """What a client of these configs reads keys and values with; None when they stay bytes."""
    if values["key.deserializer"] is None and values["value.deserializer"] is None:
        return None
    # Imported when one is given: most clients start without.
    from barnabas.clients.serdes import Deserializers

    return Deserializers(values["key.deserializer"], values["value.deserializer"])


def _re2(pattern: re.Pattern[str]) -> str:
    flags = "".join(letter for flag, letter in _FLAGS.items() if pattern.flags & flag)
    return f"(?{flags}){pattern.pattern}" if flags else pattern.pattern
