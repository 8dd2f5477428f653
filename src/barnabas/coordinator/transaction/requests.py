"""What a machine of transactions is asked, what it answers, and what it asks of the node."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.coordinator.transaction.state import TopicPartition

if TYPE_CHECKING:
    from barnabas.coordinator.machine import Record


class ProducerIdAndEpoch(NamedTuple):
    """Which producer, and which of its incarnations."""

    producer_id: int
    producer_epoch: int


NOBODY = ProducerIdAndEpoch(-1, -1)

# ---- calls ------------------------------------------------------------------------------------------------


class InitProducerId(NamedTuple):
    """Answered with the ProducerIdAndEpoch that the producer has from now on."""

    transactional_id: str
    timeout_ms: int
    expected: ProducerIdAndEpoch | None = None
    """What the producer has, when it goes on after an error (KIP-360)."""


class AddPartitions(NamedTuple):
    """Begins the transaction if none is open. Answered with None."""

    transactional_id: str
    producer: ProducerIdAndEpoch
    partitions: frozenset[TopicPartition]
    transaction_version: int = 0
    """2 when the data plane adds the partition of a Produce (KIP-890), 0 when the client itself does."""
    connection: int = 0
    """Number of the client's connection, higher for a later one; 0 when it does not matter."""


class VerifyPartitions(NamedTuple):
    """Answered with the set of those partitions that are part of the ongoing transaction."""

    transactional_id: str
    producer: ProducerIdAndEpoch
    partitions: frozenset[TopicPartition]


class EndTransaction(NamedTuple):
    """Answered when the outcome is committed, with the ProducerIdAndEpoch that the producer goes on with, or
    NOBODY below transaction version 2."""

    transactional_id: str
    producer: ProducerIdAndEpoch
    commit: bool
    transaction_version: int = 0
    """2 for clients that expect their epoch to be raised (KIP-890)."""
    connection: int = 0
    """As in AddPartitions."""


class DescribeTransaction(NamedTuple):
    """Answered with the Transaction, its partitions those that no marker is written to yet."""

    transactional_id: str


class ListTransactions(NamedTuple):
    """Answered with the list of Transactions that pass all filters; an empty one lets everything pass."""

    producer_ids: frozenset[int] = frozenset()
    states: frozenset[str] | None = None
    """By their names; None lets everything pass."""
    running_longer_than_ms: int = -1


class Late:
    """The answer to a request that was sent before others which are done already: the client has given it up
    and its connection is to be closed. Where the client is still there after all, it asks again."""


LATE = Late()

# ---- what others may know --------------------------------------------------------------------------------


class PartitionsAdded(NamedTuple):
    """Effect: the producer's open transaction has these partitions from now on; until its markers are
    written, or it is over without any, the data plane need not ask about them."""

    transactional_id: str
    producer: ProducerIdAndEpoch
    partitions: tuple[TopicPartition, ...]


class EndedUnmarked(NamedTuple):
    """Effect: the producer's transaction ends, and there is no partition that a marker could be written to
    now."""

    producer: ProducerIdAndEpoch


# ---- markers ----------------------------------------------------------------------------------------------


class WriteMarkers(NamedTuple):
    """Effect: to write the transaction's markers to partitions of one leader, with the leader epoch of the
    machine's partition as coordinator epoch. What comes of it is told with a MarkersWritten."""

    leader: int
    """Id of the broker that leads the partitions."""
    transactional_id: str
    producer: ProducerIdAndEpoch
    commit: bool
    transaction_version: int
    partitions: tuple[TopicPartition, ...]
    prepared_at: int
    """When the outcome was decided; tells results of one transaction from those of another."""
    completed: Record | None = None
    """What is put out instead of a MarkersWritten when each of the partitions has its marker at once, for
    nothing is left to decide then; None when these are not all partitions."""


class MarkersWritten(NamedTuple):
    """Call: an error code for each partition of a WriteMarkers. Answered with None."""

    markers: WriteMarkers
    errors: tuple[int, ...]
