"""`barnabas.Consumer`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from barnabas._core import Record, RecordBatch
from barnabas.clients.consumer_base import ConsumerBase, log
from barnabas.clients.consumer_types import (
    Commits,
    ConsumerGroupMetadata,
    OffsetAndMetadata,
    OffsetAndTimestamp,
    PendingCommit,
    Place,
    TopicPartition,
)
from barnabas.errors import BarnabasError, ClientTimeout

__all__ = [
    "Consumer",
    "ConsumerGroupMetadata",
    "OffsetAndMetadata",
    "OffsetAndTimestamp",
    "PendingCommit",
    "TopicPartition",
]

ITERATION_RECORDS = 5_000
"""Records that iteration makes at once, where no group waits for it."""
BATCH_RECORDS = 65_536
"""Records of one batch of columns, at most."""
INTERRUPTED_SECONDS = 2.0
"""How long leaving a group may take after Ctrl-C."""


class Consumer(ConsumerBase):
    """Reads records: as a member of a group (`subscribe`), or of partitions that it is given (`assign`).

    Configs have Kafka's names, as keywords with underscores or in a mapping, as those of `Producer`.

        with Consumer(bootstrap_servers="localhost:9092", group_id="billing") as consumer:
            consumer.subscribe(["orders"])
            for record in consumer:
                print(record.offset, record.key, record.value)

    A record's key, value and headers are read from its batch when they are asked for. With `key_deserializer`
    and `value_deserializer` key and value are what those make of them, and `poll` raises
    RecordDeserializationError for a record that they can't read: `seek` passes over it. `on_consume` is shown
    the records of each `poll` before it gives them, and may give back others. Columns are neither read nor
    shown to it. `on_commit` hears of each commit, automatic ones too, from `poll`, `commit` and `close`.
    One thread at a time may poll. Not to be used in a child process of the one that made it."""

    def assign_topic(self, topic: str, timeout: float | None = 60.0) -> None:
        """Reads all partitions of a topic, and nothing else."""
        self.assign((topic, partition) for partition in self.partitions_for(topic, timeout))

    def unsubscribe(self, timeout: float | None = 30.0) -> None:
        """Gives everything up, and leaves the group."""
        if self._has_group:
            self._leave("leave_group", timeout)
        self._forget_all()
        self._native.assign([])

    def poll(self, timeout: float | None = 0.0, max_records: int | None = None) -> list[Record]:
        """Up to `max_records` records (`max.poll.records`); waits up to `timeout` seconds for the first. Each
        partition's are in order. The records that it gave before count as worked on: their positions may be
        committed."""
        most = max_records or self._max_poll_records
        if self._ahead:
            return self._take_ahead(most)
        if self._unread:
            return self._consumed(self._take_unread(most))
        records = self._native.poll(timeout, most)
        if records is not None:
            return self._consumed(records)
        end = None if timeout is None else time.monotonic() + timeout
        while records is None:
            self._attend()
            records = self._native.poll(None if end is None else max(end - time.monotonic(), 0.0), most)
        return self._consumed(records)

    def _attend(self) -> None:
        """Does what the group waits for."""
        self._report_commits()
        call = self._native.take_call()
        if call is None:
            return
        kind, pairs = call
        partitions = [TopicPartition(*pair) for pair in pairs]
        try:
            if kind == "revoked" and self._commits_at_end:
                self._commit_quietly()
            listener = self._listener.of(kind)
            if listener is not None:
                listener(self, partitions)
        finally:
            if kind != "assigned":
                self._drop(partitions)
            self._native.called()

    def _commit_quietly(self) -> None:
        try:
            self.commit(timeout=self._request_seconds)
        except BarnabasError as error:
            log.warning("positions were not committed before partitions went to other members: %s", error)

    def __iter__(self) -> Iterator[Record]:
        """All records, as they come, without an end. A record counts as read once it is given out."""
        if not self._has_group and self._deserializers is None:
            while True:
                yield from self._consumed(self._native.poll(None, ITERATION_RECORDS) or [])
        while True:
            if not self._ahead:
                self._ahead.extend(self.poll(None))
            while self._ahead:
                yield self._ahead.popleft()

    def poll_batch(self, timeout: float | None = 0.0, max_records: int = BATCH_RECORDS) -> RecordBatch | None:
        """Records of one partition as columns, up to `max_records`; waits up to `timeout` seconds for
        them."""
        for (topic, partition), offset in self._unseen().items():
            self.seek(topic, partition, offset)
        end = None if timeout is None else time.monotonic() + timeout
        batch = self._native.poll_batch(timeout, max_records)
        while batch is None and self._has_group:
            self._attend()
            left = None if end is None else end - time.monotonic()
            batch = self._native.poll_batch(None if left is None else max(left, 0.0), max_records)
            if left is not None and left <= 0:
                break
        return batch

    def batches(self, max_records: int = BATCH_RECORDS) -> Iterator[RecordBatch]:
        """All records as columns, as they come, without an end: for pyarrow, polars, pandas, duckdb and
        numpy. Each batch has records of one partition, in order."""
        while True:
            batch = self.poll_batch(None, max_records)
            if batch is not None:
                yield batch

    def commit(self, offsets: Commits | None = None, timeout: float | None = 60.0) -> None:
        """Commits where it is in all partitions; or up to a record, or to the last of several in each
        partition, each with it; or offsets, of the records that come next. Waits until that is done."""
        self.commit_async(offsets).result(timeout)

    def committed(
        self, partitions: Iterable[Place], timeout: float | None = 60.0
    ) -> dict[TopicPartition, OffsetAndMetadata | None]:
        """Where the group is in these partitions; None where it has committed nothing."""
        asked = [(place[0], place[1]) for place in partitions]
        found = self._native.committed_positions(asked, timeout)
        return {
            TopicPartition(topic, partition): None if entry is None else OffsetAndMetadata(*entry)
            for topic, partition, entry in found
        }

    def position(self, topic: str, partition: int, timeout: float | None = 60.0) -> int:
        """Offset of the record that comes next."""
        offset = self._unseen().get((topic, partition))
        if offset is None:
            offset = self._native.position(topic, partition, timeout)
        if offset is None:
            raise ClientTimeout(f"the position in {topic}-{partition} was not known in {timeout} seconds")
        return offset

    def beginning_offset(self, topic: str, partition: int, timeout: float | None = 60.0) -> int:
        """Offset of the first record there is."""
        found = self._native.offset_of(topic, partition, None, "earliest", timeout)
        return found[0] if found else 0

    def end_offset(self, topic: str, partition: int, timeout: float | None = 60.0) -> int:
        """Offset of the record that will be written next; of the last stable one with `read_committed`."""
        found = self._native.offset_of(topic, partition, None, "latest", timeout)
        return found[0] if found else 0

    def offset_for_time(
        self, topic: str, partition: int, timestamp: int, timeout: float | None = 60.0
    ) -> OffsetAndTimestamp | None:
        """The first record that is not older than `timestamp`; None when all are."""
        found = self._native.offset_of(topic, partition, timestamp, "timestamp", timeout)
        return OffsetAndTimestamp(*found) if found else None

    def partitions_for(self, topic: str, timeout: float | None = 60.0) -> list[int]:
        """Numbers of the topic's partitions."""
        return list(range(self._native.partition_count(topic, timeout)))

    def close(self, timeout: float | None = 30.0, *, group_membership_operation: str = "default") -> None:
        """Commits positions, where that is left to it, and leaves its group, for up to `timeout` seconds;
        then ends. `group_membership_operation` is `leave_group`, `remain_in_group` or `default`: a static
        member remains, any other leaves (KIP-1092)."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self._has_group:
                if self._commits_at_end and self._native.subscription() == (None, None):
                    self._commit_quietly()
                self._leave(group_membership_operation, timeout)
        finally:
            self._forget_all()
            self._tell_commits()
            self._native.close()

    def _leave(self, operation: str, timeout: float | None) -> None:
        self._native.leave(operation)
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if end is None else end - time.monotonic()
            if self._native.has_left(None if left is None else max(left, 0.0)) is None:
                self._attend()
                continue
            break

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        # What was read last may not have been worked on: who reads on must get it again.
        self._commits_at_end = False
        try:
            self.close(30.0 if issubclass(kind, Exception) else INTERRUPTED_SECONDS)
        except BarnabasError as failure:
            log.warning("the consumer did not leave its group: %s", failure)
