"""`barnabas.Consumer`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, NamedTuple

from barnabas._core import NativeConsumer, Record, RecordBatch
from barnabas.clients.configs import consumer_values
from barnabas.errors import ClientTimeout

ITERATION_RECORDS = 5_000
"""Records that iteration makes at once."""
BATCH_RECORDS = 65_536
"""Records of one batch of columns, at most."""


class TopicPartition(NamedTuple):
    """A partition of a topic, and where to begin in it."""

    topic: str
    partition: int
    offset: int | None = None
    """None: where `auto.offset.reset` says, or where it is already."""


class OffsetAndTimestamp(NamedTuple):
    """Where a record lies, and its timestamp in milliseconds since the Unix epoch."""

    offset: int
    timestamp: int


class Consumer:
    """Reads records of the partitions that it is given with `assign`. Groups are not built yet.

    Configs have Kafka's names, as keywords with underscores or in a mapping, as those of `Producer`.

        with Consumer(bootstrap_servers="localhost:9092", auto_offset_reset="earliest") as consumer:
            consumer.assign_topic("orders")
            for record in consumer:
                print(record.offset, record.key, record.value)

    A record's key, value and headers are read from its batch when they are asked for. Not to be used in a
    child process of the one that made it."""

    def __init__(self, configs: Mapping[str, Any] | None = None, /, **keywords: Any) -> None:
        values = consumer_values(configs, keywords)
        self._max_poll_records: int = values["max.poll.records"]
        self._native = NativeConsumer(values)

    def assign(self, partitions: Iterable[TopicPartition | tuple[str, int]]) -> None:
        """Reads exactly these partitions from now on. Those it reads already go on where they are, unless an
        offset is given."""
        wanted = [TopicPartition(*partition) for partition in partitions]
        self._native.assign([(*partition, None) for partition in wanted])

    def assign_topic(self, topic: str, timeout: float | None = 60.0) -> None:
        """Reads all partitions of a topic, and nothing else."""
        self.assign((topic, partition) for partition in self.partitions_for(topic, timeout))

    def subscribe(self, *_topics: object, **_more: object) -> None:
        """Not built yet: groups come later. Use `assign` or `assign_topic`."""
        raise NotImplementedError("consumer groups are not built yet: use assign() or assign_topic()")

    def assignment(self) -> list[TopicPartition]:
        """The partitions that it reads."""
        return [TopicPartition(*partition) for partition in self._native.assignment()]

    def poll(self, timeout: float | None = 0.0, max_records: int | None = None) -> list[Record]:
        """Up to `max_records` records (`max.poll.records`); waits up to `timeout` seconds for the first. Each
        partition's are in order."""
        return self._native.poll(timeout, max_records or self._max_poll_records)

    def __iter__(self) -> Iterator[Record]:
        """All records, as they come, without an end."""
        while True:
            yield from self._native.poll(None, ITERATION_RECORDS)

    def poll_batch(self, timeout: float | None = 0.0, max_records: int = BATCH_RECORDS) -> RecordBatch | None:
        """Records of one partition as columns, up to `max_records`; waits up to `timeout` seconds for
        them."""
        return self._native.poll_batch(timeout, max_records)

    def batches(self, max_records: int = BATCH_RECORDS) -> Iterator[RecordBatch]:
        """All records as columns, as they come, without an end: for pyarrow, polars, pandas, duckdb and numpy.
        Each batch has records of one partition, in order."""
        while True:
            batch = self._native.poll_batch(None, max_records)
            if batch is not None:
                yield batch

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Goes on at `offset`."""
        self._moved(self._native.seek(topic, partition, offset, None), topic, partition)

    def seek_to_beginning(self, topic: str, partition: int) -> None:
        """Goes on at the first record there is."""
        self._moved(self._native.seek(topic, partition, None, "earliest"), topic, partition)

    def seek_to_end(self, topic: str, partition: int) -> None:
        """Goes on with what is written from now on."""
        self._moved(self._native.seek(topic, partition, None, "latest"), topic, partition)

    def seek_to_time(self, topic: str, partition: int, timestamp: int) -> None:
        """Goes on at the first record that is not older; after the last one when all are."""
        self._moved(self._native.seek(topic, partition, timestamp, "timestamp"), topic, partition)

    def pause(self, topic: str, partition: int) -> None:
        """Gives out no records of the partition until `resume`."""
        self._moved(self._native.pause(topic, partition, True), topic, partition)

    def resume(self, topic: str, partition: int) -> None:
        """Gives out records of the partition again."""
        self._moved(self._native.pause(topic, partition, False), topic, partition)

    def paused(self) -> list[TopicPartition]:
        """The partitions that are paused."""
        return [TopicPartition(*partition) for partition in self._native.paused()]

    def position(self, topic: str, partition: int, timeout: float | None = 60.0) -> int:
        """Offset of the record that comes next."""
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

    def close(self) -> None:
        """Ends it; what was fetched and not taken is thrown away."""
        self._native.close()

    def __enter__(self) -> Consumer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @staticmethod
    def _moved(found: bool, topic: str, partition: int) -> None:
        if not found:
            raise ValueError(f"{topic}-{partition} is not assigned")
