"""What both faces of a share consumer, the one that waits and the one that is awaited, do alike."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

from barnabas._core import NativeShareConsumer, Record
from barnabas.clients.configs import share_consumer_values
from barnabas.clients.consumer_base import deserializers_of
from barnabas.clients.consumer_types import GivenRecord, TopicPartition

OnAcknowledge = Callable[[TopicPartition, list[int], Exception | None], object]
"""Called with a partition, offsets of it, and why their acknowledgement does not count, or None."""
Results = dict[TopicPartition, Exception | None]
"""Partitions of which records were acknowledged, and why that does not count, or None."""


class AcknowledgeType(StrEnum):
    """What became of a record."""

    ACCEPT = "accept"
    """It was worked on."""
    RELEASE = "release"
    """Another member may have it, or this one again."""
    REJECT = "reject"
    """Nobody is to have it again: it can't be worked on."""
    RENEW = "renew"
    """It is still being worked on: its lock begins anew."""


class ShareConsumerBase:
    """The state of a share consumer, and what it does without waiting."""

    def __init__(self, configs: Mapping[str, Any] | None = None, /, **keywords: Any) -> None:
        values = share_consumer_values(configs, keywords)
        self._max_poll_records: int = values["max.poll.records"]
        self._is_explicit = values["share.acknowledgement.mode"].lower() == "explicit"
        self._native = NativeShareConsumer(values)
        self._on_acknowledge: OnAcknowledge | None = None
        self._deserializers = deserializers_of(values)
        self._ahead: deque[Any] = deque()
        """Records that iteration has taken and not given out yet."""
        self._unread: deque[Record] = deque()
        """Records behind one that could not be read."""
        self._is_closed = False

    def subscribe(self, topics: str | Iterable[str]) -> None:
        """Takes records of these topics from now on, as a member of the share group `group.id`."""
        self._native.subscribe([topics] if isinstance(topics, str) else list(topics))

    def subscription(self) -> list[str]:
        """The topics that it takes records of."""
        return self._native.subscription()

    def acknowledge(
        self,
        record: GivenRecord | tuple[str, int, int],
        type: AcknowledgeType | str = AcknowledgeType.ACCEPT,
    ) -> None:
        """Says what became of a record (or of a topic's partition's offset) that `poll` gave. Brokers are
        told by the next `poll` or `commit`. For `share.acknowledgement.mode=explicit`."""
        if not self._is_explicit:
            raise ValueError("acknowledge() needs share.acknowledgement.mode=explicit")
        place = record if isinstance(record, tuple) else (record.topic, record.partition, record.offset)
        if not self._native.acknowledge(*place, AcknowledgeType(type).value):
            topic, partition, offset = place
            raise ValueError(f"{topic}-{partition}@{offset} is not this consumer's, or acknowledged already")

    def commit_async(self) -> None:
        """Tells brokers what became of records, and does not wait for their answers; with implicit
        acknowledgement all that were given out are accepted."""
        unseen = (*self._ahead, *self._unread)
        self._native.commit([(record.topic, record.partition, record.offset) for record in unseen])

    def set_acknowledgement_commit_callback(self, callback: OnAcknowledge | None) -> None:
        """Has `callback` hear what became of acknowledgements, from `poll`, `commit` and `close`, in the
        thread that calls them."""
        self._on_acknowledge = callback

    @property
    def acquisition_lock_timeout_ms(self) -> int | None:
        """How long records are this consumer's, as a broker has said last; None before the first came."""
        return self._native.lock_timeout_ms

    def _report(self) -> Results:
        """Takes what became of acknowledgements, and tells the callback."""
        results: Results = {}
        for topic, partition, offsets, error in self._native.take_results():
            place = TopicPartition(topic, partition)
            results[place] = results.get(place) or error
            if self._on_acknowledge is not None:
                self._on_acknowledge(place, offsets, error)
        return results

    def _read(self, records: list[Record]) -> list[Record]:
        """The records, with keys and values read, up to the first that can't be: why it can't is raised if
        that is the first. As in Java's client the record is released then, or left to `acknowledge`."""
        if self._deserializers is None:
            return records
        if self._is_explicit:
            advice = "; acknowledge((topic, partition, offset), ...) says what becomes of it"
        else:
            advice = "; it is released, and may come again"
        read, error = self._deserializers.read(records, advice)
        self._unread.extendleft(reversed(records[len(read) :]))
        if error is not None and not read:
            self._unread.popleft()
            if not self._is_explicit:
                self._native.acknowledge(error.topic, error.partition, error.offset, "release")
            raise error
        given: list[Any] = list(read)
        return given

    def _take_unread(self, most: int) -> list[Record]:
        return [self._unread.popleft() for _ in range(min(most, len(self._unread)))]

    def _take_ahead(self, most: int) -> list[Record]:
        return [self._ahead.popleft() for _ in range(min(most, len(self._ahead)))]
