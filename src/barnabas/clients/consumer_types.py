"""What a consumer gives and takes beside records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard, Union, cast

from barnabas._core import Record
from barnabas.errors import ClientTimeout

if TYPE_CHECKING:
    from barnabas.clients.consumer_base import ConsumerBase
    from barnabas.serde import ConsumerRecord


class TopicPartition(NamedTuple):
    """A partition of a topic, and where to begin in it."""

    topic: str
    partition: int
    offset: int | None = None
    """None: where the group has stopped, or `auto.offset.reset` says, or where it is already."""


class OffsetAndTimestamp(NamedTuple):
    """Where a record lies, and its timestamp in milliseconds since the Unix epoch."""

    offset: int
    timestamp: int


class OffsetAndMetadata(NamedTuple):
    """A committed position."""

    offset: int
    """Offset of the record that comes next."""
    leader_epoch: int = -1
    """Leader epoch of the record before it, where it is known."""
    metadata: str = ""
    """The user's own words."""


class ConsumerGroupMetadata(NamedTuple):
    """Who a member of a group is: what a transaction has to know that commits its offsets."""

    group_id: str
    generation_id: int
    """Generation, or member epoch; -1 outside a group."""
    member_id: str
    group_instance_id: str | None


Place = TopicPartition | tuple[str, int]
"""A partition."""
GivenRecord = Union[Record, "ConsumerRecord[Any, Any]"]
"""A record as it was read from its topic, or as the deserializers of a consumer have read it."""
Commits = (
    GivenRecord
    | Iterable[GivenRecord]
    | Mapping[TopicPartition, int | OffsetAndMetadata]
    | Mapping[tuple[str, int], int | OffsetAndMetadata]
)
"""What may be committed: a record and all before it, the last of several in each partition, or offsets."""
OnRebalance = Callable[[Any, list[TopicPartition]], object]
"""Called with the consumer and partitions, from `poll`, in the thread that calls it."""
OnCommit = Callable[[Exception | None], object]
OnCommitted = Callable[[Exception | None, dict[TopicPartition, OffsetAndMetadata]], object]
"""Hears of each commit, whoever asked for it: why it has failed, or None, and what was to be committed."""
OnConsume = Callable[[list[Record]], list[Record] | None]
"""Is shown records before `poll` gives them; gives back those to be given instead. None: these."""


class Listener(NamedTuple):
    """Who is told of partitions that come and go."""

    on_assign: OnRebalance | None = None
    on_revoke: OnRebalance | None = None
    on_lost: OnRebalance | None = None

    def of(self, kind: str) -> OnRebalance | None:
        """The callable for a kind of change; what is lost is revoked for those who make no difference."""
        match kind:
            case "assigned":
                return self.on_assign
            case "revoked":
                return self.on_revoke
            case _:
                return self.on_lost or self.on_revoke


class PendingCommit:
    """What will become of a commit."""

    __slots__ = ("_consumer", "_error", "_id", "_on_commit", "is_done")

    def __init__(self, consumer: ConsumerBase, number: int, on_commit: OnCommit | None) -> None:
        self._consumer = consumer
        self._id = number
        self._on_commit = on_commit
        self._error: Exception | None = None
        self.is_done = False
        """Whether `result` would not wait."""

    def done(self, error: Exception | None) -> None:
        """Called by the consumer."""
        self._error, self.is_done = error, True
        if self._on_commit is not None:
            self._on_commit(error)

    def look(self) -> None:
        """Learns whether it is done, without waiting."""
        self._consumer.wait_for_commit(self._id, self, 0.0)

    def result(self, timeout: float | None = None) -> None:
        """Waits up to `timeout` seconds until it is done; raises why it has failed."""
        self._consumer.wait_for_commit(self._id, self, timeout)
        if not self.is_done:
            raise ClientTimeout(f"the commit was not acknowledged in {timeout} seconds")
        if self._error is not None:
            raise self._error


def commit_entries(given: Commits) -> list[tuple[str, int, int, int, str]]:
    """Topic, partition, offset, leader epoch and metadata of what is to be committed."""
    last: dict[tuple[str, int], tuple[int, int, str]] = {}
    if isinstance(given, Mapping):
        for place, value in given.items():
            offset = value if isinstance(value, OffsetAndMetadata) else OffsetAndMetadata(int(value))
            last[place[0], place[1]] = (offset.offset, offset.leader_epoch, offset.metadata)
    else:
        for record in [given] if _is_record(given) else cast(Iterable[GivenRecord], given):
            key = (record.topic, record.partition)
            if record.offset + 1 > last.get(key, (0,))[0]:
                last[key] = (record.offset + 1, record.leader_epoch, "")
    return [(*place, *entry) for place, entry in last.items()]


def _is_record(given: object) -> TypeGuard[GivenRecord]:
    # The class of read records is not imported for this: most clients start without serdes.
    return isinstance(given, Record) or hasattr(given, "timestamp")
