"""`barnabas.ShareConsumer`."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from barnabas._core import Record
from barnabas.clients.share_consumer_base import AcknowledgeType, OnAcknowledge, Results, ShareConsumerBase
from barnabas.errors import ClientTimeout

__all__ = ["AcknowledgeType", "OnAcknowledge", "ShareConsumer"]

INTERRUPTED_SECONDS = 2.0
"""How long leaving a group may take after Ctrl-C."""


class ShareConsumer(ShareConsumerBase):
    """Takes records as a member of a share group (KIP-932): each record goes to one member at a time, and
    counts as done when it is accepted, like a message of a queue.

        with ShareConsumer(bootstrap_servers="localhost:9092", group_id="workers") as consumer:
            consumer.subscribe("jobs")
            for record in consumer:
                work(record.value)

    Asking for the next records accepts those before; with `share_acknowledgement_mode="explicit"` it is
    `acknowledge` that says what became of each. One thread at a time may use it. Not to be used in a child
    process of the one that made it."""

    def poll(self, timeout: float | None = 0.0, max_records: int | None = None) -> list[Record]:
        """Up to `max_records` records (`max.poll.records`); waits up to `timeout` seconds for the first.
        Those that it gave before are accepted, or have to be acknowledged."""
        most = max_records or self._max_poll_records
        if self._ahead:
            return self._take_ahead(most)
        if self._unread:
            return self._read(self._take_unread(most))
        records = self._native.poll(timeout, most)
        self._report()
        return self._read(records)

    def __iter__(self) -> Iterator[Record]:
        """All records, as they come, without an end."""
        while True:
            if not self._ahead:
                self._ahead.extend(self.poll(None))
            while self._ahead:
                yield self._ahead.popleft()

    def commit(self, timeout: float | None = 60.0) -> Results:
        """Tells brokers what became of records, and waits for their answers: None for partitions where that
        counts, or why it does not (the lock was over, say: the record is delivered again). With implicit
        acknowledgement all records that were given out are accepted."""
        self._report()
        self.commit_async()
        if not self._native.is_settled(timeout):
            raise ClientTimeout(f"the acknowledgements were not answered in {timeout} seconds")
        return self._report()

    def unsubscribe(self, timeout: float | None = 30.0) -> None:
        """Gives everything back, and leaves the group."""
        self._ahead.clear()
        self._unread.clear()
        self._native.leave()
        self._native.has_left(timeout)
        self._report()

    def close(self, timeout: float | None = 30.0) -> None:
        """Tells brokers what was acknowledged, gives back what was not, and leaves its group, for up to
        `timeout` seconds; then ends. With implicit acknowledgement that gives back what the last `poll`
        gave, unless `commit` came after it."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self.unsubscribe(timeout)
        finally:
            self._native.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        is_interrupted = kind is not None and not issubclass(kind, Exception)
        self.close(INTERRUPTED_SECONDS if is_interrupted else 30.0)
